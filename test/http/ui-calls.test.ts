/**
 * The web UI's calls (wire.md §6.4), page by page, made as its browsers make them: over XHR, in TJSON, by the
 * Thrift library's own client. Each is answered, and what the page reads unasked is there.
 */
import * as ReadOnlyScheduler from '#thrift/ReadOnlyScheduler';
import type { JobUpdateStatus } from '#thrift/aurora_types';
import {
  JobKey,
  JobUpdateKey,
  JobUpdateQuery,
  ResponseCode,
  ScheduleStatus,
  TaskQuery,
  type Result,
} from '#thrift/aurora_types';
import { callFromPage } from './support/browser-client';
import { CRON, PENDING, ROLE, SERVICE, prepare, type Prepared } from './support/prepared';
import { missing } from './support/unguarded';

/** What jQuery sends in Chrome and Safari. */
const HEADERS = {
  'Content-Type': 'application/vnd.apache.thrift.json; charset=UTF-8',
  Accept: 'text/plain, */*; q=0.01',
};

let prepared: Prepared;

beforeAll(async () => {
  prepared = await prepare();
});
afterAll(() => prepared[Symbol.asyncDispose]());

/** Calls, and wants OK with everything at these paths. */
async function page(
  method: string,
  args: readonly unknown[],
  reads: readonly string[],
): Promise<Result> {
  const from = { url: prepared.app.url, headers: HEADERS };
  const answer = await callFromPage(from, ReadOnlyScheduler, method, args);
  expect([method, answer.responseCode]).toEqual([method, ResponseCode.OK]);
  expect([method, missing(answer, ['serverInfo.clusterName', ...reads])]).toEqual([method, []]);
  return answer.result!;
}

/** Its members may all be left out, which the type does not say. */
const updateQuery = (members: Partial<JobUpdateQuery>) =>
  new JobUpdateQuery(members as JobUpdateQuery);

const under = (prefix: string, names: string): readonly string[] =>
  names.split(' ').map((name) => `result.${prefix}.${name}`);

const ofJob = ({ role, environment, name }: typeof SERVICE) => ({
  role,
  environment,
  jobName: name,
});

const TASK = under(
  'scheduleStatusResult.tasks[]',
  'status taskEvents[].timestamp taskEvents[].status assignedTask.instanceId assignedTask.taskId ' +
    'assignedTask.task.job.role assignedTask.task.job.environment assignedTask.task.job.name',
);
const UPDATE = under(
  'getJobUpdateDetailsResult.detailsList[]',
  'update.summary.key.id update.summary.user update.summary.state.status ' +
    'update.summary.state.createdTimestampMs update.summary.state.lastModifiedTimestampMs ' +
    'updateEvents[].status updateEvents[].timestampMs update.instructions.initialState[] ' +
    'update.instructions.settings.updateGroupSize instanceEvents[]',
);

test('roles', async () => {
  const result = await page(
    'getRoleSummary',
    [],
    under('roleSummaryResult.summaries[]', 'role jobCount cronJobCount'),
  );
  expect(result.roleSummaryResult!.summaries).toEqual([
    expect.objectContaining({ role: ROLE, jobCount: 2, cronJobCount: 1 }),
  ]);
});

test('role and environment', async () => {
  const result = await page(
    'getJobSummary',
    [ROLE],
    [
      ...under(
        'jobSummaryResult.summaries[]',
        'job.key.role job.key.environment job.key.name job.taskConfig.isService ' +
          'stats.activeTaskCount stats.finishedTaskCount stats.failedTaskCount stats.pendingTaskCount',
      ),
    ],
  );
  const cron = result.jobSummaryResult!.summaries.filter(({ job }) => job.cronSchedule !== null);
  expect(cron.map(({ job, nextCronRunMs }) => [job.key.name, Number(nextCronRunMs) > 0])).toEqual([
    [CRON.name, true],
  ]);

  const quota = (await page('getQuota', [ROLE], [])).getQuotaResult!;
  for (const aggregate of [
    quota.quota,
    ...[quota.prodSharedConsumption, quota.nonProdSharedConsumption],
    ...[quota.prodDedicatedConsumption, quota.nonProdDedicatedConsumption],
  ]) {
    const members = aggregate!.resources.map((resource) =>
      Object.entries(resource).flatMap(([name, value]) => (value === null ? [] : [name])),
    );
    expect(members.flat().sort()).toEqual(['diskMb', 'numCpus', 'ramMb']);
  }
});

describe('job', () => {
  test('a service that is being updated', async () => {
    const query = new TaskQuery(ofJob(SERVICE));
    const result = await page(
      'getTasksWithoutConfigs',
      [query],
      [...TASK, 'result.scheduleStatusResult.tasks[].assignedTask.slaveHost'],
    );
    // Terminal ones, too: the page shows what was before.
    expect(result.scheduleStatusResult!.tasks.length).toBeGreaterThan(2);
    await page('getPendingReason', [query], ['result.getPendingReasonResult.reasons[]']);
    const summary = await page(
      'getConfigSummary',
      [new JobKey(SERVICE)],
      under(
        'configSummaryResult.summary.groups[]',
        'instances[].first instances[].last config.constraints[].name config.metadata[].key config.resources[]',
      ),
    );
    const groups = summary.configSummaryResult!.summary.groups;
    for (const { config } of groups) {
      for (const name of ['numCpus', 'ramMb', 'diskMb'] as const) {
        expect(config.resources.filter((resource) => resource[name] !== null)).toHaveLength(1);
      }
    }
    expect(groups).toHaveLength(2); // Instance 0 is of the new configuration already.
    await page('getJobSummary', [ROLE], ['result.jobSummaryResult.summaries[].job.key.name']);
    const updates = updateQuery({ jobKey: new JobKey(SERVICE) });
    const found = await page('getJobUpdateDetails', [null, updates], UPDATE);
    expect(found.getJobUpdateDetailsResult!.detailsList).toHaveLength(2);
  });

  test('a task that is pending: its reason, and no host', async () => {
    const query = new TaskQuery(ofJob(PENDING));
    const result = await page('getTasksWithoutConfigs', [query], TASK);
    const { taskId, slaveHost } = result.scheduleStatusResult!.tasks[0]!.assignedTask;
    expect(slaveHost).toBeNull();
    const answer = await page(
      'getPendingReason',
      [query],
      under('getPendingReasonResult.reasons[]', 'taskId reason'),
    );
    expect(answer.getPendingReasonResult!.reasons.map((one) => one.taskId)).toEqual([taskId]);
  });

  test('none: every list is there, and empty', async () => {
    const nobody = { ...SERVICE, name: 'nobody' };
    const query = new TaskQuery(ofJob(nobody));
    await page('getTasksWithoutConfigs', [query], ['result.scheduleStatusResult.tasks[]']);
    await page('getPendingReason', [query], ['result.getPendingReasonResult.reasons[]']);
    await page(
      'getConfigSummary',
      [new JobKey(nobody)],
      ['result.configSummaryResult.summary.groups[]'],
    );
    await page('getJobSummary', ['nobody'], ['result.jobSummaryResult.summaries[]']);
    const updates = updateQuery({ jobKey: new JobKey(nobody) });
    await page(
      'getJobUpdateDetails',
      [null, updates],
      ['result.getJobUpdateDetailsResult.detailsList[]'],
    );
  });
});

test('instance and task', async () => {
  const instance = await page(
    'getTasksWithoutConfigs',
    [new TaskQuery({ ...ofJob(SERVICE), instanceIds: [0] })],
    TASK,
  );
  const running = instance.scheduleStatusResult!.tasks.find(
    ({ status }) => status === ScheduleStatus.RUNNING,
  );
  const host = running!.assignedTask.slaveHost;
  const neighbours = new TaskQuery({ statuses: [ScheduleStatus.RUNNING], slaveHosts: [host] });
  const found = await page('getTasksWithoutConfigs', [neighbours], TASK);
  expect(found.scheduleStatusResult!.tasks).toHaveLength(2);
  const one = new TaskQuery({ ...ofJob(SERVICE), instanceIds: [0], taskIds: [prepared.taskId] });
  const task = await page('getTasksWithoutConfigs', [one], TASK);
  expect(task.scheduleStatusResult!.tasks).toHaveLength(1);
});

test('the instance page of a pending task sends broken JSON: 500, and the next call is answered', async () => {
  const body =
    '[1,"getTasksWithoutConfigs",1,0,{"1":{"rec":{"5":{"set":["i32",1,2]},"10":{"set":["str",1,]}}}}]';
  const post = (text: string) =>
    fetch(`${prepared.app.url}/api`, { method: 'POST', headers: HEADERS, body: text });
  expect((await post(body)).status).toBe(500);
  const whole = await post('[1,"getRoleSummary",1,0,{}]');
  expect([whole.status, whole.headers.get('content-type')]).toEqual([
    200,
    'application/vnd.apache.thrift.json',
  ]);
  // The pages themselves always send the seqid 0.
  expect(await whole.text()).toMatch(/^\[1,"getRoleSummary",2,0,\{"0":/);
});

test('update', async () => {
  for (const id of [prepared.activeUpdateId, prepared.endedUpdateId]) {
    const query = updateQuery({ key: new JobUpdateKey({ job: new JobKey(SERVICE), id }) });
    const result = await page(
      'getJobUpdateDetails',
      [null, query],
      [
        ...UPDATE,
        ...under(
          'getJobUpdateDetailsResult.detailsList[0]',
          'update.instructions.desiredState.task.job.name',
        ),
        ...under(
          'getJobUpdateDetailsResult.detailsList[0].update.instructions.desiredState',
          'instances[].first',
        ),
        ...under(
          'getJobUpdateDetailsResult.detailsList[0]',
          'instanceEvents[].action instanceEvents[].instanceId',
        ),
      ],
    );
    expect(result.getJobUpdateDetailsResult!.detailsList).toHaveLength(1);
  }
});

test('updates', async () => {
  const list = async (updateStatuses: readonly JobUpdateStatus[]) => {
    const query = updateQuery({ updateStatuses: [...updateStatuses], limit: 100 });
    const result = await page(
      'getJobUpdateSummaries',
      [query],
      under(
        'getJobUpdateSummariesResult.updateSummaries[]',
        'key.id key.job.name user state.status state.createdTimestampMs state.lastModifiedTimestampMs',
      ),
    );
    return result.getJobUpdateSummariesResult!.updateSummaries.map(({ key }) => key.id);
  };
  const active = [0, 1, 2, 3, 9, 10] as readonly JobUpdateStatus[];
  const ended = [4, 5, 6, 7, 8] as readonly JobUpdateStatus[];
  expect(await list(active)).toEqual([prepared.activeUpdateId]);
  expect(await list(ended)).toEqual([prepared.endedUpdateId]);
});
