/**
 * Evaluates an update inside a write transaction: loads what the decision needs, asks the pure tick, and
 * writes the task changes it calls for (updates.md §3.1 steps 2 to 6). What memory has to learn is
 * returned as a function to call after the commit, never before.
 */
import type { RollingStatus } from '../core/model/statuses.js';
import { TERMINAL_STATES, isRolling } from '../core/model/statuses.js';
import type { HistoryEvent } from '../core/model/update.js';
import type { InstanceTask } from '../core/update/instance-evaluator.js';
import { msgInternal } from '../core/update/messages.js';
import type { ChangedInstance } from '../core/update/one-way-updater.js';
import { advance } from '../core/update/one-way-updater.js';
import type { UpdatePlan } from '../core/update/plan.js';
import { PlanError, buildUpdater, planUpdate } from '../core/update/plan.js';
import type { Step, TickEvent, TickOutcome } from '../core/update/tick.js';
import { hasAction, tick, withAction } from '../core/update/tick.js';
import type { ConfigStore } from '../store/configs.js';
import type { WriteTransaction } from '../store/database.js';
import type { TaskRecord } from '../store/tasks.js';
import { findActiveTasks, findTasks } from '../store/tasks.js';
import { loadHistory, loadInstructions } from '../store/updates.js';
import type { Actions } from './actions.js';
import type { ActiveUpdate, SlaInput, Stepper, UpdateInput } from './active-updates.js';
import type { Enqueue, SlaKills } from './sla-kills.js';
import { NO_WORK } from './sla-kills.js';
import type { Tasks } from './tasks.js';

/** A watch to set after the commit. */
export interface Watch {
  readonly instanceId: number;
  readonly eventId: string;
}

/** What an evaluation writes to the update, and what follows from it once it is committed. */
export interface StepResult {
  readonly state: TickOutcome['state'] | 'ERROR';
  /** In the order they happened. */
  readonly events: readonly HistoryEvent[];
  readonly released: readonly number[];
  readonly watches: readonly Watch[];
  /** Goes on with kills that wait for the SLA; call after the commit while the update is rolling. */
  readonly follow: (enqueue: Enqueue) => void;
  /** Brings the registry's entry up to date; call after the commit. */
  readonly keep: () => void;
}

interface Decided {
  readonly outcome: TickOutcome;
  /** The update's plan, or the one a rollback read anew. */
  readonly plan: UpdatePlan;
}

export class Stepping {
  constructor(
    private readonly tasks: Tasks,
    private readonly configs: ConfigStore,
    private readonly actions: Actions,
    private readonly slaKills: SlaKills,
  ) {}

  /**
   * @param state the rolling state the update is in when it is evaluated
   * @param inputs what changed; ignored when the updater has to be built anew, which looks at everything
   * @param atMs time of the events written
   */
  async step(
    tx: WriteTransaction,
    entry: ActiveUpdate,
    state: RollingStatus,
    inputs: readonly UpdateInput[],
    atMs: number,
  ): Promise<StepResult> {
    const direction = state === 'ROLLING_FORWARD' ? 'forward' : 'reverse';
    try {
      const current = new Map<number, InstanceTask | null>();
      let { plan, stepper } = entry;
      let changed: readonly ChangedInstance[] = [];
      if (plan !== undefined && stepper?.updater.direction === direction) {
        changed = await this.loadChanged(tx, entry, inputs);
      } else {
        plan = await this.loadPlan(tx, entry);
        stepper = await this.build(tx, entry, plan, direction);
        await this.loadCurrent(tx, entry, stepper.updater.order, current);
      }
      const decided = await this.decide(tx, entry, plan, stepper, changed, current);
      const attempts = inputs.filter((input) => input.kind === 'sla');
      return await this.carryOut(tx, entry, stepper, decided, changed, attempts, current, atMs);
    } catch (error) {
      if (error instanceof PlanError) return failedToPlan(error, atMs);
      throw error;
    }
  }

  private async loadPlan(tx: WriteTransaction, entry: ActiveUpdate): Promise<UpdatePlan> {
    const { id } = entry.key;
    const instructions = (await loadInstructions(tx, this.configs, [id])).get(id);
    if (instructions === undefined) throw new PlanError('its instructions are not stored');
    return planUpdate(instructions);
  }

  private async build(
    tx: WriteTransaction,
    entry: ActiveUpdate,
    plan: UpdatePlan,
    direction: 'forward' | 'reverse',
  ): Promise<Stepper> {
    const { actions, autopauseReleased } = await loadHistory(tx, entry.key.id);
    const failed = new Set<number>();
    for (const [id, set] of actions) if (hasAction(set, 'INSTANCE_UPDATE_FAILED')) failed.add(id);
    return { updater: buildUpdater(plan, direction, failed), actions, released: autopauseReleased };
  }

  private toInstanceTask(record: TaskRecord, watchedEventId?: string): InstanceTask {
    const { newestEvent } = record;
    // The timer set for this very event has fired, so W has passed, whatever a clock says (§3.3).
    const ageMs = newestEvent.id === watchedEventId ? Infinity : this.tasks.ageOf(record);
    return {
      taskId: record.taskId,
      status: record.status,
      configHash: record.configHash,
      everKilling: record.everKilling,
      newestEvent: { id: newestEvent.id, ageMs },
    };
  }

  private async loadCurrent(
    tx: WriteTransaction,
    entry: ActiveUpdate,
    instanceIds: readonly number[],
    into: Map<number, InstanceTask | null>,
  ): Promise<void> {
    for (const id of instanceIds) into.set(id, null);
    for (const record of await findActiveTasks(tx, entry.key.job, instanceIds)) {
      into.set(record.instanceId, this.toInstanceTask(record));
    }
  }

  /** The inputs that are still true, in order; a stale one is dropped (updates.md §3.1). */
  private async loadChanged(
    tx: WriteTransaction,
    entry: ActiveUpdate,
    inputs: readonly UpdateInput[],
  ): Promise<ChangedInstance[]> {
    const taskIds = inputs.flatMap((input) => (input.kind === 'task' ? [input.taskId] : []));
    const byId = new Map((await findTasks(tx, taskIds)).map((record) => [record.taskId, record]));
    const looked = inputs.flatMap((input) => {
      if (input.kind === 'timer') return [input.instanceId];
      return input.kind === 'task' && hasEnded(byId.get(input.taskId)) ? [input.instanceId] : [];
    });
    const active = await findActiveTasks(tx, entry.key.job, [...new Set(looked)]);
    const byInstance = new Map(active.map((task) => [task.instanceId, task]));
    const changed: ChangedInstance[] = [];
    const vacant = new Set<number>();
    for (const input of inputs) {
      // The instance has not changed: see SlaKills.attempt.
      if (input.kind === 'sla') continue;
      const { instanceId } = input;
      if (input.kind === 'deleted') {
        changed.push({ instanceId, task: undefined });
      } else if (input.kind === 'task') {
        const record = byId.get(input.taskId);
        if (record?.status !== input.status) continue;
        changed.push({ instanceId, task: this.toInstanceTask(record) });
        if (hasEnded(record) && !byInstance.has(instanceId)) vacant.add(instanceId);
      } else {
        const record = byInstance.get(instanceId);
        const task = record && this.toInstanceTask(record, input.eventId);
        changed.push({ instanceId, task });
      }
    }
    // It ended and nothing follows it (a service that finished while PARTITIONED, an old task that is no
    // service): no later event would tell, so the instance is looked at once more, as the absent one it is.
    for (const { instanceId, task } of changed) if (task === undefined) vacant.delete(instanceId);
    for (const instanceId of vacant) changed.push({ instanceId, task: undefined });
    return changed;
  }

  /** Asks the tick, loading what it says it needs; says also which plan it went by. */
  private async decide(
    tx: WriteTransaction,
    entry: ActiveUpdate,
    plan: UpdatePlan,
    stepper: Stepper,
    changed: readonly ChangedInstance[],
    current: Map<number, InstanceTask | null>,
  ): Promise<Decided> {
    const history = { actions: stepper.actions, autopauseReleased: stepper.released };
    let usedPlan = plan;
    for (;;) {
      const outcome = tick({
        plan: usedPlan,
        updater: stepper.updater,
        changed,
        tasks: current,
        history,
      });
      if ('need' in outcome) {
        const ids = withMore(stepper.updater.order, outcome.need, current.size);
        await this.loadCurrent(tx, entry, ids, current);
        continue;
      }
      const turnsBack = outcome.next?.updater !== stepper.updater && startsRollback(outcome);
      if (!turnsBack || usedPlan !== plan) return { outcome, plan: usedPlan };
      // A rollback is built from what is stored now (UPD-020), once.
      try {
        usedPlan = await this.loadPlan(tx, entry);
      } catch (error) {
        if (error instanceof PlanError) throw new RollbackPlanError(error, outcome);
        throw error;
      }
    }
  }

  private async carryOut(
    tx: WriteTransaction,
    entry: ActiveUpdate,
    stepper: Stepper,
    { outcome, plan }: Decided,
    changed: readonly ChangedInstance[],
    attempts: readonly SlaInput[],
    current: ReadonlyMap<number, InstanceTask | null>,
    atMs: number,
  ): Promise<StepResult> {
    const known = new Map<number, InstanceTask | null>(current);
    for (const { instanceId, task } of changed) {
      if (!known.has(instanceId) && task !== undefined) known.set(instanceId, task);
    }
    const { state, steps } = outcome;
    const requested = await this.actions.take(tx, entry, plan, state, steps, known, atMs);
    // The last look before a kill (§3.10): this very tick may have paused, ended or turned the update.
    const goesOn = outcome.next?.updater === stepper.updater && isRolling(state);
    const attempted = goesOn
      ? await this.slaKills.attempt(tx, entry, state, attempts, atMs)
      : NO_WORK;
    await this.actions.kill(tx, entry, attempted.passed);
    const events = [...timed(outcome.events, atMs), ...requested.events, ...attempted.events];
    return {
      state,
      events,
      released: outcome.released,
      watches: watchesOf(outcome.steps, known),
      follow: (enqueue) => {
        attempted.follow(enqueue);
        requested.follow(enqueue);
      },
      keep: () => {
        if (outcome.next === undefined) {
          entry.discardStepper();
          return;
        }
        const { updater, change } = outcome.next;
        // In the other direction the watches set so far mean nothing.
        if (updater !== stepper.updater) entry.discardStepper();
        entry.plan = plan;
        advance(updater, change);
        for (const event of events) {
          if (event.kind !== 'instance') continue;
          const { instanceId, action } = event;
          stepper.actions.set(instanceId, withAction(stepper.actions.get(instanceId) ?? 0, action));
        }
        entry.stepper = { ...stepper, updater };
      },
    };
  }
}

/** It ended without having been killed; a killed one counts as absent anyway (updates.md §3.2). */
function hasEnded(record: TaskRecord | undefined): record is TaskRecord {
  return record !== undefined && TERMINAL_STATES.has(record.status) && !record.everKilling;
}

/**
 * What a tick needs, and with it as many of those that come next as it has looked at already: of groups
 * that turn out to need nothing, any number takes few statements.
 */
function withMore(order: readonly number[], need: readonly number[], seen: number): number[] {
  if (seen === 0) return [...need];
  const next = order.indexOf(need.at(-1) ?? NaN) + 1;
  return [...new Set([...need, ...order.slice(next, next + seen)])];
}

/** The threshold was crossed, but what is stored cannot drive a rollback. */
export class RollbackPlanError extends PlanError {
  constructor(
    cause: PlanError,
    readonly outcome: TickOutcome,
  ) {
    super(cause.message);
  }
}

function startsRollback(outcome: TickOutcome): boolean {
  return outcome.events.some((event) => event.kind === 'update' && event.status === 'ROLLING_BACK');
}

function watchesOf(
  steps: readonly Step[],
  known: ReadonlyMap<number, InstanceTask | null>,
): Watch[] {
  const watches: Watch[] = [];
  for (const { instanceId, kind } of steps) {
    const eventId = known.get(instanceId)?.newestEvent?.id;
    if (kind === 'WATCH' && eventId !== undefined) watches.push({ instanceId, eventId });
  }
  return watches;
}

function timed(events: readonly TickEvent[], timestampMs: number): HistoryEvent[] {
  return events.map((event) => ({ ...event, timestampMs }));
}

/** The update ends in ERROR: what led there is written before it (updates.md §2.6). */
function failedToPlan(error: PlanError, atMs: number): StepResult {
  const leading =
    error instanceof RollbackPlanError
      ? error.outcome.events.slice(0, indexOfRollback(error.outcome) + 1)
      : [];
  return {
    state: 'ERROR',
    events: timed(
      [...leading, { kind: 'update', status: 'ERROR', message: msgInternal(error.message) }],
      atMs,
    ),
    released: [],
    watches: [],
    follow: () => undefined,
    keep: () => undefined,
  };
}

function indexOfRollback(outcome: TickOutcome): number {
  return outcome.events.findIndex(
    (event) => event.kind === 'update' && event.status === 'ROLLING_BACK',
  );
}
