/**
 * Forgets tasks that ended long ago, and those beyond what their job may keep (tasks.md §6). What has ended
 * does not change any more, so no lane is needed.
 *
 * Postgres chooses. There is one timer, however many tasks have ended: it wakes when the oldest of them is
 * due, or soon after tasks of some jobs have ended, whose numbers are then looked at together.
 */
import type { JobKey } from '../core/model/keys.js';
import { jobKeyText } from '../core/model/keys.js';
import { TERMINAL_STATES } from '../core/model/statuses.js';
import type { HistoryLimits } from '../core/task/pruning.js';
import { retentionMs } from '../core/task/pruning.js';
import type { Log } from '../observe/log.js';
import type { Stats } from '../observe/stats.js';
import type { Database } from '../store/database.js';
import {
  findCrowdedJobs,
  findExcessTasks,
  findOldTasks,
  oldestEndAge,
} from '../store/task-history.js';
import { pruneTasks } from '../store/tasks.js';
import type { Clock, TimerHandle, Timers } from '../time.js';
import type { TaskChange, Tasks } from './tasks.js';

/** Tasks deleted in one transaction; fewer after a failure, which may have been a matter of time. */
const BATCH_SIZE = 1_000;
/** Ends within this time are looked at together, ms. */
const GATHER_MS = 1_000;
/** After a failure, ms. */
const RETRY_MS = 60_000;
/** The clock of Postgres is looked at so often: it may be set while the timer waits, ms. */
const LONGEST_SLEEP_MS = 3_600_000;

export interface TaskPruningOptions {
  readonly db: Database;
  readonly tasks: Tasks;
  readonly clock: Pick<Clock, 'monoNow'>;
  readonly timers: Timers;
  readonly stats: Stats;
  readonly log: Log;
  readonly limits: HistoryLimits;
}

export class TaskPruning {
  private alarm: { readonly at: number; readonly handle: TimerHandle } | undefined;
  /** Jobs whose ended tasks have become more; 'all' until the first look. */
  private grown: 'all' | Map<string, JobKey> = 'all';
  /** When the oldest ended task may be due, on the monotonic clock; Infinity: there is none. */
  private oldestDue = Infinity;
  private batchSize = BATCH_SIZE;
  private running = false;
  private started = false;
  private stopped = false;

  constructor(private readonly options: TaskPruningOptions) {
    for (const name of ['tasks_pruned', 'task_prune_failures']) options.stats.increment(name, 0);
  }

  /** A run is under way. */
  get busy(): boolean {
    return this.running;
  }

  /** Looks at the number of every job's ended tasks at once, at their ages after the minimum retention. */
  start(): void {
    this.started = true;
    this.oldestDue = this.options.clock.monoNow() + this.options.limits.minRetentionMs;
    void this.run();
  }

  stop(): void {
    this.stopped = true;
    this.alarm?.handle.cancel();
  }

  onTaskChange({ kind, task }: TaskChange): void {
    const hasEnded = TERMINAL_STATES.has(task.status);
    // The end of a task that never had a host is its tombstone; history that was deleted is no end.
    if ((kind === 'changed') !== hasEnded) return;
    if (hasEnded && this.grown !== 'all') this.grown.set(jobKeyText(task.job), task.job);
    const now = this.options.clock.monoNow();
    this.oldestDue = Math.min(this.oldestDue, now + retentionMs(this.options.limits));
    if (this.started) this.wakeIn(hasEnded ? GATHER_MS : this.oldestDue - now);
  }

  private wakeIn(delayMs: number): void {
    const at = this.options.clock.monoNow() + delayMs;
    if (this.stopped || delayMs === Infinity || (this.alarm !== undefined && this.alarm.at <= at)) {
      return;
    }
    this.alarm?.handle.cancel();
    const handle = this.options.timers.set(delayMs, () => {
      this.alarm = undefined;
      void this.run();
    });
    this.alarm = { at, handle };
  }

  /** What fails is counted and tried again later. */
  private async run(): Promise<void> {
    if (this.running) {
      this.wakeIn(GATHER_MS);
      return;
    }
    this.running = true;
    const { clock, stats, log } = this.options;
    try {
      await this.pruneCrowded();
      if (clock.monoNow() >= this.oldestDue) await this.pruneOld();
      this.batchSize = BATCH_SIZE;
      this.wakeIn(this.oldestDue - clock.monoNow());
    } catch (error) {
      if (!this.stopped) {
        stats.increment('task_prune_failures');
        log.warn({ err: error }, 'ended tasks could not be deleted; trying again later');
        this.batchSize = Math.ceil(this.batchSize / 10);
        this.wakeIn(RETRY_MS);
      }
    } finally {
      this.running = false;
    }
  }

  private async pruneCrowded(): Promise<void> {
    const { db, limits } = this.options;
    const { grown } = this;
    if (grown !== 'all' && grown.size === 0) return;
    this.grown = new Map();
    try {
      const jobs =
        grown === 'all'
          ? await db.read((tx) => findCrowdedJobs(tx, limits.maxPerJob))
          : [...grown.values()];
      while (jobs.length > 0 && !this.stopped) {
        const ids = await db.read((tx) => findExcessTasks(tx, jobs, limits, this.batchSize));
        if (ids.length > 0) await this.delete(ids, []);
        if (ids.length < this.batchSize) break;
      }
    } catch (error) {
      if (grown === 'all') this.grown = 'all';
      else this.grown = new Map([...grown, ...this.grown]);
      throw error;
    }
  }

  private async pruneOld(): Promise<void> {
    const { db, clock, limits } = this.options;
    const keptMs = retentionMs(limits);
    while (!this.stopped) {
      const { taskIds, tombstoneIds } = await db.read((tx) =>
        findOldTasks(tx, keptMs, this.batchSize),
      );
      const found = taskIds.length + tombstoneIds.length;
      if (found > 0) await this.delete(taskIds, tombstoneIds);
      if (found < this.batchSize) break;
    }
    const now = clock.monoNow();
    // Whoever ends from here on lowers it again.
    this.oldestDue = Infinity;
    let leftMs = 0;
    try {
      const ageMs = await db.read((tx) => oldestEndAge(tx));
      if (ageMs === undefined) leftMs = Infinity;
      else leftMs = Math.min(LONGEST_SLEEP_MS, Math.max(1, Math.ceil(keptMs - ageMs)));
    } finally {
      this.oldestDue = Math.min(this.oldestDue, now + leftMs);
    }
  }

  /** Clients never saw a tombstone: it is not counted. */
  private async delete(taskIds: readonly string[], tombstoneIds: readonly string[]): Promise<void> {
    const { db, tasks, stats, log } = this.options;
    const pruned = await db.write({}, async (tx) => {
      await pruneTasks(tx, tombstoneIds);
      return tasks.prune(tx, taskIds);
    });
    stats.increment('tasks_pruned', pruned);
    log.info({ pruned }, 'ended tasks deleted');
  }
}
