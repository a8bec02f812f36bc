/** The dialect against the accept/reject table of tasks.md §7, row by row. */
import type { CronSchedule } from '../../../src/core/cron/crontab.js';
import { canonicalCrontab, parseCrontab } from '../../../src/core/cron/crontab.js';

function schedule(text: string): CronSchedule {
  const { ok, problem } = parseCrontab(text);
  if (ok === undefined) throw new Error(`${JSON.stringify(text)} was refused: ${problem}`);
  return ok;
}

const canonical = (text: string): string => canonicalCrontab(schedule(text));

describe('equal schedules', () => {
  test.each([
    ['* * * * *', '0-59 * * * *'],
    ['* * * * *', '0-57,58,59 * * * *'],
    ['* * * * *', '* 23,1,2,4,0-22 * * *'],
    ['* * * * *', '1-50,0,51-59 * * * sun-sat'],
    ['1,2,3 * * * *', '1-3 * * * *'],
    ['* 0-23 * * *', '* * * * *'],
    ['1 1 1-31 * *', '1 1 * * *'],
    ['1 1 * JAN,FEB-DEC *', '1 1 * * *'],
    ['* * * * 0', '* * * * SUN'],
    ['*/15 * * * *', '0,15,30,45 * * * *'],
    ['* */2 * * *', '0-59 0,2,4,6,8,10,12-23/2  * * *'],
    ['*/100 * * * *', '0 * * * *'],
    ['5-5/1 * * * *', '5 * * * *'],
    ['2-4/3 * * * *', '2 * * * *'],
    ['* * 1-31 * 1', '* * * * 1'],
    ['* * * janfeb *', '* * * 12 *'],
    ['05 02,08,12 * * *', '5 2,8,12 * * *'],
    ['30 15 * * *,', '30 15 * * *'],
    ['*, * * * *', '* * * * *'],
    [',,3,,4,, * * * *', '3-4 * * * *'],
    ['*\t*\n* \v* *', '* * * * *'],
  ])('TASK-074 and RPC-036 %j = %j', (one, other) => {
    expect(schedule(one)).toEqual(schedule(other));
    expect(canonical(one)).toBe(canonical(other));
  });
});

describe('different schedules', () => {
  test.each([
    ['1 1 1-30 * *', '1 1 1-31 * *'],
    ['1 1 * JAN,FEB-NOV *', '1 1 * * *'],
    ['* 0-22 * * *', '* * * * *'],
    ['* * * * SUN', '* * * * SAT'],
    ['* * */3 * *', '* * * * *'],
  ])('TASK-074 %j is not %j', (one, other) => {
    expect(schedule(one)).not.toEqual(schedule(other));
    expect(canonical(one)).not.toBe(canonical(other));
  });
});

describe('canonical text', () => {
  test.each([
    ['0,1-57,58 * * * *', '0-58 * * * *'],
    ['* * */3 * *', '* * 1,4,7,10,13,16,19,22,25,28,31 * *'],
    ['*/20  *   *   *   *', '0,20,40 * * * *'],
    ['1-56/5 * * * *', '1,6,11,16,21,26,31,36,41,46,51,56 * * * *'],
    ['0 14 * * *,,', '0 14 * * *'],
    ['0 20 * * 1', '0 20 * * 1'],
    ['0 17-23 * * 1-5', '0 17-23 * * 1-5'],
    ['00 17 1-3,5-31 * *', '0 17 1-3,5-31 * *'],
    ['0 0-2 * * 2-6', '0 0-2 * * 2-6'],
    ['30 18,23 * * MON-FRI', '30 18,23 * * 1-5'],
    ['0 0 31 2 *', '0 0 31 2 *'],
  ])('TASK-074 and RPC-037 %j prints %j, and that reads as the same', (text, printed) => {
    expect(canonical(text)).toBe(printed);
    expect(schedule(printed)).toEqual(schedule(text));
  });
});

describe('refused', () => {
  test.each([
    ['* * * * MON-SUN', 'day of week'],
    ['5 5 * MAR-JAN *', 'month'],
    ['* * **', 'five fields'],
    ['1/1 * * * *', 'minute'],
    ['0-59 0-59 * * *', 'hour 59'],
    ['*/0 * * * *', 'minute step'],
    ['0-59/0 * * * *', 'minute step'],
    ['0-59/60 * * * *', 'minute step'],
    ['* * 1 * 1', 'both'],
    ['* * * * 7', 'day of week 7'],
    ['0-0/1 * * * *', 'minute step'],
    ['0-58/59 * * * *', 'minute step'],
    ['2-4/4 * * * *', 'minute step'],
    [' * * * * *', 'five fields'],
    ['* * * * * ', 'five fields'],
    ['60 * * * *', 'minute 60'],
    ['* 24 * * *', 'hour 24'],
    ['* * 0 * *', 'day of month 0'],
    ['* * * 13 *', 'month 13'],
    [', * * * *', 'minute'],
    ['', 'empty'],
    ['* * * * * *', 'five fields'],
    ['@daily', 'five fields'],
    ['* * * * MONDAY', 'day of week'],
    ['* * ? * 1', 'day of month'],
    ['* * L * *', 'day of month'],
    ['-5 * * * *', 'minute'],
    ['+5 * * * *', 'minute'],
    ['1- * * * *', 'minute'],
    ['** * * * *', 'minute'],
    ['1.5 * * * *', 'minute'],
    ['99999999999999999999 * * * *', 'minute'],
    ['JAN * * * *', 'minute'],
    ['* * * SUN *', 'month'],
    ['٣ * * * *', 'minute'],
    ['*\u00a0* * * * *', 'minute'],
    [`${'1,'.repeat(6_000)} * * * *`, 'characters'],
  ])('TASK-074 and RPC-035 %j, naming the %s', (text, named) => {
    expect(parseCrontab(text).problem).toContain(named);
  });
});
