/** Clock and timer queue in one, moved only by the test. All times in ms. */
import type { Clock, TimerHandle, Timers } from '../../src/time.js';

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
}

export class FakeTime implements Clock, Timers {
  private mono = 1_000_000;
  private wall: number;
  private sleptMs = 0;
  private order = 0;
  private readonly queue = new Set<Entry>();

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.wall = startMs;
  }

  wallNow(): number {
    return this.wall;
  }

  monoNow(): number {
    return this.mono;
  }

  uptimeNow(): number {
    return this.mono + this.sleptMs;
  }

  set(delayMs: number, fire: () => void): TimerHandle {
    const entry = { at: this.mono + Math.max(0, delayMs), order: this.order++, fire };
    this.queue.add(entry);
    return { cancel: () => this.queue.delete(entry) };
  }

  /** The wall clock is set, in either direction; nothing else moves. */
  stepWall(byMs: number): void {
    this.wall += byMs;
  }

  /** The machine slept: the monotonic clock stood still (updates.md G1). */
  sleep(forMs: number): void {
    this.sleptMs += forMs;
    this.wall += forMs;
  }

  /** Moves both clocks, firing nothing. */
  tick(byMs: number): void {
    this.mono += byMs;
    this.wall += byMs;
  }

  /** When the next timer is due, on the monotonic clock. */
  get nextDue(): number | undefined {
    let first: Entry | undefined;
    for (const entry of this.queue) {
      if (first === undefined || entry.at < first.at) first = entry;
    }
    return first?.at;
  }

  /** Fires every timer that is due, in order. */
  fireDue(): void {
    const due = [...this.queue].filter((entry) => entry.at <= this.mono);
    due.sort((a, b) => a.at - b.at || a.order - b.order);
    for (const entry of due) {
      if (this.queue.delete(entry)) entry.fire();
    }
  }

  get pendingTimers(): number {
    return this.queue.size;
  }
}
