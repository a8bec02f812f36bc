/**
 * The heartbeats of coordinated updates (updates.md §1.3): one timestamp for each update, in this process
 * only, empty at start. No SQL, no timers, and nobody depends on it but the gate.
 */
import type { Heartbeat, Verdict } from '../core/update/gate.js';
import { gate } from '../core/update/gate.js';
import type { Clock } from '../time.js';

/** The machine slept if its uptime outran the monotonic clock by more than this (G1). */
const SLEEP_TOLERANCE_MS = 1_000;

export class Heartbeats {
  private readonly byUpdate = new Map<string, Heartbeat>();
  private drift: number;
  /** How often everything was void at once: a verdict from before does not hold any more. */
  sleeps = 0;

  constructor(private readonly clock: Clock) {
    this.drift = clock.uptimeNow() - clock.monoNow();
  }

  /** A pulse counts from now. */
  beat(updateKey: string): void {
    // Uptime is not noted: reading it costs more than the pulse, and every verdict checks the drift.
    this.byUpdate.set(updateKey, { mono: this.clock.monoNow(), wall: this.clock.wallNow() });
  }

  get(updateKey: string): Heartbeat | undefined {
    return this.byUpdate.get(updateKey);
  }

  forget(updateKey: string): void {
    this.byUpdate.delete(updateKey);
  }

  get size(): number {
    return this.byUpdate.size;
  }

  /** May this update act now? The one question every action waits for. */
  verdict(updateKey: string, pulseTimeoutMs: number): Verdict {
    if (pulseTimeoutMs > 0) this.checkSleep();
    return gate(pulseTimeoutMs, this.byUpdate.get(updateKey), this.clock.monoNow());
  }

  /**
   * A machine that slept has lost count of time: all heartbeats are void. Called by every verdict and by
   * a slow timer; returns whether the map was cleared.
   */
  checkSleep(): boolean {
    const drift = this.clock.uptimeNow() - this.clock.monoNow();
    const slept = drift - this.drift > SLEEP_TOLERANCE_MS;
    if (slept) {
      this.byUpdate.clear();
      this.drift = drift;
      this.sleeps += 1;
    }
    return slept;
  }
}
