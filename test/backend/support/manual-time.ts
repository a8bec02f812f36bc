/** Time that moves only when a test says so; timers fire in the order of their deadlines. */
import type { Clock, TimerHandle, Timers } from '../../../src/time.js';

export class ManualTime implements Clock, Timers {
  #now = 0;
  #sequence = 0;
  readonly #due = new Map<number, { at: number; fire: () => void }>();

  wallNow = (): number => 1_700_000_000_000 + this.#now;
  monoNow = (): number => this.#now;
  uptimeNow = (): number => this.#now;

  set(delayMs: number, fire: () => void): TimerHandle {
    const id = this.#sequence++;
    this.#due.set(id, { at: this.#now + Math.max(0, delayMs), fire });
    return { cancel: () => void this.#due.delete(id) };
  }

  get armed(): number {
    return this.#due.size;
  }

  /** Moves on, timer by timer; after each one promise callbacks get a turn. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#due].sort(([a, x], [b, y]) => x.at - y.at || a - b);
      if (next === undefined || next[1].at > end) break;
      this.#due.delete(next[0]);
      this.#now = next[1].at;
      next[1].fire();
      await turn();
    }
    this.#now = end;
    await turn();
  }
}

/** Lets everything that waits for promises only run to its end. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
