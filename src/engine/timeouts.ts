/**
 * Timers that move tasks on (tasks.md §3, §4): out of transient states, out of THROTTLED, out of
 * PARTITIONED, and repeated kills. All are lost with the process and armed again at start.
 */
import type { JobKey } from '../core/model/keys.js';
import { jobKeyText } from '../core/model/keys.js';
import type { ScheduleStatus } from '../core/model/statuses.js';
import { throttleDelay } from '../core/task/flapping.js';
import { PARTITIONED_TOO_LONG, TASK_TIMED_OUT } from '../core/task/messages.js';
import {
  hasTransientTimeout,
  killRetryDelay,
  partitionTimeout,
  retriesKill,
} from '../core/task/timeouts.js';
import type { Log } from '../observe/log.js';
import type { Stats } from '../observe/stats.js';
import type { ConfigStore } from '../store/configs.js';
import type { Database } from '../store/database.js';
import type { Clock, TimerHandle, Timers } from '../time.js';
import type { CommandRunner } from './commands.js';
import type { JobLanes } from './job-lane.js';
import type { ChangeRequest, TaskChange, TaskSnapshot, Tasks } from './tasks.js';

/** A change that could not be written is tried again after this long. */
const RETRY_MS = 5_000;

export interface TimeoutsOptions {
  readonly db: Database;
  readonly lanes: JobLanes;
  readonly tasks: Tasks;
  readonly configs: ConfigStore;
  readonly commands: CommandRunner;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: () => number;
  readonly stats: Stats;
  readonly log: Log;
  readonly transientTimeoutMs: number;
  readonly initialKillRetryMs: number;
}

export class Timeouts {
  private readonly armed = new Map<string, TimerHandle[]>();
  /** Until `adopt`: tasks that changed since they were read, and have the timers of what they are now. */
  private changed: Set<string> | undefined = new Set();
  private stopped = false;

  constructor(private readonly options: TimeoutsOptions) {}

  onTaskChange(change: TaskChange): void {
    this.changed?.add(change.task.taskId);
    if (change.kind === 'changed') this.arm(change.task);
    else this.disarm(change.task.taskId);
  }

  /** Tasks found at start: full transient timeouts, what is left of the others (tasks.md §4). */
  adopt(tasks: readonly TaskSnapshot[]): void {
    for (const task of tasks) if (this.changed?.has(task.taskId) !== true) this.arm(task);
    this.changed = undefined;
  }

  private arm(task: TaskSnapshot): void {
    if (this.stopped) return;
    this.disarm(task.taskId);
    const { status } = task;
    if (hasTransientTimeout(status)) {
      this.set(task.taskId, this.options.transientTimeoutMs, () => this.timeOut(task));
    }
    if (retriesKill(status)) this.armKillRetry(task.taskId, 0);
    if (status === 'THROTTLED') this.armThrottle(task);
    if (status === 'PARTITIONED') this.armPartition(task);
  }

  stop(): void {
    this.stopped = true;
    for (const taskId of [...this.armed.keys()]) this.disarm(taskId);
  }

  private set(taskId: string, delayMs: number, fire: () => void): void {
    if (this.stopped) return;
    const handle = this.options.timers.set(delayMs, fire);
    const handles = this.armed.get(taskId);
    if (handles === undefined) this.armed.set(taskId, [handle]);
    else handles.push(handle);
  }

  private disarm(taskId: string): void {
    for (const handle of this.armed.get(taskId) ?? []) handle.cancel();
    this.armed.delete(taskId);
  }

  private timeOut(task: TaskSnapshot): void {
    this.move(
      task,
      { taskId: task.taskId, target: 'LOST', expected: task.status, message: TASK_TIMED_OUT },
      () => this.options.stats.increment('timed_out_tasks'),
    );
  }

  private armKillRetry(taskId: string, lastMs: number): void {
    const { random, initialKillRetryMs, transientTimeoutMs, commands, log, stats } = this.options;
    const limits = { initialMs: initialKillRetryMs, maxMs: transientTimeoutMs };
    const delayMs = killRetryDelay(lastMs, limits, random());
    this.set(taskId, delayMs, () => {
      stats.increment('task_kill_retries');
      commands.killAgain(taskId).catch((error: unknown) => {
        log.warn({ err: error, taskId }, 'a kill could not be repeated');
      });
      this.armKillRetry(taskId, delayMs);
    });
  }

  private armThrottle(task: TaskSnapshot): void {
    const { db, tasks, clock } = this.options;
    const wake = (penaltyMs: number): void => {
      // Never more than the penalty: the wall clock may have stepped back since the event.
      const leftMs = throttleDelay(task.timestampMs, penaltyMs, clock.wallNow());
      const delayMs = Math.min(penaltyMs, leftMs);
      this.set(task.taskId, delayMs, () => {
        this.move(task, { taskId: task.taskId, target: 'PENDING', expected: 'THROTTLED' });
      });
    };
    this.pending += 1;
    db.read((tx) => tasks.penaltyOf(tx, task.ancestorId))
      .then(wake, (error: unknown) => {
        this.options.log.warn({ err: error, taskId: task.taskId }, 'no penalty could be found');
        this.set(task.taskId, RETRY_MS, () => this.armThrottle(task));
      })
      .finally(() => {
        this.pending -= 1;
      });
  }

  /** Penalties being looked up: a test's clock must not run ahead of them. */
  pending = 0;

  private armPartition(task: TaskSnapshot): void {
    const { db, configs } = this.options;
    const elapsedMs = Math.max(0, this.options.clock.wallNow() - task.timestampMs);
    this.pending += 1;
    db.read((tx) => configs.load(tx, [task.configHash]))
      .then((configOf) => {
        const policy = configOf(task.configHash).config.partitionPolicy;
        const delayMs = partitionTimeout(policy, elapsedMs);
        if (delayMs === undefined) return;
        const { taskId } = task;
        this.set(taskId, delayMs, () => {
          this.move(task, {
            taskId,
            target: 'LOST',
            expected: 'PARTITIONED',
            message: PARTITIONED_TOO_LONG,
          });
        });
      })
      .catch((error: unknown) => {
        this.options.log.warn({ err: error, taskId: task.taskId }, 'no partition policy found');
        this.set(task.taskId, RETRY_MS, () => this.armPartition(task));
      })
      .finally(() => {
        this.pending -= 1;
      });
  }

  private move(
    task: { readonly taskId: string; readonly job: JobKey; readonly status: ScheduleStatus },
    request: ChangeRequest,
    moved: () => void = () => undefined,
  ): void {
    const { db, lanes, tasks, log } = this.options;
    lanes
      .enqueue(jobKeyText(task.job), () => db.write({}, (tx) => tasks.change(tx, [request])))
      .then(
        ([result]) => {
          if (result === 'SUCCESS') moved();
        },
        (error: unknown) => {
          log.warn(
            { err: error, taskId: task.taskId },
            'a task could not be moved on; trying again',
          );
          this.set(task.taskId, RETRY_MS, () => this.move(task, request, moved));
        },
      );
  }
}
