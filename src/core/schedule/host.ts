/** Hosts as placement sees them, and what a task takes from one (tasks.md §5.1 "Local", §5.2). */
import type { Resource, TaskConfig } from '../model/config.js';
import type { Range } from '../model/ranges.js';

export type HostMode = 'NONE' | 'SCHEDULED' | 'DRAINING' | 'DRAINED';

/** Name to values; a name without values is as good as none. */
export type Attributes = Readonly<Record<string, readonly string[]>>;

/** Cores, MiB, MiB, devices, addresses. What is not given is 0. */
export interface Amounts {
  readonly cpus: number;
  readonly ramMb: number;
  readonly diskMb: number;
  readonly gpus?: number;
  readonly ips?: number;
}

export interface Host {
  readonly host: string;
  readonly agentId: string;
  readonly mode: HostMode;
  readonly attributes: Attributes;
  /** What is left: totals minus the tasks that hold the host. */
  readonly free: Amounts;
  readonly ports: PortPool;
  /** When an announced maintenance begins, wall ms; the host's mode does not tell. */
  readonly unavailableFromMs?: number;
}

export interface PortPool {
  /** Ports tasks may get; the ranges do not overlap. */
  readonly ranges: readonly Range[];
  /** Those of them, or others, that are taken. */
  readonly taken: ReadonlySet<number>;
}

function sum(resources: readonly Resource[], member: Exclude<keyof Resource, 'namedPort'>): number {
  return resources.reduce((total, resource) => total + (resource[member] ?? 0), 0);
}

/** What a config asks for; there is no executor overhead. */
export function requested({ resources }: Pick<TaskConfig, 'resources'>): Required<Amounts> {
  return {
    cpus: sum(resources, 'numCpus'),
    ramMb: sum(resources, 'ramMb'),
    diskMb: sum(resources, 'diskMb'),
    gpus: sum(resources, 'numGpus'),
    ips: sum(resources, 'ipAddr'),
  };
}

/** Names of the ports a config asks for, each once. */
export function portNames({ resources }: Pick<TaskConfig, 'resources'>): string[] {
  const names = resources.map(({ namedPort }) => namedPort).filter((name) => name !== undefined);
  return [...new Set(names)];
}

/** Totals minus what the given tasks hold; may be negative where totals shrank under running tasks. */
export function freeAmounts(
  total: Amounts,
  tasks: Iterable<Pick<TaskConfig, 'resources'>>,
): Required<Amounts> {
  let { cpus, ramMb, diskMb, gpus = 0, ips = 0 } = total;
  for (const task of tasks) {
    const held = requested(task);
    cpus -= held.cpus;
    ramMb -= held.ramMb;
    diskMb -= held.diskMb;
    gpus -= held.gpus;
    ips -= held.ips;
  }
  return { cpus, ramMb, diskMb, gpus, ips };
}

/** Free ports in ascending order of the ranges. */
export function freePorts({ ranges, taken }: PortPool): number[] {
  const ports: number[] = [];
  for (const { first, last } of ranges) {
    for (let port = first; port <= last; port++) if (!taken.has(port)) ports.push(port);
  }
  return ports;
}

/**
 * A distinct random free port for each name; undefined when there are too few.
 * @param random yields numbers in [0, 1)
 */
export function choosePorts(
  names: readonly string[],
  pool: PortPool,
  random: () => number,
): Record<string, number> | undefined {
  if (names.length === 0) return {};
  const free = freePorts(pool);
  if (free.length < names.length) return undefined;
  const chosen = names.map((name) => {
    const [port] = free.splice(Math.floor(random() * free.length), 1);
    return [name, port as number] as const;
  });
  return Object.fromEntries(chosen);
}
