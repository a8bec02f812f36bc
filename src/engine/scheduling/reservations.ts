/**
 * Hosts kept for the group of tasks they were cleared for by preemption (tasks.md §5.4). A host is kept for
 * one group; the group may land elsewhere. In memory: a restart loses them.
 */
import type { TimerHandle, Timers } from '../../time.js';

interface Reservation {
  readonly groupKey: string;
  readonly expiry: TimerHandle;
}

export class HostReservations {
  private readonly byHost = new Map<string, Reservation>();

  /** @param freed told when a host is no longer kept */
  constructor(
    private readonly durationMs: number,
    private readonly timers: Timers,
    private readonly freed: (host: string) => void,
  ) {}

  reserve(host: string, groupKey: string): void {
    this.byHost.get(host)?.expiry.cancel();
    const expiry = this.timers.set(this.durationMs, () => this.release(host, groupKey));
    this.byHost.set(host, { groupKey, expiry });
  }

  /** Used, or given up; nothing happens when the host is not kept for the group. */
  release(host: string, groupKey: string): void {
    const reservation = this.byHost.get(host);
    if (reservation?.groupKey !== groupKey) return;
    reservation.expiry.cancel();
    this.byHost.delete(host);
    this.freed(host);
  }

  /** Whether tasks of the group may go there. */
  admits(host: string, groupKey: string): boolean {
    const reservation = this.byHost.get(host);
    return reservation === undefined || reservation.groupKey === groupKey;
  }

  /** Whether some host is kept for the group. */
  holds(groupKey: string): boolean {
    for (const reservation of this.byHost.values()) {
      if (reservation.groupKey === groupKey) return true;
    }
    return false;
  }

  isReserved(host: string): boolean {
    return this.byHost.has(host);
  }

  stop(): void {
    for (const { expiry } of this.byHost.values()) expiry.cancel();
    this.byHost.clear();
  }
}
