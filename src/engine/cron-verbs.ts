/** What clients ask of cron jobs: one transaction each, in the job's lane (rpc.md §11, tasks.md §7). */
import { RefusedError } from '../core/errors.js';
import type { CronSchedule } from '../core/cron/crontab.js';
import type { TaskConfig } from '../core/model/config.js';
import type { JobKey } from '../core/model/keys.js';
import { jobKeyText } from '../core/model/keys.js';
import type { ConfigStore } from '../store/configs.js';
import type { CronJobRecord } from '../store/cron.js';
import { deleteCronJob, saveCronJob } from '../store/cron.js';
import type { Database, WriteTransaction } from '../store/database.js';
import type { Clock } from '../time.js';
import type { Cron } from './cron.js';
import type { JobLanes } from './job-lane.js';
import type { Jobs } from './jobs.js';
import type { Updater } from './updater.js';

export interface CronVerbsOptions {
  readonly db: Database;
  readonly lanes: JobLanes;
  readonly configs: ConfigStore;
  readonly clock: Clock;
  readonly cron: Cron;
  readonly jobs: Jobs;
  readonly updater: Updater;
}

/** A template to store, and the checks that have their place among those of the stored state. */
export interface TemplateRequest extends Omit<CronJobRecord, 'configHash'> {
  readonly config: TaskConfig;
  readonly user: string;
  /** Instance count and quota: after it is known that no update is active; rejects with a RefusedError. */
  readonly checkLimits: (tx: WriteTransaction) => Promise<void> | undefined;
  /** Schedule and policy: after it is known whether the job exists; throws a RefusedError. */
  readonly checkSchedule: () => CronSchedule;
}

export class CronVerbs {
  constructor(private readonly options: CronVerbsOptions) {}

  /**
   * Stores the template and arms its timer; running tasks are left alone.
   *
   * @param mode `replace` needs a template; `schedule` replaces one, or makes the job a cron job
   * @throws RefusedError JOB_UPDATING_ERROR while an update is active, INVALID_REQUEST without a template or
   *   for a job with other tasks, or what the checks throw
   */
  store(request: TemplateRequest, mode: 'schedule' | 'replace'): Promise<void> {
    const { db, lanes, configs, clock, updater, cron, jobs } = this.options;
    updater.requireLeading();
    const { job, config, user } = request;
    return lanes.enqueue(jobKeyText(job), () =>
      db.write({}, async (tx) => {
        await jobs.requireNotUpdating(tx, job);
        await request.checkLimits(tx);
        if (!cron.has(job)) {
          if (mode === 'replace') throw noTemplate(job);
          await jobs.requireNoTasks(tx, job);
        }
        const schedule = request.checkSchedule();
        const stored = configs.identify(config);
        await configs.save(tx, [stored]);
        const record = { ...request, configHash: stored.hash };
        await saveCronJob(tx, record, { user, atMs: clock.wallNow() });
        tx.onCommit(() => cron.install(job, schedule));
      }),
    );
  }

  /**
   * Removes the template and its timer; running tasks, and a run that waits for them to end, go on.
   *
   * @returns whether there was one
   * @throws RefusedError JOB_UPDATING_ERROR while an update is active
   */
  deschedule(job: JobKey): Promise<boolean> {
    const { db, lanes, updater, cron, jobs } = this.options;
    updater.requireLeading();
    return lanes.enqueue(jobKeyText(job), async () => {
      if (!cron.has(job)) {
        await db.read((tx) => jobs.requireNotUpdating(tx, job));
        return false;
      }
      return db.write({}, async (tx) => {
        await jobs.requireNotUpdating(tx, job);
        tx.onCommit(() => cron.remove(job));
        return deleteCronJob(tx, job);
      });
    });
  }

  /**
   * A run as if it were due; returns before it begins.
   *
   * @throws RefusedError INVALID_REQUEST without a template
   */
  startNow(job: JobKey): void {
    const { clock, updater, cron } = this.options;
    updater.requireLeading();
    if (!cron.has(job)) throw noTemplate(job);
    cron.trigger(job, clock.wallNow());
  }
}

function noTemplate(job: JobKey): RefusedError {
  return new RefusedError('INVALID_REQUEST', `Job ${jobKeyText(job)} has no cron schedule.`);
}
