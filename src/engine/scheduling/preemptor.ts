/**
 * Ends lesser tasks for greater ones that have waited long (tasks.md §5.4). Every now and then it looks for
 * places; a group whose next attempt finds nothing uses its place: the victims become PREEMPTING, and the
 * host is kept for the group. Places found are in memory: a restart loses them.
 */
import type { TaskConfig } from '../../core/model/config.js';
import { isKillable, type ScheduleStatus } from '../../core/model/statuses.js';
import type { TaskGroup, TaskGroups, WaitingTask } from '../../core/schedule/groups.js';
import type { Host } from '../../core/schedule/host.js';
import type { Rank, Victim } from '../../core/schedule/preemption.js';
import { chooseVictims, searchSequence } from '../../core/schedule/preemption.js';
import { preemptedFor } from '../../core/task/messages.js';
import type { Tiers } from '../../core/validate/tiers.js';
import type { Log } from '../../observe/log.js';
import type { Database } from '../../store/database.js';
import type { Clock, TimerHandle, Timers } from '../../time.js';
import type { UpdateAffinity } from '../affinity.js';
import type { JobLanes } from '../job-lane.js';
import type { Tasks } from '../tasks.js';
import type { Judge } from './judge.js';
import type { Allocation, HostLedger } from './ledger.js';
import type { HostReservations } from './reservations.js';
import type { PreemptionSettings } from './settings.js';

export interface PreemptorOptions {
  readonly db: Database;
  readonly lanes: JobLanes;
  readonly tasks: Tasks;
  readonly groups: TaskGroups;
  readonly ledger: HostLedger;
  readonly judge: Judge;
  readonly reservations: HostReservations;
  readonly affinity: UpdateAffinity;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly settings: PreemptionSettings;
  readonly tiers: Tiers;
  /** A place was found for the group. */
  readonly slotFound: (group: TaskGroup) => void;
}

/** A host that will take a task of a group once these are gone. */
interface Slot {
  readonly host: string;
  readonly victims: ReadonlySet<string>;
  readonly sinceMs: number;
}

/** A search longer than this lets others have their turn, ms. */
const SLICE_MS = 10;
/** The pause then, ms. */
const BREATH_MS = 1;

/** A search under way. Hosts by name: what they have may change between two slices. */
interface Search {
  readonly sequence: Iterator<string>;
  readonly hosts: Set<string>;
  /** Groups that no host can be cleared for. */
  readonly hopeless: Set<string>;
}

const DYING: ReadonlySet<ScheduleStatus> = new Set([
  'KILLING',
  'PREEMPTING',
  'RESTARTING',
  'DRAINING',
] as const);

export class Preemptor {
  private readonly slots = new Map<string, Slot[]>();
  private startedMs = 0;
  private timer: TimerHandle | undefined;
  private stopped = true;

  constructor(private readonly options: PreemptorOptions) {}

  start(): void {
    this.startedMs = this.options.clock.monoNow();
    this.stopped = !this.options.settings.enabled;
    this.arm();
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  /** Sets the next search, if there is anything to search for. */
  arm(): void {
    const { clock, groups, settings, timers } = this.options;
    if (this.stopped || this.timer !== undefined || groups.size === 0) return;
    const sinceMs = clock.monoNow() - this.startedMs - settings.searchInitialDelayMs;
    const interval = settings.searchIntervalMs;
    // Searches happen at fixed times, also those that were left out because nothing waited.
    const delayMs = sinceMs < 0 ? -sinceMs : interval - (sinceMs % interval);
    this.timer = timers.set(delayMs, () => {
      this.timer = undefined;
      this.search();
      this.arm();
    });
  }

  /** Ends the tasks of the group's place, if it has one that is still good and no host is kept for it. */
  preemptFor(group: TaskGroup, config: TaskConfig, task: WaitingTask): void {
    const { ledger, reservations } = this.options;
    if (this.stopped || reservations.holds(group.key)) return;
    const slot = this.slotsOf(group.key).shift();
    const host = slot && ledger.host(slot.host);
    if (slot === undefined || host === undefined || !this.isOpen(host)) return;
    const there = [...ledger.tasksOn(host.host)].filter(({ taskId }) => slot.victims.has(taskId));
    const victims = this.victimsOn(group, config, host, there);
    if (victims === undefined) return;
    reservations.reserve(host.host, group.key);
    for (const victim of victims) {
      if (!victim.dying) this.preempt(victim.taskId, host.host, group.key, task);
    }
  }

  private preempt(taskId: string, host: string, groupKey: string, task: WaitingTask): void {
    const { db, lanes, ledger, tasks, log, reservations } = this.options;
    const jobText = ledger.get(taskId)?.jobText;
    if (jobText === undefined) return;
    const request = { taskId, target: 'PREEMPTING', message: preemptedFor(task.taskId) } as const;
    lanes
      .enqueue(jobText, () => db.write({}, (tx) => tasks.change(tx, [request])))
      .catch((error: unknown) => {
        log.warn({ err: error, taskId }, 'a task could not be preempted');
        // Its group may then find another place, or this one again.
        reservations.release(host, groupKey);
      });
  }

  /** Finds places for groups that have waited long and have none. A host is used once in a search. */
  private search(): void {
    const { groups, clock, settings, ledger } = this.options;
    const longAgo = clock.monoNow() - settings.delayMs;
    const idle: [string, number][] = [];
    for (const group of groups.all()) {
      const waiting = [...group.tasks.values()].filter(
        ({ taskId, sinceMs }) => sinceMs <= longAgo && !group.inHand.has(taskId),
      );
      if (waiting.length > 0 && this.slotsOf(group.key).length === 0)
        idle.push([group.key, waiting.length]);
    }
    if (idle.length === 0) return;
    const open = [...ledger.hosts()].filter((host) => this.isOpen(host));
    this.goOn({
      sequence: searchSequence(idle, settings.batchSize)[Symbol.iterator](),
      hosts: new Set(open.map(({ host }) => host)),
      hopeless: new Set(),
    });
  }

  /** With many groups and hosts a search takes seconds; pulses and the lease cannot wait that long. */
  private goOn(search: Search): void {
    const { clock, groups, timers } = this.options;
    const { sequence, hosts, hopeless } = search;
    const fromMs = clock.monoNow();
    for (let next = sequence.next(); next.done !== true; next = sequence.next()) {
      const key = next.value;
      const group = groups.get(key);
      if (group?.config === undefined || hopeless.has(key)) continue;
      if (!this.findSlot(group, group.config, hosts)) hopeless.add(key);
      if (clock.monoNow() - fromMs <= SLICE_MS) continue;
      // Whoever heard of a place may have set the next search.
      this.timer?.cancel();
      this.timer = timers.set(BREATH_MS, () => {
        this.timer = undefined;
        this.goOn(search);
        this.arm();
      });
      return;
    }
  }

  private findSlot(group: TaskGroup, config: TaskConfig, hosts: Set<string>): boolean {
    const { clock, ledger, slotFound } = this.options;
    for (const name of hosts) {
      const host = ledger.host(name);
      if (host === undefined || !this.isOpen(host)) continue;
      const victims = this.victimsOn(group, config, host, ledger.tasksOn(name));
      if (victims === undefined) continue;
      hosts.delete(name);
      const ids = new Set(victims.map(({ taskId }) => taskId));
      const slot: Slot = { host: name, victims: ids, sinceMs: clock.monoNow() };
      this.slots.set(group.key, [...this.slotsOf(group.key), slot]);
      slotFound(group);
      return true;
    }
    return false;
  }

  private victimsOn(
    group: TaskGroup,
    config: TaskConfig,
    host: Host,
    tasks: Iterable<Allocation>,
  ): Victim[] | undefined {
    const victims = [...tasks]
      .filter(({ status }) => isKillable(status) || DYING.has(status))
      .map((task) => this.victim(task));
    const judge = this.options.judge.asking(group.jobText, config);
    return chooseVictims(this.rankOf(config), host, victims, judge);
  }

  private victim({ taskId, config, ports, status }: Allocation): Victim {
    const revocable = this.tierOf(config)?.revocable ?? false;
    return {
      taskId,
      config,
      ports,
      revocable,
      rank: this.rankOf(config),
      dying: DYING.has(status),
    };
  }

  private rankOf(config: TaskConfig): Rank {
    const preemptible = this.tierOf(config)?.preemptible ?? !config.production;
    return { role: config.job.role, priority: config.priority, preemptible };
  }

  private tierOf({ tier }: TaskConfig): { preemptible: boolean; revocable: boolean } | undefined {
    return tier === undefined ? undefined : this.options.tiers.tiers.get(tier);
  }

  /** Whether nobody else has a claim to the host. */
  private isOpen({ host, agentId }: Host): boolean {
    const { reservations, affinity } = this.options;
    return !reservations.isReserved(host) && !affinity.isReserved(agentId);
  }

  /** Places of a group that are not too old; the list may be changed. */
  private slotsOf(groupKey: string): Slot[] {
    const oldestMs = this.options.clock.monoNow() - this.options.settings.slotHoldMs;
    const slots = (this.slots.get(groupKey) ?? []).filter(({ sinceMs }) => sinceMs > oldestMs);
    if (slots.length === 0) this.slots.delete(groupKey);
    else this.slots.set(groupKey, slots);
    return slots;
  }

  /** The group is gone. */
  forget(groupKey: string): void {
    this.slots.delete(groupKey);
  }
}
