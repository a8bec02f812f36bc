/**
 * Runs cron jobs (tasks.md §7): when they are due, and what becomes of the tasks of the former run.
 *
 * Which jobs have a template is known here without SQL; `cron-verbs.ts` changes the templates. A run is one
 * transaction in the job's lane. Runs that were due while nobody led, or that are more than a minute late
 * for another reason, are not made up.
 */
import { TransientError } from '../core/errors.js';
import type { CronSchedule } from '../core/cron/crontab.js';
import { parseCrontab } from '../core/cron/crontab.js';
import type { OffsetAt } from '../core/cron/next-run.js';
import { nextRun } from '../core/cron/next-run.js';
import type { JobKey } from '../core/model/keys.js';
import { jobKeyText } from '../core/model/keys.js';
import { isKillable } from '../core/model/statuses.js';
import type { BackoffLimits } from '../core/task/flapping.js';
import { backoff } from '../core/task/flapping.js';
import { KILLED_BY_CRON } from '../core/task/messages.js';
import type { Log } from '../observe/log.js';
import type { Stats } from '../observe/stats.js';
import type { ConfigStore } from '../store/configs.js';
import type { CronJobRecord } from '../store/cron.js';
import {
  anyActive,
  deleteFollowUp,
  findCronJob,
  findCronJobs,
  findFollowUps,
  insertFollowUp,
} from '../store/cron.js';
import type { Database, WriteTransaction } from '../store/database.js';
import type { TaskRecord } from '../store/tasks.js';
import { findActiveTasks } from '../store/tasks.js';
import type { Clock, TimerHandle, Timers } from '../time.js';
import { Turns } from '../time.js';
import type { JobLanes } from './job-lane.js';
import type { Tasks } from './tasks.js';

export interface CronSettings {
  /** `-cron_timezone`: the zone of all schedules. */
  readonly offsetAt: OffsetAt;
  /** `-cron_start_initial_backoff` and `-cron_start_max_backoff`: between looks at tasks that must end. */
  readonly backoff: BackoffLimits;
}

export interface CronOptions {
  readonly db: Database;
  readonly lanes: JobLanes;
  readonly tasks: Tasks;
  readonly configs: ConfigStore;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: () => number;
  readonly stats: Stats;
  readonly log: Log;
  readonly settings: CronSettings;
}

/** A run later than this is dropped, ms. */
const MOST_LATE_MS = 60_000;
/** The wall clock is looked at so often, ms: it may be set while a timer waits. */
const LONGEST_SLEEP_MS = 60_000;
/** A run that could not be written is tried again after this long, until it is too late. */
const RETRY_MS = 5_000;

const COUNTERS = ['triggers', 'misfires', 'parse_failures', 'collisions', 'concurrent_runs'];

interface Entry {
  readonly job: JobKey;
  /** Undefined for a stored text that is none: such a job never fires. */
  readonly schedule: CronSchedule | undefined;
  /** Wall time, ms; undefined: never. */
  dueMs: number | undefined;
}

export class Cron {
  private readonly entries = new Map<string, Entry>();
  private readonly waits = new Map<string, TimerHandle>();
  private readonly retries = new Set<TimerHandle>();
  private alarm: TimerHandle | undefined;
  private lastLookMs = -Infinity;
  private stopped = false;

  constructor(private readonly options: CronOptions) {
    const { stats } = options;
    for (const name of [...COUNTERS, 'launch_failures']) stats.increment(`cron_job_${name}`, 0);
    stats.gauge('cron_jobs_loaded', () => this.entries.size);
  }

  /** Loads the templates and arms their timers; looks after runs that an earlier process left waiting. */
  async start(): Promise<void> {
    const [records, followUps] = await this.options.db.snapshot(async (tx) => [
      await findCronJobs(tx),
      await findFollowUps(tx),
    ]);
    const turns = new Turns();
    for (const record of records) {
      this.enter(record.job, this.scheduleOf(record));
      if (turns.isDue()) await turns.pause();
    }
    this.arm();
    for (const { job } of followUps) this.look(job, 0);
  }

  stop(): void {
    this.stopped = true;
    this.alarm?.cancel();
    for (const handle of [...this.waits.values(), ...this.retries]) handle.cancel();
  }

  /** Whether the job has a template. */
  has(job: JobKey): boolean {
    return this.entries.has(jobKeyText(job));
  }

  /** The next run of a schedule from now on, wall time in ms; undefined when there is none. */
  nextRunMs(schedule: CronSchedule): number | undefined {
    return nextRun(schedule, this.options.clock.wallNow(), this.options.settings.offsetAt);
  }

  /** The job has this schedule from now on; call it when that is committed. */
  install(job: JobKey, schedule: CronSchedule): void {
    this.enter(job, schedule);
    this.arm();
  }

  /** The job has no schedule any more; call it when that is committed. */
  remove(job: JobKey): void {
    this.entries.delete(jobKeyText(job));
    this.arm();
  }

  /**
   * Starts a run as if it were due, in the job's lane; it goes on by itself.
   *
   * @param dueMs wall time at which it was due
   */
  trigger(job: JobKey, dueMs: number): void {
    const { db, lanes, clock, timers, stats, log } = this.options;
    lanes
      .enqueue(jobKeyText(job), () => db.write({}, (tx) => this.run(tx, job, dueMs)))
      .catch((error: unknown) => {
        const isLate = clock.wallNow() - dueMs > MOST_LATE_MS - RETRY_MS;
        if (this.stopped || isLate || !(error instanceof TransientError)) {
          stats.increment('cron_job_launch_failures');
          log.error({ err: error, job: jobKeyText(job) }, 'a cron job could not be run');
          return;
        }
        log.warn({ err: error, job: jobKeyText(job) }, 'a cron job could not be run; trying again');
        const handle = timers.set(RETRY_MS, () => {
          this.retries.delete(handle);
          this.trigger(job, dueMs);
        });
        this.retries.add(handle);
      });
  }

  // ------------------------------------------------------------------------------------------------- timer

  private enter(job: JobKey, schedule: CronSchedule | undefined): void {
    const dueMs = schedule && this.nextRunMs(schedule);
    this.entries.set(jobKeyText(job), { job, schedule, dueMs });
  }

  private scheduleOf(record: CronJobRecord): CronSchedule | undefined {
    const { ok, problem } = parseCrontab(record.schedule);
    if (problem === undefined) return ok;
    const { stats, log } = this.options;
    stats.increment('cron_job_parse_failures');
    log.error({ job: jobKeyText(record.job), problem }, 'a stored cron schedule cannot be read');
    return undefined;
  }

  /** One timer for all: it wakes when the next job is due, or to look at the clock. */
  private arm(): void {
    this.alarm?.cancel();
    this.alarm = undefined;
    if (this.stopped || this.entries.size === 0) return;
    let next = Infinity;
    for (const { dueMs = Infinity } of this.entries.values()) next = Math.min(next, dueMs);
    const { clock, timers } = this.options;
    this.lastLookMs = clock.wallNow();
    const delayMs = Math.min(LONGEST_SLEEP_MS, next - this.lastLookMs);
    this.alarm = timers.set(delayMs, () => this.wake());
  }

  private wake(): void {
    const now = this.options.clock.wallNow();
    // A clock that was far ahead would otherwise keep jobs from running until it is that late again.
    const wasSetBack = now < this.lastLookMs - MOST_LATE_MS;
    for (const entry of this.entries.values()) {
      const { job, schedule, dueMs } = entry;
      if (schedule === undefined) continue;
      if (wasSetBack) entry.dueMs = this.nextRunMs(schedule);
      if (dueMs === undefined || dueMs > now) continue;
      entry.dueMs = this.nextRunMs(schedule);
      if (now - dueMs <= MOST_LATE_MS) this.trigger(job, dueMs);
      else this.options.log.warn({ job: jobKeyText(job), dueMs }, 'a cron run was missed');
    }
    this.arm();
  }

  // --------------------------------------------------------------------------------------------------- run

  private async run(tx: WriteTransaction, job: JobKey, dueMs: number): Promise<void> {
    const record = await findCronJob(tx, job);
    if (record === undefined) {
      this.options.log.warn({ job: jobKeyText(job) }, 'a cron job is due that has no template');
      tx.onCommit(() => this.remove(job));
      return this.count(tx, 'misfires');
    }
    // It was counted and logged.
    if (this.scheduleOf(record) === undefined) return;
    if ((await findFollowUps(tx, job)).length > 0) return this.count(tx, 'concurrent_runs');
    const active = await findActiveTasks(tx, job);
    if (active.length === 0) {
      this.count(tx, 'triggers');
      return this.launch(tx, record);
    }
    this.count(tx, 'collisions');
    const { collisionPolicy = 'KILL_EXISTING' } = record;
    if (collisionPolicy === 'KILL_EXISTING') await this.killFirst(tx, record, active, dueMs);
  }

  private async killFirst(
    tx: WriteTransaction,
    record: CronJobRecord,
    active: readonly TaskRecord[],
    dueMs: number,
  ): Promise<void> {
    await this.options.tasks.change(
      tx,
      active
        .filter((task) => isKillable(task.status))
        .map(({ taskId }) => ({ taskId, target: 'KILLING' as const, message: KILLED_BY_CRON })),
    );
    const waitsFor = active.map((task) => task.taskId);
    // Tasks without a host are gone already.
    if (!(await anyActive(tx, waitsFor))) return this.launch(tx, record);
    await insertFollowUp(tx, { ...record, waitsFor }, dueMs);
    tx.onCommit(() => this.lookLater(record.job, 0));
  }

  private async launch(
    tx: WriteTransaction,
    run: Pick<CronJobRecord, 'job' | 'configHash' | 'instanceCount'>,
  ): Promise<void> {
    const { tasks, configs } = this.options;
    const config = (await configs.load(tx, [run.configHash]))(run.configHash);
    const ids = Array.from({ length: run.instanceCount }, (_, id) => id);
    await tasks.insertPending(tx, run.job, config, ids);
  }

  private count(tx: WriteTransaction, what: string): void {
    tx.onCommit(() => this.options.stats.increment(`cron_job_${what}`));
  }

  // --------------------------------------------------------------------------------------------- follow-up

  private lookLater(job: JobKey, lastMs: number): void {
    const { timers, random, settings } = this.options;
    if (this.stopped) return;
    const delayMs = backoff(lastMs, settings.backoff, random());
    const handle = timers.set(delayMs, () => this.look(job, delayMs));
    this.waits.set(jobKeyText(job), handle);
  }

  /** Starts the run that waits, if it need not wait any more. */
  private look(job: JobKey, lastMs: number): void {
    const { lanes, log } = this.options;
    const text = jobKeyText(job);
    this.waits.delete(text);
    lanes
      .enqueue(text, () => this.tryToFollow(job))
      .then(
        (settled) => {
          if (!settled) this.lookLater(job, lastMs);
        },
        (error: unknown) => {
          log.warn({ err: error, job: text }, 'a cron run could not be started; trying again');
          this.lookLater(job, lastMs);
        },
      );
  }

  /** Returns false while tasks of the former run are active. */
  private async tryToFollow(job: JobKey): Promise<boolean> {
    const { db, stats, log } = this.options;
    const [followUp] = await db.read((tx) => findFollowUps(tx, job));
    if (followUp === undefined) return true;
    if (await db.read((tx) => anyActive(tx, followUp.waitsFor))) return false;
    await db.write({}, async (tx) => {
      await deleteFollowUp(tx, job);
      if ((await findActiveTasks(tx, job)).length === 0) return this.launch(tx, followUp);
      // It was descheduled meanwhile, and somebody else has used the key.
      tx.onCommit(() => stats.increment('cron_job_launch_failures'));
      log.warn({ job: jobKeyText(job) }, 'a cron run was given up: the job has other tasks');
    });
    return true;
  }
}
