/**
 * Runs one task: the planner decides, this does (thermos.md §2). It is the only part of a task that knows
 * what happens to it, and it lives in a process of its own, so that the shim may come and go.
 */
import { chmodSync, chownSync, existsSync, mkdirSync } from 'node:fs';
import {
  Planner,
  type PlannerAction,
  type PlannerEvent,
  type PlannerState,
} from '../../core/thermos/planner.js';
import { identityOf } from './identity.js';
import { launch, type Ending, type Launched } from './launch.js';
import { findByHome, findBySession, killAll, signal, type Leftover } from './leftovers.js';
import { askToEnd } from './lifecycle.js';
import { constants } from 'node:os';
import type { StateEntry, TaskDir, TaskSpec } from './task-dir.js';

interface LiveRun extends Launched {
  readonly pid: number;
  readonly process: string;
  readonly run: number;
}

/** How long a supervisor that has nothing else to do waits for SIGKILL to have its effect. */
const LAST_WAIT_MS = 5000;

export class Supervisor {
  readonly #planner: Planner;
  readonly #live = new Map<string, LiveRun>();
  readonly #runs = new Map<string, number>();
  readonly #drains = new Set<Promise<unknown>>();
  readonly #queue: PlannerEvent[] = [];
  #state: PlannerState;
  #driving = false;
  #timer: NodeJS.Timeout | undefined;
  #stopMessage: string | undefined;
  #finish: (state: StateEntry) => void = () => {};
  /** The task's own end, not yet that of the supervisor. */
  readonly #planEnded: Promise<void>;
  #planDone: () => void = () => {};

  constructor(
    private readonly dir: TaskDir,
    private readonly spec: TaskSpec,
  ) {
    this.#planner = new Planner(spec.plan, spec.maxRuns);
    this.#state = this.#planner.initial();
    this.#planEnded = new Promise((resolve) => (this.#planDone = resolve));
  }

  /** Resolves when the task has ended and its end status is on disk. */
  async run(): Promise<void> {
    this.#say({ state: 'starting' });
    const refused = this.#prepare();
    if (refused !== undefined) {
      await this.#record(refused);
      return;
    }
    const finished = new Promise<StateEntry>((resolve) => (this.#finish = resolve));
    this.#drive({ type: 'begin', now: now() });
    // Without a health check a task runs as soon as its processes were started (thermos.md §3.1).
    if (this.#state.stage !== 'done') {
      this.#say({
        state: 'running',
        message: 'No health-check defined, task is assumed healthy.',
      });
    }
    const end = await finished;
    await this.#record(end);
  }

  /** Begins the kill path (thermos.md §2.4); what comes after the first call is ignored. */
  stop(message: string, graceSecs: number): void {
    if (this.#stopMessage !== undefined) return;
    this.#stopMessage = message;
    const deadline = now() + this.spec.stopTimeoutSecs * 1000;
    const kill = (): void => {
      const graceMs = Math.max(0, Math.min(graceSecs * 1000, deadline - now()));
      this.#drive({ type: 'kill', now: now(), graceMs });
    };
    const { lifecycle } = this.spec.plan;
    if (lifecycle === undefined || this.#state.stage !== 'active') {
      kill();
      return;
    }
    const limitMs = deadline - now();
    void askToEnd(lifecycle, this.#planEnded, limitMs, this.spec.httpTimeoutMs).then(kill, kill);
  }

  /** For an error nobody foresaw: leaves no process behind. The driver will find no record and say `lost`. */
  abandon(): void {
    this.#annihilate();
  }

  /** The sandbox; an end state when the task must not start. */
  #prepare(): StateEntry | undefined {
    const kill = this.dir.readKill();
    if (kill !== undefined) return this.#entry('killed', 'Instructed to kill task.');
    try {
      const { become } = this.spec.user;
      for (const [path, mode] of [
        [this.dir.runDir, 0o755],
        [this.dir.sandbox, 0o700],
      ] as const) {
        if (!existsSync(path)) mkdirSync(path);
        chmodSync(path, mode);
      }
      if (become !== undefined) {
        chownSync(this.dir.sandbox, become.uid, become.gid);
        chownSync(this.dir.runDir, become.uid, become.gid);
      }
      return undefined;
    } catch (error) {
      return this.#entry('failed', `Cannot make the sandbox: ${text(error)}`);
    }
  }

  /** Feeds the planner and does what it asks for; events that arise meanwhile wait their turn. */
  #drive(event: PlannerEvent): void {
    this.#queue.push(event);
    if (this.#driving) return;
    this.#driving = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const cleaning = this.#state.stage === 'cleaning' && this.#live.size === 0;
      const orphans = cleaning ? this.#orphans().length : 0;
      const { state, actions } = this.#planner.step(this.#state, { ...next, orphans });
      this.#state = state;
      for (const action of actions) this.#act(action);
    }
    this.#driving = false;
    this.#armTimer();
  }

  #armTimer(): void {
    clearTimeout(this.#timer);
    const at = this.#planner.nextTick(this.#state, now());
    if (at === undefined) return;
    const delay = Math.min(Math.max(0, at - now()), 2 ** 31 - 1);
    // Rounded up: a timer that fires early would only have to be set again.
    this.#timer = setTimeout(() => this.#drive({ type: 'tick', now: now() }), Math.ceil(delay));
  }

  #act(action: PlannerAction): void {
    switch (action.type) {
      case 'start':
        this.#start(action.process);
        return;
      case 'terminate':
        for (const run of this.#live.values()) signal(run.pid, 'SIGTERM');
        for (const { pid } of this.#orphans()) signal(pid, 'SIGTERM');
        this.#queue.push({ type: 'tick', now: now() });
        return;
      case 'annihilate':
        this.#annihilate();
        return;
      case 'done':
        this.#planDone();
        void this.#lastWait().then(() => this.#finish(this.#endState(action.result)));
    }
  }

  #start(name: string): void {
    const plan = this.spec.plan.processes.find((process) => process.name === name);
    if (plan === undefined) throw new Error(`no process ${name}`);
    const run = this.#runs.get(name) ?? 0;
    this.#runs.set(name, run + 1);
    const launched = launch(plan, run, this.spec, this.dir.sandbox);
    const { pid } = launched;
    const startTime = pid === undefined ? undefined : identityOf(pid)?.startTime;
    this.dir.addRun({
      type: 'start',
      process: name,
      run,
      ...(pid !== undefined && { pid }),
      ...(startTime !== undefined && { startTime }),
      atMs: Date.now(),
    });
    if (pid !== undefined) this.#live.set(name, { ...launched, pid, process: name, run });
    this.#drains.add(launched.drained);
    void launched.drained.then(() => this.#drains.delete(launched.drained));
    void launched.ended.then((ending) => this.#ended(name, run, pid, ending));
  }

  #ended(name: string, run: number, pid: number | undefined, ending: Ending): void {
    if (pid !== undefined) {
      // Background children die with their process (thermos.md §2.3, end of each run).
      signal(-pid, 'SIGKILL');
      killAll(() => findBySession(pid));
    }
    this.#live.delete(name);
    const result = resultOf(ending);
    this.dir.addRun({
      type: 'end',
      process: name,
      run,
      result,
      ...codeOf(ending),
      atMs: Date.now(),
    });
    const outcome = ({ SUCCESS: 'success', FAILED: 'failed', KILLED: 'killed' } as const)[result];
    this.#drive({ type: 'ended', process: name, outcome, now: now() });
  }

  /** What belongs to this task and to none of its live runs; those die with their run. */
  #orphans(): Leftover[] {
    const sessions = new Set([...this.#live.values()].map(({ pid }) => pid));
    return findByHome(this.dir.sandbox).filter(({ session }) => !sessions.has(session));
  }

  #annihilate(): void {
    for (const { pid } of this.#live.values()) signal(-pid, 'SIGKILL');
    killAll(() => findByHome(this.dir.sandbox));
  }

  /** Until the killed runs are recorded and their last output is written. */
  async #lastWait(): Promise<void> {
    clearTimeout(this.#timer);
    const end = now() + LAST_WAIT_MS;
    while (this.#live.size > 0 && now() < end) await sleep(5);
    const drained = Promise.all([...this.#drains]);
    await Promise.race([drained, sleep(1000)]);
  }

  /** A request to stop decides the status, whatever the processes made of it (thermos.md §2.4, §2.8). */
  #endState(result: 'SUCCESS' | 'FAILED' | 'KILLED'): StateEntry {
    if (this.#stopMessage !== undefined) return this.#entry('killed', this.#stopMessage);
    return result === 'SUCCESS'
      ? this.#entry('finished', 'Task finished.')
      : this.#entry('failed', 'Task failed.');
  }

  #entry(state: StateEntry['state'], message: string): StateEntry {
    return { state, message, atMs: Date.now() };
  }

  #say(entry: Omit<StateEntry, 'atMs'>): void {
    this.dir.addState({ ...entry, atMs: Date.now() });
  }

  /** Writes the end status; a full disk is waited for, because this record is all there will ever be. */
  async #record(entry: StateEntry): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        this.dir.addState(entry);
        return;
      } catch (error) {
        if (attempt >= 60) throw error;
        await sleep(1000);
      }
    }
  }
}

function resultOf(ending: Ending): 'SUCCESS' | 'FAILED' | 'KILLED' {
  if ('signal' in ending) return 'KILLED';
  return 'code' in ending && ending.code === 0 ? 'SUCCESS' : 'FAILED';
}

function codeOf(ending: Ending): { code?: number; error?: string } {
  if ('signal' in ending) return { code: -constants.signals[ending.signal] };
  return ending;
}

function now(): number {
  return performance.now();
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
