/**
 * Finds hosts for PENDING tasks where placement is ours (tasks.md §5; first fit, no preemption yet). What
 * each host has left is a ledger in memory, rebuilt at start from the tasks that hold hosts.
 */
import type { HostEvent } from '../backend/backend.js';
import type { TaskConfig } from '../core/model/config.js';
import { instanceKeyText, jobKeyText } from '../core/model/keys.js';
import { SLAVE_ASSIGNED_STATES } from '../core/model/statuses.js';
import type { Range } from '../core/model/ranges.js';
import { chooseHost } from '../core/schedule/choose-host.js';
import type { Host, HostMode } from '../core/schedule/host.js';
import { freeAmounts } from '../core/schedule/host.js';
import type { Veto } from '../core/schedule/vetoes.js';
import type { Log } from '../observe/log.js';
import type { ConfigStore } from '../store/configs.js';
import type { Database, WriteTransaction } from '../store/database.js';
import type { TaskRecord } from '../store/tasks.js';
import { findTasks } from '../store/tasks.js';
import type { Timers } from '../time.js';
import type { UpdateAffinity } from './affinity.js';
import type { JobLanes } from './job-lane.js';
import type { ChangeRequest, TaskChange, Tasks } from './tasks.js';

/** After a failed write, and for tasks that found no host, ms. */
const RETRY_MS = 1_000;

interface Ledger {
  readonly event: HostEvent;
  host: Host;
  readonly taken: Set<number>;
}

interface Allocation {
  readonly host: string;
  readonly jobText: string;
  readonly config: Pick<TaskConfig, 'resources'>;
  readonly ports: readonly number[];
}

export interface SchedulingOptions {
  readonly db: Database;
  readonly lanes: JobLanes;
  readonly tasks: Tasks;
  readonly configs: ConfigStore;
  readonly timers: Timers;
  readonly random: () => number;
  readonly log: Log;
  readonly portRanges: readonly Range[];
  readonly affinity: UpdateAffinity;
}

export class Scheduling {
  private readonly ledgers = new Map<string, Ledger>();
  private readonly modes = new Map<string, HostMode>();
  private readonly allocations = new Map<string, Allocation>();
  private readonly hostsOfJob = new Map<string, Map<string, string>>();
  private readonly waiting = new Map<string, Set<string>>();
  private readonly queued = new Set<string>();
  private readonly reasons = new Map<string, readonly Veto[]>();
  private running = false;

  constructor(private readonly options: SchedulingOptions) {
    options.affinity.onFreed(() => this.tryAll());
  }

  /** Why a PENDING task has no host yet; undefined when it was not tried. */
  vetoesOf(taskId: string): readonly Veto[] | undefined {
    return this.reasons.get(taskId);
  }

  /** Tasks found at start: those with a host take up their place, the others wait. */
  adopt(record: TaskRecord, config: TaskConfig): void {
    const jobText = jobKeyText(record.job);
    if (record.slaveHost !== undefined && SLAVE_ASSIGNED_STATES.has(record.status)) {
      const ports = Object.values(record.assignedPorts);
      this.take(record.taskId, { host: record.slaveHost, jobText, config, ports });
    } else if (record.status === 'PENDING') {
      this.wait(jobText, record.taskId);
    }
  }

  /** Begins to place; before that, tasks only queue up. */
  start(): void {
    this.running = true;
    this.tryAll();
  }

  stop(): void {
    this.running = false;
  }

  onHost(event: HostEvent): void {
    if (!event.up) {
      this.ledgers.delete(event.host);
      return;
    }
    const taken = new Set<number>();
    this.ledgers.set(event.host, {
      event,
      taken,
      host: {
        host: event.host,
        agentId: event.agentId,
        mode: this.modes.get(event.host) ?? 'NONE',
        attributes: event.attributes,
        free: event.total,
        ports: { ranges: event.portRanges ?? this.options.portRanges, taken },
      },
    });
    for (const allocation of this.allocations.values()) {
      if (allocation.host === event.host) this.charge(allocation);
    }
    this.tryAll();
  }

  /** What the host is to be used for from now on (tasks.md §10), also where it is reported only later. */
  setHostMode(host: string, mode: HostMode): void {
    this.modes.set(host, mode);
    const ledger = this.ledgers.get(host);
    if (ledger !== undefined) ledger.host = { ...ledger.host, mode };
    if (mode === 'NONE' || mode === 'SCHEDULED') this.tryAll();
  }

  onTaskChange(change: TaskChange): void {
    const { taskId, job, status, instanceId, slaveId } = change.task;
    const jobText = jobKeyText(job);
    if (change.kind === 'changed' && status === 'ASSIGNED' && slaveId !== undefined) {
      this.options.affinity.release(slaveId, instanceKeyText(job, instanceId));
    }
    if (change.kind === 'changed' && status === 'PENDING') {
      this.wait(jobText, taskId);
      this.tryJob(jobText);
      return;
    }
    this.waiting.get(jobText)?.delete(taskId);
    this.reasons.delete(taskId);
    if (change.kind === 'deleted' || !SLAVE_ASSIGNED_STATES.has(status)) {
      if (this.release(taskId)) this.tryAll();
    }
  }

  private wait(jobText: string, taskId: string): void {
    const ids = this.waiting.get(jobText);
    if (ids === undefined) this.waiting.set(jobText, new Set([taskId]));
    else ids.add(taskId);
  }

  private tryAll(): void {
    for (const jobText of this.waiting.keys()) this.tryJob(jobText);
  }

  private tryJob(jobText: string): void {
    if (!this.running || this.queued.has(jobText)) return;
    this.queued.add(jobText);
    void this.options.lanes.enqueue(jobText, () => {
      this.queued.delete(jobText);
      return this.place(jobText);
    });
  }

  private async place(jobText: string): Promise<void> {
    const ids = this.waiting.get(jobText);
    if (!this.running || ids === undefined) return;
    if (ids.size === 0) {
      this.waiting.delete(jobText);
      return;
    }
    const placed: string[] = [];
    try {
      await this.options.db.write({}, async (tx) => {
        const requests = await this.choose(tx, jobText, [...ids], placed);
        const results = await this.options.tasks.change(tx, requests);
        requests.forEach(({ taskId }, index) => {
          if (results[index] !== 'SUCCESS') this.release(taskId);
        });
        tx.onCommit(() => placed.forEach((taskId) => ids.delete(taskId)));
      });
    } catch (error) {
      for (const taskId of placed) this.release(taskId);
      this.options.log.warn(
        { err: error, job: jobText },
        'tasks could not be placed; trying again',
      );
      this.options.timers.set(RETRY_MS, () => this.tryJob(jobText));
    }
  }

  /** Takes a place for each task that finds one; `placed` gets their ids as they are taken. */
  private async choose(
    tx: WriteTransaction,
    jobText: string,
    ids: readonly string[],
    placed: string[],
  ): Promise<ChangeRequest[]> {
    const pending = (await findTasks(tx, ids)).filter((record) => record.status === 'PENDING');
    const stillThere = new Set(pending.map((record) => record.taskId));
    for (const id of ids) if (!stillThere.has(id)) this.waiting.get(jobText)?.delete(id);
    const configOf = await this.options.configs.load(
      tx,
      pending.map((record) => record.configHash),
    );
    const requests: ChangeRequest[] = [];
    for (const record of pending.sort((a, b) => a.instanceId - b.instanceId)) {
      const { config } = configOf(record.configHash);
      const instance = instanceKeyText(record.job, record.instanceId);
      const hosts = this.hostsFor(instance);
      const choice = chooseHost(config, hosts, this.jobTasks(jobText, config), this.options.random);
      if (choice.host === undefined) {
        this.reasons.set(record.taskId, choice.vetoes);
        continue;
      }
      const { host, agentId } = choice.host;
      const ports = choice.ports;
      this.take(record.taskId, { host, jobText, config, ports: Object.values(ports) });
      placed.push(record.taskId);
      requests.push({
        taskId: record.taskId,
        target: 'ASSIGNED',
        expected: 'PENDING',
        placement: { host, agentId, ports },
      });
    }
    return requests;
  }

  /** The agent kept for the instance and no other; without one, every agent nobody else is kept. */
  private hostsFor(instance: string): Host[] {
    const { affinity } = this.options;
    const own = affinity.agentOf(instance);
    const hosts = [...this.ledgers.values()].map((ledger) => ledger.host);
    return hosts.filter(({ agentId }) =>
      own === undefined ? !affinity.isReserved(agentId) : agentId === own,
    );
  }

  /** Attributes of the hosts of a job's tasks, one entry for each task: for limit constraints. */
  private jobTasks(jobText: string, config: TaskConfig): Host['attributes'][] {
    if (!config.constraints.some(({ constraint }) => constraint?.limit !== undefined)) return [];
    const hosts = this.hostsOfJob.get(jobText)?.values() ?? [];
    return [...hosts].map((host) => this.ledgers.get(host)?.host.attributes ?? {});
  }

  private take(taskId: string, allocation: Allocation): void {
    this.allocations.set(taskId, allocation);
    const ofJob = this.hostsOfJob.get(allocation.jobText);
    if (ofJob === undefined) {
      this.hostsOfJob.set(allocation.jobText, new Map([[taskId, allocation.host]]));
    } else {
      ofJob.set(taskId, allocation.host);
    }
    this.charge(allocation);
  }

  private charge(allocation: Allocation): void {
    const ledger = this.ledgers.get(allocation.host);
    if (ledger === undefined) return;
    ledger.host = { ...ledger.host, free: freeAmounts(ledger.host.free, [allocation.config]) };
    for (const port of allocation.ports) ledger.taken.add(port);
  }

  private release(taskId: string): boolean {
    const allocation = this.allocations.get(taskId);
    if (allocation === undefined) return false;
    this.allocations.delete(taskId);
    const ofJob = this.hostsOfJob.get(allocation.jobText);
    ofJob?.delete(taskId);
    if (ofJob?.size === 0) this.hostsOfJob.delete(allocation.jobText);
    const ledger = this.ledgers.get(allocation.host);
    if (ledger !== undefined) {
      const { free } = ledger.host;
      const held = freeAmounts({ cpus: 0, ramMb: 0, diskMb: 0 }, [allocation.config]);
      ledger.host = {
        ...ledger.host,
        free: {
          cpus: free.cpus - held.cpus,
          ramMb: free.ramMb - held.ramMb,
          diskMb: free.diskMb - held.diskMb,
          gpus: (free.gpus ?? 0) - held.gpus,
          ips: (free.ips ?? 0) - held.ips,
        },
      };
      for (const port of allocation.ports) ledger.taken.delete(port);
    }
    return true;
  }
}
