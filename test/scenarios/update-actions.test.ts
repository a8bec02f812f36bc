/**
 * What a tick does to tasks, and which task changes reach it (updates.md §3.1, §3.3, §5.6), on the real
 * engine. The cases of §5.6 that need SLA policies or reservations come with those.
 */
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import { updateKeyText } from '../../src/core/model/keys.js';
import { killedForUpdate } from '../../src/core/task/messages.js';
import type { ActiveUpdate } from '../../src/engine/active-updates.js';
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';

const JOB = aJob();
const OLD = aConfig('old');
const NEW = aConfig('new');
const W = 2_000;

let world: World;

beforeEach(async () => {
  world = await World.create();
});

afterEach(async () => {
  await world.close();
});

function entryOf(key: JobUpdateKey): ActiveUpdate {
  const entry = world.engine.updater.registry.get(updateKeyText(key));
  if (entry === undefined) throw new Error('the update is not active');
  return entry;
}

/** The update is given an input that nothing has happened for. */
async function input(
  key: JobUpdateKey,
  ...inputs: Parameters<World['engine']['updater']['enqueueTick']>[1][]
): Promise<void> {
  for (const one of inputs) void world.engine.updater.enqueueTick(entryOf(key), one);
  await world.settle();
}

test('UPD-076 testAddInstance: an absent instance is inserted with the desired config, the initial one on the way back', async () => {
  await world.runningInstances(JOB, OLD, [1]);
  const key = await world.startUpdate(JOB, NEW, 2);
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
  await world.report(JOB, 0, 'running');
  await world.advance(W);
  await world.report(JOB, 1, 'killed');
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'new' });
  await world.change(key, 'rollback');
  await world.report(JOB, 1, 'killed');
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
});

test('UPD-076 testAddInstanceCollisionDoesNotThrow: where a task is active nothing is inserted', async () => {
  await world.runningInstances(JOB, OLD, [1]);
  const key = await world.startUpdate(JOB, NEW, 2);
  const tasks = await world.tasks(JOB);
  await input(key, { kind: 'deleted', instanceId: 0 });
  expect(await world.tasks(JOB)).toEqual(tasks);
  expect(world.counter('job_update_state_change_errors')).toBe(0);
  await world.report(JOB, 0, 'running');
  await world.advance(W);
  expect(await world.instanceEvents(key)).toMatchObject({ 0: ['upd', 'ok'] });
});

test('UPD-077 testInstanceKill: the task moves to KILLING and its event names the update', async () => {
  await world.runningJob(JOB, OLD, 1);
  const { id } = await world.startUpdate(JOB, NEW, 1);
  const [event] = await world.sql(
    "SELECT e.message FROM task_events e JOIN tasks USING (task_id) WHERE e.status = 'KILLING'",
  );
  expect(event).toEqual({ message: killedForUpdate(id) });
  expect(killedForUpdate(id)).toContain(id);
  const [task] = await world.tasks(JOB);
  expect(world.cluster.task(task?.taskId ?? '')).toMatchObject({ killing: true });
});

test('UPD-077 testInstanceNotFoundDoesNotThrow: what is gone already needs no kill', async () => {
  const once = aConfig('old', { isService: false });
  await world.runningJob(JOB, once, 2);
  const key = await world.startUpdate(JOB, once, 1, { pulseTimeoutMs: 10_000 });
  await world.report(JOB, 1, 'finished');
  await world.pulse(key);
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
  expect(await world.instanceEvents(key)).toEqual({});
});

describe('a task that ends and is not followed by another', () => {
  test('a service that finished while PARTITIONED counts as a failure, and the updater inserts anew', async () => {
    await world.close();
    world = await World.create({ settings: { partitionAware: true } });
    await world.runningJob(JOB, OLD, 2);
    const key = await world.startUpdate(JOB, NEW, 2, { maxPerInstanceFailures: 1 });
    await world.replace(JOB, 0);
    await world.report(JOB, 0, 'unreachable', 'finished');
    expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
    expect(await world.statuses(JOB)).toMatchObject({ 0: 'ASSIGNED' });
    await world.report(JOB, 0, 'running');
    await world.advance(W);
    await world.replace(JOB, 1);
    await world.advance(W);
    expect(await world.view(key)).toBe('ROLLED_FORWARD');
  });

  test('an old task that is no service and finishes in the way of a rollback is put back', async () => {
    await world.runningJob(JOB, aConfig('old', { isService: false }), 1);
    const settings = { pulseTimeoutMs: 10_000, maxPerInstanceFailures: 1 };
    const key = await world.startUpdate(JOB, NEW, 1, settings);
    await world.pulse(key);
    await world.replace(JOB, 0);
    await world.change(key, 'rollback');
    await world.replace(JOB, 0);
    await world.report(JOB, 0, 'finished');
    expect(await world.versions(JOB)).toEqual({ 0: 'old' });
    await world.report(JOB, 0, 'running');
    await world.advance(W);
    expect(await world.view(key)).toBe('ROLLED_BACK');
  });

  test('nothing is put back without a fresh heartbeat', async () => {
    await world.close();
    world = await World.create({ settings: { partitionAware: true } });
    await world.runningJob(JOB, OLD, 1);
    const settings = { pulseTimeoutMs: 10_000, maxPerInstanceFailures: 1 };
    const stays = aConfig('new', { partitionPolicy: { reschedule: false, delaySecs: 0 } });
    const key = await world.startUpdate(JOB, stays, 1, settings);
    await world.pulse(key);
    await world.replace(JOB, 0);
    await world.report(JOB, 0, 'unreachable');
    await world.advance(10_000);
    await world.report(JOB, 0, 'finished');
    expect(await world.versions(JOB)).toEqual({});
    await world.pulse(key);
    expect(await world.versions(JOB)).toEqual({ 0: 'new' });
  });
});

describe('UPD-088', () => {
  test('UPD-088 testStateChange: a change is evaluated, one that is out of date is not', async () => {
    await world.runningJob(JOB, OLD, 1);
    const key = await world.startUpdate(JOB, NEW, 1);
    const [task] = await world.tasks(JOB);
    await input(key, {
      ...{ kind: 'task', taskId: task?.taskId ?? '', instanceId: 0, status: 'KILLED' },
    });
    expect(await world.tasks(JOB)).toHaveLength(1);
    await input(key, { kind: 'task', taskId: 'no-such-task', instanceId: 0, status: 'KILLED' });
    expect(await world.tasks(JOB)).toHaveLength(1);
    await world.report(JOB, 0, 'killed');
    expect(await world.tasks(JOB)).toHaveLength(2);
  });

  test('UPD-088 testDeleted: a PENDING task that is killed leaves without a word and is made up for', async () => {
    const nowhere = { name: 'host', constraint: { value: { negated: false, values: ['x'] } } };
    await world.addInstances(JOB, aConfig('old', { constraints: [nowhere] }), [0]);
    const key = await world.startUpdate(JOB, NEW, 1);
    expect(await world.versions(JOB)).toEqual({ 0: 'new' });
    expect(
      await world.sql('SELECT removed_reason FROM tasks WHERE removed_at IS NOT NULL'),
    ).toEqual([{ removed_reason: killedForUpdate(key.id) }]);
  });

  test('UPD-088 testIgnoresPrunedTasks: history that is pruned is no input', async () => {
    await world.runningJob(JOB, OLD, 1);
    const key = await world.startUpdate(JOB, NEW, 1, { pulseTimeoutMs: 10_000 });
    await world.pulse(key);
    await world.replace(JOB, 0);
    await world.advance(10_000);
    const [ended] = await world.tasks(JOB);
    const { db, engine } = world;
    const events = 'SELECT count(*)::int AS n FROM job_update_events';
    const before = await world.sql(events);
    await db.write({}, (tx) =>
      engine.tasks.change(tx, [{ taskId: ended?.taskId ?? '', target: 'DELETED' }]),
    );
    await world.settle();
    // Had it been taken for a deletion, the closed gate would have been noted.
    expect(await world.sql(events)).toEqual(before);
  });
});

test('UPD-089 testHandlesExceptions: a tick that fails is counted and escapes nobody', async () => {
  await world.runningJob(JOB, OLD, 1);
  const key = await world.startUpdate(JOB, NEW, 1);
  world.db.once('job_updates', () => {
    throw new Error('no');
  });
  await world.report(JOB, 0, 'killed');
  expect(world.counter('job_update_state_change_errors')).toBe(1);
  expect(await world.statuses(JOB)).toEqual({ 0: 'KILLED' });
  await world.advance(1_000);
  expect(await world.statuses(JOB)).toEqual({ 0: 'ASSIGNED' });
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
});
