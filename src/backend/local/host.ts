/** The one host of a local backend: this machine. */
import { statfsSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import type { HostEvent, HostResources } from '../backend.js';

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
  host: string,
  total: HostResources,
  used: Iterable<HostResources>,
): HostEvent {
  const free = { cpus: total.cpus, ramMb: total.ramMb, diskMb: total.diskMb };
  for (const task of used) {
    free.cpus -= task.cpus;
    free.ramMb -= task.ramMb;
    free.diskMb -= task.diskMb;
  }
  return { host, agentId: agentIdOf(host), up: true, attributes: { host: [host] }, total, free };
}

/** Stays the same over restarts, because tasks do too. */
export function agentIdOf(host: string): string {
  return `local-${host}`;
}
