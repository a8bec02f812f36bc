/**
 * Runs one task: the planner decides, this does (thermos.md §2). It is the only part of a task that knows
 * what happens to it, and it lives in a process of its own, so that the shim may come and go.
 */
import { chmodSync, chownSync, existsSync, mkdirSync } from 'node:fs';
import { constants } from 'node:os';
import {
  Planner,
  type PlannerAction,
  type PlannerEvent,
  type PlannerState,
} from '../../core/thermos/planner.js';
import { identityOf } from './identity.js';
import { launch, type Ending, type Launched } from './launch.js';
import { killAll, processesOf, processTable, signal, type Leftover } from './leftovers.js';
import { askToEnd } from './lifecycle.js';
import type { RunEntry, StateEntry, TaskDir, TaskSpec } from './task-dir.js';

interface LiveRun extends Launched {
  readonly pid: number;
  readonly process: string;
  readonly run: number;
}

/** What the end status of a task says that was killed on request (tasks.md §2). */
export const KILL_MESSAGE = 'Instructed to kill task.';

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
  /** No process of the task lives, as of a look that found none; nothing that can fork is left then. */
  #isEmpty = false;
  /** Orphans that have had their SIGTERM. */
  readonly #terminated = new Set<number>();
  #begun = false;
  #finish!: (state: StateEntry) => void;
  readonly #finished = new Promise<StateEntry>((resolve) => (this.#finish = resolve));
  /** The task's own end, not yet that of the supervisor. */
  #planDone!: () => void;
  readonly #planEnded = new Promise<void>((resolve) => (this.#planDone = resolve));

  constructor(
    private readonly dir: TaskDir,
    private readonly spec: TaskSpec,
  ) {
    this.#planner = new Planner(spec.plan, spec.maxRuns);
    this.#state = this.#planner.initial();
  }

  /** Resolves when the task has ended and its end status is on disk. */
  async run(): Promise<void> {
    await this.#record({ state: 'starting', atMs: Date.now() });
    const refused = this.#prepare();
    if (refused !== undefined) {
      await this.#record(refused);
      return;
    }
    this.#begun = true;
    this.#drive({ type: 'begin', now: now() });
    // Without a health check a task runs as soon as its processes were started (thermos.md §3.1).
    if (this.#state.stage !== 'done') {
      await this.#record(
        this.#entry('running', 'No health-check defined, task is assumed healthy.'),
      );
    }
    await this.#record(await this.#finished);
  }

  /** Begins the kill path (thermos.md §2.4); what comes after the first call is ignored. */
  stop(message: string, graceSecs: number): void {
    if (this.#stopMessage !== undefined) return;
    this.#stopMessage = message;
    if (!this.#begun) return;
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
    if (this.#stopMessage !== undefined) return this.#entry('killed', this.#stopMessage);
    if (this.dir.readKill() !== undefined) return this.#entry('killed', KILL_MESSAGE);
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
      const isWaiting = this.#state.stage === 'cleaning' && this.#live.size === 0;
      const orphans = isWaiting ? this.#terminateOrphans() : 0;
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
        this.#terminateOrphans();
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
    this.#isEmpty = false;
    const launched = launch(plan, run, this.spec, this.dir.sandbox);
    const { pid } = launched;
    const startTime = pid === undefined ? undefined : identityOf(pid)?.startTime;
    this.#note({
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
      this.#live.delete(name);
      killAll(() => this.#look().filter(({ session }) => session === pid));
    }
    const result = resultOf(ending);
    this.#note({
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

  /** All processes of the task. */
  #look(): Leftover[] {
    if (this.#isEmpty) return [];
    const found = processesOf(processTable(), process.pid, this.dir.sandbox);
    this.#isEmpty = found.length === 0 && this.#live.size === 0;
    return found;
  }

  /**
   * One SIGTERM for each process that belongs to the task and to the session of no live run; returns how many
   * there are. What is in such a session ends with its run.
   */
  #terminateOrphans(): number {
    const sessions = new Set([...this.#live.values()].map(({ pid }) => pid));
    const orphans = this.#look().filter(({ session }) => !sessions.has(session));
    for (const { pid } of orphans) {
      if (this.#terminated.has(pid)) continue;
      this.#terminated.add(pid);
      signal(pid, 'SIGTERM');
    }
    return orphans.length;
  }

  #annihilate(): void {
    for (const { pid } of this.#live.values()) signal(-pid, 'SIGKILL');
    killAll(() => this.#look());
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

  /** The run log helps to clean up after a crash and to find out what happened; no task fails for lack of it. */
  #note(entry: RunEntry): void {
    try {
      this.dir.addRun(entry);
    } catch (error) {
      console.error(error);
    }
  }

  /** Writes a status; a full disk is waited for, because this record is all there will ever be. */
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
