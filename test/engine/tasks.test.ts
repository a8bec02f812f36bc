/**
 * The only writer of task rows (tasks.md §2): what each change writes, what listeners are told, and what
 * the backend. No host is there unless a test says so, so nothing moves by itself.
 */
import type { ScheduleStatus } from '../../src/core/model/statuses.js';
import { rescheduledWithPenalty } from '../../src/core/task/messages.js';
import type { ChangeRequest, TaskChange } from '../../src/engine/tasks.js';
import { InstanceTakenError } from '../../src/engine/tasks.js';
import { findStoredTasks } from '../../src/store/task-queries.js';
import { aConfig, aJob } from '../support/builders.js';
import type { WorldOptions } from '../support/world.js';
import { World } from '../support/world.js';

const JOB = aJob();
const SERVICE = aConfig('a');
/** Runs once, whatever becomes of it. */
const ONCE = aConfig('a', { isService: false });
const HOST_A = { host: 'hostA', agentId: 'slaveIdA', ports: {} };

let world: World;
let told: TaskChange[];
let kills: string[];

async function start(options: WorldOptions = {}): Promise<void> {
  world = await World.create({ hosts: [], ...options });
  told = [];
  world.engine.tasks.subscribe((change) => told.push(change));
  // The cluster has no such host, and is not to say so.
  world.backend.submit = () => Promise.resolve();
  kills = [];
  world.backend.kill = (taskId) => {
    kills.push(taskId);
    return Promise.resolve();
  };
}

afterEach(async () => {
  await world.close();
});

/** One change in a transaction of its own; settled when it returns. */
async function change(
  taskId: string,
  target: ChangeRequest['target'],
  more: Partial<ChangeRequest> = {},
): Promise<string | undefined> {
  const [result] = await world.db.write({}, (tx) =>
    world.engine.tasks.change(tx, [{ taskId, target, ...more }]),
  );
  await world.settle();
  return result;
}

async function inserted(config = SERVICE, instanceId = 0): Promise<string> {
  await world.addInstances(JOB, config, [instanceId]);
  return (await world.task(JOB, instanceId))!.taskId;
}

/** A task on hostA in this status. */
async function inStatus(status: ScheduleStatus, config = SERVICE): Promise<string> {
  const taskId = await inserted(config);
  await change(taskId, 'ASSIGNED', { placement: HOST_A });
  if (status !== 'ASSIGNED') await change(taskId, status);
  told = [];
  return taskId;
}

const stored = () => world.db.read((tx) => findStoredTasks(tx, {}));
const summary = (): string[] =>
  told.map((change) =>
    change.kind === 'deleted'
      ? `${change.task.status} deleted`
      : `${change.from ?? 'INIT'} ${change.task.status}`,
  );

test('TASK-014 an inserted task is PENDING with one event: now, the scheduler, no message', async () => {
  await start({ settings: { schedulerHost: 'scheduler1' } });
  await inserted(SERVICE, 3);
  expect(await stored()).toEqual([
    expect.objectContaining({
      instanceId: 3,
      status: 'PENDING',
      failureCount: 0,
      events: [{ timestampMs: world.time.wallNow(), status: 'PENDING', scheduler: 'scheduler1' }],
    }),
  ]);
  expect(summary()).toEqual(['INIT PENDING']);
});

describe('TASK-015', () => {
  test('a PENDING task told to die is deleted, and then unknown', async () => {
    await start();
    const taskId = await inserted();
    told = [];
    expect(await change(taskId, 'KILLING')).toBe('SUCCESS');
    expect(summary()).toEqual(['PENDING deleted']);
    expect(await stored()).toEqual([]);
    expect(await change(taskId, 'KILLING')).toBe('ILLEGAL');
    expect(summary()).toHaveLength(1);
    expect(kills).toEqual([]);
  });

  test('a FINISHED task is deleted with its events; nothing is killed', async () => {
    await start();
    const taskId = await inStatus('FINISHED', ONCE);
    expect(
      await world.db.write({}, (tx) => world.engine.tasks.prune(tx, [taskId, 'unknown'])),
    ).toBe(1);
    await world.settle();
    expect(summary()).toEqual(['FINISHED deleted']);
    expect(told).toMatchObject([{ task: { taskId, job: JOB, instanceId: 0 } }]);
    expect(await world.sql('SELECT FROM tasks')).toEqual([]);
    expect(await world.sql('SELECT FROM task_events')).toEqual([]);
    expect(kills).toEqual([]);
  });
});

describe('TASK-016 a RUNNING task told to die', () => {
  test('is killed once, and its end is taken once', async () => {
    await start();
    const taskId = await inStatus('RUNNING');
    expect(await change(taskId, 'KILLING')).toBe('SUCCESS');
    expect(kills).toEqual([taskId]);
    expect(await change(taskId, 'KILLED')).toBe('SUCCESS');
    expect(await change(taskId, 'KILLED')).toBe('NOOP');
    expect(kills).toEqual([taskId]);
    expect((await stored()).map((task) => task.status)).toEqual(['KILLED']);
  });

  test('and LOST then is not killed again, nor replaced', async () => {
    await start();
    const taskId = await inStatus('RUNNING');
    await change(taskId, 'KILLING');
    expect(await change(taskId, 'LOST')).toBe('SUCCESS');
    expect(kills).toEqual([taskId]);
    expect((await stored()).map((task) => task.status)).toEqual(['LOST']);
  });
});

test('TASK-017 a listener may change the task it is told of; both changes are announced', async () => {
  await start();
  world.engine.tasks.subscribe(({ task }) => {
    if (task.status === 'PENDING') void change(task.taskId, 'ASSIGNED', { placement: HOST_A });
  });
  await world.addInstances(JOB, SERVICE, [0]);
  await world.settle();
  // The write of the listener is nobody's that the world waits for.
  for (let n = 0; n < 100 && told.length < 2; n++)
    await new Promise((done) => setTimeout(done, 10));
  expect(summary()).toEqual(['INIT PENDING', 'PENDING ASSIGNED']);
  expect((await stored()).map((task) => task.status)).toEqual(['ASSIGNED']);
});

test('TASK-018 a service with a penalty of 100 ms comes back THROTTLED', async () => {
  const flapping = { thresholdMs: 60_000, initialMs: 100, maxMs: 100 };
  await start({ settings: { flapping } });
  const first = await inStatus('RUNNING');
  // Only from the second generation on is there an ancestor that ended too soon.
  await change(first, 'FAILED');
  const second = (await world.task(JOB, 0))!;
  expect(second.status).toBe('PENDING');
  await change(second.taskId, 'ASSIGNED', { placement: HOST_A });
  await change(second.taskId, 'RUNNING');
  told = [];
  expect(await change(second.taskId, 'FAILED')).toBe('SUCCESS');
  expect(summary()).toEqual(['RUNNING FAILED', 'INIT THROTTLED']);
  const third = (await stored()).find((task) => task.status === 'THROTTLED');
  expect(third).toMatchObject({
    ancestorId: second.taskId,
    failureCount: 2,
    events: [{ status: 'THROTTLED', message: rescheduledWithPenalty(100) }],
  });
});

test('TASK-019 an unknown task that runs is killed', async () => {
  await start();
  expect(await change('unknown', 'RUNNING')).toBe('ILLEGAL_WITH_SIDE_EFFECTS');
  expect(kills).toEqual(['unknown']);
  expect(await stored()).toEqual([]);
  expect(summary()).toEqual([]);
});

test('TASK-020 a failed service is replaced at once, and the failure counted', async () => {
  await start();
  const taskId = await inStatus('RUNNING');
  expect(await change(taskId, 'FAILED')).toBe('SUCCESS');
  const tasks = await stored();
  expect(tasks).toHaveLength(2);
  // Both begin at the same time on the fake clock, so their order is that of their ids.
  expect(tasks.find((task) => task.taskId === taskId)).toMatchObject({
    ...{ status: 'FAILED', failureCount: 1 },
  });
  const replacement = tasks.find((task) => task.taskId !== taskId);
  expect(replacement).toMatchObject({ status: 'PENDING', ancestorId: taskId, failureCount: 1 });
  expect(replacement?.events).toMatchObject([{ status: 'PENDING', message: 'Rescheduled' }]);
  expect(summary()).toEqual(['RUNNING FAILED', 'INIT PENDING']);
});

test('TASK-023 a change is made only to a task in the status that was expected', async () => {
  await start();
  const taskId = await inStatus('ASSIGNED', ONCE);
  expect(await change(taskId, 'RUNNING', { expected: 'PENDING' })).toBe('INVALID_CAS_STATE');
  expect((await stored())[0]).toMatchObject({ status: 'ASSIGNED' });
  expect(await change(taskId, 'FAILED', { expected: 'ASSIGNED' })).toBe('SUCCESS');
  expect(summary()).toEqual(['ASSIGNED FAILED']);
  expect(await change('unknown', 'ASSIGNED', { expected: 'PENDING' })).toBe('INVALID_CAS_STATE');
  expect(kills).toEqual([]);
});

test('TASK-024 a replacement has the ports of its own host, and none before it has one', async () => {
  await start();
  const taskId = await inserted();
  await change(taskId, 'ASSIGNED', { placement: { ...HOST_A, ports: { one: 80, two: 81 } } });
  await change(taskId, 'RUNNING');
  expect((await stored())[0]?.assignedPorts).toEqual({ one: 80, two: 81 });
  await change(taskId, 'LOST');
  const replacement = (await world.task(JOB, 0))!;
  const ofReplacement = async () =>
    (await stored()).find((task) => task.taskId === replacement.taskId);
  const fresh = await ofReplacement();
  expect(fresh).toMatchObject({ status: 'PENDING', assignedPorts: {} });
  expect(fresh).not.toHaveProperty('slaveHost');
  const placement = { host: 'hostB', agentId: 'b', ports: { one: 86 } };
  await change(replacement.taskId, 'ASSIGNED', { placement });
  expect(await ofReplacement()).toMatchObject({ slaveHost: 'hostB', assignedPorts: { one: 86 } });
  expect((await ofReplacement())?.assignedPorts).toEqual({ one: 86 });
});

test('TASK-025 no instances, or one that has an active task, are an argument error', async () => {
  await start();
  await inserted(SERVICE, 1);
  told = [];
  await expect(world.addInstances(JOB, SERVICE, [])).rejects.toThrow(RangeError);
  await expect(world.addInstances(JOB, SERVICE, [0, 1])).rejects.toThrow(InstanceTakenError);
  await expect(world.addInstances(JOB, SERVICE, [2, 2])).rejects.toThrow(InstanceTakenError);
  expect(await world.statuses(JOB)).toEqual({ 1: 'PENDING' });
  expect(summary()).toEqual([]);
  // An ended one is in nobody's way.
  await world.engine.jobs.kill(JOB, undefined, 'u', undefined);
  await world.addInstances(JOB, SERVICE, [1]);
  expect(await world.statuses(JOB)).toEqual({ 1: 'PENDING' });
});

test('TASK-026 who hears that a task is ASSIGNED hears where', async () => {
  await start();
  const taskId = await inserted();
  told = [];
  expect(await change(taskId, 'ASSIGNED', { expected: 'PENDING', placement: HOST_A })).toBe(
    'SUCCESS',
  );
  expect(told).toMatchObject([
    {
      kind: 'changed',
      from: 'PENDING',
      task: { taskId, status: 'ASSIGNED', slaveHost: 'hostA', slaveId: 'slaveIdA' },
    },
  ]);
});

test('BACKEND-006 a PENDING task that finds no host and is killed leaves nothing on the simulated backend', async () => {
  await start();
  world.backend.kill = jest.fn();
  await world.addInstances(JOB, SERVICE, [0]);
  await world.advance(60_000);
  expect(await world.statuses(JOB)).toEqual({ 0: 'PENDING' });
  expect(await world.engine.jobs.kill(JOB, undefined, 'u', undefined)).toBe(1);
  await world.settle();
  expect(await stored()).toEqual([]);
  expect(world.cluster.liveCount).toBe(0);
  // It was never told of the task, so there is nothing to withdraw.
  expect(world.backend.kill).not.toHaveBeenCalled();
  expect(await world.sql('SELECT FROM backend_commands')).toEqual([]);
  world.cluster.addHost({ host: 'late' });
  await world.advance(60_000);
  expect(world.cluster.liveCount).toBe(0);
});
