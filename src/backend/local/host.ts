/** The hosts of a local backend: this machine, under one name or under several. */
import { statfsSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import type { HostEvent, HostResources } from '../backend.js';

export interface LocalHost {
  readonly host: string;
  /** The attribute `host` is added. */
  readonly attributes?: Readonly<Record<string, readonly string[]>>;
  /** What is announced of it; default what the machine has. */
  readonly total?: Partial<HostResources>;
  /** Ports of its own, where several hosts share the machine. */
  readonly portRanges?: HostEvent['portRanges'];
}

const MIB = 1024 * 1024;

export function machineResources(stateDir: string): HostResources {
  const disk = statfsSync(stateDir);
  return {
    cpus: cpus().length,
    ramMb: Math.floor(totalmem() / MIB),
    diskMb: Math.floor((disk.blocks * disk.bsize) / MIB),
  };
}

export function hostEvent(
  { host, attributes, portRanges, ...announced }: LocalHost,
  machine: HostResources,
  used: Iterable<HostResources>,
): HostEvent {
  const total = { ...machine, ...announced.total };
  const free = { cpus: total.cpus, ramMb: total.ramMb, diskMb: total.diskMb };
  for (const task of used) {
    free.cpus -= task.cpus;
    free.ramMb -= task.ramMb;
    free.diskMb -= task.diskMb;
  }
  return {
    ...{ host, agentId: agentIdOf(host), up: true, total, free },
    attributes: { ...attributes, host: [host] },
    ...(portRanges === undefined ? {} : { portRanges }),
  };
}

/** Stays the same over restarts, because tasks do too. */
export function agentIdOf(host: string): string {
  return `local-${host}`;
}
