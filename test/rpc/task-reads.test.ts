/** getTasksStatus and getTasksWithoutConfigs (rpc.md §7, §10). */
import { appendEvent } from '../../src/core/task/transition.js';
import type { TaskEvent } from '../../src/core/model/task.js';
import { KEY, NOWHERE, RpcWorld, jobOf } from './support.js';

const A = { role: 'role-a', environment: 'devel', name: 'a' };
const B = { role: 'role-b', environment: 'test', name: 'b' };

let rpc: RpcWorld;

beforeEach(async () => {
  rpc = await RpcWorld.create();
});

afterEach(async () => {
  await rpc.close();
});

interface ApiTask {
  readonly assignedTask: {
    readonly taskId: string;
    readonly instanceId: number;
    readonly slaveId?: string;
    readonly slaveHost?: string;
    readonly task: { readonly job: { readonly name: string } };
  };
  readonly status: string;
  readonly taskEvents: readonly {
    readonly timestamp: number;
    readonly status: string;
    readonly message?: string;
  }[];
}

async function tasksOf(query: object, method = 'getTasksStatus'): Promise<ApiTask[]> {
  return (await rpc.ok(method, { query })).tasks;
}

/** `name/instance` of each task in the order of the answer. */
async function found(query: object): Promise<string> {
  return (await tasksOf(query))
    .map(({ assignedTask: { task, instanceId } }) => `${task.job.name}/${instanceId}`)
    .join(' ');
}

/** A running task a/0, a finished a/1, a pending a/2, and a running b/0. */
async function fourTasks(): Promise<void> {
  await rpc.running(2, {}, A);
  await rpc.world.report(A, 1, 'finished');
  await rpc.world.advance(1_000);
  await rpc.running(1, {}, B);
  await rpc.world.advance(1_000);
  const constraints = [NOWHERE];
  await rpc.place({ 2: jobOf({ job: A, constraints }).taskConfig! });
}

describe('filters (rpc.md §7)', () => {
  beforeEach(fourTasks);

  test('RPC-087 unset and empty collections are no filter', async () => {
    const all = await found({});
    expect(all.split(' ')).toEqual(expect.arrayContaining(['a/0', 'a/1', 'a/2', 'b/0']));
    for (const field of ['taskIds', 'statuses', 'instanceIds', 'slaveHosts', 'jobKeys']) {
      expect(await found({ [field]: [] })).toBe(all);
    }
    expect(await found({ role: ' ', offset: 0, limit: 0 })).toBe(all);
    expect(await found({ role: '', offset: -1, limit: -1 })).toBe(all);
  });

  test('RPC-088 all conditions must hold', async () => {
    expect(await found({ role: 'role-b', jobKeys: [B, A] })).toBe('b/0');
    expect(await found({ role: 'role-a', environment: 'devel', jobName: 'a' })).toBe('a/0 a/1 a/2');
    expect(await found({ jobKeys: [A], instanceIds: [0, 2], statuses: ['RUNNING'] })).toBe('a/0');
    expect(await found({ instanceIds: [0] })).toBe('a/0 b/0');
    expect(await found({ role: 'role-a', environment: 'test' })).toBe('');
  });

  test('texts are compared exactly, and an empty one but for the role matches nothing', async () => {
    expect(await found({ role: 'ROLE-A' })).toBe('');
    expect(await found({ environment: '' })).toBe('');
    expect(await found({ role: 'role-a', jobName: '' })).toBe('');
  });

  test('terminal tasks are found unless a status is asked for', async () => {
    expect(await found({ statuses: ['FINISHED'] })).toBe('a/1');
    expect(await found({ statuses: ['PENDING', 'RUNNING'], role: 'role-a' })).toBe('a/0 a/2');
  });

  test('statuses nobody knows match nothing, and are not the same as no filter', async () => {
    expect(await found({ statuses: ['#99'] })).toBe('');
    expect(await found({ statuses: [99] })).toBe('');
    expect(await found({ statuses: [99, 'FINISHED'] })).toBe('a/1');
  });

  test('a host filter never matches a task without a host', async () => {
    const [{ assignedTask } = { assignedTask: undefined }] = await tasksOf({ jobKeys: [B] });
    const hosts = [assignedTask?.slaveHost];
    expect(await found({ slaveHosts: hosts })).toBe('a/0 a/1 b/0');
    expect(await found({ slaveHosts: ['elsewhere'] })).toBe('');
  });

  test('ids are found whatever else the keys say, but the keys still filter', async () => {
    const ids = (await tasksOf({})).map(({ assignedTask }) => assignedTask.taskId);
    expect(await found({ taskIds: [ids[0], 'none'] })).toBe('a/0');
    expect(await found({ taskIds: ids, jobKeys: [{ role: 'role-a' }] })).toBe('');
    expect(await found({ taskIds: ids, jobKeys: [{ role: 'role-a' }, A] })).toBe('a/0 a/1 a/2');
  });
});

test.each([
  ['no query', undefined, 'query must be set'],
  ['a job key without environment', { jobKeys: [{ role: 'r', name: 'n' }] }, 'role, environment'],
  ['a blank role in a job', { role: '', environment: 'e', jobName: 'n' }, 'role, environment'],
])('%s is an ERROR that says why', async (_, query, text) => {
  for (const method of ['getTasksStatus', 'getTasksWithoutConfigs']) {
    const answer = await rpc.call(method, { query });
    expect(answer).toMatchObject({ code: 'ERROR', details: [expect.stringContaining(text)] });
  }
});

test('RPC-074 pages follow the first event and then the id, and are stable', async () => {
  await rpc.running(10);
  const all = await tasksOf({ jobKeys: [KEY] });
  const ids = all.map(({ assignedTask }) => assignedTask.taskId);
  // All were created in one moment, so their ids decide.
  expect(ids).toEqual([...ids].sort());
  const page = async (offset: number): Promise<string[]> =>
    (await tasksOf({ jobKeys: [KEY], offset, limit: 4 })).map((task) => task.assignedTask.taskId);
  expect(await page(0)).toEqual(ids.slice(0, 4));
  expect(await page(4)).toEqual(ids.slice(4, 8));
  expect(await page(8)).toEqual(ids.slice(8));
  expect(await page(12)).toEqual([]);

  // A later generation comes last, whatever its id and instance.
  await rpc.world.advance(1_000);
  await rpc.world.report(KEY, 0, 'failed');
  await rpc.running(1, { isService: true }, A);
  const later = await tasksOf({});
  expect(later.map((task) => task.assignedTask.taskId).slice(0, 10)).toEqual(ids);
  expect(later.at(-1)?.assignedTask.task.job.name).toBe('a');
});

test('RPC-073 getTasksWithoutConfigs leaves out executor data and nothing else', async () => {
  await rpc.running(10);
  const full = await tasksOf({}, 'getTasksStatus');
  const short = await tasksOf({}, 'getTasksWithoutConfigs');
  expect(full).toHaveLength(10);
  expect(short).toEqual(
    full.map((task) => ({
      ...task,
      assignedTask: {
        ...task.assignedTask,
        task: { ...task.assignedTask.task, executorConfig: { name: 'AuroraExecutor' } },
      },
    })),
  );
  // One shortened record for all tasks of a config and for every call, so that it is encoded once.
  const [first, second] = short;
  expect(first?.assignedTask.task).toBe(second?.assignedTask.task);
  const [again] = await tasksOf({}, 'getTasksWithoutConfigs');
  expect(again?.assignedTask.task).toBe(first?.assignedTask.task);
  expect(rpc.stat('scheduler_thrift_workload_getTasksStatus')).toBe(10);
  expect(rpc.stat('scheduler_thrift_workload_getTasksWithoutConfigs')).toBe(20);
});

test('RPC-140 an OK call adds the size of its result to the counter, a refused one nothing', async () => {
  await rpc.running(2);
  await rpc.call('getTasksStatus', {});
  expect(rpc.stat('scheduler_thrift_workload_getTasksStatus')).toBe(0);
  await rpc.call('getTasksStatus', { query: {} });
  expect(rpc.stat('scheduler_thrift_workload_getTasksStatus')).toBe(2);
});

test('a task has what the API says of it', async () => {
  await rpc.running(1);
  const [task] = await tasksOf({});
  expect(task).toMatchObject({
    assignedTask: {
      taskId: expect.stringMatching(/^bar_role-devel-job_foo-0-/),
      slaveHost: 'localhost',
      slaveId: 'agent-localhost',
      assignedPorts: {},
      instanceId: 0,
    },
    status: 'RUNNING',
    failureCount: 0,
    timesPartitioned: 0,
  });
  const at = rpc.world.time.wallNow();
  expect(task?.taskEvents).toEqual(
    ['PENDING', 'ASSIGNED', 'RUNNING'].map((status) =>
      expect.objectContaining({ status, timestamp: at, scheduler: 'localhost' }),
    ),
  );
});

test('a pending task has no host, and a replacement names what it replaces', async () => {
  await rpc.running(1, { isService: true });
  await rpc.world.advance(400_000);
  await rpc.world.report(KEY, 0, 'failed');
  const [old, fresh] = await tasksOf({});
  expect(old).toMatchObject({ status: 'FAILED', failureCount: 1 });
  expect(fresh).toMatchObject({ ancestorId: old?.assignedTask.taskId, failureCount: 1 });

  await rpc.place({ 0: jobOf({ job: A, constraints: [NOWHERE] }).taskConfig! });
  const [pending] = await tasksOf({ statuses: ['PENDING'] });
  expect(pending?.assignedTask.slaveHost).toBeUndefined();
  expect(pending?.assignedTask.slaveId).toBeUndefined();
});

test('a partition that comes and goes is shown once, while the store keeps it all', async () => {
  await rpc.running(1);
  const { taskId } = (await rpc.world.task(KEY, 0))!;
  for (let turn = 0; turn < 3; turn++) {
    for (const status of ['PARTITIONED', 'RUNNING']) {
      await rpc.world.sql(
        'INSERT INTO task_events (task_id, status, happened_at) VALUES ($1, $2, shim_clock())',
        [taskId, status],
      );
    }
  }
  const stored = await rpc.world.sql<{ status: TaskEvent['status'] }>(
    'SELECT status FROM task_events WHERE task_id = $1 ORDER BY id',
    [taskId],
  );
  expect(stored).toHaveLength(9);
  const [task] = await tasksOf({});
  const statuses = task?.taskEvents.map((event) => event.status);
  expect(statuses).toEqual(['PENDING', 'ASSIGNED', 'RUNNING', 'PARTITIONED', 'RUNNING']);
  const kept = stored.reduce<readonly TaskEvent[]>(
    (events, { status }) => appendEvent(events, { status, timestampMs: 0 }),
    [],
  );
  expect(statuses).toEqual(kept.map((event) => event.status));
});

test('killed before it had a host: a tombstone in the store, nothing in the API', async () => {
  await rpc.ok('createJob', { description: jobOf({ constraints: [NOWHERE] }) });
  await rpc.ok('killTasks', { job: KEY });
  const { taskId } = (
    await rpc.world.sql<{ taskId: string }>('SELECT task_id AS "taskId" FROM tasks')
  )[0]!;
  expect(await found({})).toBe('');
  expect(await found({ taskIds: [taskId] })).toBe('');
});

test('the number of statements does not depend on the number of tasks', async () => {
  const statements = async (query: object): Promise<number> => {
    const before = rpc.world.db.statements;
    await tasksOf(query);
    return rpc.world.db.statements - before;
  };
  await rpc.running(1, {}, A);
  const one = await statements({ jobKeys: [A] });
  await rpc.running(20, {}, B);
  expect(await statements({})).toBe(one);
  // BEGIN, tasks, events, COMMIT; configs come from memory once seen.
  expect(one).toBe(4);
});
