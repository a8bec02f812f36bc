/** getJobs, the summaries of roles, jobs and configs, getTierConfigs, populateJobConfig (rpc.md §10). */
import type { JobKey } from '../../src/core/model/keys.js';
import type { ScheduleStatus } from '../../src/core/model/statuses.js';
import { SCHEDULE_STATUSES } from '../../src/core/model/statuses.js';
import {
  KEY,
  NOWHERE,
  RpcWorld,
  aRequest,
  aTask,
  groupsText,
  jobOf,
  populated,
  version,
} from './support.js';

const A = { role: 'role-a', environment: 'devel', name: 'a' };
const B = { role: 'role-b', environment: 'devel', name: 'b' };

let rpc: RpcWorld;

beforeEach(async () => {
  rpc = await RpcWorld.create();
});

afterEach(async () => {
  await rpc.close();
});

/** A stored task past the engine, with one event of this age. */
async function store(
  key: JobKey,
  instanceId: number,
  status: ScheduleStatus,
  options: { readonly at?: number; readonly data?: string } = {},
): Promise<void> {
  const { engine, db } = rpc.world;
  const config = engine.configs.identify(version(options.data ?? 'data', { job: key }));
  await db.write({}, (tx) => engine.configs.save(tx, [config]));
  const { role, environment, name } = key;
  await rpc.world.sql('INSERT INTO jobs VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [
    role,
    environment,
    name,
  ]);
  const [{ id } = { id: '' }] = await rpc.world.sql<{ id: string }>(
    `INSERT INTO tasks (task_id, role, environment, job_name, instance_id, config_hash, status)
     VALUES (gen_random_uuid()::text, $1, $2, $3, $4, $5, $6) RETURNING task_id AS id`,
    [role, environment, name, instanceId, config.hash, status],
  );
  await rpc.world.sql(
    'INSERT INTO task_events (task_id, status, happened_at) VALUES ($1, $2, to_timestamp($3))',
    [id, status === 'INIT' ? 'PENDING' : status, options.at ?? 1],
  );
}

describe('getJobSummary', () => {
  test('RPC-069 counts every status in its group', async () => {
    for (const [instance, status] of SCHEDULE_STATUSES.entries()) await store(A, instance, status);
    const { summaries } = await rpc.ok('getJobSummary', { role: 'role-a' });
    expect(summaries).toHaveLength(1);
    expect(summaries[0].stats).toEqual({
      activeTaskCount: 8,
      failedTaskCount: 2,
      finishedTaskCount: 2,
      pendingTaskCount: 3,
    });
    expect(summaries[0].job.instanceCount).toBe(15);
    expect(summaries[0]).not.toHaveProperty('nextCronRunMs');
  });

  test('RPC-067 has one ASSIGNED task as a job of one instance, and nothing for an empty role', async () => {
    await store(A, 0, 'ASSIGNED');
    const { summaries } = await rpc.ok('getJobSummary', { role: 'role-a' });
    expect(summaries).toEqual([
      {
        job: { key: A, taskConfig: version('data', { job: A }), instanceCount: 1 },
        stats: {
          activeTaskCount: 1,
          finishedTaskCount: 0,
          failedTaskCount: 0,
          pendingTaskCount: 0,
        },
      },
    ]);
    expect(await rpc.ok('getJobSummary', { role: 'role-b' })).toEqual({ summaries: [] });
    expect(rpc.stat('scheduler_thrift_workload_getJobSummary')).toBe(1);
  });

  test('covers jobs whose tasks have all ended, and every role when none is given', async () => {
    await store(A, 0, 'FINISHED');
    await store(B, 0, 'RUNNING');
    for (const args of [{}, { role: '' }, { role: ' ' }]) {
      const { summaries } = await rpc.ok('getJobSummary', args);
      expect(summaries.map((summary: { job: { key: JobKey } }) => summary.job.key)).toEqual([A, B]);
    }
  });

  test('WIRE-048 has exactly one summary for a job that is being updated', async () => {
    await rpc.running(1, version('old'));
    await rpc.startUpdate(aRequest({}, { taskConfig: version('new'), instanceCount: 1 }));
    await rpc.world.report(KEY, 0, 'killed');
    const { summaries } = await rpc.ok('getJobSummary', { role: KEY.role });
    expect(summaries).toHaveLength(1);
    expect(summaries[0].job.taskConfig.executorConfig.data).toBe('new');
  });
});

describe('getRoleSummary', () => {
  test('RPC-077 has for each role its jobs with any stored task, in one statement', async () => {
    expect(await rpc.ok('getRoleSummary')).toEqual({ summaries: [] });
    await store(A, 0, 'RUNNING');
    await store(A, 1, 'RUNNING');
    await store(B, 0, 'FINISHED');
    await store({ ...B, name: 'b2' }, 0, 'LOST');
    await store({ ...B, environment: 'test' }, 0, 'PENDING');
    const before = rpc.world.db.statements;
    expect(await rpc.ok('getRoleSummary')).toEqual({
      summaries: [
        { role: 'role-a', jobCount: 1, cronJobCount: 0 },
        { role: 'role-b', jobCount: 3, cronJobCount: 0 },
      ],
    });
    expect(rpc.world.db.statements - before).toBe(1);
    expect(rpc.stat('scheduler_thrift_workload_getRoleSummary')).toBe(2);
  });

  test('a role whose only task was killed while PENDING is not there', async () => {
    await rpc.place({ 0: aTask({ constraints: [NOWHERE] }) });
    await rpc.ok('killTasks', { job: KEY });
    expect(await rpc.ok('getRoleSummary')).toEqual({ summaries: [] });
  });
});

describe('getJobs', () => {
  test('RPC-075 has the jobs with an active task, of all roles or one', async () => {
    await store(A, 0, 'RUNNING');
    await store(A, 1, 'PENDING');
    await store(A, 2, 'FAILED');
    await store(B, 0, 'FINISHED');
    const expected = [{ key: A, taskConfig: version('data', { job: A }), instanceCount: 2 }];
    for (const args of [{}, { ownerRole: '' }, { ownerRole: 'role-a' }]) {
      expect((await rpc.ok('getJobs', args)).configs).toEqual(expected);
    }
    expect((await rpc.ok('getJobs', { ownerRole: 'role-b' })).configs).toEqual([]);
    expect(rpc.stat('scheduler_thrift_workload_getJobs')).toBe(3);
  });

  test('names the owner of the latest task', async () => {
    const owner = { user: 'mary' };
    await rpc.running(1, { owner });
    const [config] = (await rpc.ok('getJobs')).configs;
    expect(config).toEqual({
      key: KEY,
      owner,
      taskConfig: populated(aTask({ owner })),
      instanceCount: 1,
    });
  });

  test('hides what was killed before it had a host', async () => {
    await rpc.ok('createJob', { description: jobOf({ constraints: [NOWHERE] }) });
    await rpc.ok('killTasks', { job: KEY });
    expect(await rpc.ok('getJobs')).toEqual({ configs: [] });
    expect(await rpc.ok('getJobSummary')).toEqual({ summaries: [] });
  });
});

test('RPC-144 the latest task is an active one, then the one whose last event is newest', async () => {
  const latest = async (): Promise<string> =>
    (await rpc.ok('getJobSummary')).summaries[0].job.taskConfig.executorConfig.data;
  await store(A, 3, 'FINISHED', { at: 300, data: 'finished 300' });
  await store(A, 1, 'FINISHED', { at: 100, data: 'finished 100' });
  await store(A, 2, 'FINISHED', { at: 200, data: 'finished 200' });
  expect(await latest()).toBe('finished 300');
  await store(A, 4, 'RUNNING', { at: 60, data: 'running 60' });
  await store(A, 5, 'RUNNING', { at: 50, data: 'running 50' });
  expect(await latest()).toBe('running 60');
});

describe('getConfigSummary', () => {
  test('RPC-076 groups active instances by config, in minimal ranges', async () => {
    await rpc.place({ 0: version('A'), 1: version('A'), 2: version('B'), 4: version('A') });
    await store(KEY, 3, 'FAILED', { data: 'A' });
    const { summary } = await rpc.ok('getConfigSummary', { job: KEY });
    expect(summary.key).toEqual(KEY);
    expect(groupsText(summary.groups)).toEqual(['A [0-1][4-4]', 'B [2-2]']);
    expect(rpc.stat('scheduler_thrift_workload_getConfigSummary')).toBe(2);
  });

  test('RPC-076 an unknown job has no groups, and its key is echoed', async () => {
    expect(await rpc.ok('getConfigSummary', { job: A })).toEqual({
      summary: { key: A, groups: [] },
    });
  });

  test.each([[undefined], [{ role: 'r' }], [{ ...A, name: '' }]])(
    'the key %j is an ERROR',
    async (job) => {
      expect(await rpc.verdict('getConfigSummary', { job })).toMatch(/^ERROR: job/);
    },
  );
});

test('getTierConfigs says what each tier is in text, and which is the default', async () => {
  const result = await rpc.ok('getTierConfigs');
  expect(result).toEqual({
    defaultTierName: 'tier-dev',
    tiers: [
      { name: 'tier-prod', settings: { preemptible: 'false', revocable: 'false' } },
      { name: 'tier-dev', settings: { preemptible: 'true', revocable: 'false' } },
      { name: 'tier-revocable', settings: { preemptible: 'true', revocable: 'true' } },
    ],
  });
});

describe('populateJobConfig', () => {
  test('RPC-072 answers the config as it would be stored, and stores nothing', async () => {
    const before = rpc.world.db.statements;
    const resources = [...aTask().resources, { namedPort: 'http' }];
    const { taskConfig } = await rpc.ok('populateJobConfig', { description: jobOf({ resources }) });
    expect(taskConfig).toEqual({
      ...populated(aTask({ resources })),
      taskLinks: { http: 'http://%host%:%port:http%' },
    });
    expect(rpc.world.db.statements).toBe(before);
  });

  test('RPC-072 refuses a job without a config, and ERROR without a job', async () => {
    const { taskConfig: _none, ...description } = jobOf();
    expect(await rpc.verdict('populateJobConfig', { description })).toBe(
      'INVALID_REQUEST: taskConfig must be set',
    );
    expect(await rpc.verdict('populateJobConfig')).toBe('ERROR: description must be set');
  });

  test('takes cron jobs, production jobs and any number of instances', async () => {
    for (const description of [
      jobOf({}, 1, { cronSchedule: '* * * * *' }),
      jobOf({ tier: 'tier-prod' }),
      jobOf({}, 1_000_000),
    ]) {
      expect((await rpc.call('populateJobConfig', { description })).code).toBe('OK');
    }
  });

  test('does not look into executor data, which createJob does', async () => {
    await rpc.close();
    rpc = await RpcWorld.create({ limits: { executorDataProblem: () => 'data: is bad' } });
    const description = jobOf();
    expect((await rpc.call('populateJobConfig', { description })).code).toBe('OK');
    expect(await rpc.verdict('createJob', { description })).toMatch(
      /INVALID_REQUEST: .*data: is bad/,
    );
  });
});
