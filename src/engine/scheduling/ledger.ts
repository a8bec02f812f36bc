/**
 * What each host has left: its totals less the tasks that hold it (tasks.md §5.1, "Local"). In memory,
 * rebuilt at start. A `Host` is replaced whenever anything about it changes, so that what was found out
 * about one holds as long as the same object is there.
 */
import type { HostEvent } from '../../backend/backend.js';
import type { TaskConfig } from '../../core/model/config.js';
import type { Range } from '../../core/model/ranges.js';
import type { ScheduleStatus } from '../../core/model/statuses.js';
import type { Amounts, Host, HostMode } from '../../core/schedule/host.js';
import { freeAmounts, requested } from '../../core/schedule/host.js';

/** The place of a task. */
export interface Allocation {
  readonly taskId: string;
  readonly host: string;
  readonly jobText: string;
  readonly groupKey: string;
  readonly config: TaskConfig;
  readonly ports: readonly number[];
  status: ScheduleStatus;
}

interface Entry {
  host: Host;
  readonly taken: Set<number>;
}

export class HostLedger {
  private readonly entries = new Map<string, Entry>();
  private readonly modes = new Map<string, HostMode>();
  private readonly allocations = new Map<string, Allocation>();
  private readonly byHost = new Map<string, Map<string, Allocation>>();
  private readonly byJob = new Map<string, Map<string, Allocation>>();
  /** What `jobTasks` said, until something in it changes. */
  private readonly jobViews = new Map<string, readonly Host['attributes'][]>();

  constructor(private readonly portRanges: readonly Range[]) {}

  /** Hosts that are up. */
  *hosts(): Generator<Host> {
    for (const { host } of this.entries.values()) yield host;
  }

  host(name: string): Host | undefined {
    return this.entries.get(name)?.host;
  }

  /** What the backend says of a host; its tasks keep their places whatever that is. */
  report(event: HostEvent): void {
    this.jobViews.clear();
    if (!event.up) {
      this.entries.delete(event.host);
      return;
    }
    const taken = new Set<number>();
    const entry: Entry = {
      taken,
      host: {
        host: event.host,
        agentId: event.agentId,
        mode: this.modes.get(event.host) ?? 'NONE',
        attributes: event.attributes,
        free: event.total,
        ports: { ranges: event.portRanges ?? this.portRanges, taken },
        ...(event.unavailableFromMs === undefined
          ? {}
          : { unavailableFromMs: event.unavailableFromMs }),
      },
    };
    this.entries.set(event.host, entry);
    for (const allocation of this.tasksOn(event.host)) charge(entry, allocation);
  }

  /** Holds also for later reports of the host. */
  setMode(name: string, mode: HostMode): void {
    this.modes.set(name, mode);
    const entry = this.entries.get(name);
    if (entry !== undefined) entry.host = { ...entry.host, mode };
  }

  tasksOn(host: string): Iterable<Allocation> {
    return this.byHost.get(host)?.values() ?? [];
  }

  get(taskId: string): Allocation | undefined {
    return this.allocations.get(taskId);
  }

  /**
   * Attributes of the hosts of a job's tasks, one entry for each task: for limit constraints. The same array
   * as long as nothing in it changes, so that what is counted in it need not be counted for each host.
   */
  jobTasks(jobText: string): readonly Host['attributes'][] {
    const known = this.jobViews.get(jobText);
    if (known !== undefined) return known;
    const tasks = this.byJob.get(jobText);
    if (tasks === undefined) return [];
    const view = [...tasks.values()].map(({ host }) => this.host(host)?.attributes ?? {});
    this.jobViews.set(jobText, view);
    return view;
  }

  take(allocation: Allocation): void {
    this.allocations.set(allocation.taskId, allocation);
    insert(this.byHost, allocation.host, allocation);
    insert(this.byJob, allocation.jobText, allocation);
    this.jobViews.delete(allocation.jobText);
    const entry = this.entries.get(allocation.host);
    if (entry !== undefined) charge(entry, allocation);
  }

  /** The place that was freed; undefined when the task held none. */
  release(taskId: string): Allocation | undefined {
    const allocation = this.allocations.get(taskId);
    if (allocation === undefined) return undefined;
    this.allocations.delete(taskId);
    remove(this.byHost, allocation.host, taskId);
    remove(this.byJob, allocation.jobText, taskId);
    this.jobViews.delete(allocation.jobText);
    const entry = this.entries.get(allocation.host);
    if (entry !== undefined) {
      for (const port of allocation.ports) entry.taken.delete(port);
      entry.host = {
        ...entry.host,
        free: sum(entry.host.free, requested(allocation.config)),
      };
    }
    return allocation;
  }
}

function charge(entry: Entry, { config, ports }: Allocation): void {
  for (const port of ports) entry.taken.add(port);
  entry.host = { ...entry.host, free: freeAmounts(entry.host.free, [config]) };
}

function sum(a: Amounts, b: Required<Amounts>): Amounts {
  return {
    cpus: a.cpus + b.cpus,
    ramMb: a.ramMb + b.ramMb,
    diskMb: a.diskMb + b.diskMb,
    gpus: (a.gpus ?? 0) + b.gpus,
    ips: (a.ips ?? 0) + b.ips,
  };
}

type Index = Map<string, Map<string, Allocation>>;

function insert(index: Index, key: string, allocation: Allocation): void {
  const found = index.get(key);
  if (found === undefined) index.set(key, new Map([[allocation.taskId, allocation]]));
  else found.set(allocation.taskId, allocation);
}

function remove(index: Index, key: string, taskId: string): void {
  const found = index.get(key);
  found?.delete(taskId);
  if (found?.size === 0) index.delete(key);
}
