/**
 * Writes what attempts found: PENDING → ASSIGNED, with the submit in the same transaction, in the lane of
 * the job. Whatever waits for the lane is written together.
 */
import type { Target } from '../../backend/backend.js';
import { TransientError } from '../../core/errors.js';
import type { Database } from '../../store/database.js';
import type { JobLanes } from '../job-lane.js';
import type { Tasks } from '../tasks.js';

/** Tasks in one transaction at most. */
const MAX_TASKS = 1_000;

export interface Assignment {
  readonly taskId: string;
  readonly groupKey: string;
  readonly target: Target;
}

export interface PlacementsOptions {
  readonly db: Database;
  readonly lanes: JobLanes;
  readonly tasks: Tasks;
  readonly groupsPerTransaction: number;
  /** These tasks were not PENDING any more; nothing was written for them. */
  readonly stale: (taskIds: readonly string[]) => void;
  /** Nothing was written for these. */
  readonly failed: (taskIds: readonly string[], error: unknown) => void;
}

export class Placements {
  private readonly waiting = new Map<string, Assignment[]>();
  private stopped = false;

  constructor(private readonly options: PlacementsOptions) {}

  add(jobText: string, assignments: readonly Assignment[]): void {
    const queue = this.waiting.get(jobText);
    if (queue !== undefined) {
      queue.push(...assignments);
      return;
    }
    this.waiting.set(jobText, [...assignments]);
    this.enqueue(jobText);
  }

  stop(): void {
    this.stopped = true;
  }

  private enqueue(jobText: string): void {
    void this.options.lanes.enqueue(jobText, () => this.drain(jobText));
  }

  private async drain(jobText: string): Promise<void> {
    const queue = this.waiting.get(jobText) ?? [];
    const batch = this.nextBatch(queue);
    if (queue.length === 0) this.waiting.delete(jobText);
    else this.enqueue(jobText);
    if (!this.stopped) await this.write(batch);
  }

  private nextBatch(queue: Assignment[]): Assignment[] {
    const groups = new Set<string>();
    let length = 0;
    while (length < Math.min(queue.length, MAX_TASKS)) {
      groups.add((queue[length] as Assignment).groupKey);
      if (groups.size > this.options.groupsPerTransaction) break;
      length += 1;
    }
    return queue.splice(0, length);
  }

  /** Halves a batch that cannot be written until what cannot is alone: it holds up nothing else. */
  private async write(batch: readonly Assignment[]): Promise<void> {
    const { db, tasks, stale, failed } = this.options;
    try {
      const results = await db.write({}, (tx) =>
        tasks.change(
          tx,
          batch.map(({ taskId, target }) => ({
            ...{ taskId, target: 'ASSIGNED', expected: 'PENDING', placement: target },
          })),
        ),
      );
      const unused = batch.filter((_, index) => results[index] !== 'SUCCESS');
      if (unused.length > 0) stale(unused.map(({ taskId }) => taskId));
    } catch (error) {
      if (batch.length > 1 && !(error instanceof TransientError)) {
        const middle = batch.length >> 1;
        await this.write(batch.slice(0, middle));
        await this.write(batch.slice(middle));
        return;
      }
      failed(
        batch.map(({ taskId }) => taskId),
        error,
      );
    }
  }
}
