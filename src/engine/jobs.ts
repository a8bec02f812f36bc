/** Creating, growing, restarting and killing jobs: one transaction each, in the job's lane (rpc.md §11). */
import { RefusedError } from '../core/errors.js';
import type { TaskConfig } from '../core/model/config.js';
import type { JobKey } from '../core/model/keys.js';
import { jobKeyText } from '../core/model/keys.js';
import { rangesText, toRanges } from '../core/model/ranges.js';
import { isKillable } from '../core/model/statuses.js';
import { killedBy, restartedBy } from '../core/task/messages.js';
import type { ConfigStore } from '../store/configs.js';
import type { Database, Queries, WriteTransaction } from '../store/database.js';
import { findActiveConfigs, findActiveTasks } from '../store/tasks.js';
import { findActiveUpdates } from '../store/updates.js';
import type { Cron } from './cron.js';
import type { JobLanes } from './job-lane.js';
import type { Tasks } from './tasks.js';
import { InstanceTakenError } from './tasks.js';
import type { Updater } from './updater.js';

export interface JobsOptions {
  readonly db: Database;
  readonly lanes: JobLanes;
  readonly tasks: Tasks;
  readonly configs: ConfigStore;
  readonly updater: Updater;
  readonly cron: Pick<Cron, 'has'>;
}

export class Jobs {
  constructor(private readonly options: JobsOptions) {}

  /**
   * @throws RefusedError JOB_UPDATING_ERROR while an update is active, INVALID_REQUEST when the job exists,
   *   or what `checkAfterExistence` rejects with (rpc.md §11, createJob)
   */
  create(
    job: JobKey,
    config: TaskConfig,
    instanceCount: number,
    checkAfterExistence: (tx: WriteTransaction) => Promise<void> | undefined,
  ): Promise<void> {
    const { db, lanes, tasks, configs } = this.options;
    this.options.updater.requireLeading();
    return lanes.enqueue(jobKeyText(job), () =>
      db.write({}, async (tx) => {
        await this.requireNotUpdating(tx, job);
        await this.requireNoTasks(tx, job);
        if (this.options.cron.has(job)) {
          throw new RefusedError(
            'INVALID_REQUEST',
            `Job ${jobKeyText(job)} already exists: it is a cron job.`,
          );
        }
        await checkAfterExistence(tx);
        const ids = Array.from({ length: instanceCount }, (_, id) => id);
        await tasks.insertPending(tx, job, configs.identify(config), ids);
      }),
    );
  }

  /**
   * Moves active tasks to KILLING, those without a host out of the way at once.
   *
   * @param instanceIds undefined or empty: the whole job
   * @returns how many tasks changed
   * @throws RefusedError JOB_UPDATING_ERROR while an update is active
   */
  kill(
    job: JobKey,
    instanceIds: readonly number[] | undefined,
    user: string,
    message: string | undefined,
  ): Promise<number> {
    const { db, lanes, tasks } = this.options;
    this.options.updater.requireLeading();
    return lanes.enqueue(jobKeyText(job), () =>
      db.write({}, async (tx) => {
        await this.requireNotUpdating(tx, job);
        const only = instanceIds?.length === 0 ? undefined : instanceIds;
        const killable = (await findActiveTasks(tx, job, only)).filter((task) =>
          isKillable(task.status),
        );
        const audit = killedBy(user, message);
        const results = await tasks.change(
          tx,
          killable.map(({ taskId }) => ({ taskId, target: 'KILLING' as const, message: audit })),
        );
        return results.filter((result) => result === 'SUCCESS').length;
      }),
    );
  }

  /**
   * Moves the tasks of these instances to RESTARTING; what becomes of each is not told, and one without a
   * host stays as it is.
   *
   * @throws RefusedError JOB_UPDATING_ERROR while an update is active, INVALID_REQUEST unless every one of
   *   the instances has an active task
   */
  restart(job: JobKey, instanceIds: ReadonlySet<number>, user: string): Promise<void> {
    const { db, lanes, tasks } = this.options;
    this.options.updater.requireLeading();
    return lanes.enqueue(jobKeyText(job), () =>
      db.write({}, async (tx) => {
        await this.requireNotUpdating(tx, job);
        const active = await findActiveTasks(tx, job, [...instanceIds]);
        if (active.length !== instanceIds.size) {
          const found = new Set(active.map((task) => task.instanceId));
          const missing = toRanges([...instanceIds].filter((id) => !found.has(id)));
          throw new RefusedError(
            'INVALID_REQUEST',
            `Job ${jobKeyText(job)} has no active task of instance ${rangesText(missing)}.`,
          );
        }
        const message = restartedBy(user);
        await tasks.change(
          tx,
          active.map(({ taskId }) => ({ taskId, target: 'RESTARTING' as const, message })),
        );
      }),
    );
  }

  /**
   * Adds PENDING instances with the config of an active one, numbered after the highest active id; gaps
   * below it are not filled.
   *
   * @param check the rules about the job as it would be: config and number of its active instances
   * @throws RefusedError JOB_UPDATING_ERROR while an update is active, INVALID_REQUEST for a cron job, when
   *   the instance has no active task or somebody else was faster, or what `check` rejects with
   */
  addInstances(
    job: JobKey,
    instanceId: number,
    count: number,
    check: (tx: WriteTransaction, config: TaskConfig, total: number) => Promise<void>,
  ): Promise<void> {
    const { db, lanes, tasks, configs } = this.options;
    this.options.updater.requireLeading();
    return lanes.enqueue(jobKeyText(job), async () => {
      if (this.options.cron.has(job)) {
        throw new RefusedError(
          'INVALID_REQUEST',
          `Job ${jobKeyText(job)} is a cron job: its template says how many instances it has.`,
        );
      }
      try {
        await db.write({}, async (tx) => {
          await this.requireNotUpdating(tx, job);
          const active = await findActiveConfigs(tx, job);
          const hash = active.get(instanceId);
          if (hash === undefined) {
            throw new RefusedError(
              'INVALID_REQUEST',
              `Job ${jobKeyText(job)} has no active task of instance ${instanceId}.`,
            );
          }
          const config = (await configs.load(tx, [hash]))(hash);
          await check(tx, config.config, active.size + count);
          const first = [...active.keys()].reduce((a, b) => Math.max(a, b)) + 1;
          const ids = Array.from({ length: count }, (_, n) => first + n);
          await tasks.insertPending(tx, job, config, ids);
        });
      } catch (error) {
        // Only who writes past the lane, with psql say, can have taken an id meanwhile.
        if (!(error instanceof InstanceTakenError)) throw error;
        throw new RefusedError(
          'INVALID_REQUEST',
          'An instance with such an id was added meanwhile.',
        );
      }
    });
  }

  /** @throws RefusedError INVALID_REQUEST when the job has an active task */
  async requireNoTasks(queries: Queries, job: JobKey): Promise<void> {
    if ((await findActiveTasks(queries, job)).length > 0) {
      throw new RefusedError('INVALID_REQUEST', `Job ${jobKeyText(job)} already exists.`);
    }
  }

  /** @throws RefusedError JOB_UPDATING_ERROR (updates.md §2.8) */
  async requireNotUpdating(queries: Queries, job: JobKey): Promise<void> {
    const [active] = await findActiveUpdates(queries, job);
    if (active !== undefined) {
      throw new RefusedError(
        'JOB_UPDATING_ERROR',
        `Job ${jobKeyText(job)} is being updated (update ${active.key.id}).`,
      );
    }
  }
}
