/**
 * One direction of a rolling update (updates.md §3.4): which instances wait, work, are done, and what the
 * ones touched by an evaluation need. Nothing here knows about gates, storage or events.
 *
 * The state is advanced only by `advance`, with the change an evaluation returned, after the engine has
 * committed what follows from it (design D4). An evaluation reads the state through a `Draft`, so its cost
 * depends on what it touches, never on the size of the update (D5).
 */
import type { UpdateStrategy } from '../model/update.js';
import type { InstanceRules, InstanceTask, InstanceAction } from './instance-evaluator.js';
import { evaluateInstance } from './instance-evaluator.js';
import type { Direction } from './ordering.js';
import { nextGroupSize } from './strategies.js';

export type InstanceStatus = 'WORKING' | 'SUCCEEDED' | 'FAILED';
export type UpdaterStatus = 'WORKING' | 'SUCCEEDED' | 'FAILED';

export interface UpdaterState {
  readonly direction: Direction;
  readonly strategy: UpdateStrategy;
  readonly maxFailedInstances: number;
  /** All instances in the order they are taken; those from `started` on are idle. */
  readonly order: readonly number[];
  /** Members of `order`. */
  readonly members: ReadonlySet<number>;
  /** Instances that end FAILED without being tried when their turn comes (updates.md §3.9). */
  readonly previouslyFailed: ReadonlySet<number>;
  started: number;
  /** Instances in flight and the failures counted for each. */
  readonly working: Map<number, number>;
  failed: number;
  status: UpdaterStatus | 'IDLE';
}

export function newUpdater(
  settings: {
    readonly direction: Direction;
    readonly strategy: UpdateStrategy;
    readonly maxFailedInstances: number;
  },
  order: readonly number[],
  previouslyFailed: ReadonlySet<number> = new Set(),
): UpdaterState {
  return {
    direction: settings.direction,
    strategy: settings.strategy,
    maxFailedInstances: settings.maxFailedInstances,
    order,
    members: new Set(order),
    previouslyFailed,
    started: 0,
    working: new Map(),
    failed: 0,
    status: 'IDLE',
  };
}

/** What one evaluation did to one instance: the statuses it passed, in order, and what it needs. */
export interface SideEffect {
  readonly instanceId: number;
  readonly statuses: readonly InstanceStatus[];
  readonly action?: InstanceAction;
}

/** The difference an evaluation makes; see `advance`. */
export interface UpdaterChange {
  readonly started: number;
  readonly working: ReadonlyMap<number, number | 'done'>;
  readonly failed: number;
  readonly status: UpdaterStatus;
}

export interface Evaluation {
  readonly status: UpdaterStatus;
  /** Changed instances first, then the groups started, each in order. */
  readonly sideEffects: readonly SideEffect[];
  /** The instance that failed last in this evaluation; it may be one that was not tried again. */
  readonly lastFailed: number | undefined;
  readonly change: UpdaterChange;
}

/** The evaluation cannot go on without the current tasks of these instances. */
export interface Need {
  readonly need: readonly number[];
}

export interface ChangedInstance {
  readonly instanceId: number;
  readonly task: InstanceTask | undefined;
}

/** Current active tasks by instance; an instance that has none maps to null, one not loaded is absent. */
export type CurrentTasks = ReadonlyMap<number, InstanceTask | null>;

class Draft {
  readonly working = new Map<number, number | 'done'>();
  started: number;
  failed: number;
  lastFailed: number | undefined;
  inFlight: number;

  constructor(readonly base: UpdaterState) {
    this.started = base.started;
    this.failed = base.failed;
    this.inFlight = base.working.size;
  }

  failuresOf(id: number): number | undefined {
    const changed = this.working.get(id);
    if (changed === 'done') return undefined;
    return changed ?? this.base.working.get(id);
  }

  begin(id: number): void {
    this.working.set(id, 0);
    this.inFlight += 1;
  }

  finish(id: number, failed: boolean): void {
    this.working.set(id, 'done');
    this.inFlight -= 1;
    if (!failed) return;
    this.failed += 1;
    this.lastFailed = id;
  }

  get idle(): number {
    return this.base.order.length - this.started;
  }

  status(): UpdaterStatus {
    if (this.failed > this.base.maxFailedInstances) return 'FAILED';
    return this.idle === 0 && this.inFlight === 0 ? 'SUCCEEDED' : 'WORKING';
  }
}

/**
 * Evaluates changed instances, then starts the next group or groups.
 *
 * @throws RangeError when the updater has already ended
 */
export function evaluate(
  state: UpdaterState,
  rulesOf: (instanceId: number) => InstanceRules,
  changed: readonly ChangedInstance[],
  tasks: CurrentTasks,
): Evaluation | Need {
  if (state.status === 'SUCCEEDED' || state.status === 'FAILED') {
    throw new RangeError(`an updater that has ${state.status} cannot be evaluated`);
  }
  const draft = new Draft(state);
  const sideEffects: SideEffect[] = [];

  const evaluateOne = (id: number, task: InstanceTask | undefined, isNew: boolean): SideEffect => {
    const verdict = evaluateInstance(rulesOf(id), task, draft.failuresOf(id) ?? 0);
    const statuses: InstanceStatus[] = isNew ? ['WORKING'] : [];
    if (verdict.result === 'SUCCEEDED' || verdict.result === 'FAILED') {
      draft.finish(id, verdict.result === 'FAILED');
      return { instanceId: id, statuses: [...statuses, verdict.result] };
    }
    draft.working.set(id, verdict.failures);
    return { instanceId: id, statuses, action: verdict.result };
  };

  for (const { instanceId, task } of changed) {
    if (draft.failuresOf(instanceId) !== undefined) {
      sideEffects.push(evaluateOne(instanceId, task, false));
    }
  }

  while (draft.status() === 'WORKING') {
    const wasWorking = draft.inFlight > 0;
    const group = nextGroup(draft);
    const missing = group.filter((id) => !state.previouslyFailed.has(id) && !tasks.has(id));
    if (missing.length > 0) return { need: missing };
    let actions = 0;
    for (const id of group) {
      draft.started += 1;
      draft.begin(id);
      if (state.previouslyFailed.has(id)) {
        // It holds its place in the group, so that batches do not shift, and still counts as failed.
        draft.finish(id, true);
        continue;
      }
      const effect = evaluateOne(id, tasks.get(id) ?? undefined, true);
      if (effect.action !== undefined) actions += 1;
      sideEffects.push(effect);
    }
    if (wasWorking || group.length === 0 || actions > 0) break;
  }

  const status = draft.status();
  return {
    status,
    sideEffects,
    lastFailed: draft.lastFailed,
    change: { started: draft.started, working: draft.working, failed: draft.failed, status },
  };
}

function nextGroup(draft: Draft): readonly number[] {
  const { base } = draft;
  const size = nextGroupSize(
    base.strategy,
    base.direction,
    draft.idle,
    draft.inFlight,
    base.order.length,
  );
  return base.order.slice(draft.started, draft.started + size);
}

/** The next input, whatever it is, would start another group (updates.md §3.4, "Consequences"). */
export function hasRoom(state: UpdaterState): boolean {
  return nextGroup(new Draft(state)).length > 0;
}

/** Makes an evaluation's change part of the state. Only after the commit. */
export function advance(state: UpdaterState, change: UpdaterChange): void {
  state.started = change.started;
  state.failed = change.failed;
  state.status = change.status;
  for (const [id, value] of change.working) {
    if (value === 'done') state.working.delete(id);
    else state.working.set(id, value);
  }
}
