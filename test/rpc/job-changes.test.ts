/** restartShards, addInstances, and the cron RPCs where no template exists (rpc.md §11). */
import { KEY, NOWHERE, RpcWorld, aRequest, jobOf, version } from './support.js';

const OTHER = { ...KEY, name: 'other' };
const PLAIN_OK = { code: 'OK', details: [], result: undefined };
/** Malformed keys, and what each is called in the answer. */
const BAD_KEYS = [
  ['no key', undefined, 'must be set'],
  ['a part missing', { role: 'r', environment: 'devel' }, ': role'],
  ['a bad part', { ...KEY, name: 'a b' }, ': role'],
] as const;

let rpc: RpcWorld;

beforeEach(async () => {
  rpc = await RpcWorld.create();
});

afterEach(async () => {
  await rpc.close();
});

/** restartShards of these instances of the fixture's job. */
function restart(shardIds: unknown, job: unknown = KEY): Promise<string> {
  return rpc.verdict('restartShards', { job, shardIds });
}

function add(instanceId: number, count: unknown, jobKey: unknown = KEY): Promise<string> {
  return rpc.verdict('addInstances', { key: { jobKey, instanceId }, count });
}

describe('restartShards', () => {
  test('RPC-022 moves the tasks to RESTARTING, names the user and counts them', async () => {
    await rpc.running(2);
    expect(await rpc.call('restartShards', { job: KEY, shardIds: [0] })).toEqual(PLAIN_OK);
    expect(await rpc.world.statuses(KEY)).toEqual({ 0: 'RESTARTING', 1: 'RUNNING' });
    const { tasks } = await rpc.ok('getTasksStatus', { query: { instanceIds: [0] } });
    expect(tasks[0].taskEvents.at(-1)).toMatchObject({ message: 'Restarted by shiro' });
    expect(rpc.stat('thrift_workload_restartShards')).toBe(1);
    // The replacement comes when the old one has gone, not before.
    await rpc.world.report(KEY, 0, 'killed');
    expect((await rpc.world.tasks(KEY)).map((task) => task.status)).toEqual([
      ...['KILLED', 'ASSIGNED', 'RUNNING'],
    ]);
  });

  test('RPC-023 and TASK-066 refuses unless every instance asked for is active, and then restarts none', async () => {
    await rpc.running(2);
    expect(await restart([1, 6])).toMatch(/^INVALID_REQUEST: .* 6/);
    expect(await restart([0], OTHER)).toMatch(/^INVALID_REQUEST: /);
    expect(await rpc.world.statuses(KEY)).toEqual({ 0: 'RUNNING', 1: 'RUNNING' });
    await rpc.world.report(KEY, 1, 'finished');
    expect(await restart([0, 1])).toMatch(/^INVALID_REQUEST: /);
    expect(rpc.stat('thrift_workload_restartShards')).toBe(0);
  });

  test.each([
    ['absent', undefined],
    ['empty', []],
  ])('an ERROR with shardIds %s: never the whole job', async (_, shardIds) => {
    await rpc.running(1);
    expect(await restart(shardIds)).toMatch(/^ERROR: shardIds/);
    expect(await rpc.world.statuses(KEY)).toEqual({ 0: 'RUNNING' });
  });

  test('a PENDING task silently stays, and is counted', async () => {
    await rpc.ok('createJob', { description: jobOf({ constraints: [NOWHERE] }) });
    expect(await restart([0])).toBe('OK');
    expect(await rpc.world.statuses(KEY)).toEqual({ 0: 'PENDING' });
    expect(rpc.stat('thrift_workload_restartShards')).toBe(1);
  });

  test('one that is restarted already stays so', async () => {
    await rpc.running(1);
    expect(await restart([0])).toBe('OK');
    expect(await restart([0])).toBe('OK');
    expect(await rpc.world.statuses(KEY)).toEqual({ 0: 'RESTARTING' });
  });

  test.each(BAD_KEYS)('is an ERROR that names the field with %s', async (_, job, text) => {
    expect(await rpc.verdict('restartShards', { job, shardIds: [] })).toMatch(/^ERROR: job/);
    expect(await rpc.verdict('restartShards', { job, shardIds: [] })).toContain(text);
  });
});

describe('addInstances', () => {
  test('RPC-024 adds after the highest active id, with the config of the given instance', async () => {
    await rpc.running(1, { constraints: [] });
    expect(
      await rpc.call('addInstances', { key: { jobKey: KEY, instanceId: 0 }, count: 2 }),
    ).toEqual(PLAIN_OK);
    expect(Object.keys(await rpc.world.statuses(KEY))).toEqual(['0', '1', '2']);
    const configs = (await rpc.world.tasks(KEY)).map((task) => task.configHash);
    expect(new Set(configs).size).toBe(1);
    expect(rpc.stat('thrift_workload_addInstances')).toBe(2);
  });

  test('gaps below the highest id are not filled; an ended instance above it counts for nothing', async () => {
    await rpc.place({ 0: version('a'), 3: version('b'), 7: version('c') });
    await rpc.ok('killTasks', { job: KEY, instances: [7] });
    await rpc.world.report(KEY, 7, 'killed');
    expect(await add(3, 1)).toBe('OK');
    expect(await rpc.world.versions(KEY)).toEqual({ 0: 'a', 3: 'b', 4: 'b' });
  });

  test('RPC-025 refuses without an active task of the instance', async () => {
    await rpc.running(1);
    expect(await add(1, 1)).toMatch(/^INVALID_REQUEST: .*instance 1/);
    expect(await add(0, 1, OTHER)).toMatch(/^INVALID_REQUEST: /);
    expect(rpc.stat('thrift_workload_addInstances')).toBe(0);
  });

  test.each([0, -1, undefined])('RPC-025 refuses a count of %s', async (count) => {
    expect(await add(0, count)).toMatch(/^INVALID_REQUEST: count/);
  });

  test('RPC-025 refuses a production job of a role without quota', async () => {
    const prod = version('a', { tier: 'tier-prod', production: true });
    await rpc.place({ 0: prod });
    expect(await add(0, 1)).toMatch(/^INVALID_REQUEST: .*quota/);
    // The number of instances is looked at first.
    expect(await add(0, 1000)).toMatch(/^INVALID_REQUEST: .*at most 1000/);
    expect(await rpc.world.tasks(KEY)).toHaveLength(1);
  });

  test('RPC-025 refuses where somebody else took an id meanwhile', async () => {
    await rpc.running(1);
    const { tasks } = rpc.world.engine;
    const insert = tasks.insertPending.bind(tasks);
    jest.spyOn(tasks, 'insertPending').mockImplementationOnce(async (...args) => {
      await rpc.world.sql(`
        INSERT INTO tasks (task_id, role, environment, job_name, instance_id, config_hash, status)
        SELECT 'theirs', role, environment, job_name, 2, config_hash, 'PENDING' FROM tasks`);
      return insert(...args);
    });
    expect(await add(0, 2)).toMatch(/^INVALID_REQUEST: /);
    expect(rpc.stat('thrift_workload_addInstances')).toBe(0);
  });

  test('existing and new instances together may be as many as a job may have', async () => {
    await rpc.place({ 0: version('a', { constraints: [NOWHERE] }) });
    expect(await add(0, 1000)).toMatch(/^INVALID_REQUEST: .*at most 1000/);
    expect(await add(0, 999)).toBe('OK');
    expect(await add(0, 1)).toMatch(/^INVALID_REQUEST: .*1001/);
    expect(await add(0, 2 ** 31 - 1)).toMatch(/^INVALID_REQUEST: /);
  });

  test.each(BAD_KEYS)('is an ERROR that names the field with %s', async (_, jobKey, text) => {
    const key = { jobKey, instanceId: 0 };
    const verdict = await rpc.verdict('addInstances', { key, count: 0 });
    expect(verdict).toMatch(/^ERROR: key.jobKey/);
    expect(verdict).toContain(text);
    expect(await rpc.verdict('addInstances', { count: 0 })).toBe('ERROR: key must be set');
  });
});

describe('cron RPCs without a template', () => {
  test('RPC-033 descheduleCronJob of a job without a schedule is OK with exactly one detail', async () => {
    await rpc.running(1);
    for (const job of [KEY, OTHER]) {
      const { code, details, result } = await rpc.call('descheduleCronJob', { job });
      expect({ code, details: details.length, result }).toEqual({ code: 'OK', details: 1 });
    }
    expect(await rpc.world.statuses(KEY)).toEqual({ 0: 'RUNNING' });
  });

  test('RPC-034 startCronJob of a job without a schedule is refused', async () => {
    expect(await rpc.verdict('startCronJob', { job: KEY })).toMatch(/^INVALID_REQUEST: Failed/);
  });

  test.each(BAD_KEYS)('both are an ERROR that names the field with %s', async (_, job, text) => {
    for (const method of ['descheduleCronJob', 'startCronJob']) {
      expect(await rpc.verdict(method, { job })).toContain(text);
      expect(await rpc.verdict(method, { job })).toMatch(/^ERROR: job/);
    }
  });
});

describe('while an update of the job is active', () => {
  test.each([
    ['testKillTasksWhileJobUpdating', 'killTasks', { job: KEY }],
    ['testRestartShardsWhileJobUpdating', 'restartShards', { job: KEY, shardIds: [0] }],
    ['testDescheduleCronJobWhileJobUpdating', 'descheduleCronJob', { job: KEY }],
    [
      'testAddInstancesWhileJobUpdating',
      'addInstances',
      { key: { jobKey: KEY, instanceId: 0 }, count: 1 },
    ],
  ])(
    'UPD-105, RPC-018 and TASK-065 %s: paused and blocked ones included',
    async (_, method, args) => {
      await rpc.running(2, version('old'));
      const key = await rpc.startUpdate(
        aRequest(
          { blockIfNoPulsesAfterMs: 10_000 },
          { taskConfig: version('new'), instanceCount: 2 },
        ),
      );
      const before = await rpc.world.tasks(KEY);
      const refused = async (): Promise<void> => {
        const answer = await rpc.call(method, args);
        expect(answer).toMatchObject({ code: 'JOB_UPDATING_ERROR', details: [expect.any(String)] });
      };
      await refused();
      await rpc.ok('pauseJobUpdate', { key });
      await refused();
      expect(await rpc.world.tasks(KEY)).toEqual(before);
      expect(rpc.stat(`thrift_workload_${method}`)).toBe(0);
      await rpc.ok('abortJobUpdate', { key });
      expect((await rpc.call(method, args)).code).toBe('OK');
    },
  );

  test('what is wrong with the instances is said only when the job may be changed at all', async () => {
    await rpc.running(1, version('old'));
    await rpc.startUpdate(aRequest({}, { taskConfig: version('new'), instanceCount: 1 }));
    expect(await restart([5])).toMatch(/^JOB_UPDATING_ERROR: /);
    expect(await add(5, 1)).toMatch(/^JOB_UPDATING_ERROR: /);
    expect(await add(5, 0)).toMatch(/^INVALID_REQUEST: /);
    expect(await restart([])).toMatch(/^ERROR: /);
  });
});
