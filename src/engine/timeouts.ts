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

/** The timers of a task as it is now; another change of it gets others. */
type Armed = TimerHandle[];

export class Timeouts {
  private readonly armed = new Map<string, Armed>();
  /** Until `adopt`: tasks that changed since they were read, and have the timers of what they are now. */
  private changed: Set<string> | undefined = new Set();
  private active = false;
  private stopped = false;
  /** Penalties and policies being looked up: a test's clock must not run ahead of them. */
  pending = 0;

  constructor(private readonly options: TimeoutsOptions) {
    for (const name of ['timed_out_tasks', 'task_kill_retries']) options.stats.increment(name, 0);
  }

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

  /** The start is complete: before, no task is taken for stuck. */
  activate(): void {
    this.active = true;
  }

  stop(): void {
    this.stopped = true;
    for (const taskId of [...this.armed.keys()]) this.disarm(taskId);
  }

  private arm(task: TaskSnapshot): void {
    if (this.stopped) return;
    this.disarm(task.taskId);
    const { status } = task;
    const armed: Armed = [];
    this.armed.set(task.taskId, armed);
    if (hasTransientTimeout(status)) this.armTransient(task, armed);
    if (retriesKill(status)) this.armKillRetry(task.taskId, armed, 0);
    if (status === 'THROTTLED') this.armThrottle(task, armed);
    if (status === 'PARTITIONED') this.armPartition(task, armed);
    if (armed.length === 0 && status !== 'THROTTLED' && status !== 'PARTITIONED') {
      this.armed.delete(task.taskId);
    }
  }

  /** Does nothing when the task has changed meanwhile. */
  private set(taskId: string, armed: Armed, delayMs: number, fire: () => void): void {
    if (this.armed.get(taskId) !== armed) return;
    armed.push(this.options.timers.set(delayMs, fire));
  }

  private disarm(taskId: string): void {
    for (const handle of this.armed.get(taskId) ?? []) handle.cancel();
    this.armed.delete(taskId);
  }

  private armTransient(
    task: TaskSnapshot,
    armed: Armed,
    delayMs = this.options.transientTimeoutMs,
  ): void {
    const { taskId, status } = task;
    this.set(taskId, armed, delayMs, () => {
      if (!this.active) {
        this.armTransient(task, armed, RETRY_MS);
        return;
      }
      const request = {
        taskId,
        target: 'LOST',
        expected: status,
        message: TASK_TIMED_OUT,
      } as const;
      this.move(task, armed, request, () => this.options.stats.increment('timed_out_tasks'));
    });
  }

  private armKillRetry(taskId: string, armed: Armed, lastMs: number): void {
    const { random, initialKillRetryMs, transientTimeoutMs, commands, log, stats } = this.options;
    const limits = { initialMs: initialKillRetryMs, maxMs: transientTimeoutMs };
    const delayMs = killRetryDelay(lastMs, limits, random());
    this.set(taskId, armed, delayMs, () => {
      stats.increment('task_kill_retries');
      commands.killAgain(taskId).catch((error: unknown) => {
        log.warn({ err: error, taskId }, 'a kill could not be repeated');
      });
      this.armKillRetry(taskId, armed, delayMs);
    });
  }

  private armThrottle(task: TaskSnapshot, armed: Armed): void {
    const { db, tasks, clock } = this.options;
    const { taskId, ancestorId, timestampMs } = task;
    this.lookUp(
      db.read((tx) => tasks.penaltyOf(tx, ancestorId)),
      (penaltyMs) => {
        // Never more than the penalty: the wall clock may have stepped back since the event.
        const leftMs = throttleDelay(timestampMs, penaltyMs, clock.wallNow());
        const delayMs = Math.min(penaltyMs, leftMs);
        this.set(taskId, armed, delayMs, () => {
          this.move(task, armed, { taskId, target: 'PENDING', expected: 'THROTTLED' });
        });
      },
      (error) => {
        this.options.log.warn({ err: error, taskId }, 'no penalty could be found');
        this.set(taskId, armed, RETRY_MS, () => this.armThrottle(task, armed));
      },
    );
  }

  private armPartition(task: TaskSnapshot, armed: Armed): void {
    const { db, configs, clock } = this.options;
    const { taskId, configHash } = task;
    const elapsedMs = Math.max(0, clock.wallNow() - task.timestampMs);
    const message = PARTITIONED_TOO_LONG;
    this.lookUp(
      db.read(async (tx) => (await configs.load(tx, [configHash]))(configHash)),
      ({ config }) => {
        const delayMs = partitionTimeout(config.partitionPolicy, elapsedMs);
        if (delayMs === undefined) return;
        this.set(taskId, armed, delayMs, () => {
          this.move(task, armed, { taskId, target: 'LOST', expected: 'PARTITIONED', message });
        });
      },
      (error) => {
        this.options.log.warn({ err: error, taskId }, 'no partition policy found');
        this.set(taskId, armed, RETRY_MS, () => this.armPartition(task, armed));
      },
    );
  }

  private lookUp<T>(
    answer: Promise<T>,
    found: (answer: T) => void,
    failed: (error: unknown) => void,
  ): void {
    this.pending += 1;
    void answer.then(found, failed).finally(() => {
      this.pending -= 1;
    });
  }

  private move(
    task: { readonly taskId: string; readonly job: JobKey; readonly status: ScheduleStatus },
    armed: Armed,
    request: ChangeRequest,
    moved: () => void = () => undefined,
  ): void {
    const { db, lanes, tasks, log } = this.options;
    const { taskId } = task;
    lanes
      .enqueue(jobKeyText(task.job), () => db.write({}, (tx) => tasks.change(tx, [request])))
      .then(
        ([result]) => {
          if (result === 'SUCCESS') moved();
        },
        (error: unknown) => {
          log.warn({ err: error, taskId }, 'a task could not be moved on; trying again');
          this.set(taskId, armed, RETRY_MS, () => this.move(task, armed, request, moved));
        },
      );
  }
}
