/**
 * When which process runs, and how the task ends (thermos.md §2.2 to §2.4), as a pure state machine: the
 * supervisor feeds it what happened and does what it asks for.
 *
 * Times are milliseconds of one monotonic clock of the caller's choice.
 */
import type { ProcessPlan, Schedule } from './plan.js';

/** How a run ended. `failed` covers an exit code other than 0 and a process that could not be started. */
export type RunOutcome = 'success' | 'failed' | 'killed' | 'lost';

export interface ProcessState {
  readonly status: 'idle' | 'running' | 'finished' | 'failed';
  readonly successes: number;
  readonly failures: number;
  /** Killed by a signal, or lost. */
  readonly losses: number;
  /** No earlier start than this. */
  readonly readyAt: number;
}

/** ACTIVE, CLEANING, FINALIZING as in thermos.md §2.3; `done` is terminal. */
export type Stage = 'active' | 'cleaning' | 'finalizing' | 'done';

export interface PlannerState {
  readonly stage: Stage;
  readonly processes: ReadonlyMap<string, ProcessState>;
  /** Of CLEANING and FINALIZING together. */
  readonly deadline: number;
  readonly killRequested: boolean;
  /** The regular plan was healthy when it ended. */
  readonly healthy: boolean;
}

export type PlannerEvent = {
  readonly now: number;
  /** In CLEANING: how many processes live that no run accounts for any more. */
  readonly orphans?: number;
} & (
  | { readonly type: 'begin' | 'tick' }
  | { readonly type: 'ended'; readonly process: string; readonly outcome: RunOutcome }
  | { readonly type: 'kill'; readonly graceMs: number }
);

export type PlannerAction =
  | { readonly type: 'start'; readonly process: string }
  /** One SIGTERM to the direct child of every live run, and to orphans. */
  | { readonly type: 'terminate' }
  /** SIGKILL to everything that is left. */
  | { readonly type: 'annihilate' }
  | { readonly type: 'done'; readonly result: 'SUCCESS' | 'FAILED' | 'KILLED' };

export interface Step {
  readonly state: PlannerState;
  readonly actions: readonly PlannerAction[];
}

/** Runs of one process, whatever their outcome, after which it has failed (thermos.md §2.2). */
export const MAX_RUNS = 100;

/** How often to look whether orphans are gone, while nothing else is awaited. */
const ORPHAN_POLL_MS = 100;

export class Planner {
  readonly #byName: ReadonlyMap<string, ProcessPlan>;
  readonly #predecessors = new Map<string, string[]>();

  constructor(
    private readonly schedule: Schedule,
    private readonly maxRuns: number = MAX_RUNS,
  ) {
    this.#byName = new Map(schedule.processes.map((process) => [process.name, process] as const));
    for (const [before, after] of schedule.order) {
      this.#predecessors.set(after, [...(this.#predecessors.get(after) ?? []), before]);
    }
  }

  initial(): PlannerState {
    const idle: ProcessState = { status: 'idle', successes: 0, failures: 0, losses: 0, readyAt: 0 };
    return {
      stage: 'active',
      processes: new Map(this.schedule.processes.map(({ name }) => [name, idle] as const)),
      deadline: Infinity,
      killRequested: false,
      healthy: true,
    };
  }

  step(before: PlannerState, event: PlannerEvent): Step {
    if (before.stage === 'done') return { state: before, actions: [] };
    const actions: PlannerAction[] = [];
    let state = before;
    if (event.type === 'ended') state = this.#ended(state, event.process, event.outcome, event.now);
    if (event.type === 'kill') state = this.#killed(state, event.now + event.graceMs, actions);
    return { state: this.#advance(state, event, actions), actions };
  }

  /** When to send the next `tick` if nothing else happens; undefined: only an event can change anything. */
  nextTick(state: PlannerState, now: number): number | undefined {
    if (state.stage === 'done') return undefined;
    if (state.stage === 'cleaning') {
      const poll = this.#running(state).length === 0 ? now + ORPHAN_POLL_MS : Infinity;
      return finite(Math.min(state.deadline, poll));
    }
    const waits = this.#candidates(state)
      .map(({ name }) => entry(state, name).readyAt)
      .filter((readyAt) => readyAt > now);
    return finite(Math.min(state.deadline, ...waits));
  }

  /** Names that may start now, whatever the limit on concurrency (thermos.md §2.2). */
  runnable(state: PlannerState, now: number): string[] {
    return this.#candidates(state)
      .map(({ name }) => name)
      .filter((name) => entry(state, name).readyAt <= now);
  }

  /** Every process of the stage that must end has ended, well or badly. */
  isComplete(state: PlannerState): boolean {
    return this.#ofStage(state).every(
      ({ name, ephemeral }) => ephemeral || isOver(entry(state, name)),
    );
  }

  #advance(before: PlannerState, event: PlannerEvent, actions: PlannerAction[]): PlannerState {
    let state = before;
    const { now } = event;
    if (state.stage === 'active') {
      const verdict = this.#activeVerdict(state);
      if (verdict === undefined) return this.#startRunnable(state, now, actions);
      const deadline = now + this.schedule.finalizationWaitSecs * 1000;
      state = { ...state, stage: 'cleaning', healthy: verdict === 'healthy', deadline };
      if (deadline > now) actions.push({ type: 'terminate' });
    }
    if (state.stage === 'cleaning') {
      if (now >= state.deadline) return this.#finish(state, actions);
      // Orphans, if any, have only now been told to go: the next tick counts them.
      const entered = before.stage === 'active' || actions.some(({ type }) => type === 'terminate');
      if (this.#running(state).length > 0 || entered || (event.orphans ?? 0) > 0) return state;
      actions.push({ type: 'annihilate' });
      state = { ...state, stage: 'finalizing' };
    }
    if (now >= state.deadline || this.isComplete(state) || this.#isDeadlocked(state)) {
      return this.#finish(state, actions);
    }
    return this.#startRunnable(state, now, actions);
  }

  /** Undefined while the regular processes go on (thermos.md §2.3, row ACTIVE). */
  #activeVerdict(state: PlannerState): 'healthy' | 'unhealthy' | undefined {
    const limit = this.schedule.maxFailures;
    const failed = this.#ofStage(state).filter(
      ({ name }) => entry(state, name).status === 'failed',
    ).length;
    if (limit > 0 && failed >= limit) return 'unhealthy';
    if (this.isComplete(state)) return 'healthy';
    return this.#isDeadlocked(state) ? 'unhealthy' : undefined;
  }

  #isDeadlocked(state: PlannerState): boolean {
    return this.#running(state).length === 0 && this.#candidates(state).length === 0;
  }

  #finish(state: PlannerState, actions: PlannerAction[]): PlannerState {
    const result = state.killRequested ? 'KILLED' : state.healthy ? 'SUCCESS' : 'FAILED';
    actions.push({ type: 'annihilate' }, { type: 'done', result });
    return { ...state, stage: 'done' };
  }

  /** A kill ends ACTIVE and sets the deadline anew; a second one changes nothing (thermos.md §2.4). */
  #killed(state: PlannerState, deadline: number, actions: PlannerAction[]): PlannerState {
    if (state.killRequested) return state;
    const killed = { ...state, killRequested: true, deadline };
    if (state.stage !== 'active') return killed;
    actions.push({ type: 'terminate' });
    return { ...killed, stage: 'cleaning' };
  }

  #ended(state: PlannerState, name: string, outcome: RunOutcome, now: number): PlannerState {
    const plan = this.#byName.get(name);
    const old = state.processes.get(name);
    if (plan === undefined || old === undefined || old.status !== 'running') return state;
    const counted: ProcessState = {
      status: 'idle',
      successes: old.successes + (outcome === 'success' ? 1 : 0),
      failures: old.failures + (outcome === 'failed' ? 1 : 0),
      losses: old.losses + (outcome === 'killed' || outcome === 'lost' ? 1 : 0),
      readyAt: now + plan.minDurationSecs * 1000,
    };
    return withProcess(state, name, {
      ...counted,
      status: this.#statusAfter(plan, counted, outcome),
    });
  }

  #statusAfter(
    plan: ProcessPlan,
    { successes, failures, losses }: ProcessState,
    outcome: RunOutcome,
  ): ProcessState['status'] {
    if (successes + failures + losses >= this.maxRuns) return 'failed';
    if (outcome === 'success') return plan.daemon ? 'idle' : 'finished';
    if (outcome === 'failed' && plan.maxFailures !== 0 && failures >= plan.maxFailures) {
      return plan.ephemeral ? 'finished' : 'failed';
    }
    return 'idle';
  }

  #startRunnable(before: PlannerState, now: number, actions: PlannerAction[]): PlannerState {
    let state = before;
    const limit = this.schedule.maxConcurrency;
    let room = limit > 0 ? limit - this.#running(state).length : Infinity;
    for (const name of this.runnable(state, now)) {
      if (room-- <= 0) break;
      state = withProcess(state, name, { ...entry(state, name), status: 'running' });
      actions.push({ type: 'start', process: name });
    }
    return state;
  }

  #ofStage(state: PlannerState): readonly ProcessPlan[] {
    const final = state.stage === 'finalizing';
    return this.schedule.processes.filter((process) => process.final === final);
  }

  /** Of any stage: in CLEANING the regular ones, in FINALIZING the final ones are all that can be. */
  #running(state: PlannerState): string[] {
    return [...state.processes].filter(([, { status }]) => status === 'running').map(([n]) => n);
  }

  /** Those of the stage that will start by themselves, now or after their wait. */
  #candidates(state: PlannerState): ProcessPlan[] {
    return this.#ofStage(state).filter(({ name }) => {
      if (entry(state, name).status !== 'idle') return false;
      const before = this.#predecessors.get(name) ?? [];
      return before.every((predecessor) => entry(state, predecessor).status === 'finished');
    });
  }
}

function isOver({ status }: ProcessState): boolean {
  return status === 'finished' || status === 'failed';
}

function entry(state: PlannerState, name: string): ProcessState {
  const found = state.processes.get(name);
  if (found === undefined) throw new Error(`no process ${name}`);
  return found;
}

function withProcess(state: PlannerState, name: string, process: ProcessState): PlannerState {
  return { ...state, processes: new Map(state.processes).set(name, process) };
}

function finite(time: number): number | undefined {
  return Number.isFinite(time) ? time : undefined;
}
