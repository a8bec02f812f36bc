/**
 * Time as the shell sees it: two clocks and timers, passed in everywhere so that tests can replace them.
 *
 * Wall time is for what people read (event timestamps); monotonic time is for every age and deadline
 * (updates.md G1, operations.md §2.6). Both in milliseconds.
 */
export interface Clock {
  /** Milliseconds since the epoch; may step in either direction. */
  wallNow(): number;
  /** Milliseconds since an arbitrary start; never steps, stands still while a Linux machine sleeps. */
  monoNow(): number;
  /** Milliseconds since boot, counting sleep; the drift against `monoNow` betrays a suspended machine. */
  uptimeNow(): number;
}

/** A timer that was set; `cancel` is idempotent and does nothing once the timer has fired. */
export interface TimerHandle {
  cancel(): void;
}

export interface Timers {
  /** Calls `fire` once after `delayMs` (values below 0 count as 0; any length, also beyond 2^31 ms). */
  set(delayMs: number, fire: () => void): TimerHandle;
}

/** Node's setTimeout overflows above this delay and would fire at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export function systemClock(uptimeSeconds: () => number): Clock {
  return {
    wallNow: () => Date.now(),
    monoNow: () => performance.now(),
    uptimeNow: () => uptimeSeconds() * 1000,
  };
}

export const systemTimers: Timers = {
  set(delayMs, fire) {
    let left = Math.max(0, delayMs);
    let timeout: NodeJS.Timeout;
    const arm = (): void => {
      const part = Math.min(left, MAX_TIMEOUT_MS);
      left -= part;
      timeout = setTimeout(() => (left > 0 ? arm() : fire()), part);
    };
    arm();
    return { cancel: () => clearTimeout(timeout) };
  },
};

/** How long one piece of work may keep others waiting, ms: heartbeats come in between. */
const TURN_MS = 8;

/** Cuts long work into turns of the event loop. */
export class Turns {
  private since = performance.now();

  /** It is time for `pause`. */
  isDue(): boolean {
    return performance.now() - this.since >= TURN_MS;
  }

  /** Lets everybody else have a turn, if this one was long. */
  async pause(): Promise<void> {
    if (!this.isDue()) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.since = performance.now();
  }
}

/**
 * A zone as its offset: local time less UTC at a moment, both in ms. From the time zone database of
 * Node.js, by way of Intl.
 *
 * @throws RangeError for a zone Node.js does not know, and when asked beyond the range of Date
 */
export function zoneOffset(timeZone: string): (epochMs: number) => number {
  if (/^(GMT|UTC|Z|Etc\/(GMT|UTC))$/i.test(timeZone)) return () => 0;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    hourCycle: 'h23',
    era: 'short',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (epochMs) => {
    const second = Math.floor(epochMs / 1000) * 1000;
    const part: Record<string, string> = {};
    for (const { type, value } of format.formatToParts(second)) part[type] = value;
    const number = (type: string): number => Number(part[type]);
    const year = part['era'] === 'BC' ? 1 - number('year') : number('year');
    // Set in steps, because Date.UTC takes years below 100 for ones of the 20th century.
    const local = new Date(0);
    local.setUTCFullYear(year, number('month') - 1, number('day'));
    local.setUTCHours(number('hour'), number('minute'), number('second'));
    return local.getTime() - second;
  };
}
