/**
 * When groups of PENDING tasks are tried, and what becomes of attempts that find nothing or come too late
 * (tasks.md §5.1, §5.4).
 */
import type { Constraint } from '../../src/core/model/config.js';
import type { SchedulingSettings } from '../../src/engine/scheduling/settings.js';
import { DEFAULT_SCHEDULING } from '../../src/engine/scheduling/settings.js';
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';

const [A, B] = [aJob('a'), aJob('b')];
const ONE_CPU = aConfig('one');
const room = (cpus: number) => ({ cpus, ramMb: 65_536, diskMb: 65_536 });
const MINUTE = 60_000;

let world: World;

async function start(cpus: number, settings: Partial<SchedulingSettings> = {}): Promise<void> {
  world = await World.create({
    hosts: [{ host: 'h', total: room(cpus) }],
    settings: { scheduling: { ...DEFAULT_SCHEDULING, ...settings } },
  });
}

afterEach(async () => {
  await world.close();
});

const attempts = (kind = 'fired'): number => world.counter(`schedule_attempts_${kind}`);
async function reason(job = A, instanceId = 0): Promise<string[] | undefined> {
  const task = await world.task(job, instanceId);
  const found = world.engine.scheduling.vetoesOf(task?.taskId ?? '');
  return found?.map(({ name }) => name);
}

test('TASK-043 batch 2, first delay 1 ms, a0 a1 a2 and b0: attempts {a0,a1} and {b0}; nobody starves', async () => {
  await start(3, { tasksPerAttempt: 2 });
  await world.addInstances(A, ONE_CPU, [0, 1, 2]);
  await world.addInstances(B, ONE_CPU, [0]);
  expect(attempts()).toBe(0);
  expect(await world.statuses(A)).toEqual({ 0: 'PENDING', 1: 'PENDING', 2: 'PENDING' });
  await world.advance(1);
  // Three places: b0 has its turn before a2.
  expect(await world.statuses(A)).toEqual({ 0: 'ASSIGNED', 1: 'ASSIGNED', 2: 'PENDING' });
  expect(await world.statuses(B)).toEqual({ 0: 'ASSIGNED' });
  expect([attempts(), attempts('no_match')]).toEqual([3, 1]);
});

test('TASK-044 a task PENDING at start is tried after the start-up delay', async () => {
  await start(1, { startupSpreadMs: 2 });
  world.cluster.crashHost('h');
  await world.addInstances(A, ONE_CPU, [0]);
  world.cluster.restoreHost('h');
  await world.restart();
  const before = attempts();
  expect(await world.statuses(A)).toEqual({ 0: 'PENDING' });
  await world.advance(1);
  expect(attempts()).toBe(before + 1);
  expect(await world.statuses(A)).toEqual({ 0: 'ASSIGNED' });
});

test('after a start the penalty for flapping is waited out, too, whatever is freed meanwhile', async () => {
  await start(1);
  world.cluster.crashHost('h');
  await world.addInstances(A, ONE_CPU, [0]);
  await world.addInstances(B, ONE_CPU, [0]);
  const [a0] = await world.tasks(A);
  // An ancestor that ended right after it came up.
  await world.sql(`
    INSERT INTO tasks SELECT (jsonb_populate_record(t, '{"task_id": "old", "status": "FAILED"}')).*
      FROM tasks t WHERE task_id = '${a0?.taskId}'`);
  await world.sql(`UPDATE tasks SET ancestor_id = 'old' WHERE task_id = '${a0?.taskId}'`);
  await world.sql(`
    INSERT INTO task_events (task_id, status, happened_at)
    VALUES ('old', 'RUNNING', shim_clock()), ('old', 'FAILED', shim_clock())`);
  await world.restart();
  world.cluster.restoreHost('h');
  await world.settle();
  // Half of 30 s for both, 45 s more for the one that flaps.
  await world.advance(15_000 - 1);
  expect(await world.statuses(B)).toEqual({ 0: 'PENDING' });
  await world.advance(1);
  expect(await world.statuses(B)).toEqual({ 0: 'ASSIGNED' });
  await world.report(B, 0, 'running');
  await world.engine.jobs.kill(B, undefined, 'u', undefined);
  await world.settle();
  await world.report(B, 0, 'killed');
  await world.advance(45_000 - 1);
  const status = async () =>
    (await world.tasks(A)).find(({ taskId }) => taskId === a0?.taskId)?.status;
  expect(await status()).toBe('PENDING');
  await world.advance(1);
  expect(await status()).toBe('ASSIGNED');
});

test('TASK-045 a task deleted during its attempt: the group is dropped, nothing is tried again', async () => {
  await start(1);
  let open: () => void = () => undefined;
  await world.addInstances(A, ONE_CPU, [0]);
  const blocker = world.engine.lanes.enqueue(
    'role/test/a',
    () => new Promise<void>((resolve) => (open = resolve)),
  );
  const killed = world.engine.jobs.kill(A, undefined, 'u', undefined);
  world.time.tick(1);
  world.time.fireDue();
  expect(attempts()).toBe(1);
  open();
  await Promise.all([blocker, killed]);
  await world.settle();
  expect(await world.tasks(A)).toEqual([]);
  expect(world.engine.scheduling.pendingGroups()).toEqual([]);
  await world.advance(10 * MINUTE);
  expect(attempts()).toBe(1);
  // Its place was given back.
  await world.addInstances(B, ONE_CPU, [0]);
  await world.advance(1);
  expect(await world.statuses(B)).toEqual({ 0: 'ASSIGNED' });
});

test('TASK-046 ids that are not PENDING count as handled, the others are placed', async () => {
  await start(4);
  await world.addInstances(A, ONE_CPU, [0, 1, 2]);
  await world.sql("UPDATE tasks SET status = 'KILLED' WHERE instance_id <> 1");
  await world.advance(1);
  expect(await world.statuses(A)).toEqual({ 0: 'KILLED', 1: 'ASSIGNED', 2: 'KILLED' });
  expect(world.engine.scheduling.pendingGroups()).toEqual([]);
  await world.addInstances(B, ONE_CPU, [0, 1, 2]);
  await world.advance(1);
  expect(await world.statuses(B)).toEqual({ 0: 'ASSIGNED', 1: 'ASSIGNED', 2: 'ASSIGNED' });
});

test('an attempt that finds nothing is repeated after 1 s and more; what is freed ends the wait', async () => {
  await start(1);
  await world.addInstances(A, ONE_CPU, [0]);
  await world.advance(1);
  await world.addInstances(B, ONE_CPU, [0]);
  await world.advance(1);
  const [group] = world.engine.scheduling.pendingGroups();
  // Half of the way from 1 s to 2 s.
  expect(group).toMatchObject({ name: 'role/test/b', penaltyMs: 1_500 });
  expect(group?.reason).toBe('[Insufficient: CPU]');
  const tries = attempts();
  await world.advance(1_499);
  expect(attempts()).toBe(tries);
  await world.advance(1);
  expect(attempts()).toBe(tries + 1);
  await world.report(A, 0, 'running');
  await world.advance(10 * MINUTE);
  expect(world.engine.scheduling.pendingGroups()[0]?.penaltyMs).toBe(MINUTE);

  await world.engine.jobs.kill(A, undefined, 'u', undefined);
  await world.settle();
  await world.report(A, 0, 'killed');
  await world.advance(1);
  expect(await world.statuses(B)).toEqual({ 0: 'ASSIGNED' });
});

test('a host whose drain is called off, or that grows, wakes those it can take and no others', async () => {
  await start(1);
  world.engine.scheduling.setHostMode('h', 'DRAINING');
  await world.addInstances(A, ONE_CPU, [0]);
  const big = aConfig('big', { resources: [{ numCpus: 8 }, { ramMb: 64 }, { diskMb: 64 }] });
  await world.addInstances(B, big, [0]);
  await world.advance(5 * MINUTE);
  expect(await world.statuses(A)).toEqual({ 0: 'PENDING' });
  // Modes outlast a report of the host.
  world.cluster.addHost({ host: 'h', total: room(2) });
  await world.advance(1);
  expect(await reason()).toEqual(['draining']);
  const tries = attempts();
  world.engine.scheduling.setHostMode('h', 'NONE');
  await world.advance(1);
  expect(await world.statuses(A)).toEqual({ 0: 'ASSIGNED' });
  expect(attempts()).toBe(tries + 1);
  world.cluster.addHost({ host: 'h', total: room(9) });
  await world.advance(1);
  expect(await world.statuses(B)).toEqual({ 0: 'ASSIGNED' });
});

test('TASK-054 a host announced to be unavailable takes nothing from the threshold on', async () => {
  await start(1, { unavailabilityThresholdMs: 2 * MINUTE });
  const from = (minutes: number) => world.time.wallNow() + minutes * MINUTE;
  world.cluster.addHost({ host: 'h', total: room(1), unavailableFromMs: from(1) });
  await world.settle();
  await world.addInstances(A, ONE_CPU, [0]);
  await world.advance(1);
  expect(await reason()).toEqual(['draining']);
  world.cluster.addHost({ host: 'h', total: room(1), unavailableFromMs: from(92) });
  await world.advance(1);
  expect(await world.statuses(A)).toEqual({ 0: 'ASSIGNED' });
});

test('retries are so many a second, new tasks do not wait for them', async () => {
  await start(1, { attemptsPerSec: 2 });
  const nowhere: Constraint = {
    name: 'rack',
    constraint: { value: { negated: false, values: ['x'] } },
  };
  for (const name of ['1', '2', '3', '4', '5']) {
    await world.addInstances(aJob(name), aConfig(name, { constraints: [nowhere] }), [0]);
  }
  await world.advance(1);
  expect(attempts()).toBe(5);
  await world.advance(1_500);
  expect([attempts(), attempts('blocks')]).toEqual([7, 3]);
  // Nothing about the host has changed, so the retries need not ask again.
  expect(world.counter('scheduling_veto_static')).toBe(5);
  expect(world.counter('scheduling_veto_constraint_mismatch')).toBe(5);
  await world.addInstances(A, ONE_CPU, [0]);
  await world.advance(1);
  expect(await world.statuses(A)).toEqual({ 0: 'ASSIGNED' });
  await world.advance(499);
  expect(attempts()).toBe(9);
});

test('TASK-060 a reason is cleared by deletion, by time and by a placement', async () => {
  await start(1);
  await world.addInstances(A, ONE_CPU, [0]);
  await world.addInstances(B, ONE_CPU, [0, 1]);
  await world.advance(1);
  expect(await reason(B)).toEqual(['CPU']);
  await world.engine.jobs.kill(B, [1], 'u', undefined);
  await world.settle();
  expect(await reason(B)).toBeUndefined();
  await world.advance(2_000);
  expect(await reason(B)).toEqual(['CPU']);
  world.cluster.crashHost('h');
  await world.settle();
  await world.advance(10 * MINUTE + 1_000);
  expect(await reason(B)).toBeUndefined();
});

test('what cannot be written for one task of a batch is written for the others', async () => {
  await start(4);
  await world.addInstances(A, ONE_CPU, [0, 1, 2]);
  const poisoned = (await world.task(A, 1))?.taskId ?? '';
  world.db.beforeCommit = (written) => {
    if (written.mentions('"submit"') && written.mentions(poisoned)) throw new Error('no');
  };
  await world.advance(1);
  expect(await world.statuses(A)).toEqual({ 0: 'ASSIGNED', 1: 'PENDING', 2: 'ASSIGNED' });
  expect(attempts('failed')).toBe(1);
  // Nor those that come later, once the penalty is over.
  await world.addInstances(A, ONE_CPU, [3]);
  await world.advance(1_500);
  expect(await world.statuses(A)).toMatchObject({ 1: 'PENDING', 3: 'ASSIGNED' });
  world.db.beforeCommit = undefined;
  await world.advance(MINUTE);
  expect(await world.statuses(A)).toMatchObject({ 1: 'ASSIGNED' });
});
