/**
 * Maintenance of hosts (tasks.md §10): what operators ask for, and the look at draining hosts once in a
 * while that makes sure of it. All that matters is in Postgres: a new process goes on where the old one was.
 */
import type { DrainRequest } from '../core/maintenance/drain.js';
import { AT_ONCE, isDrainable } from '../core/maintenance/drain.js';
import { TERMINAL_STATES } from '../core/model/statuses.js';
import type { HostMode } from '../core/schedule/host.js';
import type { Log } from '../observe/log.js';
import type { Database } from '../store/database.js';
import type { HostedTask, HostRecord } from '../store/hosts.js';
import { findHostedTasks, findHosts } from '../store/hosts.js';
import type { Timers } from '../time.js';
import type { Hosts } from './hosts.js';
import type { Drains } from './maintenance-drains.js';
import { Rounds } from './rounds.js';
import type { TaskChange } from './tasks.js';

export interface MaintenanceOptions {
  readonly db: Database;
  readonly hosts: Hosts;
  readonly drains: Drains;
  readonly timers: Timers;
  readonly log: Log;
  /** `-host_maintenance_polling_interval`, from the end of one look to the next. */
  readonly pollMs: number;
}

/** The mode of a known host. */
export interface HostStatus {
  readonly host: string;
  readonly mode: HostMode;
}

export class Maintenance {
  private readonly looks: Rounds;
  private running = 0;
  /** Hosts on which a task has ended, to be looked at together. */
  private readonly toSettle = new Set<string>();

  constructor(private readonly options: MaintenanceOptions) {
    const { timers, log, pollMs } = options;
    this.looks = new Rounds({
      ...{ timers, log, intervalMs: pollMs, round: () => this.poll() },
      failure: 'draining hosts could not be looked at; trying again later',
    });
  }

  /** Something is under way that no lane may know of at the moment. */
  get busy(): boolean {
    return this.running > 0 || this.looks.busy;
  }

  /** The first look comes after one interval. */
  start(): void {
    this.looks.start();
  }

  stop(): void {
    this.looks.stop();
    this.options.drains.stop();
  }

  /** The named hosts get tasks only where no other host does. */
  async announce(names: readonly string[], user: string): Promise<HostStatus[]> {
    await this.options.hosts.setMode(names, 'SCHEDULED', user);
    return this.statuses(names);
  }

  /** Moves every task off the named hosts at once, whatever SLA it has. */
  async drain(names: readonly string[], user: string): Promise<HostStatus[]> {
    const { hosts, drains } = this.options;
    await hosts.setMode(names, 'DRAINING', user, AT_ONCE);
    // From here on the request is stored, and the looks see to what fails.
    await this.run('hosts could not be drained at once', async () => {
      const hosted = await this.hostedBy(names);
      await drains.drain(hosted, true);
      await hosts.settle(without(names, hosted), 'none');
    });
    return this.statuses(names);
  }

  /** Moves tasks off the named hosts as their SLA allows it, from the next look on. */
  async drainWithSla(
    names: readonly string[],
    request: DrainRequest,
    user: string,
  ): Promise<HostStatus[]> {
    await this.options.hosts.setMode(names, 'DRAINING', user, request);
    return this.statuses(names);
  }

  /** The named hosts take tasks again; what is being drained is not called back. */
  async end(names: readonly string[], user: string): Promise<HostStatus[]> {
    const { hosts, drains } = this.options;
    await hosts.setMode(names, 'NONE', user, null);
    drains.forgetHosts(names);
    return this.statuses(names);
  }

  /** Modes of the known ones among the named hosts. */
  async statuses(names: readonly string[]): Promise<HostStatus[]> {
    const found = await this.options.hosts.find(names);
    return found.map(({ host, mode }) => ({ host, mode }));
  }

  /** Every known host, with its tasks where it is DRAINING. One moment, two statements. */
  overview(): Promise<(HostRecord & { readonly taskIds: readonly string[] })[]> {
    return this.options.db.snapshot(async (tx) => {
      const hosts = await findHosts(tx);
      const draining = hosts.filter(({ mode }) => mode === 'DRAINING').map(({ host }) => host);
      const idsOf = new Map(draining.map((host) => [host, [] as string[]]));
      for (const { host, taskId } of await findHostedTasks(tx, draining)) {
        idsOf.get(host)?.push(taskId);
      }
      return hosts.map((host) => ({ ...host, taskIds: idsOf.get(host.host)?.sort() ?? [] }));
    });
  }

  onTaskChange({ kind, task }: TaskChange): void {
    const { taskId, job, status, slaveHost: host } = task;
    const { hosts, drains } = this.options;
    if (host === undefined) return;
    const mode = hosts.modeOf(host);
    const hasEnded = kind === 'deleted' || TERMINAL_STATES.has(status);
    if (hasEnded || !isDrainable(status)) drains.forgetTask(taskId);
    if (hasEnded && mode === 'DRAINING') this.settleSoon(host);
    if (!hasEnded && status === 'ASSIGNED' && mode === 'DRAINED') {
      // It was placed before the host was drained, and committed behind that.
      void this.run('a late task could not be drained', () =>
        drains.drain([{ taskId, job, host }], true),
      );
    }
  }

  private settleSoon(host: string): void {
    const isFirst = this.toSettle.size === 0;
    this.toSettle.add(host);
    if (!isFirst) return;
    void this.run('drained hosts could not be noted', async () => {
      // All tasks of one report are announced first.
      await Promise.resolve();
      const names = [...this.toSettle];
      this.toSettle.clear();
      await this.options.hosts.settle(names, 'ended');
    });
  }

  private async poll(): Promise<void> {
    const { hosts, drains } = this.options;
    const names = hosts.inMode('DRAINING', 'DRAINED');
    if (names.length === 0) return;
    const hosted = await this.hostedBy(names);
    await drains.drain(hosted, false);
    await hosts.settle(without(hosts.inMode('DRAINING'), hosted), 'none');
  }

  private hostedBy(names: readonly string[]): Promise<HostedTask[]> {
    return this.options.db.read((tx) => findHostedTasks(tx, names));
  }

  /** What fails is logged and left for the next look. */
  private async run(failure: string, work: () => Promise<void>): Promise<void> {
    this.running += 1;
    try {
      await work();
    } catch (error) {
      this.options.log.warn({ err: error }, `${failure}; trying again later`);
    } finally {
      this.running -= 1;
    }
  }
}

/** The hosts that have none of these tasks. */
function without(names: readonly string[], hosted: readonly HostedTask[]): string[] {
  const used = new Set(hosted.map(({ host }) => host));
  return names.filter((host) => !used.has(host));
}
