/** Aurora's crontab dialect (tasks.md §7, rpc.md §6): five fields of numbers, as sets. */

/** A field of a schedule: its values, ascending, and whether it has every one it could have. */
export interface CronField {
  readonly values: readonly number[];
  readonly isAny: boolean;
}

/** When a cron job is due, in local time. Weekdays count from Sunday, 0; months from January, 1. */
export interface CronSchedule {
  readonly minute: CronField;
  readonly hour: CronField;
  readonly dayOfMonth: CronField;
  readonly month: CronField;
  readonly dayOfWeek: CronField;
}

/** A schedule, or what is wrong with the text: a clause that names the field. */
export type ParsedCrontab =
  | { readonly ok: CronSchedule; readonly problem?: undefined }
  | { readonly ok?: undefined; readonly problem: string };

interface FieldRule {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Names of the values from `min` on, in capitals. */
  readonly names: readonly string[];
}

const MONTHS = 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'.split(' ');
const WEEKDAYS = 'SUN MON TUE WED THU FRI SAT'.split(' ');

const MINUTE: FieldRule = { name: 'minute', min: 0, max: 59, names: [] };
const HOUR: FieldRule = { name: 'hour', min: 0, max: 23, names: [] };
const DAY_OF_MONTH: FieldRule = { name: 'day of month', min: 1, max: 31, names: [] };
const MONTH: FieldRule = { name: 'month', min: 1, max: 12, names: MONTHS };
const DAY_OF_WEEK: FieldRule = { name: 'day of week', min: 0, max: 6, names: WEEKDAYS };

/** Thrown and caught in this file alone. */
class Malformed extends Error {}

/** The numbers of `A` or `A-B`, both within the field. */
function bounds(rule: FieldRule, first: string, last: string): [number, number] {
  const [from, to] = [Number(first), Number(last)];
  for (const value of [from, to]) {
    if (value < rule.min || value > rule.max) {
      throw new Malformed(`${rule.name} ${value} is not within ${rule.min}-${rule.max}`);
    }
  }
  if (from > to) throw new Malformed(`${rule.name} range ${from}-${to} descends`);
  return [from, to];
}

/** `*`, `N`, `A-B`, each but `N` also with a step. */
const ITEM = /^(?:\*|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/;

function addItem(values: Set<number>, rule: FieldRule, item: string): void {
  const parts = ITEM.exec(item);
  if (parts === null) throw new Malformed(`${rule.name} ${JSON.stringify(item)} is no cron item`);
  const [, first, last, stepText] = parts;
  if (first !== undefined && last === undefined && stepText !== undefined) {
    throw new Malformed(`${rule.name} ${JSON.stringify(item)}: a step needs a range or *`);
  }
  const [from, to] =
    first === undefined ? [rule.min, rule.max] : bounds(rule, first, last ?? first);
  const step = stepText === undefined ? 1 : Number(stepText);
  if (step < 1) throw new Malformed(`${rule.name} step ${step} must be positive`);
  if (first !== undefined && stepText !== undefined && step >= to) {
    throw new Malformed(`${rule.name} step ${step} must be less than the end of its range, ${to}`);
  }
  for (let value = from; value <= to; value += step) values.add(value);
}

function parseField(rule: FieldRule, text: string): CronField {
  // Names are replaced wherever they stand, as the reference does: JANFEB is 12.
  const numeric = rule.names.reduce(
    (left, name, index) => left.replaceAll(name, String(rule.min + index)),
    rule.names.length === 0 ? text : text.toUpperCase(),
  );
  const values = new Set<number>();
  for (const item of numeric.split(',')) if (item !== '') addItem(values, rule, item);
  if (values.size === 0) throw new Malformed(`${rule.name} ${JSON.stringify(text)} has no item`);
  return {
    values: [...values].sort((a, b) => a - b),
    isAny: values.size === rule.max - rule.min + 1,
  };
}

/** Longer texts are refused unread: no schedule needs them. */
const MAX_LENGTH = 10_000;

/**
 * Reads a schedule. What is accepted but can never fire, such as 31 February, is found by `canFire`
 * (next-run.ts).
 */
export function parseCrontab(text: string): ParsedCrontab {
  if (text === '') return { problem: 'the schedule is empty' };
  if (text.length > MAX_LENGTH) return { problem: `more than ${MAX_LENGTH} characters` };
  const fields = text.split(/[ \t\n\v\f\r]+/);
  const [minute, hour, dayOfMonth, month, dayOfWeek] = fields;
  if (fields.length !== 5 || fields.includes('') || minute === undefined) {
    return { problem: 'five fields are needed, with white space between them and nowhere else' };
  }
  try {
    const schedule = {
      minute: parseField(MINUTE, minute),
      hour: parseField(HOUR, hour ?? ''),
      dayOfMonth: parseField(DAY_OF_MONTH, dayOfMonth ?? ''),
      month: parseField(MONTH, month ?? ''),
      dayOfWeek: parseField(DAY_OF_WEEK, dayOfWeek ?? ''),
    };
    return schedule.dayOfMonth.isAny || schedule.dayOfWeek.isAny
      ? { ok: schedule }
      : { problem: 'day of month and day of week may not both be restricted' };
  } catch (error) {
    if (error instanceof Malformed) return { problem: error.message };
    throw error;
  }
}

function fieldText({ values, isAny }: CronField): string {
  if (isAny) return '*';
  const runs: [number, number][] = [];
  for (const value of values) {
    const open = runs[runs.length - 1];
    if (open !== undefined && open[1] + 1 === value) open[1] = value;
    else runs.push([value, value]);
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}

/** One text for each schedule up to equality: `*` for a full field, else ascending ranges. */
export function canonicalCrontab(schedule: CronSchedule): string {
  const { minute, hour, dayOfMonth, month, dayOfWeek } = schedule;
  return [minute, hour, dayOfMonth, month, dayOfWeek].map(fieldText).join(' ');
}
