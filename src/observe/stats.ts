/**
 * Counters and gauges under Aurora's names, as /vars shows them (operations.md §4).
 *
 * Counters live as long as the process; a failover starts them at 0 again.
 */

export type StatValue = number | string;

/** All variables at one moment, in the order they came into being. */
export type Snapshot = Readonly<Record<string, StatValue>>;

/** What a timing is measured in; part of the names of its variables. */
export type TimingUnit = 'nanos' | 'ms';

interface Timing {
  readonly name: string;
  readonly unit: TimingUnit;
  events: number;
  total: number;
  /** State at the last sample, and what the last three variables showed then. */
  sampled: { events: number; total: number };
  perSecond: { events: number; total: number; perEvent: number };
}

/** Only these characters are kept in a name; others become `_`. */
const STRANGE = /[^A-Za-z0-9_/.-]/g;

export class Stats {
  /** Readers by final name: insertion order is the order of /vars.json. */
  readonly #variables = new Map<string, () => StatValue>();
  /** Counters and timings by the name callers use. */
  readonly #counters = new Map<string, { value: number }>();
  readonly #timings = new Map<string, Timing>();
  #lastSampleMs: number | undefined;

  /** Adds to the counter `name`; the first call makes it (`by` 0 makes it show as 0). */
  increment(name: string, by = 1): void {
    let counter = this.#counters.get(name);
    if (!counter) {
      counter = { value: 0 };
      const made = counter;
      this.#counters.set(name, counter);
      this.#variables.set(cleanName(name), () => made.value);
    }
    counter.value += by;
  }

  /** Shows what `read` returns at the moment somebody looks; a later gauge of that name replaces it. */
  gauge(name: string, read: () => StatValue): void {
    this.#variables.set(cleanName(name), read);
  }

  /** Removes a gauge, e.g. of a job that is gone. */
  removeGauge(name: string): void {
    this.#variables.delete(cleanName(name));
  }

  /**
   * Adds one event that took `amount` units to the timing `name`: five variables, `_events`,
   * `_<unit>_total`, `_events_per_sec`, `_<unit>_total_per_sec` and `_<unit>_per_event`.
   */
  timing(name: string, amount: number, unit: TimingUnit = 'nanos'): void {
    let timing = this.#timings.get(name);
    if (!timing) {
      timing = this.#newTiming(cleanName(name), unit);
      this.#timings.set(name, timing);
    }
    timing.events += 1;
    timing.total += amount;
  }

  #newTiming(name: string, unit: TimingUnit): Timing {
    const timing: Timing = {
      ...{ name, unit, events: 0, total: 0 },
      sampled: { events: 0, total: 0 },
      perSecond: { events: 0, total: 0, perEvent: 0 },
    };
    this.#variables.set(`${name}_events`, () => timing.events);
    this.#variables.set(`${name}_${unit}_total`, () => timing.total);
    this.#variables.set(`${name}_events_per_sec`, () => timing.perSecond.events);
    this.#variables.set(`${name}_${unit}_total_per_sec`, () => timing.perSecond.total);
    this.#variables.set(`${name}_${unit}_per_event`, () => timing.perSecond.perEvent);
    return timing;
  }

  /**
   * Computes the rates of all timings since the last call; to be called about once a second.
   *
   * @param nowMs monotonic time.
   */
  sample(nowMs: number): void {
    const seconds = (nowMs - (this.#lastSampleMs ?? nowMs)) / 1000;
    this.#lastSampleMs = nowMs;
    for (const timing of this.#timings.values()) {
      const events = timing.events - timing.sampled.events;
      const total = timing.total - timing.sampled.total;
      timing.sampled = { events: timing.events, total: timing.total };
      timing.perSecond = {
        events: seconds > 0 ? events / seconds : 0,
        total: seconds > 0 ? total / seconds : 0,
        perEvent: events > 0 ? total / events : 0,
      };
    }
  }

  /** Every variable now. A gauge that throws is left out: looking must not fail for one of them. */
  snapshot(): Snapshot {
    const values: Record<string, StatValue> = {};
    for (const [name, read] of this.#variables) {
      try {
        const value = read();
        values[name] = typeof value === 'number' && !Number.isFinite(value) ? 0 : value;
      } catch {
        continue;
      }
    }
    return values;
  }
}

export function cleanName(name: string): string {
  return name.replace(STRANGE, '_');
}

/** Kept in /vars but in no history and no Prometheus view: one variable per job or task is too many. */
export function isUntracked(name: string): boolean {
  return /^(sla_|tasks_(LOST|FAILED)_|updates_sla_kill_|maintenance_countdown_ms_)/.test(name);
}

/** `/vars`: a line `name value` each, sorted, without a final newline (operations.md §3). */
export function renderVars(snapshot: Snapshot): string {
  return Object.entries(snapshot)
    .map(([name, value]) => `${name} ${value}`)
    .sort()
    .join('\n');
}

/** `/vars.json`; `pretty` indents by two. */
export function renderVarsJson(snapshot: Snapshot, pretty: boolean): string {
  return pretty ? JSON.stringify(snapshot, null, 2) : JSON.stringify(snapshot);
}
