/**
 * A scheduler with something of everything a client looks at: a service that has been updated and is being
 * updated, a task that fits nowhere, a cron job, a quota.
 */
import type { TestApp, TestAppOptions } from '../../support/app';
import { startTestApp } from '../../support/app';
import { until } from '../../backend/support/wait';
import type { AuroraClient } from '../../../src/wire/client';

export const ROLE = 'web';
export const job = (name: string) => ({ role: ROLE, environment: 'prod', name });
export const SERVICE = job('service');
export const PENDING = job('pending');
export const CRON = job('cron');

export interface Prepared extends AsyncDisposable {
  readonly app: TestApp;
  /** For looking at what was done. */
  readonly client: AuroraClient;
  /** The one that goes on, paused; the one before it has ended. */
  readonly activeUpdateId: string;
  readonly endedUpdateId: string;
  /** Id of the task of SERVICE's instance 0. */
  readonly taskId: string;
}

export function config(key: object, version: string, more: object = {}): Record<string, unknown> {
  return {
    ...{ job: key, owner: { user: ROLE }, isService: true, priority: 0, maxTaskFailures: 1 },
    ...{ production: false, tier: 'preemptible', contactEmail: 'web@example.org' },
    resources: [{ numCpus: 0.5 }, { ramMb: 64 }, { diskMb: 128 }],
    constraints: [{ name: 'host', constraint: { limit: { limit: 10 } } }],
    metadata: [{ key: 'team', value: 'web' }],
    executorConfig: { name: 'AuroraExecutor', data: JSON.stringify({ task: { name: version } }) },
    ...more,
  };
}

export function settings(more: object = {}): Record<string, unknown> {
  return {
    ...{ updateGroupSize: 2, maxPerInstanceFailures: 0, maxFailedInstances: 0 },
    ...{ minWaitInInstanceRunningMs: 0, rollbackOnFailure: true, ...more },
  };
}

export async function prepare(options: TestAppOptions = {}): Promise<Prepared> {
  const app = await startTestApp(options);
  try {
    return { ...(await fill(app)), [Symbol.asyncDispose]: () => app.stop() };
  } catch (error) {
    await app.stop();
    throw error;
  }
}

async function fill(app: TestApp): Promise<Omit<Prepared, typeof Symbol.asyncDispose>> {
  const client = app.client();
  const ok = async (method: string, args: object) => {
    const { responseCode, details, result } = await client.call(method, args as never);
    if (responseCode !== 'OK') throw new Error(`${method}: ${responseCode} ${details[0]?.message}`);
    return result;
  };
  const update = async (version: string, more: object): Promise<string> => {
    const request = {
      taskConfig: config(SERVICE, version),
      instanceCount: 2,
      settings: settings(more),
    };
    const result = await ok('startJobUpdate', { request, message: `to ${version}` });
    return (result?.['startJobUpdateResult']?.['key'] as { id: string }).id;
  };
  const quota = { resources: [{ numCpus: 10 }, { ramMb: 4096 }, { diskMb: 8192 }] };
  await ok('setQuota', { ownerRole: ROLE, quota });
  const endedUpdateId = await update('1', {});
  await until('the first update ends', async () => {
    const found = await ok('getJobUpdateSummaries', { jobUpdateQuery: { jobKey: SERVICE } });
    const summaries = found?.['getJobUpdateSummariesResult']?.['updateSummaries'];
    return (summaries as { state: { status: string } }[])[0]?.state.status === 'ROLLED_FORWARD';
  });
  const huge = config(PENDING, '1', { resources: [{ numCpus: 1e9 }, { ramMb: 1 }, { diskMb: 1 }] });
  await ok('createJob', {
    description: { key: PENDING, owner: { user: ROLE }, taskConfig: huge, instanceCount: 1 },
  });
  await ok('scheduleCronJob', {
    description: {
      ...{ key: CRON, owner: { user: ROLE }, instanceCount: 1, cronSchedule: '0 3 1 1 *' },
      taskConfig: config(CRON, '1', { isService: false }),
    },
  });
  const activeUpdateId = await update('2', {
    minWaitInInstanceRunningMs: 60_000,
    updateGroupSize: 1,
  });
  const key = { job: SERVICE, id: activeUpdateId };
  const runs = async () => {
    const found = await ok('getTasksStatus', {
      query: { jobKeys: [SERVICE], statuses: ['RUNNING'], instanceIds: [0, 1] },
    });
    return found?.['scheduleStatusResult']?.['tasks'] as {
      assignedTask: { taskId: string; instanceId: number };
    }[];
  };
  const running = await until('instance 0 is replaced', async () => {
    const details = await ok('getJobUpdateDetails', { query: { key } });
    const [found] = details?.['getJobUpdateDetailsResult']?.['detailsList'] as unknown as {
      instanceEvents: object[];
    }[];
    const tasks = await runs();
    return found!.instanceEvents.length > 0 && tasks.length === 2 && tasks;
  });
  await ok('pauseJobUpdate', { key });
  const { taskId } = running.find(
    ({ assignedTask }) => assignedTask.instanceId === 0,
  )!.assignedTask;
  return { app, client, activeUpdateId, endedUpdateId, taskId };
}
