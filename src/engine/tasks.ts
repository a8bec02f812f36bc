/**
 * The only writer of task rows: asks the state machine, writes the outcome and its effects in the
 * caller's transaction, and tells the listeners after the commit (tasks.md §2).
 */
import { randomUUID } from 'node:crypto';
import type { StateChangeResult, SubmitRequest, Target } from '../backend/backend.js';
import type { StoredConfig } from '../core/model/config.js';
import type { JobKey } from '../core/model/keys.js';
import { instanceKeyText, jobKeyText } from '../core/model/keys.js';
import type { ScheduleStatus } from '../core/model/statuses.js';
import { taskIdFor } from '../core/model/task.js';
import type { BackoffLimits } from '../core/task/flapping.js';
import { backoff, penalty } from '../core/task/flapping.js';
import {
  ACTION_ON_PARTITIONED,
  RESCHEDULED,
  rescheduledWithPenalty,
} from '../core/task/messages.js';
import type { Effect, TaskState as TargetState } from '../core/task/transition.js';
import { transition } from '../core/task/transition.js';
import type { Log } from '../observe/log.js';
import type { Stats } from '../observe/stats.js';
import type { ConfigStore } from '../store/configs.js';
import type { Queries, WriteTransaction } from '../store/database.js';
import type { Generation, NewTask, NewTaskEvent, TaskRecord } from '../store/tasks.js';
import { writeTasks } from '../store/task-writes.js';
import { ensureJob, findGenerations, findTasks, lockTasks, pruneTasks } from '../store/tasks.js';
import type { Clock } from '../time.js';
import type { UpdateAffinity } from './affinity.js';
import type { CommandRunner } from './commands.js';

/** A task as it is after a change. */
export interface TaskSnapshot {
  readonly taskId: string;
  readonly job: JobKey;
  readonly instanceId: number;
  readonly configHash: string;
  readonly status: ScheduleStatus;
  readonly slaveHost?: string;
  readonly slaveId?: string;
  readonly assignedPorts: Readonly<Record<string, number>>;
  readonly ancestorId?: string;
  /** Its newest event. */
  readonly eventId: string;
  readonly timestampMs: number;
}

/** What listeners are told, after the commit and in the order it happened. */
export type TaskChange =
  | { readonly kind: 'changed'; readonly task: TaskSnapshot; readonly from?: ScheduleStatus }
  /** The row is gone from the API; `task` is what it was. */
  | { readonly kind: 'deleted'; readonly task: TaskSnapshot };

export interface ChangeRequest {
  readonly taskId: string;
  readonly target: TargetState;
  readonly message?: string;
  /** The change is made only if the task is in this status. */
  readonly expected?: ScheduleStatus;
  /** Written with the change to ASSIGNED. */
  readonly placement?: Target;
  /** When the change is made and the task has an agent, that agent is kept for the instance (updates.md §3.11). */
  readonly reserve?: boolean;
}

export interface FlappingSettings extends BackoffLimits {
  readonly thresholdMs: number;
}

export interface TasksOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly configs: ConfigStore;
  readonly commands: CommandRunner;
  readonly stats: Stats;
  readonly log: Log;
  readonly flapping: FlappingSettings;
  readonly affinity: UpdateAffinity;
  /** Host name written into task events. */
  readonly schedulerHost: string;
}

/** A task while a batch of changes is worked out. */
interface Working {
  record: TaskRecord;
  status: ScheduleStatus;
  failureCount: number;
  timesPartitioned: number;
  everKilling: boolean;
  lastMs: number;
  placement: Target | undefined;
  removed: boolean;
  dirty: boolean;
}

/** Everything a batch of changes writes. */
interface Batch {
  readonly tasks: Map<string, Working>;
  readonly events: NewTaskEvent[];
  readonly inserts: NewTask[];
  readonly removals: { taskId: string; reason?: string }[];
  readonly kills: string[];
  readonly submits: SubmitRequest[];
  /** In the order to announce; an event's id is known only after it is written. */
  readonly announcements: {
    change: 'changed' | 'deleted';
    from?: ScheduleStatus;
    event?: number;
    snapshot: Omit<TaskSnapshot, 'eventId' | 'timestampMs'>;
  }[];
}

/** An instance was to get a task and has an active one. */
export class InstanceTakenError extends RangeError {
  override readonly name = 'InstanceTakenError';
}

/** The index that sees to it. */
const ONE_ACTIVE_PER_INSTANCE = 'tasks_one_active_per_instance';

export class Tasks {
  private readonly listeners: ((change: TaskChange) => void)[] = [];
  /** When this process saw a RUNNING event, on the monotonic clock (updates.md §3.2). */
  private readonly runningSeen = new Map<string, { eventId: string; mono: number }>();

  constructor(private readonly options: TasksOptions) {}

  subscribe(listener: (change: TaskChange) => void): void {
    this.listeners.push(listener);
  }

  /** How long ago the newest event of a task happened, ms, on clocks that do not step. */
  ageOf(
    record: Pick<TaskRecord, 'taskId'> & {
      readonly newestEvent: Pick<TaskRecord['newestEvent'], 'id' | 'ageMs'>;
    },
  ): number {
    const seen = this.runningSeen.get(record.taskId);
    return seen?.eventId === record.newestEvent.id
      ? this.options.clock.monoNow() - seen.mono
      : record.newestEvent.ageMs;
  }

  /**
   * Creates PENDING tasks.
   *
   * @throws RangeError when no instances are given
   * @throws InstanceTakenError when one of them has an active task already; the transaction is lost then
   */
  async insertPending(
    tx: WriteTransaction,
    job: JobKey,
    config: StoredConfig,
    instanceIds: readonly number[],
  ): Promise<void> {
    if (instanceIds.length === 0) throw new RangeError('no instances to create');
    await ensureJob(tx, job);
    await this.options.configs.save(tx, [config]);
    const batch = emptyBatch();
    for (const instanceId of instanceIds) {
      this.addTask(batch, {
        taskId: taskIdFor(job, instanceId, randomUUID()),
        job,
        instanceId,
        configHash: config.hash,
        status: 'PENDING',
        failureCount: 0,
      });
    }
    await this.write(tx, batch).catch((error: unknown) => {
      const { constraint } = error as { constraint?: unknown };
      throw constraint === ONE_ACTIVE_PER_INSTANCE
        ? new InstanceTakenError('one of the instances has an active task', { cause: error })
        : error;
    });
  }

  /**
   * Moves tasks to other statuses with all that follows, in the order given. One statement of each kind,
   * whatever their number.
   */
  async change(
    tx: WriteTransaction,
    requests: readonly ChangeRequest[],
  ): Promise<StateChangeResult[]> {
    const records = await lockTasks(tx, [...new Set(requests.map((request) => request.taskId))]);
    const configOf = await this.options.configs.load(
      tx,
      records.map((record) => record.configHash),
    );
    const batch = emptyBatch();
    for (const record of records) batch.tasks.set(record.taskId, working(record));
    const results: StateChangeResult[] = [];
    const replaced: { task: Working; ended: TaskRecord }[] = [];
    for (const request of requests) {
      results.push(this.apply(batch, request, configOf, replaced));
    }
    await this.addReplacements(tx, batch, replaced);
    this.reserveAgents(tx, batch, requests, results);
    await this.write(tx, batch);
    return results;
  }

  /**
   * Forgets tasks that have ended, with their events; no state changes and nothing is killed.
   *
   * @returns how many rows are gone
   */
  async prune(tx: WriteTransaction, taskIds: readonly string[]): Promise<number> {
    const records = await findTasks(tx, taskIds);
    const pruned = await pruneTasks(tx, taskIds);
    tx.afterCommit(() => {
      for (const record of records) {
        this.announce({ kind: 'deleted', task: snapshotOfRecord(record) });
      }
    });
    return pruned;
  }

  private reserveAgents(
    tx: WriteTransaction,
    batch: Batch,
    requests: readonly ChangeRequest[],
    results: readonly StateChangeResult[],
  ): void {
    requests.forEach(({ taskId, reserve }, index) => {
      if (reserve !== true || results[index] !== 'SUCCESS') return;
      const record = batch.tasks.get(taskId)?.record;
      if (record?.slaveId === undefined) return;
      const { slaveId: agentId, job, instanceId } = record;
      const instance = instanceKeyText(job, instanceId);
      // Before anybody hears that the task is going: the agent must not look free for a moment.
      tx.onCommit(() => this.options.affinity.reserve(agentId, instance));
    });
  }

  /** The delay a task still waits in THROTTLED or PENDING for its ancestors' flapping, ms. */
  async penaltyOf(queries: Queries, ancestorId: string | undefined): Promise<number> {
    if (ancestorId === undefined) return 0;
    const chains = await findGenerations(queries, [ancestorId]);
    return this.penalty(chains.get(ancestorId) ?? []);
  }

  /** The same for many. */
  async penaltiesOf(
    queries: Queries,
    ancestorIds: readonly string[],
  ): Promise<(ancestorId: string | undefined) => number> {
    const chains = await findGenerations(queries, ancestorIds);
    return (ancestorId) => this.penalty(chains.get(ancestorId ?? '') ?? []);
  }

  private penalty(chain: readonly Generation[]): number {
    const { flapping, random } = this.options;
    return penalty(chain, flapping.thresholdMs, (last) => backoff(last, flapping, random()));
  }

  private apply(
    batch: Batch,
    request: ChangeRequest,
    configOf: (hash: string) => StoredConfig,
    replaced: { task: Working; ended: TaskRecord }[],
  ): StateChangeResult {
    const found = batch.tasks.get(request.taskId);
    const task = found?.removed === true ? undefined : found;
    if (request.expected !== undefined && task?.status !== request.expected) {
      return 'INVALID_CAS_STATE';
    }
    const config = task && configOf(task.record.configHash).config;
    const { result, effects } = transition(
      task &&
        config && {
          status: task.status,
          isService: config.isService,
          maxTaskFailures: config.maxTaskFailures,
          failureCount: task.failureCount,
          everKilling: task.everKilling,
        },
      request.target,
    );
    if (result === 'ILLEGAL' || result === 'ILLEGAL_WITH_SIDE_EFFECTS') {
      this.options.stats.increment('scheduler_illegal_task_state_transitions');
      this.options.log.warn(
        { taskId: request.taskId, from: task?.status, to: request.target },
        'illegal task state change refused',
      );
    }
    for (const effect of effects)
      this.applyEffect(batch, request, task, effect, config, configOf, replaced);
    return result;
  }

  private applyEffect(
    batch: Batch,
    request: ChangeRequest,
    task: Working | undefined,
    effect: Effect,
    config: StoredConfig['config'] | undefined,
    configOf: (hash: string) => StoredConfig,
    replaced: { task: Working; ended: TaskRecord }[],
  ): void {
    if (effect === 'KILL') {
      batch.kills.push(request.taskId);
      return;
    }
    if (task === undefined || config === undefined) return;
    switch (effect) {
      case 'INCREMENT_FAILURES':
        task.failureCount += 1;
        break;
      case 'SAVE':
        this.save(batch, task, request, config);
        break;
      case 'RESCHEDULE':
        replaced.push({ task, ended: task.record });
        break;
      case 'MARK_LOST':
        this.apply(
          batch,
          { taskId: request.taskId, target: 'LOST', message: ACTION_ON_PARTITIONED },
          configOf,
          replaced,
        );
        break;
      case 'DELETE':
        task.removed = true;
        batch.removals.push({
          taskId: request.taskId,
          ...(request.message === undefined ? {} : { reason: request.message }),
        });
        batch.announcements.push({ change: 'deleted', snapshot: snapshotOf(task) });
        break;
    }
  }

  private save(
    batch: Batch,
    task: Working,
    request: ChangeRequest,
    config: StoredConfig['config'],
  ): void {
    const from = task.status;
    const status = request.target as ScheduleStatus;
    task.status = status;
    task.dirty = true;
    if (status === 'PARTITIONED') task.timesPartitioned += 1;
    if (status === 'KILLING') task.everKilling = true;
    if (request.placement !== undefined) {
      task.placement = request.placement;
      batch.submits.push(submitRequest(task.record, config, request.placement));
    }
    task.lastMs = Math.max(this.options.clock.wallNow(), task.lastMs);
    const event = batch.events.push({
      taskId: request.taskId,
      status,
      timestampMs: task.lastMs,
      scheduler: this.options.schedulerHost,
      ...(request.message === undefined ? {} : { message: request.message }),
    });
    batch.announcements.push({
      change: 'changed',
      from,
      event: event - 1,
      snapshot: snapshotOf(task),
    });
  }

  private async addReplacements(
    tx: WriteTransaction,
    batch: Batch,
    replaced: readonly { task: Working; ended: TaskRecord }[],
  ): Promise<void> {
    if (replaced.length === 0) return;
    const ancestors = replaced.flatMap(({ ended }) => ended.ancestorId ?? []);
    const chains = await findGenerations(tx, ancestors);
    for (const { task, ended } of replaced) {
      const penaltyMs = this.penalty(chains.get(ended.ancestorId ?? '') ?? []);
      this.addTask(
        batch,
        {
          taskId: taskIdFor(ended.job, ended.instanceId, randomUUID()),
          job: ended.job,
          instanceId: ended.instanceId,
          configHash: ended.configHash,
          status: penaltyMs > 0 ? 'THROTTLED' : 'PENDING',
          failureCount: task.failureCount,
          ancestorId: ended.taskId,
        },
        penaltyMs > 0 ? rescheduledWithPenalty(penaltyMs) : RESCHEDULED,
      );
    }
  }

  private addTask(batch: Batch, task: NewTask, message?: string): void {
    batch.inserts.push(task);
    const event = batch.events.push({
      taskId: task.taskId,
      status: task.status,
      timestampMs: this.options.clock.wallNow(),
      scheduler: this.options.schedulerHost,
      ...(message === undefined ? {} : { message }),
    });
    const { failureCount: _, ...snapshot } = task;
    batch.announcements.push({
      change: 'changed',
      event: event - 1,
      snapshot: { ...snapshot, assignedPorts: {} },
    });
  }

  private async write(tx: WriteTransaction, batch: Batch): Promise<void> {
    const { commands } = this.options;
    const dirty = [...batch.tasks.values()].filter((task) => task.dirty);
    const { eventIds, commands: inserted } = await writeTasks(tx, {
      states: dirty.map((task) => ({
        taskId: task.record.taskId,
        status: task.status,
        failureCount: task.failureCount,
        timesPartitioned: task.timesPartitioned,
        ...placementOf(task),
      })),
      removals: batch.removals,
      inserts: batch.inserts,
      events: batch.events,
      commands: [
        ...batch.submits.map(({ taskId }) => ({ taskId, kind: 'submit' as const })),
        ...batch.kills.map((taskId) => ({ taskId, kind: 'kill' as const })),
      ],
    });
    const requests = new Map(batch.submits.map((request) => [request.taskId, request]));
    tx.afterCommit(() => {
      for (const announcement of batch.announcements) {
        const event =
          announcement.event === undefined ? undefined : batch.events[announcement.event];
        const eventId =
          announcement.event === undefined ? '' : (eventIds[announcement.event] ?? '');
        const task: TaskSnapshot = {
          ...announcement.snapshot,
          eventId,
          timestampMs: event?.timestampMs ?? 0,
        };
        this.announce(
          announcement.change === 'deleted'
            ? { kind: 'deleted', task }
            : {
                kind: 'changed',
                task,
                ...(announcement.from === undefined ? {} : { from: announcement.from }),
              },
        );
      }
      commands.run(inserted, requests);
    });
  }

  /** Tells everybody; one that fails does not keep the others from hearing it. */
  announce(change: TaskChange): void {
    const { task } = change;
    if (change.kind === 'changed' && task.status === 'RUNNING') {
      const mono = this.options.clock.monoNow();
      this.runningSeen.set(task.taskId, { eventId: task.eventId, mono });
    } else {
      this.runningSeen.delete(task.taskId);
    }
    for (const listener of this.listeners) {
      try {
        listener(change);
      } catch (error) {
        this.options.stats.increment(
          change.kind === 'deleted' ? 'job_update_delete_errors' : 'job_update_state_change_errors',
        );
        this.options.log.error({ err: error, taskId: task.taskId }, 'a task listener failed');
      }
    }
  }
}

function emptyBatch(): Batch {
  return {
    tasks: new Map(),
    events: [],
    inserts: [],
    removals: [],
    kills: [],
    submits: [],
    announcements: [],
  };
}

function working(record: TaskRecord): Working {
  return {
    record,
    status: record.status,
    failureCount: record.failureCount,
    timesPartitioned: record.timesPartitioned,
    everKilling: record.everKilling,
    lastMs: record.newestEvent.timestampMs,
    placement: undefined,
    removed: false,
    dirty: false,
  };
}

function placementOf(task: Working): Pick<TaskSnapshot, 'slaveHost' | 'slaveId' | 'assignedPorts'> {
  const { placement, record } = task;
  if (placement !== undefined) {
    return {
      slaveHost: placement.host,
      slaveId: placement.agentId,
      assignedPorts: placement.ports,
    };
  }
  return {
    ...(record.slaveHost === undefined ? {} : { slaveHost: record.slaveHost }),
    ...(record.slaveId === undefined ? {} : { slaveId: record.slaveId }),
    assignedPorts: record.assignedPorts,
  };
}

function snapshotOf(task: Working): Omit<TaskSnapshot, 'eventId' | 'timestampMs'> {
  const { record } = task;
  return {
    taskId: record.taskId,
    job: record.job,
    instanceId: record.instanceId,
    configHash: record.configHash,
    status: task.status,
    ...placementOf(task),
    ...(record.ancestorId === undefined ? {} : { ancestorId: record.ancestorId }),
  };
}

/** A stored task as listeners are told of it. */
export function snapshotOfRecord({ newestEvent, ...task }: TaskRecord): TaskSnapshot {
  return { ...task, eventId: newestEvent.id, timestampMs: newestEvent.timestampMs };
}

/** What the backend is told of a task that was placed. */
export function submitRequest(
  record: Pick<TaskRecord, 'taskId' | 'instanceId' | 'configHash' | 'job'>,
  config: StoredConfig['config'],
  target: Target,
): SubmitRequest {
  return {
    taskId: record.taskId,
    config,
    instanceId: record.instanceId,
    groupHash: `${jobKeyText(record.job)}#${record.configHash}`,
    target,
    preemptible: !config.production,
    revocable: config.tier === 'revocable',
    priority: config.priority,
  };
}
