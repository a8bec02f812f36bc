/** Which tasks may be ended so that another gets their place, and where that helps (tasks.md §5.4). */
import type { TaskConfig } from '../model/config.js';
import type { Host } from './host.js';
import { portNames, requested } from './host.js';
import type { Veto } from './vetoes.js';

/** What decides between two tasks. */
export interface Rank {
  readonly role: string;
  readonly priority: number;
  /** A trait of its tier. */
  readonly preemptible: boolean;
}

/** A task that holds the host in question. */
export interface Victim {
  readonly taskId: string;
  readonly config: Pick<TaskConfig, 'resources'>;
  readonly rank: Rank;
  /** Its CPUs are what others leave unused: its end frees none that could be promised. */
  readonly revocable: boolean;
  /** It is being killed already, whatever is decided here. */
  readonly dying: boolean;
  readonly ports: readonly number[];
}

/**
 * A task that is not preemptible displaces any that is; among equals only the same role may, and only
 * tasks of strictly lower priority.
 */
export function mayPreempt(pending: Rank, victim: Rank): boolean {
  if (pending.preemptible === victim.preemptible) {
    return pending.role === victim.role && pending.priority > victim.priority;
  }
  return victim.preemptible;
}

/** Who frees most comes first: by CPU, then RAM, disk, ports, GPUs; who is dying anyway before all others. */
function byWhatTheyFree(a: Victim, b: Victim): number {
  const [x, y] = [requested(a.config), requested(b.config)];
  return (
    Number(b.dying) - Number(a.dying) ||
    y.cpus - x.cpus ||
    y.ramMb - x.ramMb ||
    y.diskMb - x.diskMb ||
    portNames(b.config).length - portNames(a.config).length ||
    y.gpus - x.gpus
  );
}

/** The host as it will be without the victim. */
function without(host: Host, victim: Victim): Host {
  const { free, ports } = host;
  const { cpus, ramMb, diskMb, gpus, ips } = requested(victim.config);
  const gone = new Set(victim.ports);
  return {
    ...host,
    free: {
      cpus: free.cpus + (victim.revocable ? 0 : cpus),
      ramMb: free.ramMb + ramMb,
      diskMb: free.diskMb + diskMb,
      gpus: (free.gpus ?? 0) + gpus,
      ips: (free.ips ?? 0) + ips,
    },
    ports: { ...ports, taken: new Set([...ports.taken].filter((port) => !gone.has(port))) },
  };
}

/**
 * Tasks of a host after whose end the pending one fits there; as few as taking the largest first needs.
 * Undefined when there are none such, and when the host takes the task as it is.
 *
 * @param judge what keeps the pending task off the host in a given state
 */
export function chooseVictims(
  pending: Rank,
  host: Host,
  tasks: readonly Victim[],
  judge: (host: Host) => readonly Veto[],
): Victim[] | undefined {
  if (judge(host).length === 0) return undefined;
  const chosen: Victim[] = [];
  let later = host;
  for (const victim of tasks.filter(({ rank }) => mayPreempt(pending, rank)).sort(byWhatTheyFree)) {
    chosen.push(victim);
    later = without(later, victim);
    if (judge(later).length === 0) return chosen;
  }
  return undefined;
}

/**
 * The order in which places are looked for: each group as often as it has tasks, in turns of `batch`.
 * @param groups each key once, with the number of its tasks
 */
export function searchSequence(
  groups: readonly (readonly [key: string, tasks: number])[],
  batch: number,
): string[] {
  const sequence: string[] = [];
  const most = Math.max(0, ...groups.map(([, tasks]) => tasks));
  for (let done = 0; done < most; done += batch) {
    for (const [key, tasks] of groups) {
      const turn = Math.min(batch, tasks - done);
      for (let n = 0; n < turn; n++) sequence.push(key);
    }
  }
  return sequence;
}
