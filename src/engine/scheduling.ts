/**
 * Finds hosts for PENDING tasks where placement is ours (tasks.md §5): when each group of equal tasks is
 * tried, with which hosts, and what happens when none takes them. Attempts are made in memory, one group
 * after the other; what they find is written in the lanes of the jobs (scheduling/placements.ts).
 */
import type { HostEvent, HostMode } from '../backend/backend.js';
import type { TaskConfig } from '../core/model/config.js';
import { instanceKeyText, jobKeyText } from '../core/model/keys.js';
import { SLAVE_ASSIGNED_STATES } from '../core/model/statuses.js';
import type { Range } from '../core/model/ranges.js';
import { TaskGroups, groupKey, type TaskGroup } from '../core/schedule/groups.js';
import { vetoText } from '../core/schedule/pending-reason.js';
import { RateLimit } from '../core/schedule/rate-limit.js';
import type { Veto } from '../core/schedule/vetoes.js';
import { backoff, startupDelay } from '../core/task/flapping.js';
import { LAUNCH_FAILED } from '../core/task/messages.js';
import type { Log } from '../observe/log.js';
import type { Stats } from '../observe/stats.js';
import type { ConfigStore } from '../store/configs.js';
import type { Database } from '../store/database.js';
import type { TaskRecord } from '../store/tasks.js';
import type { Clock, TimerHandle, Timers } from '../time.js';
import type { UpdateAffinity } from './affinity.js';
import type { JobLanes } from './job-lane.js';
import { Attempts } from './scheduling/attempts.js';
import { GroupConfigs } from './scheduling/group-configs.js';
import { Judge } from './scheduling/judge.js';
import { HostLedger } from './scheduling/ledger.js';
import { Placements } from './scheduling/placements.js';
import { Preemptor } from './scheduling/preemptor.js';
import { PendingReasons } from './scheduling/reasons.js';
import { HostReservations } from './scheduling/reservations.js';
import type { SchedulingSettings } from './scheduling/settings.js';
import { Wakes } from './scheduling/wakes.js';
import type { ChangeRequest, TaskChange, Tasks } from './tasks.js';

/** A round of attempts longer than this lets others have their turn, ms. */
const SLICE_MS = 10;
/** The pause then, ms. */
const BREATH_MS = 1;

export interface SchedulingOptions {
  readonly db: Database;
  readonly lanes: JobLanes;
  readonly tasks: Tasks;
  readonly configs: ConfigStore;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: () => number;
  readonly stats: Stats;
  readonly log: Log;
  readonly portRanges: readonly Range[];
  readonly affinity: UpdateAffinity;
  readonly settings: SchedulingSettings;
}

/** A group as `/pendingtasks` shows it (operations.md §3). */
export interface PendingGroup {
  readonly penaltyMs: number;
  readonly taskIds: readonly string[];
  readonly name: string;
  /** A list in brackets, `[]` when nothing vetoed. */
  readonly reason: string;
}

export class Scheduling {
  private readonly groups = new TaskGroups();
  private readonly ledger: HostLedger;
  private readonly judge: Judge;
  private readonly reasons: PendingReasons;
  private readonly reservations: HostReservations;
  private readonly preemptor: Preemptor;
  private readonly placements: Placements;
  private readonly retries: RateLimit;
  private readonly wakes: Wakes;
  private readonly attempts: Attempts;
  private readonly configs: GroupConfigs;
  /** Found PENDING at start, until they are given their first delay. */
  private readonly found = new Map<string, TaskRecord>();
  private readonly blocked = new Set<string>();
  private retriesFromMs = 0;
  private running = false;
  private poked = false;
  private timer: { readonly atMs: number; readonly handle: TimerHandle } | undefined;

  constructor(private readonly options: SchedulingOptions) {
    const { clock, timers, stats, affinity, settings } = options;
    const { groups } = this;
    this.ledger = new HostLedger(options.portRanges);
    this.judge = new Judge(this.ledger, clock, stats, settings.unavailabilityThresholdMs);
    this.reasons = new PendingReasons(clock);
    this.retries = new RateLimit(settings.attemptsPerSec);
    this.reservations = new HostReservations(settings.preemption.reservationMs, timers, (host) =>
      this.freed(host),
    );
    const { ledger, judge, reservations } = this;
    this.preemptor = new Preemptor({
      ...options,
      ...{ groups, ledger, judge, reservations },
      ...{ settings: settings.preemption, tiers: settings.tiers },
      slotFound: (group) => this.wake(group),
    });
    this.wakes = new Wakes(groups, ledger, judge, reservations);
    const { reasons, preemptor } = this;
    this.attempts = new Attempts({
      ...options,
      ...{ groups, ledger, judge, reservations, reasons, preemptor },
      tasksPerAttempt: settings.tasksPerAttempt,
    });
    this.configs = new GroupConfigs({
      ...options,
      ready: (key) => {
        const group = groups.get(key);
        if (group !== undefined) group.dueMs = clock.monoNow();
        this.arm();
      },
    });
    this.placements = new Placements({
      ...options,
      groupsPerTransaction: settings.groupsPerTransaction,
      stale: (taskIds) => this.handled(taskIds),
      failed: (taskIds, error) => this.notWritten(taskIds, error),
    });
    for (const name of ['schedule_attempts_failed', 'schedule_attempts_blocks'])
      stats.increment(name, 0);
    stats.increment('assigner_launch_failures', 0);
    affinity.onFreed(() => {
      for (const { host } of this.ledger.hosts()) this.freed(host);
    });
  }

  /** An attempt that was not made yet but will be without a timer, or a read it waits for: for tests. */
  get busy(): boolean {
    return this.poked || this.configs.busy;
  }

  /** Why a PENDING task has no host yet; undefined when no host vetoed its group lately. */
  vetoesOf(taskId: string): readonly Veto[] | undefined {
    const group = this.groups.ofTask(taskId);
    return group && this.reasons.of(group.key);
  }

  /** Everything that waits, for operators. */
  pendingGroups(): PendingGroup[] {
    return [...this.groups.all()].map(({ key, jobText, penaltyMs, tasks }) => ({
      penaltyMs,
      taskIds: [...tasks.keys()],
      name: jobText,
      reason: `[${(this.reasons.of(key) ?? []).map(vetoText).join(', ')}]`,
    }));
  }

  // ------------------------------------------------------------------------------------------ what happens

  /** Tasks found at start: those with a host take up their place, the others wait. */
  adopt(record: TaskRecord, config: TaskConfig): void {
    const { taskId, slaveHost: host, status, job, configHash } = record;
    if (host !== undefined && SLAVE_ASSIGNED_STATES.has(status)) {
      this.ledger.take({
        ...{ taskId, host, config, status, jobText: jobKeyText(job) },
        ...{ groupKey: groupKey(job, configHash), ports: Object.values(record.assignedPorts) },
      });
    } else if (status === 'PENDING') {
      this.found.set(taskId, record);
    }
  }

  /** Begins to place. Tasks that were PENDING before are tried after a random delay and their penalty. */
  async start(): Promise<void> {
    const { db, tasks, random, settings } = this.options;
    // Who has waited longest comes first.
    const found = [...this.found.values()].sort(
      ({ newestEvent: a }, { newestEvent: b }) =>
        a.timestampMs - b.timestampMs || Number(a.id) - Number(b.id),
    );
    const penaltyOf = await db.read((tx) =>
      tasks.penaltiesOf(
        tx,
        found.flatMap(({ ancestorId }) => ancestorId ?? []),
      ),
    );
    for (const record of found) {
      // It may have changed while the penalties were read.
      if (!this.found.has(record.taskId)) continue;
      const delayMs = startupDelay(
        settings.startupSpreadMs,
        penaltyOf(record.ancestorId),
        random(),
      );
      this.wait(record, record.newestEvent.timestampMs, delayMs);
    }
    this.found.clear();
    this.running = true;
    this.preemptor.start();
    this.arm();
  }

  stop(): void {
    this.running = false;
    this.timer?.handle.cancel();
    this.preemptor.stop();
    this.reservations.stop();
    this.placements.stop();
  }

  onHost(event: HostEvent): void {
    this.ledger.report(event);
    if (event.up) this.freed(event.host);
  }

  /** What the host is to be used for from now on (tasks.md §10), also where it is reported only later. */
  setHostMode(host: string, mode: HostMode): void {
    this.ledger.setMode(host, mode);
    if (mode === 'NONE' || mode === 'SCHEDULED') this.freed(host);
  }

  onTaskChange(change: TaskChange): void {
    const { taskId, job, status, instanceId, slaveId, slaveHost } = change.task;
    this.found.delete(taskId);
    if (change.kind === 'changed' && status === 'PENDING') {
      this.wait(change.task, change.task.timestampMs, this.options.settings.firstDelayMs);
      // One look at all groups for all that is being announced.
      this.poke();
      return;
    }
    if (change.kind === 'changed' && status === 'ASSIGNED' && slaveId !== undefined) {
      this.options.affinity.release(slaveId, instanceKeyText(job, instanceId));
    }
    const group = this.leaves(taskId);
    if (group !== undefined && slaveHost !== undefined) {
      this.reservations.release(slaveHost, group.key);
    }
    if (change.kind === 'deleted' || !SLAVE_ASSIGNED_STATES.has(status)) {
      this.release(taskId);
    } else {
      const allocation = this.ledger.get(taskId);
      if (allocation !== undefined) allocation.status = status;
    }
  }

  /**
   * The backend will not launch a task that was placed (tasks.md §5.1 "launch"): it is LOST, and its group
   * waits before it is tried again. Resolves when that is written, or was not to be; rejects when it cannot
   * be written now.
   */
  async launchFailed(taskId: string): Promise<void> {
    const { db, lanes, tasks, clock, stats } = this.options;
    const place = this.ledger.get(taskId);
    if (place === undefined) return;
    const request: ChangeRequest = {
      taskId,
      target: 'LOST',
      expected: 'ASSIGNED',
      message: LAUNCH_FAILED,
    };
    const [result] = await lanes.enqueue(place.jobText, () => {
      // Before the place is free again: the rest of the group must not be thrown after it.
      const group = this.groups.get(place.groupKey);
      if (group !== undefined) {
        this.groups.foundNothing(group, clock.monoNow(), this.nextPenalty);
        group.mayWake = false;
      }
      return db.write({}, (tx) => tasks.change(tx, [request]));
    });
    if (result === 'SUCCESS') stats.increment('assigner_launch_failures');
    this.arm();
  }

  // ------------------------------------------------------------------------------------------------ groups

  private readonly nextPenalty = (lastMs: number): number =>
    backoff(lastMs, this.options.settings.penalty, this.options.random());

  /** @param atMs wall time of the task's PENDING event */
  private wait(
    task: Pick<TaskRecord, 'taskId' | 'job' | 'instanceId' | 'configHash'>,
    atMs: number,
    delayMs: number,
  ): void {
    const { clock } = this.options;
    const nowMs = clock.monoNow();
    const { taskId, job, instanceId, configHash } = task;
    const sinceMs = nowMs - Math.max(0, clock.wallNow() - atMs);
    this.groups.add({ taskId, job, instanceId, sinceMs }, configHash, nowMs, delayMs);
  }

  /** A task waits no longer. */
  private leaves(taskId: string): TaskGroup | undefined {
    const wasInHand = this.groups.ofTask(taskId)?.inHand.has(taskId);
    const group = this.groups.remove(taskId);
    if (group === undefined) return undefined;
    // For one in hand that was done when it found its host; what was vetoed since is news.
    if (wasInHand === false) this.reasons.drop(group.key);
    if (group.tasks.size === 0) {
      this.judge.forget(group.key);
      this.preemptor.forget(group.key);
      this.blocked.delete(group.key);
    }
    return group;
  }

  private release(taskId: string): void {
    const place = this.ledger.release(taskId);
    if (place === undefined) return;
    this.freed(place.host);
    this.wakes.taskOfJobEnded(place.jobText);
  }

  /** They are not PENDING any more, whoever changed them. */
  private handled(taskIds: readonly string[]): void {
    for (const taskId of taskIds) {
      if (this.groups.ofTask(taskId) !== undefined) this.release(taskId);
      this.leaves(taskId);
    }
    this.arm();
  }

  private notWritten(taskIds: readonly string[], error: unknown): void {
    const { log, stats, clock } = this.options;
    log.warn({ err: error, taskIds }, 'tasks could not be placed; they are tried again later');
    stats.increment('schedule_attempts_failed');
    for (const taskId of taskIds) this.release(taskId);
    this.groups.giveBack(taskIds, clock.monoNow(), this.nextPenalty);
    this.arm();
  }

  /** A host has more than before. */
  private freed(host: string): void {
    this.wakes.hostFreed(host);
    this.poke();
  }

  private wake(group: TaskGroup): void {
    const { clock, settings } = this.options;
    this.groups.wake(group, clock.monoNow() + settings.firstDelayMs);
    this.arm();
  }

  // ------------------------------------------------------------------------------------------------ rounds

  /** A round soon, when all that is being announced has been. */
  private poke(): void {
    if (!this.running || this.poked) return;
    this.poked = true;
    queueMicrotask(() => {
      this.poked = false;
      this.round();
    });
  }

  /** Sets the timer for the next round. */
  private arm(notBeforeMs = -Infinity): void {
    if (!this.running) return;
    this.preemptor.arm();
    const { clock, timers } = this.options;
    const nowMs = clock.monoNow();
    const atMs = Math.max(notBeforeMs, this.groups.nextDueMs(this.retriesFromMs));
    if (atMs <= nowMs) {
      this.poke();
      return;
    }
    if (this.timer !== undefined && this.timer.atMs <= atMs) return;
    this.timer?.handle.cancel();
    this.timer = undefined;
    if (atMs === Infinity) return;
    const handle = timers.set(atMs - nowMs, () => {
      this.timer = undefined;
      this.round();
    });
    this.timer = { atMs, handle };
  }

  /**
   * Every group that is due gets an attempt; those that found hosts and have more tasks get another, when
   * all the others have had theirs, and so on (docs/architecture.md, "Scheduling rounds").
   */
  private round(): void {
    if (!this.running) return;
    const { clock } = this.options;
    const nowMs = clock.monoNow();
    this.wakes.wake(nowMs + this.options.settings.firstDelayMs);
    let queue = this.groups.due(nowMs);
    while (queue.length > 0) {
      const again: TaskGroup[] = [];
      for (const group of queue) {
        if (clock.monoNow() - nowMs > SLICE_MS) {
          this.arm(clock.monoNow() + BREATH_MS);
          return;
        }
        if (!this.mayTry(group, nowMs)) continue;
        if (this.attempt(group, nowMs)) again.push(group);
      }
      queue = again;
    }
    this.arm();
  }

  /** Groups that found nothing before share so many attempts a second; the others need no leave. */
  private mayTry(group: TaskGroup, nowMs: number): boolean {
    if (!this.configs.ensure(group)) return false;
    if (group.penaltyMs === 0) return true;
    const waitMs = nowMs < this.retriesFromMs ? 1 : this.retries.take(nowMs);
    if (waitMs === 0) {
      this.blocked.delete(group.key);
      return true;
    }
    this.retriesFromMs = Math.max(this.retriesFromMs, nowMs + waitMs);
    if (!this.blocked.has(group.key)) {
      this.blocked.add(group.key);
      this.options.stats.increment('schedule_attempts_blocks');
    }
    return false;
  }

  /** True when it found hosts and the group has more tasks. */
  private attempt(group: TaskGroup, nowMs: number): boolean {
    if (group.config === undefined) return false;
    const assignments = this.attempts.make(group, group.config);
    if (assignments.length === 0) {
      this.groups.foundNothing(group, nowMs, this.nextPenalty);
      return false;
    }
    const taskIds = assignments.map(({ taskId }) => taskId);
    this.groups.found(group, taskIds, nowMs);
    this.placements.add(group.jobText, assignments);
    return group.dueMs <= nowMs;
  }
}
