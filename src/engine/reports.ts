/**
 * What the backend reports, turned into task changes in the lane of the task's job. Reports that wait for
 * the same lane are written in one transaction; each is acknowledged after its commit (tasks.md §11.2).
 */
import type { BackendState, StateChangeResult, StatusEvent } from '../backend/backend.js';
import { TransientError } from '../core/errors.js';
import type { JobKey } from '../core/model/keys.js';
import { jobKeyText } from '../core/model/keys.js';
import type { ScheduleStatus } from '../core/model/statuses.js';
import { ACTIVE_STATES } from '../core/model/statuses.js';
import { reportedMessage } from '../core/task/messages.js';
import type { Database } from '../store/database.js';
import { findTasks } from '../store/tasks.js';
import type { JobLanes } from './job-lane.js';
import type { TaskChange, Tasks } from './tasks.js';

/** Reports written in one transaction at most (`-max_status_update_batch_size`). */
const BATCH_SIZE = 1_000;
/** The lane of reports about tasks that no row knows. */
const NO_JOB = '';

const STATUS_OF: Readonly<Record<Exclude<BackendState, 'unreachable'>, ScheduleStatus>> = {
  starting: 'STARTING',
  running: 'RUNNING',
  finished: 'FINISHED',
  failed: 'FAILED',
  killed: 'KILLED',
  lost: 'LOST',
  preempting: 'PREEMPTING',
};

interface Report {
  readonly event: StatusEvent;
  readonly resolve: (result: StateChangeResult) => void;
  readonly reject: (error: unknown) => void;
}

export interface ReportsOptions {
  readonly db: Database;
  readonly lanes: JobLanes;
  readonly tasks: Tasks;
  /** `-partition_aware`: whether an unreachable task is PARTITIONED or LOST. */
  readonly partitionAware: boolean;
}

export class Reports {
  private readonly waiting = new Map<string, Report[]>();
  private readonly jobOfTask = new Map<string, string>();

  constructor(private readonly options: ReportsOptions) {}

  /** Tasks found at start: saves a query for each of their reports. */
  remember(taskId: string, job: JobKey): void {
    this.jobOfTask.set(taskId, jobKeyText(job));
  }

  onTaskChange(change: TaskChange): void {
    const { taskId, job, status } = change.task;
    if (change.kind === 'changed' && ACTIVE_STATES.has(status)) this.remember(taskId, job);
    else this.jobOfTask.delete(taskId);
  }

  /** Resolves when the report is committed. */
  async report(event: StatusEvent): Promise<StateChangeResult> {
    const known = this.jobOfTask.get(event.taskId);
    const job = known ?? (await this.findJob(event.taskId));
    return new Promise((resolve, reject) => this.enqueue(job, { event, resolve, reject }));
  }

  private async findJob(taskId: string): Promise<string> {
    const [record] = await this.options.db.read((tx) => findTasks(tx, [taskId]));
    return record === undefined ? NO_JOB : jobKeyText(record.job);
  }

  private enqueue(job: string, report: Report): void {
    const queue = this.waiting.get(job);
    if (queue !== undefined) {
      queue.push(report);
      return;
    }
    this.waiting.set(job, [report]);
    void this.options.lanes.enqueue(job, () => this.drain(job));
  }

  private async drain(job: string): Promise<void> {
    const queue = this.waiting.get(job) ?? [];
    const batch = queue.splice(0, BATCH_SIZE);
    if (queue.length === 0) this.waiting.delete(job);
    else void this.options.lanes.enqueue(job, () => this.drain(job));
    await this.write(batch);
  }

  private async write(batch: readonly Report[]): Promise<void> {
    const { db, tasks } = this.options;
    try {
      const requests = batch.map(({ event }) => this.request(event));
      const results = await db.write({}, (tx) => tasks.change(tx, requests));
      batch.forEach((report, index) => report.resolve(results[index] ?? 'NOOP'));
    } catch (error) {
      if (batch.length > 1 && !(error instanceof TransientError)) {
        // One of them cannot be written; the others must not be held up by it for ever.
        for (const report of batch) await this.write([report]);
        return;
      }
      // Not acknowledged: the backend says it again.
      for (const report of batch) report.reject(error);
    }
  }

  private request(event: StatusEvent): {
    taskId: string;
    target: ScheduleStatus;
    message?: string;
  } {
    const target =
      event.state === 'unreachable'
        ? this.options.partitionAware
          ? 'PARTITIONED'
          : 'LOST'
        : STATUS_OF[event.state];
    const message = reportedMessage(event.reason, event.message);
    return { taskId: event.taskId, target, ...(message === undefined ? {} : { message }) };
  }
}
