/**
 * Moves tasks off hosts that are being drained (tasks.md §10). Each job's tasks are dealt with in its lane,
 * in one transaction that holds the hosts in their modes: once endMaintenance has answered, nothing more is
 * drained. What a coordinator has to allow comes back into the lane with its answer.
 */
import type { Drain } from '../core/maintenance/drain.js';
import { countdownMs, drainStep, isDrainable } from '../core/maintenance/drain.js';
import type { JobKey } from '../core/model/keys.js';
import { instanceKeyText, jobKeyText } from '../core/model/keys.js';
import type { SlaPolicy } from '../core/model/config.js';
import type { SlaCheckSettings } from '../core/sla/check.js';
import type { AskCoordinator, CoordinatorQuestion } from '../core/sla/coordinator.js';
import { DRAINING_FOR_MAINTENANCE } from '../core/task/messages.js';
import type { Log } from '../observe/log.js';
import type { Stats } from '../observe/stats.js';
import type { ConfigStore } from '../store/configs.js';
import type { Database, WriteTransaction } from '../store/database.js';
import type { HostedTask } from '../store/hosts.js';
import { lockDrains } from '../store/hosts.js';
import type { TaskRecord } from '../store/tasks.js';
import { findTasks } from '../store/tasks.js';
import type { JobLanes } from './job-lane.js';
import { SlaChecks } from './sla-checks.js';
import type { Tasks } from './tasks.js';

/** Jobs dealt with at once: a drain must not keep everybody else from the database. */
const JOBS_AT_ONCE = 4;

export interface DrainsOptions {
  readonly db: Database;
  readonly lanes: JobLanes;
  readonly tasks: Tasks;
  readonly configs: ConfigStore;
  readonly random: () => number;
  readonly stats: Stats;
  readonly log: Log;
  readonly settings: SlaCheckSettings;
  readonly askCoordinator: AskCoordinator;
}

interface Countdown {
  readonly taskId: string;
  readonly host: string;
  readonly ms: number;
}

/** A task that may go as soon as its policy allows it, and how long the policy will be asked. */
interface Waiting {
  readonly record: TaskRecord;
  readonly policy: SlaPolicy;
  readonly countdownMs: number;
}

export class Drains {
  private readonly checks: SlaChecks;
  /** Tasks whose coordinator is being asked. */
  private readonly asking = new Set<string>();
  /** By the name of their gauge. */
  private readonly countdowns = new Map<string, Countdown>();
  private stopped = false;

  constructor(private readonly options: DrainsOptions) {
    this.checks = new SlaChecks(options);
    options.stats.increment('missing_maintenance_request', 0);
  }

  /** Begins with no further job. */
  stop(): void {
    this.stopped = true;
  }

  /**
   * Drains those of the tasks that may go now; whatever keeps one, a failing store included, is left for
   * the next time.
   *
   * @param atOnce whatever request and policies say
   */
  async drain(hosted: readonly HostedTask[], atOnce: boolean): Promise<void> {
    const jobs = new Map<string, HostedTask[]>();
    for (const task of hosted) {
      const text = jobKeyText(task.job);
      const ofJob = jobs.get(text);
      if (ofJob === undefined) jobs.set(text, [task]);
      else ofJob.push(task);
    }
    const { lanes, log } = this.options;
    const left = jobs.entries();
    const work = async (): Promise<void> => {
      for (const [job, tasks] of left) {
        if (this.stopped) return;
        await lanes
          .enqueue(job, () => this.drainJob(tasks, atOnce))
          .catch((error: unknown) => {
            log.warn({ err: error, job }, 'tasks could not be drained; trying again later');
          });
      }
    };
    await Promise.all(Array.from({ length: JOBS_AT_ONCE }, work));
  }

  /** The task will not be drained any more, or not now: its gauge goes. */
  forgetTask(taskId: string): void {
    this.forget((countdown) => countdown.taskId === taskId);
  }

  forgetHosts(hosts: readonly string[]): void {
    this.forget(({ host }) => hosts.includes(host));
  }

  private forget(isGone: (countdown: Countdown) => boolean): void {
    for (const [name, countdown] of this.countdowns) {
      if (!isGone(countdown)) continue;
      this.countdowns.delete(name);
      this.options.stats.removeGauge(name);
    }
  }

  private drainJob(hosted: readonly HostedTask[], atOnce: boolean): Promise<void> {
    const { db, configs, stats } = this.options;
    const job = hosted[0]?.job as JobKey;
    return db.write({}, async (tx) => {
      const drains = await lockDrains(tx, [...new Set(hosted.map(({ host }) => host))]);
      const records = this.shuffled(
        await findTasks(
          tx,
          hosted.map(({ taskId }) => taskId),
        ),
      ).filter((record) => isDrainable(record.status) && !this.asking.has(record.taskId));
      const configOf = await configs.load(
        tx,
        records.map((record) => record.configHash),
      );
      const going: TaskRecord[] = [];
      const waiting: Waiting[] = [];
      let left = 0;
      for (const record of records) {
        const drain = drains.get(record.slaveHost ?? '');
        if (drain === undefined) continue;
        const step = drainStep(drain, configOf(record.configHash).config.slaPolicy);
        const countdown = drain.request === undefined ? 0 : countdownMs(drain.request);
        tx.onCommit(() => this.show(record, drain, countdown));
        if (atOnce || step.kind === 'drain') going.push(record);
        else if (step.kind === 'leave') left += 1;
        else waiting.push({ record, policy: step.policy, countdownMs: countdown });
      }
      tx.onCommit(() => stats.increment('missing_maintenance_request', left));
      // First those that go anyway: then the store says of the others' SLA how it is without them.
      await this.move(tx, going);
      const answers = await this.checks.check(tx, job, waiting);
      const answered = (answer: string): Waiting[] =>
        waiting.filter(({ record }) => answers.get(record.taskId) === answer);
      await this.move(
        tx,
        answered('pass').map(({ record }) => record),
      );
      await this.prepareQuestions(tx, job, answered('ask-coordinator'));
    });
  }

  private async move(
    tx: WriteTransaction,
    records: readonly Pick<TaskRecord, 'taskId'>[],
  ): Promise<void> {
    if (records.length === 0) return;
    await this.options.tasks.change(
      tx,
      records.map(({ taskId }) => ({
        ...{ taskId, target: 'DRAINING' as const },
        message: DRAINING_FOR_MAINTENANCE,
      })),
    );
  }

  private show({ taskId, job, instanceId }: TaskRecord, drain: Drain, ms: number): void {
    if (drain.request === undefined) return;
    const name = `maintenance_countdown_ms_${instanceKeyText(job, instanceId)}`;
    const { countdowns } = this;
    countdowns.set(name, { taskId, host: drain.host, ms });
    this.options.stats.gauge(name, () => countdowns.get(name)?.ms ?? 0);
  }

  private async prepareQuestions(
    tx: WriteTransaction,
    job: JobKey,
    waiting: readonly Waiting[],
  ): Promise<void> {
    const questions = await this.checks.questions(
      tx,
      job,
      waiting.map(({ record: { taskId }, policy }) => ({ taskId, policy })),
    );
    tx.afterCommit(() => {
      for (const { record, countdownMs: ms } of waiting) {
        const question = questions.get(record.taskId);
        if (question === undefined) continue;
        const params = { forceMaintenanceCountdownMs: String(Math.trunc(ms)) };
        this.ask(record, { ...question, params });
      }
    });
  }

  private ask(record: TaskRecord, question: CoordinatorQuestion): void {
    const { taskId } = record;
    this.asking.add(taskId);
    this.options
      .askCoordinator(question, (isGranted) =>
        isGranted ? this.drainAllowed(record) : Promise.resolve(),
      )
      .catch((error: unknown) => {
        this.options.log.warn({ err: error, taskId }, 'a task could not be drained yet');
      })
      .finally(() => this.asking.delete(taskId));
  }

  /** Unless the drain was ended meanwhile, or the task is on its way out by itself. */
  private drainAllowed({ taskId, job, slaveHost = '' }: TaskRecord): Promise<void> {
    const { db, lanes } = this.options;
    return lanes.enqueue(jobKeyText(job), () =>
      db.write({}, async (tx) => {
        const drain = (await lockDrains(tx, [slaveHost])).get(slaveHost);
        if (drain?.request === undefined) return;
        const [record] = await findTasks(tx, [taskId]);
        if (record !== undefined && isDrainable(record.status)) await this.move(tx, [record]);
      }),
    );
  }

  private shuffled<T>(items: readonly T[]): T[] {
    const left = [...items];
    return items.map(() => {
      const [item] = left.splice(Math.floor(this.options.random() * left.length), 1);
      return item as T;
    });
  }
}
