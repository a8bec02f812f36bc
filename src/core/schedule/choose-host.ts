/** Which host a task gets where the core places (tasks.md §5.1). */
import type { TaskConfig } from '../model/config.js';
import type { Host, HostMode } from './host.js';
import { choosePorts, portNames } from './host.js';
import { totalScore } from './pending-reason.js';
import type { Veto } from './vetoes.js';

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

/** Hosts that will be there longer come first; 0 for two that are as good as each other. */
function byStay(a: Host, b: Host): number {
  const [untilA, untilB] = [a.unavailableFromMs ?? Infinity, b.unavailableFromMs ?? Infinity];
  const byMode = MODE_ORDER[a.mode] - MODE_ORDER[b.mode];
  return byMode !== 0 || untilA === untilB ? byMode : untilB - untilA;
}

/**
 * The order in which hosts are asked: by maintenance mode, then later unavailability first, then random.
 * @param random yields numbers in [0, 1)
 */
export function orderHosts(hosts: Iterable<Host>, random: () => number): Host[] {
  return [...hosts]
    .map((host) => ({ host, dice: random() }))
    .sort((a, b) => byStay(a.host, b.host) || a.dice - b.dice)
    .map(({ host }) => host);
}

/**
 * The order for the next task of the same attempt: a host that got one goes behind those that are as good,
 * so that the tasks of an attempt are spread while there are hosts to spread over.
 * @param now the host as it is after it got the task
 */
export function askLast(ordered: readonly Host[], now: Host): Host[] {
  const others = ordered.filter(({ host }) => host !== now.host);
  const worse = others.findIndex((host) => byStay(now, host) < 0);
  others.splice(worse < 0 ? others.length : worse, 0, now);
  return others;
}

/**
 * The first of the hosts that takes the task, and a random port of it for each port name. A full host is
 * asked like any other, so that its vetoes tell why a task waits (the reference never sees it: no offer
 * comes from it).
 *
 * @param judge what keeps the task off a host; empty: it may run there
 * @param random yields numbers in [0, 1)
 */
export function chooseHost(
  config: TaskConfig,
  ordered: Iterable<Host>,
  judge: (host: Host) => readonly Veto[],
  random: () => number,
): Placement {
  let nearest: readonly Veto[] = [];
  for (const host of ordered) {
    const found = judge(host);
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
