/** Creating and killing jobs: one transaction each, in the job's lane (rpc.md §11). */
import { RefusedError, TransientError } from '../core/errors.js';
import type { TaskConfig } from '../core/model/config.js';
import type { JobKey } from '../core/model/keys.js';
import { jobKeyText } from '../core/model/keys.js';
import { isKillable } from '../core/model/statuses.js';
import { killedBy } from '../core/task/messages.js';
import type { ConfigStore } from '../store/configs.js';
import type { Database, Queries } from '../store/database.js';
import { findActiveTasks } from '../store/tasks.js';
import { findActiveUpdates } from '../store/updates.js';
import type { JobLanes } from './job-lane.js';
import type { Tasks } from './tasks.js';
import type { Updater } from './updater.js';

export interface JobsOptions {
  readonly db: Database;
  readonly lanes: JobLanes;
  readonly tasks: Tasks;
  readonly configs: ConfigStore;
  readonly updater: Updater;
}

export class Jobs {
  constructor(private readonly options: JobsOptions) {}

  /**
   * @throws RefusedError JOB_UPDATING_ERROR while an update is active, INVALID_REQUEST when the job exists,
   *   or what `checkAfterExistence` throws (rpc.md §11, createJob)
   */
  create(
    job: JobKey,
    config: TaskConfig,
    instanceCount: number,
    checkAfterExistence: () => void,
  ): Promise<void> {
    const { db, lanes, tasks, configs } = this.options;
    this.requireLoaded();
    return lanes.enqueue(jobKeyText(job), () =>
      db.write({}, async (tx) => {
        await this.requireNotUpdating(tx, job);
        if ((await findActiveTasks(tx, job)).length > 0) {
          throw new RefusedError('INVALID_REQUEST', `Job ${jobKeyText(job)} already exists.`);
        }
        checkAfterExistence();
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
    this.requireLoaded();
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

  private requireLoaded(): void {
    if (!this.options.updater.registry.loaded) {
      throw new TransientError('the scheduler is starting; try again');
    }
  }
}
