/** What an administrator may do to single tasks past the rules of jobs (rpc.md §12). */
import { jobKeyText } from '../core/model/keys.js';
import type { ScheduleStatus } from '../core/model/statuses.js';
import { transitionForcedBy } from '../core/task/messages.js';
import type { Database } from '../store/database.js';
import type { TaskFilter } from '../store/task-queries.js';
import { findTaskIds } from '../store/task-queries.js';
import { findTasks } from '../store/tasks.js';
import type { JobLanes } from './job-lane.js';
import type { Tasks } from './tasks.js';
import type { Updater } from './updater.js';

/** Tasks deleted by one statement. */
const BATCH_SIZE = 1_000;
/** How long one statement of a pruning may take, ms: a task may have thousands of events. */
const PRUNE_STATEMENT_MS = 60_000;
/** The lane of tasks that no row knows. */
const NO_JOB = '';

export interface TaskAdminOptions {
  readonly db: Database;
  readonly lanes: JobLanes;
  readonly tasks: Tasks;
  readonly updater: Updater;
}

export class TaskAdmin {
  constructor(private readonly options: TaskAdminOptions) {}

  /**
   * Tries to move a task to a status. What the state machine refuses, an unknown id included, changes
   * nothing, but may still have the backend told to kill that id (tasks.md §2, last column).
   */
  async force(taskId: string, target: ScheduleStatus, user: string): Promise<void> {
    const { db, lanes, tasks, updater } = this.options;
    updater.requireLeading();
    const [record] = await db.read((tx) => findTasks(tx, [taskId]));
    const message = transitionForcedBy(user);
    await lanes.enqueue(record === undefined ? NO_JOB : jobKeyText(record.job), () =>
      db.write({}, (tx) => tasks.change(tx, [{ taskId, target, message }])),
    );
  }

  /**
   * Forgets tasks, the oldest first where there is a limit. Takes no lane: what has ended does not change.
   *
   * @param filter must match ended tasks alone; its offset is ignored
   * @param limit how many at most; undefined: all
   * @returns how many
   */
  async prune(filter: TaskFilter, limit: number | undefined): Promise<number> {
    const { db, tasks, updater } = this.options;
    updater.requireLeading();
    if (limit === 0) return 0;
    return db.write({ statementMs: PRUNE_STATEMENT_MS }, async (tx) => {
      const ids = await findTaskIds(tx, { ...filter, offset: 0, limit: limit ?? 0 });
      let pruned = 0;
      for (let from = 0; from < ids.length; from += BATCH_SIZE) {
        pruned += await tasks.prune(tx, ids.slice(from, from + BATCH_SIZE));
      }
      return pruned;
    });
  }
}
