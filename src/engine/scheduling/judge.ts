/**
 * Asks the filter whether tasks of a group may run on a host, counts what it refuses, and remembers what
 * cannot change while the host does not (tasks.md §5.1 "static ban", §5.2).
 */
import type { TaskConfig } from '../../core/model/config.js';
import type { Host } from '../../core/schedule/host.js';
import type { TaskGroup } from '../../core/schedule/groups.js';
import type { Veto, VetoGroup } from '../../core/schedule/vetoes.js';
import { vetoGroup, vetoes } from '../../core/schedule/vetoes.js';
import type { Stats } from '../../observe/stats.js';
import type { Clock } from '../../time.js';
import type { HostLedger } from './ledger.js';

/** More than this many are not remembered: it costs time, not truth. */
const MAX_BANS = 100_000;

const COUNTER_OF_KIND: Readonly<Record<Veto['kind'], string>> = {
  resource: 'insufficient_resources',
  constraint: 'constraint_mismatch',
  limit: 'limit_not_satisfied',
  maintenance: 'maintenance',
  dedicated: 'dedicated_constraint_mismatch',
};
const COUNTER_OF_GROUP: Readonly<Record<Exclude<VetoGroup, 'EMPTY'>, string>> = {
  STATIC: 'static',
  DYNAMIC: 'dynamic',
  MIXED: 'mixed',
};

interface Ban {
  readonly host: Host;
  readonly vetoes: readonly Veto[];
}

export class Judge {
  /** By group, then by host. */
  private readonly bans = new Map<string, Map<string, Ban>>();
  private banned = 0;

  constructor(
    private readonly ledger: HostLedger,
    private readonly clock: Clock,
    private readonly stats: Stats,
    private readonly unavailabilityThresholdMs: number,
  ) {
    const all = [...Object.values(COUNTER_OF_GROUP), ...Object.values(COUNTER_OF_KIND)];
    for (const name of all) stats.increment(`scheduling_veto_${name}`, 0);
  }

  /** The filter for one attempt of a group; refusals count. */
  forAttempt(group: TaskGroup, config: TaskConfig): (host: Host) => readonly Veto[] {
    let ofGroup = this.bans.get(group.key);
    const ask = this.asking(group.jobText, config);
    return (host) => {
      const ban = ofGroup?.get(host.host);
      if (ban?.host === host) return ban.vetoes;
      const found = ask(host);
      const kind = vetoGroup(found);
      if (kind === 'EMPTY') return found;
      this.count(kind, found);
      if (kind === 'STATIC' && (ban !== undefined || this.banned < MAX_BANS)) {
        if (ban === undefined) this.banned += 1;
        ofGroup ??= new Map();
        this.bans.set(group.key, ofGroup);
        ofGroup.set(host.host, { host, vetoes: found });
      }
      return found;
    };
  }

  /** The filter by itself, for hosts as they might be; nothing is counted or remembered. */
  asking(jobText: string, config: TaskConfig): (host: Host) => readonly Veto[] {
    const horizonMs = this.clock.wallNow() + this.unavailabilityThresholdMs;
    if (!hasLimit(config)) return (host) => vetoes(config, host, [], horizonMs);
    // Asked anew each time: an attempt itself places tasks that count.
    return (host) => vetoes(config, host, this.ledger.jobTasks(jobText), horizonMs);
  }

  /** The group is gone. */
  forget(groupKey: string): void {
    this.banned -= this.bans.get(groupKey)?.size ?? 0;
    this.bans.delete(groupKey);
  }

  private count(group: Exclude<VetoGroup, 'EMPTY'>, found: readonly Veto[]): void {
    this.stats.increment(`scheduling_veto_${COUNTER_OF_GROUP[group]}`);
    for (const { kind } of found) this.stats.increment(`scheduling_veto_${COUNTER_OF_KIND[kind]}`);
  }
}

export function hasLimit({ constraints }: TaskConfig): boolean {
  return constraints.some(({ constraint }) => constraint?.limit !== undefined);
}
