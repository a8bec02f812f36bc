/**
 * Ends the penalties of groups that freed capacity may help. The reference lets them wait up to
 * `-max_schedule_penalty`; nobody is served by that (docs/architecture.md).
 */
import type { TaskGroup, TaskGroups } from '../../core/schedule/groups.js';
import type { Judge } from './judge.js';
import { hasLimit } from './judge.js';
import type { HostLedger } from './ledger.js';
import type { HostReservations } from './reservations.js';

/**
 * The filter is asked so often in one call at most. Groups beyond that are woken unasked: their attempts are
 * limited, and a look at all groups and hosts could take seconds.
 */
const MAX_ASKS = 10_000;

export class Wakes {
  private asksLeft = MAX_ASKS;
  private readonly hosts = new Set<string>();
  private readonly jobs = new Set<string>();

  constructor(
    private readonly groups: TaskGroups,
    private readonly ledger: HostLedger,
    private readonly judge: Judge,
    private readonly reservations: HostReservations,
  ) {}

  /** A host has more than before. */
  hostFreed(host: string): void {
    this.hosts.add(host);
  }

  /** A task of the job holds no host any more: its limits may be met elsewhere, too. */
  taskOfJobEnded(jobText: string): void {
    this.jobs.add(jobText);
  }

  /** Makes the groups due at `atMs` that something freed since the last call may help. */
  wake(atMs: number): void {
    if (this.hosts.size === 0 && this.jobs.size === 0) return;
    this.asksLeft = MAX_ASKS;
    for (const group of this.groups.all()) {
      if (group.penaltyMs > 0 && group.dueMs > atMs && this.helps(group))
        this.groups.wake(group, atMs);
    }
    this.hosts.clear();
    this.jobs.clear();
  }

  private helps({ key, jobText, config }: TaskGroup): boolean {
    if (config === undefined) return false;
    if (this.jobs.has(jobText) && hasLimit(config)) return true;
    const ask = this.judge.asking(jobText, config);
    for (const name of this.hosts) {
      if (this.asksLeft === 0) return true;
      this.asksLeft -= 1;
      const host = this.ledger.host(name);
      if (host !== undefined && this.reservations.admits(name, key) && ask(host).length === 0)
        return true;
    }
    return false;
  }
}
