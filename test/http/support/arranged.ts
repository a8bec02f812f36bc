/** Brings a scheduler into the state in which a recorded request can succeed, whatever went before. */
import { copyFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { AuroraClient, ApiResult } from '../../../src/wire/client';
import { until } from '../../backend/support/wait';
import type { TestApp } from '../../support/app';
import { config, settings } from './prepared';

export interface Key {
  readonly role: string;
  readonly environment: string;
  readonly name: string;
}
interface TaskOnWire {
  readonly status: string;
  readonly assignedTask: { readonly instanceId: number };
}
interface UpdateKey {
  readonly job: Key;
  readonly id: string;
}
type Args = Readonly<Record<string, unknown>>;

const ACTIVE_UPDATES = [
  ...['ROLLING_FORWARD', 'ROLL_FORWARD_PAUSED', 'ROLL_FORWARD_AWAITING_PULSE'],
  ...['ROLLING_BACK', 'ROLL_BACK_PAUSED', 'ROLL_BACK_AWAITING_PULSE'],
];
const LIVE = ['RUNNING', 'STARTING', 'ASSIGNED', 'PENDING', 'THROTTLED', 'RESTARTING', 'DRAINING'];
const ACTIVE = [...LIVE, 'KILLING', 'PREEMPTING', 'PARTITIONED', 'INIT'];
const LARGE = [{ numCpus: 1000 }, { ramMb: 1_000_000 }, { diskMb: 1_000_000 }];
/** The one host of the simulated cluster. */
const HOSTS = { hostNames: ['localhost'] };

export class Arranger {
  private readonly client: AuroraClient;
  private version = 0;

  constructor(private readonly app: TestApp) {
    this.client = app.client();
  }

  /**
   * Prepares for a call.
   * @returns the id of the update that stands for the one the request names, if it names one: the scheduler
   *   chooses these ids, so the recorded one cannot exist
   */
  async before(rpc: string, args: Args): Promise<string | undefined> {
    const key = (args['key'] ?? args['query'] ?? args['jobUpdateQuery'] ?? {}) as Partial<
      UpdateKey & { jobKey: Key; key: UpdateKey; instanceId: number }
    >;
    const update = (key.id === undefined ? key.key : key) as UpdateKey | undefined;
    switch (rpc) {
      case 'createJob':
      case 'scheduleCronJob':
      case 'populateJobConfig':
        await this.clear((args['description'] as { key: Key }).key);
        break;
      case 'startJobUpdate':
      case 'getJobUpdateDiff':
        await this.clear((args['request'] as { taskConfig: { job: Key } }).taskConfig.job);
        break;
      case 'startCronJob':
      case 'descheduleCronJob':
        await this.cron(args['job'] as Key);
        break;
      case 'killTasks':
        await this.tasks(args['job'] as Key, instances(args['instances']));
        break;
      case 'restartShards':
        await this.tasks(args['job'] as Key, instances(args['shardIds']));
        break;
      case 'addInstances':
        await this.tasks(key.jobKey!, [key.instanceId!]);
        break;
      case 'setQuota':
        await this.endAll(args['ownerRole'] as string);
        break;
      case 'pulseJobUpdate':
      case 'pauseJobUpdate':
      case 'abortJobUpdate':
      case 'rollbackJobUpdate':
      case 'resumeJobUpdate':
      case 'getJobUpdateSummaries':
      case 'getJobUpdateDetails':
        return update === undefined ? undefined : this.update(update.job, rpc);
      case 'endMaintenance':
      case 'drainHosts':
        await this.ok('startMaintenance', { hosts: HOSTS });
        break;
      case 'listBackups':
        await this.ok('performBackup', {});
        break;
      case 'stageRecovery':
        await this.backup(args['backupId'] as string);
        break;
      case 'queryRecovery':
      case 'deleteRecoveryTasks':
      case 'commitRecovery':
      case 'unloadRecovery':
        await this.stage();
    }
    return undefined;
  }

  /** Takes back what other requests would suffer from. */
  async after(rpc: string): Promise<void> {
    if (['startMaintenance', 'drainHosts', 'slaDrainHosts'].includes(rpc)) {
      await this.ok('endMaintenance', { hosts: HOSTS });
    }
    if (['stageRecovery', 'queryRecovery', 'deleteRecoveryTasks'].includes(rpc)) {
      await this.ok('unloadRecovery', {});
    }
  }

  /** The job is gone: no update, no template, no task; and its role may have what it likes. */
  async clear(job: Key): Promise<void> {
    await this.abort(job);
    await this.ok('descheduleCronJob', { job });
    await this.ok('killTasks', { job });
    await until(`${job.name} is gone`, async () => (await this.active(job)).length === 0);
    await this.ok('setQuota', { ownerRole: job.role, quota: { resources: LARGE } });
  }

  private async cron(job: Key): Promise<void> {
    await this.clear(job);
    await this.ok('scheduleCronJob', {
      description: {
        ...{ key: job, owner: { user: job.role }, instanceCount: 1, cronSchedule: '0 3 1 1 *' },
        taskConfig: config(job, 'cron', { isService: false }),
      },
    });
  }

  /** Instances 0 to the highest of these run, and no update is in the way. */
  private async tasks(job: Key, wanted: readonly number[]): Promise<void> {
    await this.clear(job);
    const instanceCount = Math.max(...wanted) + 1;
    const taskConfig = config(job, 'arranged');
    await this.ok('createJob', {
      description: { key: job, owner: { user: job.role }, taskConfig, instanceCount },
    });
    await this.running(job, instanceCount);
  }

  private async running(job: Key, count: number): Promise<void> {
    await until(`${count} tasks of ${job.name} run`, async () => {
      const tasks = await this.active(job);
      return tasks.length === count && tasks.every(({ status }) => status === 'RUNNING');
    });
  }

  /** An update that waits for its first pulse, rolls, or is paused, as the verb needs it. */
  private async update(job: Key, rpc: string): Promise<string> {
    await this.tasks(job, [0, 1]);
    const taskConfig = config(job, `version ${++this.version}`);
    const pulsed = { blockIfNoPulsesAfterMs: 3_600_000, minWaitInInstanceRunningMs: 3_600_000 };
    const request = { taskConfig, instanceCount: 2, settings: settings(pulsed) };
    const { startJobUpdateResult } = await this.ok('startJobUpdate', { request });
    const { id } = startJobUpdateResult?.['key'] as UpdateKey;
    const key = { job, id };
    if (rpc === 'pulseJobUpdate') return id;
    await this.ok('pulseJobUpdate', { key });
    if (rpc === 'resumeJobUpdate') await this.ok('pauseJobUpdate', { key });
    // The one summary that is asked for by a status is an ABORTED one.
    if (rpc === 'getJobUpdateSummaries') await this.ok('abortJobUpdate', { key });
    return id;
  }

  private async abort(job: Key): Promise<void> {
    const query = { jobKey: job, updateStatuses: ACTIVE_UPDATES };
    const found = await this.ok('getJobUpdateSummaries', { jobUpdateQuery: query });
    const summaries = found['getJobUpdateSummariesResult']?.['updateSummaries'] as {
      key: UpdateKey;
    }[];
    for (const { key } of summaries) await this.ok('abortJobUpdate', { key });
  }

  private async endAll(role: string): Promise<void> {
    const { getJobsResult } = await this.ok('getJobs', { ownerRole: role });
    for (const { key } of getJobsResult?.['configs'] as { key: Key }[]) await this.clear(key);
  }

  private async active(job: Key): Promise<readonly TaskOnWire[]> {
    const query = { jobKeys: [job], statuses: ACTIVE };
    const { scheduleStatusResult } = await this.ok('getTasksStatus', { query });
    return scheduleStatusResult?.['tasks'] as TaskOnWire[];
  }

  /** Backups are named after the minute they are made in, and any file can be staged by its name. */
  private async backup(name: string): Promise<void> {
    await this.ok('unloadRecovery', {});
    await this.ok('performBackup', {});
    const folder = this.app.config.backup_dir;
    const [made] = readdirSync(folder).filter((file) => file.startsWith('scheduler-backup-'));
    if (made !== name) copyFileSync(join(folder, made!), join(folder, name));
  }

  private async stage(): Promise<void> {
    const backupId = 'scheduler-backup-2023-11-14-22-13';
    await this.backup(backupId);
    await this.ok('stageRecovery', { backupId });
  }

  private async ok(method: string, args: Args): Promise<ApiResult> {
    const { responseCode, details, result } = await this.client.call(method, args);
    if (responseCode === 'OK') return result ?? {};
    throw new Error(`to arrange, ${method}: ${responseCode} ${details.map((one) => one.message)}`);
  }
}

function instances(given: unknown): readonly number[] {
  const ids = (given ?? []) as readonly number[];
  return ids.length === 0 ? [0, 1] : ids;
}
