/**
 * Real processes on this machine: one detached supervisor for each task (supervisor.ts), found again after a
 * restart by what it left in its state directory (task-dir.ts). The driver keeps nothing that is not there.
 *
 * Not built yet, and therefore refused: see refusals.ts. Resource limits are not enforced: what a task asked
 * for counts in placement only.
 */
import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SLAVE_ASSIGNED_STATES, type ScheduleStatus } from '../../core/model/statuses.js';
import type {
  BackendSink,
  ClusterBackend,
  HostEvent,
  KnownTask,
  StatusEvent,
  SubmitRequest,
} from '../backend.js';
import { EventDelivery } from '../supervised.js';
import { Attention } from './attention.js';
import { hostEvent, machineResources } from './host.js';
import { bootId, isAlive } from './identity.js';
import { signal } from './leftovers.js';
import { settingsOf, type LocalBackendOptions, type LocalSettings } from './options.js';
import { describeEnd, startSupervisor, sweep, type SupervisorEnd } from './supervision.js';
import type { StateEntry, TaskSpec } from './task-dir.js';
import { TaskIndex, type TaskEntry } from './task-index.js';
import { prepareTask } from './prepare.js';

export class LocalBackend implements ClusterBackend {
  readonly kind = 'local';
  readonly placement = 'core';
  readonly #settings: LocalSettings;
  readonly #index: TaskIndex;
  readonly #submitting = new Map<string, Promise<void>>();
  #delivery: EventDelivery | undefined;
  #attention: Attention<TaskEntry> | undefined;
  #pruning: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: LocalBackendOptions) {
    this.#settings = settingsOf(options);
    this.#index = new TaskIndex(this.#settings.stateDir, this.#settings.log);
  }

  async start(sink: BackendSink, known: readonly KnownTask[]): Promise<void> {
    const { stateDir, supervisorPath, timers, log, firstRetryMs, maxRetryMs } = this.#settings;
    if (!existsSync(supervisorPath))
      throw new Error(`no supervisor at ${supervisorPath}: build it`);
    this.#makeDirs();
    this.#delivery = new EventDelivery(sink, { timers, log, firstRetryMs, maxRetryMs });
    this.#attention = new Attention(join(stateDir, 'news'), this.#settings, {
      news: (hash) => {
        const entry = this.#index.byHash(hash);
        if (entry !== undefined) this.#guarded(entry);
      },
      live: () => this.#index.live(),
      look: (entry) => this.#guarded(entry),
    });
    await this.#index.load();
    const answered = known.flatMap((task) => this.#adopt(task));
    const ids = new Set(known.map(({ taskId }) => taskId));
    for (const entry of this.#index.all()) {
      if (!ids.has(entry.taskId)) answered.push(...(await this.#meetStranger(entry)));
    }
    await Promise.all(answered);
    const delivery = this.#delivery;
    await Promise.all(this.#hostEvents().map((event) => delivery.host(event)));
    this.#prune();
    this.#attention.poll();
  }

  submit(request: SubmitRequest): Promise<void> {
    const running = this.#submitting.get(request.taskId);
    if (running !== undefined) return running;
    const work = this.#submit(request).finally(() => this.#submitting.delete(request.taskId));
    this.#submitting.set(request.taskId, work);
    return work;
  }

  async kill(taskId: string, graceSecs: number): Promise<void> {
    await this.#submitting.get(taskId)?.catch(() => {});
    const entry = this.#index.get(taskId);
    if (entry === undefined) {
      void this.#tellLost(taskId, 'Unknown task.');
      return;
    }
    this.#look(entry);
    if (entry.end !== undefined) {
      this.#tellLast(entry);
      return;
    }
    // The file first: a supervisor that is only coming up reads it before it starts anything.
    if (entry.dir.readKill() === undefined) entry.dir.writeKill(graceSecs);
    this.#signalKill(entry);
  }

  async reconcile(scope: { readonly taskIds: readonly string[] } | 'all'): Promise<void> {
    await Promise.allSettled(this.#submitting.values());
    const ids = scope === 'all' ? this.#index.live().map((e) => e.taskId) : scope.taskIds;
    for (const taskId of ids) {
      const entry = this.#index.get(taskId);
      if (entry === undefined) {
        void this.#tellLost(taskId, 'Unknown task.', 'reconciliation');
        continue;
      }
      const told = entry.told;
      this.#look(entry);
      if (entry.told === told) this.#tellLast(entry);
    }
  }

  /** Nothing to do: the core places, and drains by killing. */
  setHostMode(): Promise<void> {
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#attention?.stop();
    this.#delivery?.stop();
    await Promise.allSettled([...this.#submitting.values(), this.#pruning]);
  }

  // Re-adoption (tasks.md §11.3).

  #adopt(known: KnownTask): Promise<void>[] {
    const entry = this.#index.get(known.taskId);
    if (entry === undefined) {
      const isGone = SLAVE_ASSIGNED_STATES.has(known.status) && known.submitted;
      return isGone
        ? [this.#tellLost(known.taskId, 'Not found after a restart of the scheduler.')]
        : [];
    }
    const states = this.#settle(entry);
    if (entry.end === undefined && entry.dir.readKill() !== undefined) this.#signalKill(entry);
    return this.#tellFrom(entry, states, firstUnknown(known.status, states), known.status);
  }

  /** A task the core does not know: it will answer the status of a live one with a kill. */
  async #meetStranger(entry: TaskEntry): Promise<Promise<void>[]> {
    if (entry.end !== undefined) {
      this.#acknowledge(entry);
      return [];
    }
    if (this.#supervisorOf(entry) === undefined) {
      await this.#index.remove(entry);
      return [];
    }
    const states = this.#settle(entry);
    return this.#tellFrom(entry, states, Math.max(0, states.length - 1));
  }

  // Submit and kill.

  async #submit(request: SubmitRequest): Promise<void> {
    if (this.#stopped) throw new Error('the backend is stopped');
    if (this.#index.get(request.taskId) !== undefined) return;
    const { spec, problem } = await prepareTask(request, this.#settings);
    const holder = this.#holderOf(spec);
    const entry = this.#index.add(spec);
    try {
      mkdirSync(entry.dir.path, { recursive: true });
      chmodSync(entry.dir.path, this.#settings.nosetuid ? 0o700 : 0o711);
      if (problem !== undefined || holder !== undefined) {
        if (holder === undefined) this.#refuse(entry, problem ?? '');
        else this.#end(entry, 'lost', `Task ${holder.taskId} has a port of this one.`);
        entry.dir.writeSpec(spec);
        this.#look(entry);
        return;
      }
      entry.dir.writeSpec(spec);
    } catch (error) {
      await this.#index.remove(entry);
      throw error;
    }
    this.#launch(entry);
  }

  /**
   * A live task with one of these ports. The core gives none twice, but may think a task gone that is not,
   * or, after the hosts of the machine were divided anew, not know of one.
   */
  #holderOf({ assignedPorts = [] }: TaskSpec): TaskEntry | undefined {
    if (assignedPorts.length === 0) return undefined;
    const wanted = new Set(assignedPorts);
    return this.#index.live().find(({ ports }) => ports.some((port) => wanted.has(port)));
  }

  /** With validation off, a bad document surfaces as the reference shows it (thermos.md §1.7). */
  #refuse(entry: TaskEntry, message: string): void {
    entry.dir.addState({ state: 'starting', atMs: this.#settings.clock.wallNow() });
    this.#end(entry, 'failed', message);
  }

  #end(entry: TaskEntry, state: 'failed' | 'lost', message: string): void {
    entry.dir.addState({ state, message, atMs: this.#settings.clock.wallNow() });
  }

  #launch(entry: TaskEntry): void {
    entry.hasChild = true;
    startSupervisor(entry.dir, this.#settings, (end) => {
      entry.hasChild = false;
      if (this.#stopped || entry.end !== undefined) return;
      this.#look(entry, end);
    });
  }

  #signalKill(entry: TaskEntry): void {
    const supervisor = this.#supervisorOf(entry);
    if (supervisor !== undefined && isAlive(supervisor)) signal(supervisor.pid, 'SIGTERM');
  }

  // Looking at tasks and telling what is new.

  /** Reads what a task wrote, and tells what was not told yet. */
  #look(entry: TaskEntry, end?: SupervisorEnd): void {
    if (entry.end !== undefined || this.#stopped) return;
    const states = this.#settle(entry, end);
    void Promise.all(this.#tellFrom(entry, states, entry.told));
  }

  /** The task's states, with an end status added where its supervisor is gone without one. */
  #settle(entry: TaskEntry, end?: SupervisorEnd): StateEntry[] {
    const { dir } = entry;
    const supervisor = this.#supervisorOf(entry);
    // First whether it lives, then what it wrote: it writes before it ends.
    const lives = supervisor !== undefined && isAlive(supervisor, entry.told > 0);
    let states = dir.readStates();
    this.#index.see(entry, states);
    if (entry.end !== undefined || lives || entry.hasChild) return states;
    if (supervisor === undefined && end === undefined) {
      // Specified, never begun: no harm in beginning now, since only one supervisor can claim the task.
      this.#launch(entry);
      return states;
    }
    const isReboot = supervisor !== undefined && supervisor.bootId !== bootId();
    if (!isReboot) sweep(dir);
    const { state, message } = isReboot
      ? { state: 'lost' as const, message: 'The machine was rebooted.' }
      : describeEnd(end);
    dir.addState({ state, message, atMs: this.#settings.clock.wallNow() });
    states = dir.readStates();
    this.#index.see(entry, states);
    this.#settings.log.warn({ taskId: entry.taskId, state, message }, 'supervisor ended early');
    return states;
  }

  #supervisorOf(entry: TaskEntry): TaskEntry['supervisor'] {
    if (entry.supervisor === undefined) {
      const found = entry.dir.readSupervisor();
      if (found !== undefined) entry.supervisor = found;
    }
    return entry.supervisor;
  }

  #tellFrom(
    entry: TaskEntry,
    states: readonly StateEntry[],
    from: number,
    known?: ScheduleStatus,
  ): Promise<void>[] {
    entry.told = states.length;
    return states.slice(from).map((state) => this.#tell(entry, state, known));
  }

  #tellLast(entry: TaskEntry): void {
    const states = entry.dir.readStates();
    const last = states[states.length - 1];
    if (last !== undefined) void this.#tell(entry, last);
  }

  #tell(entry: TaskEntry, entryState: StateEntry, known?: ScheduleStatus): Promise<void> {
    // KILLED is illegal for a task the core has as PARTITIONED (tasks.md §11.2 rule 8).
    const isPartitioned = known === 'PARTITIONED' && entryState.state === 'killed';
    const event: StatusEvent = {
      ...entryState,
      ...(isPartitioned && { state: 'lost' as const }),
      taskId: entry.taskId,
      host: this.#hostOf(entry),
    };
    const acknowledged = (): void => {
      if (entry.end !== undefined && entry.end.state === entryState.state) this.#acknowledge(entry);
    };
    return this.#delivery?.status(event, acknowledged) ?? Promise.resolve();
  }

  #tellLost(taskId: string, message: string, reason?: 'reconciliation'): Promise<void> {
    const atMs = this.#settings.clock.wallNow();
    const event = { taskId, state: 'lost', message, atMs, ...(reason && { reason }) } as const;
    return this.#delivery?.status(event) ?? Promise.resolve();
  }

  #acknowledge(entry: TaskEntry): void {
    if (entry.acknowledged) return;
    entry.acknowledged = true;
    try {
      entry.dir.markTold();
    } catch (error) {
      this.#settings.log.warn(
        { err: error, taskId: entry.taskId },
        'cannot note an acknowledgement',
      );
    }
    this.#prune();
  }

  // Background.

  #guarded(entry: TaskEntry): void {
    try {
      this.#look(entry);
    } catch (error) {
      this.#settings.log.error({ err: error, taskId: entry.taskId }, 'cannot look at a task');
    }
  }

  #prune(): void {
    const { clock, keepEnded, keepEndedMs } = this.#settings;
    this.#pruning = this.#pruning.then(() =>
      this.#index.prune(clock.wallNow(), keepEnded, keepEndedMs),
    );
  }

  #makeDirs(): void {
    const { stateDir, nosetuid } = this.#settings;
    for (const path of [stateDir, join(stateDir, 'tasks'), join(stateDir, 'news')]) {
      mkdirSync(path, { recursive: true });
      // Other users must pass through to their sandboxes, and see nothing on the way.
      chmodSync(path, nosetuid ? 0o700 : 0o711);
    }
    const closed = nosetuid ? undefined : closedDirectory(stateDir);
    if (closed !== undefined) {
      this.#settings.log.warn({ dir: closed }, 'tasks of other users cannot reach their sandboxes');
    }
  }

  #hostEvents(): HostEvent[] {
    const { hosts, stateDir } = this.#settings;
    const machine = machineResources(stateDir);
    const live = this.#index.live();
    return hosts.map((host) => {
      const here = live.filter((entry) => this.#hostOf(entry) === host.host);
      return hostEvent(
        host,
        machine,
        here.map(({ resources }) => resources),
      );
    });
  }

  #hostOf({ host }: TaskEntry): string {
    return host ?? this.#settings.hostname;
  }
}

/** The first directory on the way that other users may not pass through. */
function closedDirectory(path: string): string | undefined {
  const parent = dirname(path);
  const above = parent === path ? undefined : closedDirectory(parent);
  return above ?? ((statSync(path).mode & 0o001) === 0 ? path : undefined);
}

/** The first state a task of this status has not heard of; the last one at least, as a sign of life. */
function firstUnknown(status: ScheduleStatus, states: readonly StateEntry[]): number {
  const last = Math.max(0, states.length - 1);
  if (status === 'ASSIGNED') return 0;
  return status === 'STARTING' ? Math.min(1, last) : last;
}
