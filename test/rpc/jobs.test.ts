/** createJob and killTasks (rpc.md §11). */
import { KEY, NOWHERE, RpcWorld, aRequest, aTask, jobOf, populated, version } from './support.js';

const OTHER = { ...KEY, name: 'other' };

let rpc: RpcWorld;

beforeEach(async () => {
  rpc = await RpcWorld.create();
});

afterEach(async () => {
  await rpc.close();
});

async function createJob(description: unknown): Promise<string> {
  return rpc.verdict('createJob', { description });
}

async function tasks(): Promise<{ status: string; taskEvents: { message?: string }[] }[]> {
  return (await rpc.ok('getTasksStatus', { query: {} })).tasks;
}

describe('createJob', () => {
  test('RPC-001 creates PENDING instances, answers a bare OK and counts them', async () => {
    expect(await rpc.call('createJob', { description: jobOf({ constraints: [NOWHERE] }) })).toEqual(
      {
        code: 'OK',
        details: [],
        result: undefined,
      },
    );
    // Python lists the tasks right after the OK.
    const [task, ...others] = (
      await rpc.ok('getTasksWithoutConfigs', { query: { jobKeys: [KEY] } })
    ).tasks;
    expect(others).toEqual([]);
    expect(task).toMatchObject({ status: 'PENDING', assignedTask: { instanceId: 0 } });
    expect(rpc.stat('thrift_workload_createJob')).toBe(1);
  });

  test('RPC-002 refuses a cron schedule, even an empty one', async () => {
    const answer = await createJob(jobOf({}, 1, { cronSchedule: '' }));
    expect(answer).toMatch(/^INVALID_REQUEST: cronSchedule/);
    expect(rpc.stat('thrift_workload_createJob')).toBe(0);
  });

  test('RPC-003 and RPC-008 refuse what validation refuses, and store nothing', async () => {
    expect(await createJob(jobOf({ tier: ',' }))).toMatch(/^INVALID_REQUEST: taskConfig.tier/);
    const { taskConfig: _none, ...withoutTask } = jobOf();
    expect(await createJob(withoutTask)).toBe('INVALID_REQUEST: taskConfig must be set');
    expect(await createJob(undefined)).toBe('ERROR: description must be set');
    expect(await tasks()).toEqual([]);
    expect(rpc.stat('thrift_workload_createJob')).toBe(0);
  });

  test('RPC-004 refuses a job that exists, and RPC-006 too many instances only after that', async () => {
    expect(await createJob(jobOf({}, 1001))).toMatch(/^INVALID_REQUEST: .*at most 1000/);
    expect(await createJob(jobOf())).toBe('OK');
    expect(await createJob(jobOf())).toMatch(/^INVALID_REQUEST: .*exists/);
    expect(await createJob(jobOf({}, 1001))).toMatch(/^INVALID_REQUEST: .*exists/);
    expect(rpc.stat('thrift_workload_createJob')).toBe(1);
  });

  test('RPC-007 refuses a production job of a role without quota', async () => {
    expect(await createJob(jobOf({ tier: 'tier-prod' }))).toMatch(/^INVALID_REQUEST: .*quota/);
  });

  test('RPC-012 stores what was left out as the defaults of the model', async () => {
    await rpc.ok('createJob', { description: jobOf({ isService: true }) });
    const [task] = (await rpc.ok('getTasksStatus', { query: {} })).tasks;
    expect(task.assignedTask.task).toEqual(populated(aTask({ isService: true })));
    expect(task.assignedTask.task).toMatchObject({
      priority: 0,
      maxTaskFailures: 0,
      constraints: [],
      taskLinks: {},
    });
  });

  test('a job that ended may be created again', async () => {
    await rpc.running(1);
    await rpc.world.report(KEY, 0, 'finished');
    expect(await createJob(jobOf())).toBe('OK');
  });

  test('an update of the same job is named before anything else that is stored', async () => {
    await rpc.running(1, version('old'));
    await rpc.startUpdate(aRequest({}, { taskConfig: version('new'), instanceCount: 1 }));
    expect(await createJob(jobOf())).toMatch(/^JOB_UPDATING_ERROR: /);
    expect(await createJob(jobOf({ tier: ',' }))).toMatch(/^INVALID_REQUEST: /);
  });
});

test('RPC-015 a docker job without an executor keeps its parameters', async () => {
  await rpc.close();
  rpc = await RpcWorld.create({
    limits: {
      allowedContainerTypes: new Set(['DOCKER'] as const),
      allowDockerParameters: true,
      requireDockerUseExecutor: false,
    },
  });
  const { executorConfig: _none, ...bare } = aTask({ constraints: [NOWHERE] });
  const parameters = [
    { name: 'b', value: '2' },
    { name: 'a', value: '1' },
  ];
  const task = { ...bare, container: { docker: { image: 'image', parameters } } };
  await rpc.ok('createJob', { description: { ...jobOf(), taskConfig: task } });
  const [stored, ...others] = (await rpc.ok('getTasksStatus', { query: {} })).tasks;
  expect(others).toEqual([]);
  expect(stored).toMatchObject({ status: 'PENDING', assignedTask: { task: populated(task) } });
  // A task without an executor is listed by the call that leaves executor data out, too.
  const [short] = (await rpc.ok('getTasksWithoutConfigs', { query: {} })).tasks;
  expect(short).toEqual(stored);
});

describe('killTasks', () => {
  test.each([
    ['absent', undefined],
    ['an empty set', []],
  ])('RPC-016 with instances %s kills the whole job', async (_, instances) => {
    await rpc.running(2);
    expect(await rpc.call('killTasks', { job: KEY, instances })).toEqual({
      code: 'OK',
      details: [],
      result: undefined,
    });
    expect(await rpc.world.statuses(KEY)).toEqual({ 0: 'KILLING', 1: 'KILLING' });
    expect(rpc.stat('thrift_workload_killTasks')).toBe(2);
  });

  test('RPC-017 kills the instances asked for and ignores ids that are not active', async () => {
    await rpc.running(3);
    await rpc.ok('killTasks', { job: KEY, instances: [1, 7] });
    expect(await rpc.world.statuses(KEY)).toEqual({ 0: 'RUNNING', 1: 'KILLING', 2: 'RUNNING' });
    expect(rpc.stat('thrift_workload_killTasks')).toBe(1);
  });

  test('RPC-018 refuses while an update is active, paused included', async () => {
    await rpc.running(1, version('old'));
    const key = await rpc.startUpdate(
      aRequest({}, { taskConfig: version('new'), instanceCount: 1 }),
    );
    expect(await rpc.verdict('killTasks', { job: KEY })).toMatch(/^JOB_UPDATING_ERROR: /);
    await rpc.ok('pauseJobUpdate', { key });
    expect(await rpc.verdict('killTasks', { job: KEY })).toMatch(/^JOB_UPDATING_ERROR: /);
    expect(rpc.stat('thrift_workload_killTasks')).toBe(0);
    await rpc.ok('abortJobUpdate', { key });
    expect((await rpc.call('killTasks', { job: KEY })).code).toBe('OK');
  });

  test('RPC-019, TASK-064 says so in exactly one detail when there was nothing to kill', async () => {
    expect(await rpc.call('killTasks', { job: KEY })).toEqual({
      code: 'OK',
      details: ['No tasks to kill.'],
      result: undefined,
    });
    expect(rpc.stat('thrift_workload_killTasks')).toBe(0);
    await rpc.running(1);
    await rpc.ok('killTasks', { job: KEY });
    // The task is still KILLING: killing it once more changes nothing.
    for (const args of [{ job: KEY }, { job: OTHER }]) {
      const { code, details, result } = await rpc.call('killTasks', args);
      expect({ code, details: details.length, result }).toEqual({ code: 'OK', details: 1 });
    }
    expect(rpc.stat('thrift_workload_killTasks')).toBe(1);
  });

  test.each([
    ['RPC-020 names the user', 'shiro', undefined, 'Killed by shiro'],
    ['RPC-020 appends the message', 'shiro', 'bad node', 'Killed by shiro.\nbad node'],
    ['RPC-020 takes an empty message for a message', 'shiro', '', 'Killed by shiro.\n'],
    ['RPC-021 names nobody in particular', 'UNSECURE', undefined, 'Killed by UNSECURE'],
  ])('%s in the audit text', async (_, user, message, text) => {
    await rpc.running(1);
    await rpc.ok('killTasks', { job: KEY, message }, user);
    expect((await tasks())[0]?.taskEvents.at(-1)?.message).toBe(text);
  });

  test('a PENDING task is counted and vanishes at once', async () => {
    await rpc.ok('createJob', { description: jobOf({ constraints: [NOWHERE] }, 2) });
    expect((await rpc.call('killTasks', { job: KEY })).details).toEqual([]);
    expect(rpc.stat('thrift_workload_killTasks')).toBe(2);
    expect(await tasks()).toEqual([]);
    expect(await createJob(jobOf())).toBe('OK');
  });

  test.each([
    ['no key', undefined, 'job must be set'],
    ['a part missing', { role: 'r', environment: 'devel' }, 'job: role'],
    ['a bad part', { ...KEY, name: 'a b' }, 'job: role'],
  ])('is an ERROR that names the field with %s', async (_, job, text) => {
    expect(await rpc.verdict('killTasks', { job })).toContain(`ERROR: ${text}`);
  });

  test('a long message is no error here', async () => {
    await rpc.running(1);
    const message = 'm'.repeat(1025);
    expect(await rpc.verdict('killTasks', { job: KEY, message })).toBe('OK');
  });
});

test('RPC-138 a write the fence refused is transient, and changed nothing', async () => {
  await rpc.running(1);
  await rpc.world.sql('SELECT shim_take_over()');
  expect(await rpc.verdict('killTasks', { job: KEY })).toMatch(/^ERROR_TRANSIENT: /);
  expect(await rpc.verdict('createJob', { description: jobOf({ job: OTHER }) })).toMatch(
    /^ERROR_TRANSIENT: /,
  );
  expect(await rpc.world.statuses(KEY)).toEqual({ 0: 'RUNNING' });
  expect(await tasks()).toHaveLength(1);
});
