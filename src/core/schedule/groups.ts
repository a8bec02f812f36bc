/**
 * PENDING tasks in groups of equal config, and when each group is tried next (tasks.md §5.1).
 *
 * A book without a clock: every method is told the time, in ms of one monotonic clock. A task is in hand
 * from the moment a host was found for it until that is written; it is not tried again meanwhile.
 */
import type { TaskConfig } from '../model/config.js';
import type { JobKey } from '../model/keys.js';
import { jobKeyText } from '../model/keys.js';

export interface WaitingTask {
  readonly taskId: string;
  readonly job: JobKey;
  readonly instanceId: number;
  /** When it became PENDING. */
  readonly sinceMs: number;
}

export interface TaskGroup {
  readonly key: string;
  /** `role/environment/name`. */
  readonly jobText: string;
  readonly configHash: string;
  /** Unknown until somebody has read it. */
  config: TaskConfig | undefined;
  /** How long it waits, or waited, after an attempt that found nothing; 0: the last one found something. */
  penaltyMs: number;
  /** When it is tried next; Infinity while all its tasks are in hand. */
  dueMs: number;
  /** Whether freed capacity may shorten its penalty. */
  mayWake: boolean;
  /** By id, the oldest first. */
  readonly tasks: Map<string, WaitingTask>;
  readonly inHand: Set<string>;
}

/** The key of a group: a config says nearly all, and the job stands in it, but for what is stored oddly. */
export function groupKey(job: JobKey, configHash: string): string {
  return `${jobKeyText(job)}#${configHash}`;
}

export class TaskGroups {
  private readonly groups = new Map<string, TaskGroup>();
  private readonly groupOfTask = new Map<string, TaskGroup>();

  get size(): number {
    return this.groups.size;
  }

  all(): Iterable<TaskGroup> {
    return this.groups.values();
  }

  get(key: string): TaskGroup | undefined {
    return this.groups.get(key);
  }

  ofTask(taskId: string): TaskGroup | undefined {
    return this.groupOfTask.get(taskId);
  }

  /** A task waits. A new group is tried after `delayMs`; a group that waits already waits on as it does. */
  add(task: WaitingTask, configHash: string, nowMs: number, delayMs: number): TaskGroup {
    const key = groupKey(task.job, configHash);
    let group = this.groups.get(key);
    if (group === undefined) {
      group = {
        ...{ key, configHash, jobText: jobKeyText(task.job), config: undefined },
        ...{ penaltyMs: 0, dueMs: nowMs + delayMs, mayWake: true },
        ...{ tasks: new Map(), inHand: new Set() },
      };
      this.groups.set(key, group);
    } else if (group.dueMs === Infinity) {
      group.dueMs = nowMs + delayMs;
    }
    group.tasks.set(task.taskId, task);
    this.groupOfTask.set(task.taskId, group);
    return group;
  }

  /** A task waits no longer; a group without tasks is dropped. Returns the group it was in. */
  remove(taskId: string): TaskGroup | undefined {
    const group = this.groupOfTask.get(taskId);
    if (group === undefined) return undefined;
    this.groupOfTask.delete(taskId);
    group.tasks.delete(taskId);
    group.inHand.delete(taskId);
    if (group.tasks.size === 0) this.groups.delete(group.key);
    else if (group.tasks.size === group.inHand.size) group.dueMs = Infinity;
    return group;
  }

  /** Groups to be tried now, who waited longest first. */
  due(nowMs: number): TaskGroup[] {
    return [...this.groups.values()]
      .filter((group) => group.dueMs <= nowMs)
      .sort((a, b) => a.dueMs - b.dueMs);
  }

  /**
   * When the next group is due, Infinity if none is.
   * @param retriesFromMs groups that wait out a penalty are not tried before this
   */
  nextDueMs(retriesFromMs: number): number {
    let next = Infinity;
    for (const { dueMs, penaltyMs } of this.groups.values()) {
      next = Math.min(next, penaltyMs > 0 ? Math.max(dueMs, retriesFromMs) : dueMs);
    }
    return next;
  }

  /** The tasks of an attempt: the oldest `max` that are not in hand. */
  oldest(group: TaskGroup, max: number): WaitingTask[] {
    const tasks: WaitingTask[] = [];
    for (const task of group.tasks.values()) {
      if (tasks.length === max) break;
      if (!group.inHand.has(task.taskId)) tasks.push(task);
    }
    return tasks;
  }

  /** An attempt found hosts for these. If more tasks wait the group is due again at `againMs`. */
  found(group: TaskGroup, taskIds: readonly string[], againMs: number): void {
    for (const taskId of taskIds) group.inHand.add(taskId);
    group.penaltyMs = 0;
    group.mayWake = true;
    group.dueMs = group.tasks.size > group.inHand.size ? againMs : Infinity;
  }

  /** An attempt found nothing. `next` yields the penalty after a given one (`backoff`). */
  foundNothing(group: TaskGroup, nowMs: number, next: (lastMs: number) => number): void {
    group.penaltyMs = next(group.penaltyMs);
    group.mayWake = true;
    group.dueMs = group.tasks.size > group.inHand.size ? nowMs + group.penaltyMs : Infinity;
  }

  /** What was found for these could not be written: they go behind the others, who must not wait for them. */
  giveBack(taskIds: readonly string[], nowMs: number, next: (lastMs: number) => number): void {
    const groups = new Set<TaskGroup>();
    for (const taskId of taskIds) {
      const group = this.groupOfTask.get(taskId);
      const task = group?.tasks.get(taskId);
      if (group === undefined || task === undefined) continue;
      group.inHand.delete(taskId);
      group.tasks.delete(taskId);
      group.tasks.set(taskId, task);
      groups.add(group);
    }
    for (const group of groups) this.foundNothing(group, nowMs, next);
  }

  /** Something has changed for a group that waits out a penalty: it is tried at `atMs`, if not sooner. */
  wake(group: TaskGroup, atMs: number): void {
    if (group.penaltyMs > 0 && group.mayWake && group.dueMs < Infinity)
      group.dueMs = Math.min(group.dueMs, atMs);
  }
}
