/** Groups of waiting tasks and the limit of retries, on a clock of numbers (tasks.md §5.1). */
import { TaskGroups, groupKey, type WaitingTask } from '../../../src/core/schedule/groups.js';
import { RateLimit } from '../../../src/core/schedule/rate-limit.js';

const job = (name: string) => ({ role: 'r', environment: 'e', name });
const task = (name: string, instanceId: number): WaitingTask => ({
  ...{ taskId: `${name}${instanceId}`, job: job(name), instanceId, sinceMs: 0 },
});
/** Penalties 100, 200, 400, … */
const twice = (last: number): number => (last === 0 ? 100 : 2 * last);

let groups: TaskGroups;

beforeEach(() => {
  groups = new TaskGroups();
});

const idsOf = (key: string, max = 2): string[] => {
  const group = groups.get(key);
  return group === undefined ? [] : groups.oldest(group, max).map(({ taskId }) => taskId);
};
const due = (nowMs: number): string[] => groups.due(nowMs).map(({ jobText }) => jobText);

const A = groupKey(job('a'), 'x');
const B = groupKey(job('b'), 'x');

test('TASK-043 a group per config, each tried with its oldest tasks after the first delay', () => {
  for (const id of [0, 1, 2]) groups.add(task('a', id), 'x', 0, 1);
  groups.add(task('b', 0), 'x', 0, 1);
  expect(due(0)).toEqual([]);
  expect(due(1)).toEqual(['r/e/a', 'r/e/b']);
  expect([idsOf(A), idsOf(B)]).toEqual([['a0', 'a1'], ['b0']]);
  // The same job with another config is another group.
  groups.add(task('a', 3), 'y', 0, 1);
  expect(groups.size).toBe(3);
});

test('what is found is in hand until it is written; the rest is due again', () => {
  for (const id of [0, 1, 2]) groups.add(task('a', id), 'x', 0, 1);
  const group = groups.get(A)!;
  groups.found(group, ['a0', 'a1'], 2);
  expect([group.dueMs, idsOf(A)]).toEqual([2, ['a2']]);
  groups.found(group, ['a2'], 3);
  expect([group.dueMs, idsOf(A)]).toEqual([Infinity, []]);
  for (const id of ['a0', 'a1', 'a2']) groups.remove(id);
  expect([groups.size, groups.nextDueMs(0)]).toEqual([0, Infinity]);
});

test('penalties grow while nothing is found, and end when something is', () => {
  groups.add(task('a', 0), 'x', 0, 1);
  const group = groups.get(A)!;
  groups.foundNothing(group, 1, twice);
  expect([group.penaltyMs, group.dueMs]).toEqual([100, 101]);
  // One that comes later does not change when.
  groups.add(task('a', 1), 'x', 50, 1);
  expect(group.dueMs).toBe(101);
  groups.foundNothing(group, 101, twice);
  expect([group.penaltyMs, group.dueMs]).toEqual([200, 301]);
  groups.found(group, ['a0'], 301);
  expect([group.penaltyMs, group.dueMs]).toEqual([0, 301]);
  groups.foundNothing(group, 302, twice);
  expect(group.penaltyMs).toBe(100);
});

test('freed capacity shortens a penalty, not a first delay, and not what may not wake', () => {
  groups.add(task('a', 0), 'x', 0, 500);
  const group = groups.get(A)!;
  groups.wake(group, 10);
  expect(group.dueMs).toBe(500);
  groups.foundNothing(group, 500, twice);
  groups.wake(group, 510);
  expect(group.dueMs).toBe(510);
  groups.foundNothing(group, 510, twice);
  group.mayWake = false;
  groups.wake(group, 520);
  expect(group.dueMs).toBe(710);
});

test('what could not be written goes behind the others', () => {
  for (const id of [0, 1, 2]) groups.add(task('a', id), 'x', 0, 1);
  const group = groups.get(A)!;
  groups.found(group, ['a0', 'a1'], 1);
  groups.giveBack(['a0', 'gone'], 5, twice);
  expect([idsOf(A, 3), group.dueMs]).toEqual([['a2', 'a0'], 105]);
});

test('retries wait for leave, first attempts do not', () => {
  groups.add(task('a', 0), 'x', 0, 1);
  groups.add(task('b', 0), 'x', 0, 40);
  groups.foundNothing(groups.get(A)!, 1, () => 10);
  expect(groups.nextDueMs(0)).toBe(11);
  expect(groups.nextDueMs(30)).toBe(30);
  expect(groups.nextDueMs(100)).toBe(40);
});

describe('so many a second', () => {
  test('a second’s worth at once, then one after the other', () => {
    const limit = new RateLimit(40);
    for (let n = 0; n < 40; n++) expect(limit.take(0)).toBe(0);
    expect(limit.take(0)).toBe(25);
    expect(limit.take(24)).toBe(1);
    expect(limit.take(25)).toBe(0);
    expect(limit.take(25)).toBe(25);
    // No more is saved up than that.
    for (let n = 0; n < 40; n++) expect(limit.take(60_000)).toBe(0);
    expect(limit.take(60_000)).toBe(25);
  });

  test('less than one a second', () => {
    const limit = new RateLimit(0.5);
    expect([limit.take(0), limit.take(0), limit.take(1_999)]).toEqual([0, 2_000, 1]);
    expect(limit.take(2_000)).toBe(0);
  });
});
