/**
 * When a schedule fires next (tasks.md §7, "Next run"), in a zone that is given by its offset from UTC.
 *
 * Where clocks change, two rules. A schedule with hour `*` follows the time that passes: it fires in every
 * matching minute there is, in an hour that comes twice both times. One that names hours fires once for
 * each local time it names: a time that is skipped fires as much later as the clocks jump (02:30 at 03:30,
 * as Quartz documents it), one that comes twice fires the first time.
 */
import type { CronSchedule } from './crontab.js';

/**
 * Local time less UTC at a moment, ms; the moment is in ms since the epoch and within ±8.64e15. A clock
 * changes at most once in three days, and by at most a day.
 */
export type OffsetAt = (epochMs: number) => number;

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** The last moment of calendars in JavaScript. */
const LAST_MS = 8.64e15;

/** 29 February is at most 8 years from the next one; nothing that fires at all fires more rarely. */
const MOST_DAYS = 9 * 366;

const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** False for schedules without a day: 31 February, 31 April, 30 February. */
export function canFire({ dayOfMonth, month }: CronSchedule): boolean {
  const [first = 1] = dayOfMonth.values;
  return month.values.some((value) => first <= (MONTH_DAYS[value - 1] ?? 0));
}

/** Month 1-12 and day of month of a day counted from 1 January 1970, in the Gregorian calendar. */
function monthAndDay(epochDay: number): { month: number; day: number } {
  // Years that begin on 1 March put the leap day last: the months before it have a pattern of 153 days.
  const day = epochDay + 719_468;
  const ofEra = day - Math.floor(day / 146_097) * 146_097;
  const year = Math.floor(
    (ofEra - Math.floor(ofEra / 1_460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) /
      365,
  );
  const ofYear = ofEra - (365 * year + Math.floor(year / 4) - Math.floor(year / 100));
  const fromMarch = Math.floor((5 * ofYear + 2) / 153);
  return {
    month: fromMarch < 10 ? fromMarch + 3 : fromMarch - 9,
    day: ofYear - Math.floor((153 * fromMarch + 2) / 5) + 1,
  };
}

function firesOn(schedule: CronSchedule, epochDay: number): boolean {
  const { month, day } = monthAndDay(epochDay);
  if (!schedule.month.values.includes(month)) return false;
  if (!schedule.dayOfMonth.isAny) return schedule.dayOfMonth.values.includes(day);
  // 1 January 1970 was a Thursday.
  return schedule.dayOfWeek.values.includes((((epochDay + 4) % 7) + 7) % 7);
}

/** The first minute of an ordinary day after `afterLocal`; all in local time as if it were UTC. */
function firstAfter(
  { hour, minute }: CronSchedule,
  dayStart: number,
  afterLocal: number,
): number | undefined {
  for (const h of hour.values) {
    const hourStart = dayStart + h * HOUR_MS;
    if (hourStart + HOUR_MS <= afterLocal) continue;
    for (const m of minute.values) {
      const local = hourStart + m * MINUTE_MS;
      if (local > afterLocal) return local;
    }
  }
  return undefined;
}

/** The moments at which a local time is to fire, near a change of the clocks from one offset to another. */
function moments(
  local: number,
  [before, after]: readonly [number, number],
  offsetAt: OffsetAt,
  followsTime: boolean,
): number[] {
  const real = [...new Set([before, after])]
    .map((offset) => ({ at: local - offset, offset }))
    .filter(({ at, offset }) => offsetAt(at) === offset)
    .map(({ at }) => at)
    .sort((a, b) => a - b);
  if (followsTime) return real;
  return real.length === 0 ? [local - before] : real.slice(0, 1);
}

/** The first moment after `afterMs` on a day near a change of the clocks. */
function firstOnChange(
  schedule: CronSchedule,
  dayStart: number,
  afterMs: number,
  offsets: readonly [number, number],
  offsetAt: OffsetAt,
): number | undefined {
  let first: number | undefined;
  for (const h of schedule.hour.values) {
    for (const m of schedule.minute.values) {
      const local = dayStart + h * HOUR_MS + m * MINUTE_MS;
      for (const at of moments(local, offsets, offsetAt, schedule.hour.isAny)) {
        if (at > afterMs && (first === undefined || at < first)) first = at;
      }
    }
  }
  return first;
}

/**
 * The first moment strictly after `afterMs` at which the schedule fires, at second 0; undefined when there
 * is none, or none before the calendar ends. Both in ms since the epoch.
 */
export function nextRun(
  schedule: CronSchedule,
  afterMs: number,
  offsetAt: OffsetAt,
): number | undefined {
  const beyond = afterMs + (MOST_DAYS + 4) * DAY_MS;
  if (!(beyond < LAST_MS) || afterMs < 5 * DAY_MS - LAST_MS || !canFire(schedule)) return undefined;
  const today = Math.floor((afterMs + offsetAt(afterMs)) / DAY_MS);
  let found: number | undefined;
  let lastDay = today + MOST_DAYS;
  // From two days ago: a skipped time of then may fire today.
  for (let day = today - 2; day <= lastDay; day++) {
    if (!firesOn(schedule, day)) continue;
    const start = day * DAY_MS;
    const offsets = [offsetAt(start - DAY_MS), offsetAt(start + 2 * DAY_MS)] as const;
    const [offset, later] = offsets;
    let at: number | undefined;
    if (offset === later) {
      const local = firstAfter(schedule, start, afterMs + offset);
      at = local === undefined ? undefined : local - offset;
    } else {
      at = firstOnChange(schedule, start, afterMs, offsets, offsetAt);
    }
    if (at === undefined) continue;
    if (found === undefined || at < found) found = at;
    if (offset === later) break;
    // A skipped time fires later than those behind it: the next two days may be earlier.
    lastDay = Math.min(lastDay, day + 2);
  }
  return found;
}
