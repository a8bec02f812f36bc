/**
 * Keeps the agent of an instance that is killed for an update free for its next task (updates.md §3.11).
 * Reservations are in memory and expire: losing one costs the instance its old host, no more.
 */
import type { Stats } from '../observe/stats.js';
import type { TimerHandle, Timers } from '../time.js';

/** The flags `-enable_update_affinity` and `-update_affinity_reservation_hold_time`. */
export interface UpdateAffinitySettings {
  readonly enabled: boolean;
  /** Whole minutes, in ms. */
  readonly holdMs: number;
}

/** Instances are named by any text that tells one from another. */
export interface UpdateAffinity {
  /** Reserves for a full hold time, in place of what the instance had reserved before. */
  reserve(agentId: string, instance: string): void;
  /** The reservation has been used; nothing happens when it is not there any more. */
  release(agentId: string, instance: string): void;
  /** The only agent the instance may go to now; undefined: any that is not reserved. */
  agentOf(instance: string): string | undefined;
  /** Whether somebody holds the agent. */
  isReserved(agentId: string): boolean;
  /** Whom to tell that an agent or an instance is free again. */
  onFreed(listener: () => void): void;
  stop(): void;
}

/** Affinity switched off. */
export const NO_AFFINITY: UpdateAffinity = {
  reserve: () => undefined,
  release: () => undefined,
  agentOf: () => undefined,
  isReserved: () => false,
  onFreed: () => undefined,
  stop: () => undefined,
};

export function createAffinity(
  settings: UpdateAffinitySettings,
  timers: Timers,
  stats: Stats,
): UpdateAffinity {
  return settings.enabled ? new Reservations(settings.holdMs, timers, stats) : NO_AFFINITY;
}

interface Reservation {
  readonly agentId: string;
  readonly expiry: TimerHandle;
}

export class Reservations implements UpdateAffinity {
  private readonly byInstance = new Map<string, Reservation>();
  private readonly byAgent = new Map<string, Set<string>>();
  private readonly listeners: (() => void)[] = [];

  constructor(
    private readonly holdMs: number,
    private readonly timers: Timers,
    private readonly stats: Stats,
  ) {
    stats.gauge('update_affinity_cache_size', () => this.byInstance.size);
    for (const kind of ['', '_expiration', '_explicit'] as const) this.count(kind, 0);
  }

  reserve(agentId: string, instance: string): void {
    // Whoever is killed again before its next task has a host starts anew, perhaps elsewhere.
    if (this.remove(instance)) this.count('', 1);
    const expiry = this.timers.set(this.holdMs, () => {
      this.remove(instance);
      this.countRemoval('_expiration');
      this.tell();
    });
    this.byInstance.set(instance, { agentId, expiry });
    const ofAgent = this.byAgent.get(agentId);
    if (ofAgent === undefined) this.byAgent.set(agentId, new Set([instance]));
    else ofAgent.add(instance);
  }

  release(agentId: string, instance: string): void {
    if (this.agentOf(instance) !== agentId) return;
    this.remove(instance);
    this.countRemoval('_explicit');
    this.tell();
  }

  agentOf(instance: string): string | undefined {
    return this.byInstance.get(instance)?.agentId;
  }

  isReserved(agentId: string): boolean {
    return this.byAgent.has(agentId);
  }

  onFreed(listener: () => void): void {
    this.listeners.push(listener);
  }

  stop(): void {
    for (const instance of [...this.byInstance.keys()]) this.remove(instance);
  }

  private remove(instance: string): boolean {
    const reservation = this.byInstance.get(instance);
    if (reservation === undefined) return false;
    reservation.expiry.cancel();
    this.byInstance.delete(instance);
    const ofAgent = this.byAgent.get(reservation.agentId);
    ofAgent?.delete(instance);
    if (ofAgent?.size === 0) this.byAgent.delete(reservation.agentId);
    return true;
  }

  private countRemoval(kind: '_expiration' | '_explicit'): void {
    this.count('', 1);
    this.count(kind, 1);
  }

  private count(kind: '' | '_expiration' | '_explicit', by: number): void {
    this.stats.increment(`update_affinity_cache${kind}_removals`, by);
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}
