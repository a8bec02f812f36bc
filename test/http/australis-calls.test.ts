/**
 * australis' calls (wire.md §6.3), with the settings it always sends (§5): each in a state in which it can
 * succeed, with what it reads from the answer. Through the Thrift library's TJSON and the generated stubs.
 */
import * as api from '#thrift/aurora_types';
import { until } from '../backend/support/wait';
import { a, goClient } from './support/go-client';
import {
  CRON,
  PENDING,
  ROLE,
  SERVICE,
  config,
  prepare,
  settings,
  type Prepared,
} from './support/prepared';

const HOST = 'localhost';

let prepared: Prepared;
const { call, ok } = goClient(() => prepared.app.url);

beforeAll(async () => {
  prepared = await prepare();
});
afterAll(() => prepared[Symbol.asyncDispose]());

const keyOf = (id: string) => a(api.JobUpdateKey, { job: SERVICE, id });
const queryOf = ({ role, environment, name }: typeof SERVICE, more: object = {}) =>
  a(api.TaskQuery, { role, environment, jobName: name, ...more });
const hosts = (...hostNames: string[]) => a(api.Hosts, { hostNames });
const LIVE = [
  ...[api.ScheduleStatus.STARTING, api.ScheduleStatus.RUNNING, api.ScheduleStatus.KILLING],
  ...[api.ScheduleStatus.RESTARTING, api.ScheduleStatus.DRAINING, api.ScheduleStatus.PREEMPTING],
];

/** As its file of a job makes one: every setting is there, zeros included. */
function jobFile(name: string, more: object = {}): api.JobConfiguration {
  const key = { ...SERVICE, name };
  const taskConfig = config(key, '1', { constraints: [], metadata: [] });
  return a(api.JobConfiguration, {
    key,
    owner: { user: ROLE },
    instanceCount: 2,
    taskConfig,
    ...more,
  });
}

function updateFile(version: string, more: object = {}): api.JobUpdateRequest {
  const all = {
    ...{ updateOnlyTheseInstances: [], waitForBatchCompletion: false, slaAware: false },
    ...{ blockIfNoPulsesAfterMs: 0, updateStrategy: { queueStrategy: { groupSize: 2 } } },
  };
  return a(api.JobUpdateRequest, {
    taskConfig: config(SERVICE, version),
    instanceCount: 2,
    settings: settings({ ...all, minWaitInInstanceRunningMs: 60_000, ...more }),
  });
}

async function running(key: typeof SERVICE, count: number): Promise<void> {
  const query = { jobKeys: [key], statuses: ['RUNNING'] };
  await until(`${count} tasks of ${key.name} run`, async () => {
    const { result } = await prepared.client.call('getTasksStatus', { query });
    return (result?.['scheduleStatusResult']?.['tasks'] as object[]).length === count;
  });
}

test('fetch: tasks, jobs, quotas', async () => {
  const read =
    'tasks[].status tasks[].assignedTask.taskId tasks[].assignedTask.task.executorConfig.name';
  await ok('getTasksStatus', [queryOf(SERVICE, { statuses: LIVE })], 'scheduleStatusResult', [
    ...read.split(' '),
    'tasks[].assignedTask.slaveHost',
    'tasks[].assignedTask.task.executorConfig.data',
  ]);
  const { scheduleStatusResult } = await ok(
    'getTasksWithoutConfigs',
    [queryOf(PENDING)],
    'scheduleStatusResult',
    read.split(' '),
  );
  expect(scheduleStatusResult!.tasks[0]!.assignedTask.task.executorConfig!.data).toBeNull();
  // Without a name it asks for the job named "", and gets nothing; with an environment, no such key exists.
  const ofRole = { role: ROLE, jobName: '' };
  const none = await ok(
    'getTasksWithoutConfigs',
    [a(api.TaskQuery, ofRole)],
    'scheduleStatusResult',
    ['tasks[]'],
  );
  expect(none.scheduleStatusResult!.tasks).toEqual([]);
  const unnamed = queryOf({ ...SERVICE, name: '' });
  expect((await call('getTasksWithoutConfigs', unnamed)).responseCode).toBe(api.ResponseCode.ERROR);

  const names = async (role: string) => {
    const { getJobsResult } = await ok('getJobs', [role], 'getJobsResult', [
      ...['configs[].key.role', 'configs[].key.environment', 'configs[].key.name'],
      'configs[].instanceCount',
    ]);
    return getJobsResult!.configs.map(({ key }) => key.name).sort();
  };
  expect(await names(ROLE)).toEqual([CRON.name, PENDING.name, SERVICE.name]);
  // `fetch jobs --role "*"`: no template of a cron job answers to that (rpc.md §10).
  expect(await names('')).toEqual([PENDING.name, SERVICE.name]);

  const { getQuotaResult } = await ok('getQuota', [ROLE], 'getQuotaResult', [
    ...['quota', 'prodSharedConsumption', 'nonProdSharedConsumption'],
    ...['prodDedicatedConsumption', 'nonProdDedicatedConsumption'],
  ]);
  for (const aggregate of Object.values(getQuotaResult!)) {
    expect((aggregate as api.ResourceAggregate).resources).toHaveLength(3);
  }
});

test('quota: set', async () => {
  const resources = [{ numCpus: 12 }, { ramMb: 4096 }, { diskMb: 8192 }];
  await ok('setQuota', [ROLE, a(api.ResourceAggregate, { resources })]);
});

test('create, restart, kill', async () => {
  await ok('createJob', [jobFile('made')]);
  const made = { ...SERVICE, name: 'made' };
  await running(made, 2);
  await ok('restartShards', [a(api.JobKey, made), [0, 1]]);
  await running(made, 2);
  await ok('killTasks', [a(api.JobKey, made), [1], '']);
  await running(made, 1);
  // All of it: an empty set.
  await ok('killTasks', [a(api.JobKey, made), [], '']);
  await running(made, 0);
});

test('schedule', async () => {
  const taskConfig = config({ ...SERVICE, name: 'nightly' }, '1', { isService: false });
  await ok('scheduleCronJob', [
    jobFile('nightly', { taskConfig, cronSchedule: '0 4 * * *', cronCollisionPolicy: 0 }),
  ]);
});

test('update: resume, pulse, roll back, abort, list', async () => {
  const status = async (id: string): Promise<api.JobUpdateStatus> => {
    const query = a(api.JobUpdateQuery, { key: keyOf(id), offset: 0, limit: 1 });
    const { getJobUpdateSummariesResult } = await ok(
      'getJobUpdateSummaries',
      [query],
      'getJobUpdateSummariesResult',
      ['updateSummaries[0].key.id', 'updateSummaries[0].state.status'],
    );
    return getJobUpdateSummariesResult!.updateSummaries[0]!.state.status;
  };
  const start = async (request: api.JobUpdateRequest): Promise<string> => {
    const { startJobUpdateResult } = await ok(
      'startJobUpdate',
      [request, ''],
      'startJobUpdateResult',
      ['key.id', 'key.job.name', 'updateSummary.key.id', 'updateSummary.user'],
    );
    return startJobUpdateResult!.key.id;
  };
  const { activeUpdateId } = prepared;
  await ok('resumeJobUpdate', [keyOf(activeUpdateId), '']);
  expect(await status(activeUpdateId)).toBe(api.JobUpdateStatus.ROLLING_FORWARD);
  await ok('rollbackJobUpdate', [keyOf(activeUpdateId), '']);
  expect(await status(activeUpdateId)).toBe(api.JobUpdateStatus.ROLLING_BACK);
  await ok('abortJobUpdate', [keyOf(activeUpdateId), '']);
  expect(await status(activeUpdateId)).toBe(api.JobUpdateStatus.ABORTED);

  const pulse = async (id: string): Promise<api.JobUpdatePulseStatus> => {
    const result = await ok('pulseJobUpdate', [keyOf(id)], 'pulseJobUpdateResult', ['status']);
    return result.pulseJobUpdateResult!.status;
  };
  // It always sends the interval: 0 is none.
  const plain = await start(updateFile('3'));
  expect(await pulse(plain)).toBe(api.JobUpdatePulseStatus.FINISHED);
  expect(await status(plain)).toBe(api.JobUpdateStatus.ROLLING_FORWARD);
  await ok('abortJobUpdate', [keyOf(plain), '']);
  const coordinated = await start(updateFile('4', { blockIfNoPulsesAfterMs: 60_000 }));
  expect(await status(coordinated)).toBe(api.JobUpdateStatus.ROLL_FORWARD_AWAITING_PULSE);
  expect(await pulse(coordinated)).toBe(api.JobUpdatePulseStatus.OK);
  await until(
    'it rolls',
    async () => (await status(coordinated)) === api.JobUpdateStatus.ROLLING_FORWARD,
  );
  await ok('abortJobUpdate', [keyOf(coordinated), '']);
});

test('hosts: start, status, drain, stop', async () => {
  const modes = async (method: string, member: keyof api.Result, ...more: readonly unknown[]) => {
    const result = await ok(method, [hosts(HOST, 'nowhere'), ...more], member, [
      'statuses[].host',
      'statuses[].mode',
    ]);
    const { statuses } = result[member] as unknown as { statuses: api.HostStatus[] };
    return statuses.map(({ host, mode }) => [host, mode]);
  };
  const status = () => modes('maintenanceStatus', 'maintenanceStatusResult');
  const { NONE, SCHEDULED, DRAINING, DRAINED } = api.MaintenanceMode;
  const moved = { ...SERVICE, name: 'moved' };
  await ok('createJob', [jobFile(moved.name)]);
  await running(moved, 2);
  expect(await status()).toEqual([[HOST, NONE]]);
  expect(await modes('startMaintenance', 'startMaintenanceResult')).toEqual([[HOST, SCHEDULED]]);
  expect(await modes('drainHosts', 'drainHostsResult')).toEqual([[HOST, DRAINING]]);
  await until('it is drained', async () => (await status())[0]?.[1] === DRAINED);
  expect(await modes('endMaintenance', 'endMaintenanceResult')).toEqual([[HOST, NONE]]);
  await running(moved, 2);
  const policy = a(api.SlaPolicy, { percentageSlaPolicy: { percentage: 66, durationSecs: 300 } });
  expect(await modes('slaDrainHosts', 'drainHostsResult', policy, 900)).toEqual([[HOST, DRAINING]]);
  expect(await modes('endMaintenance', 'endMaintenanceResult')).toEqual([[HOST, NONE]]);
  expect(await status()).toEqual([[HOST, NONE]]);
});

test('force: snapshot, backup, reconciliations', async () => {
  await ok('snapshot', []);
  await ok('performBackup', []);
  await ok('triggerImplicitTaskReconciliation', []);
  await ok('triggerExplicitTaskReconciliation', [a(api.ExplicitReconciliationSettings, {})]);
  await ok('triggerExplicitTaskReconciliation', [
    a(api.ExplicitReconciliationSettings, { batchSize: 10 }),
  ]);
});
