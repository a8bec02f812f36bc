/** Which host a task gets where the core places (tasks.md §5.1; first fit, no preemption yet). */
import type { TaskConfig } from '../model/config.js';
import type { Attributes, Host, HostMode } from './host.js';
import { choosePorts, portNames } from './host.js';
import { totalScore } from './pending-reason.js';
import type { Veto } from './vetoes.js';
import { vetoes } from './vetoes.js';

export type Placement =
  | { readonly host: Host; readonly ports: Readonly<Record<string, number>> }
  /** No host takes the task: the vetoes of the nearest one, empty when there was none to ask. */
  | { readonly host?: undefined; readonly vetoes: readonly Veto[] };

/** Hosts nobody wants to clear come first. */
const MODE_ORDER: Readonly<Record<HostMode, number>> = {
  NONE: 0,
  SCHEDULED: 1,
  DRAINING: 2,
  DRAINED: 3,
};

/**
 * The first host that takes the task, in the order given within equal maintenance modes, and a random
 * port of it for each port name. A full host is asked like any other, so that its vetoes tell why a task
 * waits (the reference never sees it: no offer comes from it).
 *
 * @param jobTasks attributes of the hosts of this job's tasks that hold a host, one entry for each task
 * @param random yields numbers in [0, 1)
 */
export function chooseHost(
  config: TaskConfig,
  hosts: readonly Host[],
  jobTasks: readonly Attributes[],
  random: () => number,
): Placement {
  let nearest: readonly Veto[] = [];
  const ordered = [...hosts].sort((a, b) => MODE_ORDER[a.mode] - MODE_ORDER[b.mode]);
  for (const host of ordered) {
    const found = vetoes(config, host, jobTasks);
    if (found.length === 0) {
      const ports = choosePorts(portNames(config), host.ports, random);
      // Never undefined: too few ports are a veto.
      if (ports !== undefined) return { host, ports };
    } else if (nearest.length === 0 || totalScore(found) < totalScore(nearest)) {
      nearest = found;
    }
  }
  return { vetoes: nearest };
}
