/** One attempt to find hosts for the oldest tasks of a group, in memory (tasks.md §5.1). */
import type { TaskConfig } from '../../core/model/config.js';
import { instanceKeyText } from '../../core/model/keys.js';
import { askLast, chooseHost, orderHosts } from '../../core/schedule/choose-host.js';
import type { TaskGroup, TaskGroups, WaitingTask } from '../../core/schedule/groups.js';
import type { Host } from '../../core/schedule/host.js';
import type { Stats } from '../../observe/stats.js';
import type { UpdateAffinity } from '../affinity.js';
import type { Judge } from './judge.js';
import type { HostLedger } from './ledger.js';
import type { Assignment } from './placements.js';
import type { Preemptor } from './preemptor.js';
import type { PendingReasons } from './reasons.js';
import type { HostReservations } from './reservations.js';

export interface AttemptsOptions {
  readonly groups: TaskGroups;
  readonly ledger: HostLedger;
  readonly judge: Judge;
  readonly reasons: PendingReasons;
  readonly reservations: HostReservations;
  readonly preemptor: Preemptor;
  readonly affinity: UpdateAffinity;
  readonly random: () => number;
  readonly stats: Stats;
  readonly tasksPerAttempt: number;
}

export class Attempts {
  constructor(private readonly options: AttemptsOptions) {
    for (const name of ['fired', 'no_match']) this.count(name, 0);
  }

  /** Places are taken in the ledger at once; whoever writes the assignments gives them back if need be. */
  make(group: TaskGroup, config: TaskConfig): Assignment[] {
    const { groups, ledger, judge, reasons, preemptor, affinity, random } = this.options;
    this.count('fired', 1);
    const ask = judge.forAttempt(group, config);
    let ordered = orderHosts(ledger.hosts(), random);
    const assignments: Assignment[] = [];
    let isHopeless = false;
    for (const task of groups.oldest(group, this.options.tasksPerAttempt)) {
      const ownAgent = affinity.agentOf(instanceKeyText(task.job, task.instanceId));
      // Equal tasks: what no host takes once no host takes again.
      if (isHopeless && ownAgent === undefined) continue;
      const hosts = ordered.filter((host) => this.admits(host, group.key, ownAgent));
      const choice = chooseHost(config, hosts, ask, random);
      if (choice.host === undefined) {
        isHopeless ||= ownAgent === undefined;
        reasons.note(group.key, choice.vetoes);
        preemptor.preemptFor(group, config, task);
        continue;
      }
      assignments.push(this.take(group, config, task, choice.host, choice.ports));
      reasons.drop(group.key);
      ordered = askLast(ordered, ledger.host(choice.host.host) ?? choice.host);
    }
    if (assignments.length === 0) this.count('no_match', 1);
    return assignments;
  }

  /** The agent kept for the instance and no other; without one, every host nobody else is kept. */
  private admits(host: Host, groupKey: string, ownAgent: string | undefined): boolean {
    if (ownAgent !== undefined) return host.agentId === ownAgent;
    const { affinity, reservations } = this.options;
    return !affinity.isReserved(host.agentId) && reservations.admits(host.host, groupKey);
  }

  private take(
    group: TaskGroup,
    config: TaskConfig,
    { taskId }: WaitingTask,
    { host, agentId }: Host,
    ports: Readonly<Record<string, number>>,
  ): Assignment {
    this.options.ledger.take({
      ...{ taskId, host, config, jobText: group.jobText, groupKey: group.key },
      ...{ ports: Object.values(ports), status: 'ASSIGNED' },
    });
    return { taskId, groupKey: group.key, target: { host, agentId, ports } };
  }

  private count(name: string, by: number): void {
    this.options.stats.increment(`schedule_attempts_${name}`, by);
  }
}
