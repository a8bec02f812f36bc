/**
 * A cluster without processes: workloads are entries of a map that move by a script and injected timers.
 *
 * The cluster is an object of its own, apart from the backend that talks to it, so that it outlives a
 * "restarted scheduler": a new SimulatedBackend attached to the same cluster finds every workload where
 * the old one left it. Everything costs O(1) per task.
 */
import type { Clock, TimerHandle, Timers } from '../../time.js';
import type {
  BackendState,
  HostEvent,
  HostMode,
  HostResources,
  StatusEvent,
  SubmitRequest,
} from '../backend.js';
import { LaunchRefusedError } from '../backend.js';

/** What one workload does; every field optional, times in ms, a time of 0 passes without a timer. */
export interface SimulatedScript {
  /** From submit to `starting`; default 0. */
  readonly startDelayMs?: number;
  /** From `starting` to `running`; default 0. */
  readonly runDelayMs?: number;
  /** From `running` to the end; absent: runs until killed. */
  readonly exitAfterMs?: number;
  /** How it ends; default `finished`. */
  readonly exitState?: 'finished' | 'failed' | 'killed' | 'lost';
  readonly exitMessage?: string;
  readonly exitReason?: NonNullable<StatusEvent['reason']>;
  /** From kill to `killed`; default 0. */
  readonly killDelayMs?: number;
  /** Accepts the submit and stays silent: the task remains ASSIGNED. */
  readonly neverStarts?: boolean;
  /** Stays in `starting`. */
  readonly neverRuns?: boolean;
  readonly ignoresKill?: boolean;
  /** `submit` rejects with this text and nothing is created. */
  readonly submitError?: string;
  /** The same, for good. */
  readonly submitRefused?: string;
}

export interface SimulatedHost {
  readonly host: string;
  /** Default: the host's name with `agent-` in front. */
  readonly agentId?: string;
  /** Default `{host: [host]}`, which is also added where it is missing. */
  readonly attributes?: Readonly<Record<string, readonly string[]>>;
  /** What is not given is plenty. */
  readonly total?: Partial<HostResources>;
  readonly portRanges?: HostEvent['portRanges'];
  /** When an announced maintenance begins, wall ms. */
  readonly unavailableFromMs?: number;
}

export interface SimulatedClusterOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Default: one host `localhost` with room for everything. */
  readonly hosts?: readonly SimulatedHost[];
  /** Asked once for each new workload; `undefined` means: run until killed. */
  readonly script?: (request: SubmitRequest) => SimulatedScript | undefined;
  /** How many ended workloads are remembered for repeated kills and restarts; default 10,000. */
  readonly endedKept?: number;
}

export interface SimulatedTask {
  readonly taskId: string;
  readonly request: SubmitRequest;
  /** `accepted`: nothing has been reported yet. */
  readonly state: BackendState | 'accepted';
  readonly message?: string;
  readonly reason?: StatusEvent['reason'];
  /** A kill was received. */
  readonly killing: boolean;
}

export interface SimulatedListener {
  status(event: StatusEvent): void;
  host(event: HostEvent): void;
}

const LARGE: HostResources = { cpus: 1e6, ramMb: 1e9, diskMb: 1e9 };

const ENDED: ReadonlySet<string> = new Set(['finished', 'failed', 'killed', 'lost']);

export function isEnded(state: BackendState | 'accepted'): boolean {
  return ENDED.has(state);
}

interface Workload {
  readonly taskId: string;
  readonly request: SubmitRequest;
  readonly script: SimulatedScript;
  state: BackendState | 'accepted';
  message?: string;
  reason?: StatusEvent['reason'];
  killing: boolean;
  held: boolean;
  /** Steps that came due while the workload was held, in their order. */
  overdue: (() => void)[];
  life?: TimerHandle;
  death?: TimerHandle;
}

interface Host {
  readonly spec: SimulatedHost;
  readonly live: Set<string>;
  up: boolean;
  mode: HostMode;
}

export class SimulatedCluster {
  readonly #workloads = new Map<string, Workload>();
  readonly #live = new Set<string>();
  /** Ended ones in the order of their end, oldest first. */
  readonly #ended = new Set<string>();
  readonly #hosts = new Map<string, Host>();
  readonly #endedKept: number;
  #listener: SimulatedListener | undefined;
  #holdAll = false;

  /** May be replaced at any time; workloads that exist keep what they have. */
  script: (request: SubmitRequest) => SimulatedScript | undefined;

  constructor(private readonly options: SimulatedClusterOptions) {
    this.script = options.script ?? (() => undefined);
    this.#endedKept = options.endedKept ?? 10_000;
    for (const spec of options.hosts ?? [{ host: 'localhost' }]) this.addHost(spec);
  }

  /** Events go to this listener from now on; an earlier one hears nothing more. */
  attach(listener: SimulatedListener): void {
    this.#listener = listener;
  }

  /** Workloads go on unheard; does nothing when somebody else has attached meanwhile. */
  detach(listener: SimulatedListener): void {
    if (this.#listener === listener) this.#listener = undefined;
  }

  // What a backend asks for.

  /** Creates the workload; a task id that exists (or existed lately) is left alone. */
  submit(request: SubmitRequest): void {
    if (this.#workloads.has(request.taskId)) return;
    const { target } = request;
    if (target === undefined)
      throw new LaunchRefusedError(`${request.taskId}: no target, and the core places`);
    const script = this.script(request) ?? {};
    if (script.submitError !== undefined) throw new Error(script.submitError);
    if (script.submitRefused !== undefined) throw new LaunchRefusedError(script.submitRefused);
    const host = this.#hosts.get(target.host);
    const workload: Workload = {
      taskId: request.taskId,
      request,
      script,
      state: 'accepted',
      killing: false,
      held: this.#holdAll,
      overdue: [],
    };
    this.#workloads.set(request.taskId, workload);
    this.#live.add(request.taskId);
    if (host?.up !== true) {
      this.#enter(workload, 'lost', `Host ${target.host} is not there.`, 'node');
      return;
    }
    host.live.add(request.taskId);
    if (script.neverStarts === true) return;
    this.#later(workload, 'life', script.startDelayMs, () => this.#start(workload));
  }

  /** False when the task id is not known. Of an ended workload it changes nothing. */
  kill(taskId: string): boolean {
    const workload = this.#workloads.get(taskId);
    if (workload === undefined) return false;
    if (isEnded(workload.state) || workload.killing) return true;
    workload.killing = true;
    if (workload.script.ignoresKill === true) return true;
    this.#later(workload, 'death', workload.script.killDelayMs, () => {
      // KILLED is illegal for a task the core has as PARTITIONED (tasks.md §11.2 rule 8).
      if (workload.state === 'unreachable') this.#enter(workload, 'lost', undefined, undefined);
      else this.#enter(workload, 'killed', 'Instructed to kill task.', undefined);
    });
    return true;
  }

  task(taskId: string): SimulatedTask | undefined {
    return this.#workloads.get(taskId);
  }

  /** Workloads that have not ended, in the order of their submits. */
  liveTasks(): SimulatedTask[] {
    return [...this.#live].map((taskId) => this.#workloads.get(taskId) as SimulatedTask);
  }

  get liveCount(): number {
    return this.#live.size;
  }

  hostEvents(): HostEvent[] {
    return [...this.#hosts.values()].map((host) => this.#hostEvent(host));
  }

  hostMode(host: string): HostMode {
    return this.#hosts.get(host)?.mode ?? 'NONE';
  }

  setHostMode(host: string, mode: HostMode): void {
    const entry = this.#hosts.get(host);
    if (entry !== undefined) entry.mode = mode;
  }

  // What a test (or an operator of a simulation) does to it.

  /**
   * Says this state now. A live workload takes it over (an end state ends it, any other stops its script);
   * for an id that is not live the event is only told, so that late and stray reports can be played.
   */
  report(
    taskId: string,
    state: BackendState,
    message?: string,
    reason?: NonNullable<StatusEvent['reason']>,
  ): void {
    const workload = this.#workloads.get(taskId);
    if (workload === undefined || isEnded(workload.state)) {
      this.#tell({
        taskId,
        state,
        atMs: this.options.clock.wallNow(),
        ...(message !== undefined && { message }),
        ...(reason !== undefined && { reason }),
      });
      return;
    }
    workload.life?.cancel();
    this.#enter(workload, state, message, reason);
  }

  /** From now on no scripted step of this task (of all tasks, also future ones) happens. */
  hold(taskId?: string): void {
    if (taskId === undefined) this.#holdAll = true;
    for (const workload of this.#chosen(taskId)) workload.held = true;
  }

  /** Lets the steps go on; those that came due meanwhile happen now. */
  release(taskId?: string): void {
    if (taskId === undefined) this.#holdAll = false;
    for (const workload of this.#chosen(taskId)) {
      workload.held = false;
      for (const step of workload.overdue.splice(0)) step();
    }
  }

  /** The workload vanishes without a word, record included: only a reconciliation can find out. */
  forget(taskId: string): void {
    const workload = this.#workloads.get(taskId);
    if (workload === undefined) return;
    this.#settle(workload);
    this.#ended.delete(taskId);
    this.#workloads.delete(taskId);
  }

  addHost(spec: SimulatedHost): void {
    const known = this.#hosts.get(spec.host);
    const host: Host = {
      spec,
      live: known?.live ?? new Set(),
      up: true,
      mode: known?.mode ?? 'NONE',
    };
    this.#hosts.set(spec.host, host);
    this.#listener?.host(this.#hostEvent(host));
  }

  /** The host dies: `lost` for each of its workloads, then the host event (tasks.md §11.3). */
  crashHost(name: string): void {
    const host = this.#hosts.get(name);
    if (host === undefined || !host.up) return;
    host.up = false;
    for (const taskId of [...host.live]) {
      const workload = this.#workloads.get(taskId);
      if (workload !== undefined) this.#enter(workload, 'lost', `Host ${name} is gone.`, 'node');
    }
    this.#listener?.host(this.#hostEvent(host));
  }

  /** The host is back, empty. */
  restoreHost(name: string): void {
    const host = this.#hosts.get(name);
    if (host === undefined || host.up) return;
    host.up = true;
    this.#listener?.host(this.#hostEvent(host));
  }

  // How workloads move.

  #start(workload: Workload): void {
    const { script } = workload;
    this.#enter(workload, 'starting', undefined, undefined);
    if (script.neverRuns === true) return;
    this.#later(workload, 'life', script.runDelayMs, () => {
      this.#enter(
        workload,
        'running',
        'No health-check defined, task is assumed healthy.',
        undefined,
      );
      if (script.exitAfterMs === undefined) return;
      this.#later(workload, 'life', script.exitAfterMs, () => {
        const state = script.exitState ?? 'finished';
        const text = { finished: 'Task finished.', failed: 'Task failed.' } as const;
        const message =
          script.exitMessage ??
          (state === 'finished' || state === 'failed' ? text[state] : undefined);
        this.#enter(workload, state, message, script.exitReason);
      });
    });
  }

  #later(
    workload: Workload,
    slot: 'life' | 'death',
    delayMs: number | undefined,
    step: () => void,
  ): void {
    const due = (): void => {
      if (isEnded(workload.state)) return;
      if (workload.held) workload.overdue.push(due);
      else step();
    };
    if (delayMs === undefined || delayMs <= 0) due();
    else workload[slot] = this.options.timers.set(delayMs, due);
  }

  #enter(
    workload: Workload,
    state: BackendState,
    message: string | undefined,
    reason: StatusEvent['reason'] | undefined,
  ): void {
    workload.state = state;
    delete workload.message;
    delete workload.reason;
    if (message !== undefined) workload.message = message;
    if (reason !== undefined) workload.reason = reason;
    if (isEnded(state)) {
      this.#settle(workload);
      this.#remember(workload.taskId);
    }
    const event = currentStatus(workload, this.options.clock.wallNow());
    if (event !== undefined) this.#tell(event);
  }

  /** It no longer lives: no more steps, its host has room again. */
  #settle(workload: Workload): void {
    workload.life?.cancel();
    workload.death?.cancel();
    workload.overdue = [];
    this.#live.delete(workload.taskId);
    this.#hosts.get(workload.request.target?.host ?? '')?.live.delete(workload.taskId);
  }

  #remember(taskId: string): void {
    this.#ended.add(taskId);
    if (this.#ended.size <= this.#endedKept) return;
    const [oldest] = this.#ended;
    if (oldest === undefined) return;
    this.#ended.delete(oldest);
    this.#workloads.delete(oldest);
  }

  #chosen(taskId: string | undefined): Workload[] {
    const ids = taskId === undefined ? [...this.#live] : [taskId];
    return ids.flatMap((id) => this.#workloads.get(id) ?? []);
  }

  #tell(event: StatusEvent): void {
    this.#listener?.status(event);
  }

  #hostEvent(host: Host): HostEvent {
    const { spec } = host;
    const total = { ...LARGE, ...spec.total };
    const free = { cpus: total.cpus, ramMb: total.ramMb, diskMb: total.diskMb };
    for (const taskId of host.live) {
      for (const resource of this.#workloads.get(taskId)?.request.config.resources ?? []) {
        free.cpus -= resource.numCpus ?? 0;
        free.ramMb -= resource.ramMb ?? 0;
        free.diskMb -= resource.diskMb ?? 0;
      }
    }
    return {
      host: spec.host,
      agentId: spec.agentId ?? `agent-${spec.host}`,
      up: host.up,
      attributes: { host: [spec.host], ...spec.attributes },
      total,
      free: host.up ? free : { cpus: 0, ramMb: 0, diskMb: 0 },
      ...(spec.portRanges === undefined ? {} : { portRanges: spec.portRanges }),
      ...(spec.unavailableFromMs === undefined
        ? {}
        : { unavailableFromMs: spec.unavailableFromMs }),
    };
  }
}

/** The event that says where the workload stands; undefined when nothing was ever said. */
export function currentStatus(task: SimulatedTask, atMs: number): StatusEvent | undefined {
  if (task.state === 'accepted') return undefined;
  return {
    taskId: task.taskId,
    state: task.state,
    atMs,
    ...(task.message !== undefined && { message: task.message }),
    ...(task.request.target !== undefined && { host: task.request.target.host }),
    ...(task.reason !== undefined && { reason: task.reason }),
  };
}
