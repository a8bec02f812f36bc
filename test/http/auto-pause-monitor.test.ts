/** What gorealis' monitor of auto-paused updates asks and reads (wire.md §6.2). */
import * as api from '#thrift/aurora_types';
import { startTestApp, type TestApp } from '../support/app';
import { until } from '../backend/support/wait';
import { a, goClient } from './support/go-client';
import { config, job, settings } from './support/prepared';

const GROUPS = [1, 2, 3];
const JOB = job('batches');
const { ROLL_FORWARD_PAUSED, ROLLED_FORWARD } = api.JobUpdateStatus;

let app: TestApp;
const { ok } = goClient(() => app.url);

beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());

/**
 * As the monitor does it: looks once at the update while it is active, waits for a pause or the end, and
 * goes by what it saw before.
 */
async function batchOf(key: api.JobUpdateKey): Promise<number> {
  const active = a(api.JobUpdateQuery, {
    key,
    updateStatuses: [...api.ACTIVE_JOB_UPDATE_STATES],
    limit: 1,
  });
  const { getJobUpdateDetailsResult } = await ok(
    'getJobUpdateDetails',
    [null, active],
    'getJobUpdateDetailsResult',
    ['detailsList[0].update.instructions.settings.updateStrategy.varBatchStrategy'],
  );
  const [seen] = getJobUpdateDetailsResult!.detailsList;
  const strategy = seen!.update.instructions.settings.updateStrategy!.varBatchStrategy!;
  expect([strategy.groupSizes, strategy.autopauseAfterBatch]).toEqual([GROUPS, true]);

  const ended = [4, 5, 6, 7, 8] as readonly api.JobUpdateStatus[];
  const stops = a(api.JobUpdateQuery, {
    key,
    updateStatuses: [...ended, ROLL_FORWARD_PAUSED],
    limit: 1,
  });
  const status = await until('it pauses or ends', async () => {
    const found = await ok('getJobUpdateSummaries', [stops], 'getJobUpdateSummariesResult');
    return found.getJobUpdateSummariesResult!.updateSummaries[0]?.state.status;
  });
  expect([ROLL_FORWARD_PAUSED, ROLLED_FORWARD]).toContain(status);

  const { INSTANCE_UPDATING } = api.JobUpdateAction;
  const begun = seen!.instanceEvents.filter(({ action }) => action === INSTANCE_UPDATING);
  const instances = new Set(begun.map(({ instanceId }) => instanceId)).size;
  let before = 0;
  return GROUPS.findIndex((size) => (before += size) >= instances);
}

test('WIRE-046 variable batches of 1, 2, 3 with auto-pause: the monitor tells batch 0, 1, 2 between resumes', async () => {
  const request = a(api.JobUpdateRequest, {
    taskConfig: config(JOB, '1'),
    instanceCount: 6,
    settings: settings({
      minWaitInInstanceRunningMs: 100,
      updateStrategy: { varBatchStrategy: { groupSizes: GROUPS, autopauseAfterBatch: true } },
    }),
  });
  const { startJobUpdateResult } = await ok(
    'startJobUpdate',
    [request, ''],
    'startJobUpdateResult',
  );
  const { key } = startJobUpdateResult!;
  const batches: number[] = [];
  for (const i of GROUPS.keys()) {
    batches.push(await batchOf(key));
    if (i < GROUPS.length - 1) await ok('resumeJobUpdate', [key, 'auto resuming test']);
  }
  expect(batches).toEqual([0, 1, 2]);
});
