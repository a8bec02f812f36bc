/**
 * Kills that wait for the SLA of their job (updates.md §3.10). A kill step becomes a chain of attempts;
 * each attempt, and each answer of a coordinator, is an input of the job's lane like any other: it meets the
 * gate first, and is dropped when its chain is not the current one any more. A chain goes on until its task
 * cannot be killed any more, or is stopped with the updater, which starts it anew when it is rebuilt.
 */
import type { UpdateAction, RollingStatus, ExplicitUpdateStatus } from '../core/model/statuses.js';
import { isKillable } from '../core/model/statuses.js';
import { jobKeyText } from '../core/model/keys.js';
import type { SlaPolicy } from '../core/model/config.js';
import type { HistoryEvent } from '../core/model/update.js';
import type { SlaAnswer, SlaCheckSettings } from '../core/sla/check.js';
import type { AskCoordinator, CoordinatorQuestion } from '../core/sla/coordinator.js';
import { requireRolling } from '../core/sla/policy.js';
import type { BackoffLimits } from '../core/task/flapping.js';
import { backoff } from '../core/task/flapping.js';
import { MSG_SLA_CHECK, MSG_SLA_PASS } from '../core/update/messages.js';
import type { Log } from '../observe/log.js';
import type { Stats } from '../observe/stats.js';
import type { ConfigStore } from '../store/configs.js';
import type { WriteTransaction } from '../store/database.js';
import { findNoted } from '../store/sla.js';
import type { TaskRecord } from '../store/tasks.js';
import { findTasks } from '../store/tasks.js';
import type { Timers } from '../time.js';
import type { ActiveUpdate, SlaChain, SlaInput } from './active-updates.js';
import { SlaChecks } from './sla-checks.js';
import type { Tasks } from './tasks.js';

export interface SlaKillSettings extends SlaCheckSettings {
  /** `-sla_aware_kill_retry_min_delay` and `_max_delay`. */
  readonly retry: BackoffLimits;
  /** Attempts in one tick at most: `-sla_aware_action_max_batch_size`. */
  readonly maxBatchSize: number;
}

export interface SlaKillsOptions {
  readonly tasks: Tasks;
  readonly configs: ConfigStore;
  readonly timers: Timers;
  readonly random: () => number;
  readonly stats: Stats;
  readonly log: Log;
  readonly settings: SlaKillSettings;
  readonly askCoordinator: AskCoordinator;
}

export interface Kill {
  readonly taskId: string;
  /** Keep the task's agent for the instance (updates.md §3.11). */
  readonly reserve: boolean;
}

/** A kill that an updater wants and a policy guards. */
export interface SlaKill extends Kill {
  readonly instanceId: number;
  readonly policy: SlaPolicy;
}

/** Puts an input into the update's lane; resolves when it has been dealt with. */
export type Enqueue = (input: SlaInput) => Promise<void>;

/** What attempts and requests leave to be written, killed and followed up. */
export interface SlaWork {
  readonly events: readonly HistoryEvent[];
  /** Tasks that may be killed now, in the same transaction. */
  readonly passed: readonly Kill[];
  /** Sets what comes next. Call after the commit, and only if the update goes on as it was. */
  readonly follow: (enqueue: Enqueue) => void;
}

const ACTIONS: Readonly<Record<RollingStatus, UpdateAction>> = {
  ROLLING_FORWARD: 'INSTANCE_UPDATING',
  ROLLING_BACK: 'INSTANCE_ROLLING_BACK',
};

export class SlaKills {
  private readonly checks: SlaChecks;

  constructor(private readonly options: SlaKillsOptions) {
    this.checks = new SlaChecks(options);
  }

  /**
   * Notes that these kills wait for the SLA, once for each instance and direction, and begins their chains
   * after the commit; a task that has one already keeps it.
   *
   * @throws RangeError when the update is not rolling
   */
  async request(
    tx: WriteTransaction,
    entry: ActiveUpdate,
    state: ExplicitUpdateStatus,
    kills: readonly SlaKill[],
    atMs: number,
  ): Promise<SlaWork> {
    requireRolling(state);
    const rolling = state as RollingStatus;
    const action = ACTIONS[rolling];
    const fresh = kills.filter(({ instanceId, taskId }) => {
      const chain = entry.slaChains.get(instanceId);
      return chain?.taskId !== taskId || chain.state !== rolling;
    });
    if (fresh.length === 0) return NO_WORK;
    const noted = entry.slaNoted ?? (await this.loadNoted(tx, entry));
    const unnoted = fresh.filter(({ instanceId }) => !noted.has(`${action} ${instanceId}`));
    tx.onCommit(() => {
      entry.slaNoted = noted;
      for (const { instanceId } of unnoted) noted.add(`${action} ${instanceId}`);
    });
    return {
      events: unnoted.map(({ instanceId }) => note(instanceId, action, atMs, MSG_SLA_CHECK)),
      passed: [],
      follow: (enqueue) => {
        for (const kill of fresh) this.begin(entry, { ...kill, state: rolling }, enqueue);
      },
    };
  }

  private async loadNoted(tx: WriteTransaction, entry: ActiveUpdate): Promise<Set<string>> {
    const notes = await findNoted(tx, entry.key.id, MSG_SLA_CHECK);
    return new Set(notes.map(({ action, instanceId }) => `${action} ${instanceId}`));
  }

  private begin(
    entry: ActiveUpdate,
    kill: Omit<SlaChain, 'delayMs' | 'timer'>,
    enqueue: Enqueue,
  ): void {
    const { instanceId } = kill;
    entry.slaChains.get(instanceId)?.timer?.cancel();
    const chain: SlaChain = { ...kill, delayMs: 0, timer: undefined };
    entry.slaChains.set(instanceId, chain);
    void enqueue({ kind: 'sla', instanceId, chain });
  }

  /**
   * Makes attempts, behind an open gate: what a count or a percentage says is decided here and now, a
   * coordinator is asked after the commit. A fixed number of statements, whatever the number of attempts.
   *
   * @param state what the update is doing now
   */
  async attempt(
    tx: WriteTransaction,
    entry: ActiveUpdate,
    state: RollingStatus,
    inputs: readonly SlaInput[],
    atMs: number,
  ): Promise<SlaWork> {
    const current = inputs.filter(
      ({ chain }) => entry.slaChains.get(chain.instanceId) === chain && chain.state === state,
    );
    if (current.length === 0) return NO_WORK;
    const found = await findTasks(
      tx,
      current.map(({ chain }) => chain.taskId),
    );
    const records = new Map(found.map((record) => [record.taskId, record]));
    const open = current.filter(({ chain }) => {
      const record = records.get(chain.taskId);
      return record !== undefined && isKillable(record.status);
    });
    const attempts = open.filter(({ isGranted }) => isGranted === undefined);
    const answers = await this.check(tx, entry, attempts, records);
    for (const { chain, isGranted } of open) if (isGranted) answers.set(chain.taskId, 'pass');
    const passed = open.filter(({ chain }) => answers.get(chain.taskId) === 'pass');
    const asking = attempts.filter(({ chain }) => answers.get(chain.taskId) === 'ask-coordinator');
    const questions = await this.checks.questions(
      tx,
      entry.key.job,
      asking.map(({ chain }) => chain),
    );
    return {
      events: passed.map(({ instanceId }) => note(instanceId, ACTIONS[state], atMs, MSG_SLA_PASS)),
      passed: passed.map(({ chain: { taskId, reserve } }) => ({ taskId, reserve })),
      follow: (enqueue) => {
        this.count('attempt', entry, attempts.length);
        this.count('success', entry, passed.length);
        for (const { chain } of current) {
          const question = questions.get(chain.taskId);
          if (question !== undefined) this.ask(entry, chain, question, enqueue);
          else if (open.some((input) => input.chain === chain)) this.again(entry, chain, enqueue);
          else entry.slaChains.delete(chain.instanceId);
        }
      },
    };
  }

  private count(what: 'attempt' | 'success', entry: ActiveUpdate, by: number): void {
    const name = `updates_sla_kill_${what}_${jobKeyText(entry.key.job)}`;
    if (by > 0) this.options.stats.increment(name, by);
  }

  private check(
    tx: WriteTransaction,
    entry: ActiveUpdate,
    attempts: readonly SlaInput[],
    records: ReadonlyMap<string, TaskRecord>,
  ): Promise<Map<string, SlaAnswer>> {
    const candidates = attempts.flatMap(({ chain: { taskId, policy } }) => {
      const record = records.get(taskId);
      return record === undefined ? [] : [{ record, policy }];
    });
    return this.checks.check(tx, entry.key.job, candidates);
  }

  /** Outside the lane; the answer comes back into it, and the next attempt follows that. */
  private ask(
    entry: ActiveUpdate,
    chain: SlaChain,
    question: CoordinatorQuestion,
    enqueue: Enqueue,
  ): void {
    const { instanceId } = chain;
    const answer = (isGranted: boolean): Promise<void> =>
      enqueue({ kind: 'sla', instanceId, chain, isGranted });
    this.options.askCoordinator(question, answer).catch((error: unknown) => {
      this.options.log.error({ err: error, update: entry.keyText }, 'an SLA check failed');
      this.again(entry, chain, enqueue);
    });
  }

  /** Sets the next attempt: also after a kill, which ends the chain only once it is seen to have worked. */
  private again(entry: ActiveUpdate, chain: SlaChain, enqueue: Enqueue): void {
    const { timers, random, settings } = this.options;
    const { instanceId } = chain;
    if (entry.slaChains.get(instanceId) !== chain) return;
    chain.delayMs = backoff(chain.delayMs, settings.retry, random());
    chain.timer?.cancel();
    chain.timer = timers.set(chain.delayMs, () => {
      void enqueue({ kind: 'sla', instanceId, chain });
    });
  }
}

export const NO_WORK: SlaWork = { events: [], passed: [], follow: () => undefined };

function note(
  instanceId: number,
  action: UpdateAction,
  timestampMs: number,
  message: string,
): HistoryEvent {
  return { kind: 'instance', instanceId, action, timestampMs, message };
}
