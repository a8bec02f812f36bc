/** Next runs (tasks.md §7) in GMT and in zones whose clocks change. */
import { parseCrontab } from '../../../src/core/cron/crontab.js';
import { canFire, nextRun } from '../../../src/core/cron/next-run.js';
import { zoneOffset } from '../../../src/time.js';

const DAY_MS = 86_400_000;

function schedule(text: string) {
  const { ok, problem } = parseCrontab(text);
  if (ok === undefined) throw new Error(problem);
  return ok;
}

/** The next `count` runs after a moment, each the "now" of the one behind it. */
function runs(text: string, afterMs: number, count: number, zone = 'GMT'): (number | undefined)[] {
  const offsetAt = zoneOffset(zone);
  const found: (number | undefined)[] = [];
  for (let now: number | undefined = afterMs; found.length < count && now !== undefined;) {
    now = nextRun(schedule(text), now, offsetAt);
    found.push(now);
  }
  return found;
}

/** As ISO texts in UTC, without seconds. */
function utc(text: string, after: string, count: number, zone: string): (string | undefined)[] {
  return runs(text, Date.parse(after), count, zone).map((at) =>
    at === undefined ? undefined : new Date(at).toISOString().slice(0, 16),
  );
}

describe('GMT', () => {
  test.each([
    ['0 20 * * 1', [417600000, 1022400000, 1627200000]],
    ['11 * * * *', [660000]],
    ['0 0 12 * *', [950400000, 3628800000, 6048000000]],
    ['00 17 1-3,5-31 * *', [61200000, 147600000, 234000000]],
    ['30,45 18 * * 1', [412200000, 413100000, 1017000000]],
  ])('TASK-075 %s after the epoch', (text, expected) => {
    expect(runs(text, 0, expected.length)).toEqual(expected);
  });

  test('TASK-076 and RPC-038 every minute: strictly after now', () => {
    expect(runs('* * * * *', DAY_MS, 1)).toEqual([DAY_MS + 60_000]);
    expect(runs('* * * * *', DAY_MS + 1, 1)).toEqual([DAY_MS + 60_000]);
    expect(runs('* * * * *', DAY_MS + 59_999, 1)).toEqual([DAY_MS + 60_000]);
  });

  test.each([8.64e15, 8.64e15 - DAY_MS, -8.64e15, Infinity, NaN, Number.MAX_SAFE_INTEGER])(
    'TASK-076 a clock that overflows, %p: none',
    (now) => {
      expect(nextRun(schedule('* * * * *'), now, () => 0)).toBeUndefined();
    },
  );

  test.each([
    ['0 0 31 2 *', false],
    ['0 0 30,31 2 *', false],
    ['0 0 31 4,6,9,11 *', false],
    ['0 0 29 2 *', true],
    ['0 0 31 2,3 *', true],
    ['0 0 * 2 *', true],
  ])('%s can fire: %s', (text, expected) => {
    expect(canFire(schedule(text))).toBe(expected);
    expect(nextRun(schedule(text), 0, () => 0) !== undefined).toBe(expected);
  });

  test('29 February, across a century without one', () => {
    const found = utc('0 0 29 2 *', '2096-02-29T00:00Z', 1, 'GMT');
    expect(found).toEqual(['2104-02-29T00:00']);
  });

  test('agrees with the calendar of JavaScript on every day of 1600 to 2400', () => {
    const days = { first: Date.UTC(1600, 0, 1), last: Date.UTC(2400, 0, 1) };
    const first = schedule('0 0 1 * *');
    const sundays = schedule('0 0 * * SUN');
    for (let at = days.first; at < days.last; at += 97 * DAY_MS) {
      const month = new Date(nextRun(first, at, () => 0) ?? 0);
      expect(month.getTime()).toBe(
        Date.UTC(new Date(at).getUTCFullYear(), new Date(at).getUTCMonth() + 1, 1),
      );
      expect(new Date(nextRun(sundays, at, () => 0) ?? 0).getUTCDay()).toBe(0);
    }
  });
});

describe('other zones', () => {
  test.each([
    ['a fixed offset', '0 9 * * *', '2026-01-01T00:00Z', 'Asia/Kolkata', ['2026-01-01T03:30']],
    ['west of GMT', '0 20 * * *', '2026-01-01T00:00Z', 'America/Bogota', ['2026-01-01T01:00']],
    [
      'winter and summer',
      '0 12 1 * *',
      '2026-03-01T12:00Z',
      'Europe/Berlin',
      ['2026-04-01T10:00', '2026-05-01T10:00'],
    ],
    [
      'the weekday of the zone, not of GMT',
      '30 0 * * MON',
      '2026-01-03T00:00Z',
      'Asia/Tokyo',
      ['2026-01-04T15:30'],
    ],
  ])('%s', (_, text, after, zone, expected) => {
    expect(utc(text, after, expected.length, zone)).toEqual(expected);
  });
});

// Berlin, 29 March 2026: 01:00Z is 02:00 becoming 03:00. 25 October 2026: 01:00Z is 03:00 becoming 02:00.
describe('clocks that change', () => {
  test.each([
    [
      'a skipped time fires as much later as the clocks jump, and the day after at its time',
      '30 2 * * *',
      '2026-03-28T12:00Z',
      ['2026-03-29T01:30', '2026-03-30T00:30'],
    ],
    [
      'a skipped time that falls on a named one fires once',
      '30 2,3 * * *',
      '2026-03-29T00:30Z',
      ['2026-03-29T01:30', '2026-03-30T00:30', '2026-03-30T01:30'],
    ],
    [
      'skipped times do not hold up the ones behind them',
      '0,45 2,3 * * *',
      '2026-03-29T00:30Z',
      ['2026-03-29T01:00', '2026-03-29T01:45', '2026-03-30T00:00'],
    ],
    [
      'hour * fires in the minutes there are',
      '30 * * * *',
      '2026-03-28T23:45Z',
      ['2026-03-29T00:30', '2026-03-29T01:30', '2026-03-29T02:30'],
    ],
    [
      'a doubled time fires the first time',
      '30 2 * * *',
      '2026-10-24T12:00Z',
      ['2026-10-25T00:30', '2026-10-26T01:30'],
    ],
    [
      'asked between the two, it is the day after',
      '30 2 * * *',
      '2026-10-25T00:45Z',
      ['2026-10-26T01:30'],
    ],
    [
      'hour * fires both times',
      '30 * * * *',
      '2026-10-24T23:45Z',
      ['2026-10-25T00:30', '2026-10-25T01:30', '2026-10-25T02:30'],
    ],
    [
      'an hour behind the change is not touched by it',
      '0 4 * * *',
      '2026-10-24T12:00Z',
      ['2026-10-25T03:00', '2026-10-26T03:00'],
    ],
  ])('%s', (_, text, after, expected) => {
    expect(utc(text, after, expected.length, 'Europe/Berlin')).toEqual(expected);
  });

  test('half an hour skipped: Lord Howe, 02:00 to 02:30', () => {
    const found = utc('15 2 * * *', '2026-10-03T00:00Z', 2, 'Australia/Lord_Howe');
    expect(found).toEqual(['2026-10-03T15:45', '2026-10-04T15:15']);
  });

  test('midnight skipped: Cairo, 00:00 to 01:00', () => {
    const found = utc('0 0 * * *', '2026-04-23T12:00Z', 2, 'Africa/Cairo');
    expect(found).toEqual(['2026-04-23T22:00', '2026-04-24T21:00']);
  });

  test('a whole day skipped: Apia, 30 December 2011', () => {
    const found = utc('0 12 * * *', '2011-12-29T00:00Z', 3, 'Pacific/Apia');
    expect(found).toEqual(['2011-12-29T22:00', '2011-12-30T22:00', '2011-12-31T22:00']);
    expect(utc('0 12 30 * *', '2011-12-29T23:00Z', 1, 'Pacific/Apia')).toEqual([
      '2011-12-30T22:00',
    ]);
  });

  test('a year of runs ascends, one for each day', () => {
    for (const zone of ['Europe/Berlin', 'America/New_York', 'Africa/Casablanca']) {
      const found = runs('30 2 * * *', Date.UTC(2026, 0, 1), 365, zone) as number[];
      const days = found.map((at, index) => (index === 0 ? DAY_MS : at - (found[index - 1] ?? 0)));
      expect(Math.min(...days)).toBeGreaterThanOrEqual(DAY_MS - 7_200_000);
      expect(Math.max(...days)).toBeLessThanOrEqual(DAY_MS + 7_200_000);
    }
  });
});
