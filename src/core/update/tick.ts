/**
 * One tick of an update behind an open gate (updates.md §3.1 steps 2 to 6): given the updater's state and
 * what changed, what is to be written and done. Pure: the engine loads, asks, writes in one transaction,
 * and keeps the change only after the commit (design D4).
 */
import type { ExplicitUpdateStatus, UpdateAction, UpdateStatus } from '../model/statuses.js';
import { UPDATE_ACTIONS } from '../model/statuses.js';
import { MSG_AUTO_PAUSED, msgInstanceFailed } from './messages.js';
import type {
  ChangedInstance,
  CurrentTasks,
  Evaluation,
  InstanceStatus,
  Need,
  SideEffect,
  UpdaterChange,
  UpdaterState,
} from './one-way-updater.js';
import { evaluate } from './one-way-updater.js';
import type { Direction } from './ordering.js';
import type { UpdatePlan } from './plan.js';
import { buildUpdater, instanceRules } from './plan.js';

/** Which of the six actions an instance already has, as bits in the order of UPDATE_ACTIONS. */
export type ActionSet = number;

export function withAction(set: ActionSet, action: UpdateAction): ActionSet {
  return set | (1 << UPDATE_ACTIONS.indexOf(action));
}

export function hasAction(set: ActionSet, action: UpdateAction): boolean {
  return (set & (1 << UPDATE_ACTIONS.indexOf(action))) !== 0;
}

/** What is stored about the update's instances; `actions` has an entry for each instance with events. */
export interface UpdateHistory {
  readonly actions: ReadonlyMap<number, ActionSet>;
  readonly autopauseReleased: ReadonlySet<number>;
}

export interface TickInput {
  readonly plan: UpdatePlan;
  readonly updater: UpdaterState;
  readonly changed: readonly ChangedInstance[];
  readonly tasks: CurrentTasks;
  readonly history: UpdateHistory;
}

export type StepKind = 'ADD' | 'KILL' | 'KILL_AND_RESERVE' | 'WATCH';

/** Something to do to an instance; `direction` says which config is its target. */
export interface Step {
  readonly instanceId: number;
  readonly kind: StepKind;
  readonly direction: Direction;
}

/** In the order they are written. */
export type TickEvent =
  | { readonly kind: 'update'; readonly status: UpdateStatus; readonly message?: string }
  | { readonly kind: 'instance'; readonly instanceId: number; readonly action: UpdateAction };

export interface TickOutcome {
  readonly state: ExplicitUpdateStatus;
  readonly events: readonly TickEvent[];
  readonly steps: readonly Step[];
  /** Instances newly released through an autopause barrier. */
  readonly released: readonly number[];
  /** What goes on: the same updater advanced, a fresh reverse one, or none. */
  readonly next: { readonly updater: UpdaterState; readonly change: UpdaterChange } | undefined;
}

const ACTIONS: Readonly<Record<Direction, Readonly<Record<InstanceStatus, UpdateAction>>>> = {
  forward: {
    WORKING: 'INSTANCE_UPDATING',
    SUCCEEDED: 'INSTANCE_UPDATED',
    FAILED: 'INSTANCE_UPDATE_FAILED',
  },
  reverse: {
    WORKING: 'INSTANCE_ROLLING_BACK',
    SUCCEEDED: 'INSTANCE_ROLLED_BACK',
    FAILED: 'INSTANCE_ROLLBACK_FAILED',
  },
};

/** Collects instance events, each action at most once for an instance, no-ops not at all (§3.9). */
class InstanceEvents {
  readonly events: TickEvent[] = [];
  private readonly added = new Map<number, ActionSet>();

  constructor(private readonly stored: ReadonlyMap<number, ActionSet>) {}

  actionsOf(id: number): ActionSet {
    return this.added.get(id) ?? this.stored.get(id) ?? 0;
  }

  add(effect: SideEffect, direction: Direction): void {
    const { instanceId, statuses } = effect;
    const isNoop = statuses[0] === 'WORKING' && statuses[1] === 'SUCCEEDED';
    if (isNoop && this.actionsOf(instanceId) === 0) return;
    for (const status of statuses) {
      const action = ACTIONS[direction][status];
      const known = this.actionsOf(instanceId);
      if (hasAction(known, action)) continue;
      this.added.set(instanceId, withAction(known, action));
      this.events.push({ kind: 'instance', instanceId, action });
    }
  }
}

function stepsOf(evaluation: Evaluation, direction: Direction): Step[] {
  const steps: Step[] = [];
  for (const { instanceId, action } of evaluation.sideEffects) {
    if (action !== undefined && action !== 'WAIT') {
      steps.push({ instanceId, kind: action, direction });
    }
  }
  return steps;
}

function isFinal(effect: SideEffect): boolean {
  const last = effect.statuses[effect.statuses.length - 1];
  return last === 'SUCCEEDED' || last === 'FAILED';
}

/** The batch that a finished one would release now, if the update is to pause before it (§3.8). */
function heldBack(input: TickInput, evaluation: Evaluation): readonly number[] {
  const { strategy } = input.plan.settings;
  const pauses =
    strategy.kind !== 'queue' && strategy.autopause && input.updater.direction === 'forward';
  if (!pauses || evaluation.status !== 'WORKING' || input.history.actions.size === 0) return [];
  return evaluation.sideEffects
    .filter(
      (effect) =>
        effect.statuses[0] === 'WORKING' &&
        !isFinal(effect) &&
        !input.history.actions.has(effect.instanceId) &&
        !input.history.autopauseReleased.has(effect.instanceId),
    )
    .map((effect) => effect.instanceId);
}

export function tick(input: TickInput): TickOutcome | Need {
  const { plan, updater, history } = input;
  const { direction } = updater;
  const evaluation = evaluate(updater, instanceRules(plan, direction), input.changed, input.tasks);
  if ('need' in evaluation) return evaluation;

  const instanceEvents = new InstanceEvents(history.actions);
  const released = heldBack(input, evaluation);
  if (released.length > 0) {
    for (const effect of evaluation.sideEffects) {
      if (isFinal(effect)) instanceEvents.add(effect, direction);
    }
    const paused: TickEvent = {
      kind: 'update',
      status: 'ROLL_FORWARD_PAUSED',
      message: MSG_AUTO_PAUSED,
    };
    return {
      state: 'ROLL_FORWARD_PAUSED',
      events: [paused, ...instanceEvents.events],
      steps: [],
      released,
      next: undefined,
    };
  }

  for (const effect of evaluation.sideEffects) instanceEvents.add(effect, direction);
  const rolling = direction === 'forward' ? 'ROLLING_FORWARD' : 'ROLLING_BACK';
  switch (evaluation.status) {
    case 'WORKING':
      return {
        state: rolling,
        events: instanceEvents.events,
        steps: stepsOf(evaluation, direction),
        released: [],
        next: { updater, change: evaluation.change },
      };
    case 'SUCCEEDED': {
      const status = direction === 'forward' ? 'ROLLED_FORWARD' : 'ROLLED_BACK';
      return end(status, instanceEvents.events);
    }
    case 'FAILED':
      return failed(input, evaluation, instanceEvents);
  }
}

function end(
  state: 'ROLLED_FORWARD' | 'ROLLED_BACK' | 'FAILED',
  events: readonly TickEvent[],
  failure?: Evaluation,
): TickOutcome {
  const last = updateEvent(state, failure);
  return { state, events: [...events, last], steps: [], released: [], next: undefined };
}

/** With `failure`, names the instance by which that evaluation crossed the threshold (§2.6). */
function updateEvent(status: UpdateStatus, failure?: Evaluation): TickEvent {
  return failure?.lastFailed === undefined
    ? { kind: 'update', status }
    : { kind: 'update', status, message: msgInstanceFailed(failure.lastFailed) };
}

/** The threshold is crossed: roll back in the same tick, or end FAILED. Its own steps are not taken. */
function failed(
  input: TickInput,
  evaluation: Evaluation,
  instanceEvents: InstanceEvents,
): TickOutcome | Need {
  const { plan, updater } = input;
  if (updater.direction === 'reverse' || !plan.settings.rollbackOnFailure) {
    return end('FAILED', instanceEvents.events, evaluation);
  }
  const reverse = buildUpdater(plan, 'reverse', new Set());
  const back = evaluate(reverse, instanceRules(plan, 'reverse'), [], input.tasks);
  // Ask for all at once: a rollback reads its update's instances in one statement (design, invariant 6).
  if ('need' in back) return { need: reverse.order.filter((id) => !input.tasks.has(id)) };

  const rollback = updateEvent('ROLLING_BACK', evaluation);
  const before = instanceEvents.events.length;
  for (const effect of back.sideEffects) instanceEvents.add(effect, 'reverse');
  const events = [
    ...instanceEvents.events.slice(0, before),
    rollback,
    ...instanceEvents.events.slice(before),
  ];
  if (back.status === 'SUCCEEDED') return end('ROLLED_BACK', events);
  if (back.status === 'FAILED') return end('FAILED', events, back);
  return {
    state: 'ROLLING_BACK',
    events,
    steps: stepsOf(back, 'reverse'),
    released: [],
    next: { updater: reverse, change: back.change },
  };
}
