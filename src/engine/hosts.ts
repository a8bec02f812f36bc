/**
 * The hosts the backend has reported and their maintenance modes (tasks.md §10). Postgres has them; this
 * mirrors the modes in memory, and after each commit tells placement and the backend. All changes take
 * turns in one lane, so that everybody hears of them in the order in which they were committed.
 */
import type { ClusterBackend, HostEvent } from '../backend/backend.js';
import { TransientError } from '../core/errors.js';
import type { DrainRequest } from '../core/maintenance/drain.js';
import type { HostMode } from '../core/schedule/host.js';
import type { Log } from '../observe/log.js';
import type { Stats } from '../observe/stats.js';
import type { Database, Queries, WriteTransaction } from '../store/database.js';
import type { HostRecord } from '../store/hosts.js';
import {
  deleteRequests,
  findHosts,
  findRequested,
  saveDrained,
  saveHost,
  saveModes,
  saveRequests,
} from '../store/hosts.js';
import type { TimerHandle, Timers } from '../time.js';
import type { JobLanes } from './job-lane.js';
import type { Scheduling } from './scheduling.js';

/** No job has this name: theirs have slashes. */
const LANE = 'hosts';
/** Until a backend that did not take a mode is told again. */
const RETRY_MS = 5_000;

export interface HostsOptions {
  readonly db: Database;
  readonly lanes: JobLanes;
  readonly backend: ClusterBackend;
  readonly scheduling: Scheduling;
  readonly timers: Timers;
  readonly stats: Stats;
  readonly log: Log;
}

export class Hosts {
  private readonly modes = new Map<string, HostMode>();
  private readonly requested = new Set<string>();
  /** Hosts whose mode the backend is being told. */
  private readonly telling = new Set<string>();
  private readonly retries = new Set<TimerHandle>();
  private stopped = false;

  constructor(private readonly options: HostsOptions) {
    const { stats } = options;
    stats.gauge('mem_storage_attribute_size', () => this.modes.size);
    stats.gauge('mem_storage_maintenance_size', () => this.requested.size);
  }

  /** Reads what is stored: before the backend reports hosts, and before anything is placed. */
  async load(): Promise<void> {
    const { db, scheduling } = this.options;
    const [hosts, requested] = await db.snapshot(async (tx) => [
      await findHosts(tx),
      await findRequested(tx),
    ]);
    for (const host of requested) this.requested.add(host);
    for (const { host, mode } of hosts) {
      this.modes.set(host, mode);
      scheduling.setHostMode(host, mode);
    }
  }

  /** The backend may have missed what was committed before the last end. */
  tellAll(): void {
    for (const host of this.modes.keys()) this.tell(host);
  }

  stop(): void {
    this.stopped = true;
    for (const retry of this.retries) retry.cancel();
  }

  /** NONE for a host that is not known. */
  modeOf(host: string): HostMode {
    return this.modes.get(host) ?? 'NONE';
  }

  /** Names of the hosts in one of these modes. */
  inMode(...modes: readonly HostMode[]): string[] {
    return [...this.modes].flatMap(([host, mode]) => (modes.includes(mode) ? [host] : []));
  }

  /** Known hosts among the named ones, or all, as they are stored. */
  find(names?: readonly string[]): Promise<HostRecord[]> {
    return this.options.db.read((tx: Queries) => findHosts(tx, names));
  }

  /** Resolves when the host is stored, and may be used. */
  async onHost(event: HostEvent): Promise<void> {
    const { scheduling } = this.options;
    if (event.up) {
      await this.write(async (tx) => {
        const mode = await saveHost(tx, event);
        tx.onCommit(() => this.modes.set(event.host, mode));
      });
    }
    scheduling.onHost(event);
  }

  /**
   * Puts the known ones among the named hosts into a mode. With a `request` all of them get it, known or
   * not; with `null` all of them lose theirs.
   */
  async setMode(
    names: readonly string[],
    mode: HostMode,
    user: string,
    request?: DrainRequest | null,
  ): Promise<void> {
    if (names.length === 0) return;
    await this.write(async (tx) => {
      if (request === null) await this.forgetRequests(tx, names);
      else if (request !== undefined) {
        await saveRequests(tx, names, request, user);
        tx.onCommit(() => names.forEach((host) => this.requested.add(host)));
      }
      this.follow(tx, await saveModes(tx, names, mode, user), mode);
    });
  }

  /**
   * Makes those of the named hosts DRAINED that are DRAINING and have no active task left.
   *
   * @param after the last task has `ended`: the request has done its work; or there was `none`: it stays
   */
  async settle(names: readonly string[], after: 'ended' | 'none'): Promise<void> {
    if (names.length === 0) return;
    await this.write(async (tx) => {
      const drained = await saveDrained(tx, names);
      if (after === 'ended' && drained.length > 0) await this.forgetRequests(tx, drained);
      this.follow(tx, drained, 'DRAINED');
    });
  }

  private async forgetRequests(tx: WriteTransaction, names: readonly string[]): Promise<void> {
    await deleteRequests(tx, names);
    tx.onCommit(() => names.forEach((host) => this.requested.delete(host)));
  }

  private write<T>(work: (tx: WriteTransaction) => Promise<T>): Promise<T> {
    const { db, lanes } = this.options;
    return lanes.enqueue(LANE, () => db.write({}, work));
  }

  private follow(tx: WriteTransaction, hosts: readonly string[], mode: HostMode): void {
    tx.onCommit(() => {
      for (const host of hosts) {
        this.modes.set(host, mode);
        this.options.scheduling.setHostMode(host, mode);
      }
    });
    tx.afterCommit(() => hosts.forEach((host) => this.tell(host)));
  }

  /** Tells the backend the newest mode, again until it has taken it. */
  private tell(host: string): void {
    if (this.telling.has(host)) return;
    this.telling.add(host);
    void this.tellNewest(host);
  }

  private async tellNewest(host: string): Promise<void> {
    const { backend, db, timers, log } = this.options;
    while (!this.stopped) {
      const mode = this.modeOf(host);
      try {
        if (!db.mayAct()) throw new TransientError('this scheduler does not lead');
        await backend.setHostMode(host, mode);
        if (this.modeOf(host) === mode) break;
      } catch (error) {
        log.warn({ err: error, host, mode }, 'the backend did not take a mode; trying again');
        await new Promise<void>((resolve) => {
          const retry = timers.set(RETRY_MS, () => {
            this.retries.delete(retry);
            resolve();
          });
          this.retries.add(retry);
        });
      }
    }
    this.telling.delete(host);
  }
}
