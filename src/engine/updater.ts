/**
 * Drives rolling updates: every input of an active update ends in `runTick`, which asks the gate first
 * (updates.md §3.1, G1 to G12). One transaction for each tick; memory follows the commit.
 *
 * Where to read on: `stepping.ts` (what happens behind an open gate), `update-verbs.ts` (start, pause,
 * resume, abort, rollback), `core/update/tick.ts` (the decision).
 */
import { TransientError } from '../core/errors.js';
import type { RollingStatus, UpdateStatus } from '../core/model/statuses.js';
import { TERMINAL_STATES, isRolling, isTerminalUpdate } from '../core/model/statuses.js';
import type { HistoryEvent } from '../core/model/update.js';
import type { Verdict } from '../core/update/gate.js';
import { viewStatus } from '../core/update/gate.js';
import { MSG_GATE_TIMEOUT } from '../core/update/messages.js';
import { hasRoom } from '../core/update/one-way-updater.js';
import { awaitingOf } from '../core/update/status-table.js';
import type { Log } from '../observe/log.js';
import type { Stats } from '../observe/stats.js';
import type { Database, WriteOptions, WriteTransaction } from '../store/database.js';
import { CommitRefusedError } from '../store/database.js';
import type { UpdateRecord, UpdateWrite } from '../store/updates.js';
import { findActiveUpdates, findUpdate, lockUpdate, writeUpdate } from '../store/updates.js';
import type { Clock, TimerHandle, Timers } from '../time.js';
import { Turns } from '../time.js';
import { ActiveUpdates } from './active-updates.js';
import type { ActiveUpdate, UpdateInput } from './active-updates.js';
import type { Heartbeats } from './heartbeats.js';
import type { JobLanes } from './job-lane.js';
import type { StepResult, Stepping } from './stepping.js';
import type { TaskChange } from './tasks.js';

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;
const SLEEP_CHECK_MS = 5_000;
/** First ticks at once: ten thousand would wait for a connection longer than one is waited for. */
const RECOVERED_AT_ONCE = 32;
const INERT_STATUSES: ReadonlySet<string> = new Set([
  'PENDING',
  'THROTTLED',
  'ASSIGNED',
  'STARTING',
]);

export interface UpdaterOptions {
  readonly db: Database;
  readonly lanes: JobLanes;
  readonly heartbeats: Heartbeats;
  readonly stepping: Stepping;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly stats: Stats;
  readonly log: Log;
  /** D: a commit not sent this long after its verdict takes another one first, ms (G3). */
  readonly gateCommitDeadlineMs: number;
  /** Attempts of SLA-aware kills in one tick at most. */
  readonly slaBatchSize: number;
}

/** The row was changed by somebody else: nothing was written (G11). */
class StaleEntryError extends Error {
  override readonly name = 'StaleEntryError';
}

export class Updater {
  readonly registry = new ActiveUpdates();
  private stopped = false;
  private sleepCheck: TimerHandle | undefined;

  constructor(readonly options: UpdaterOptions) {}

  // ------------------------------------------------------------------------------------------ start, stop

  /** Reads the registry from Postgres; until then no pulse and no verb is answered. */
  async load(): Promise<void> {
    const turns = new Turns();
    for (const record of await this.options.db.read((tx) => findActiveUpdates(tx))) {
      this.registry.put(record);
      if (turns.isDue()) await turns.pause();
    }
    this.registry.loaded = true;
    this.watchForSleep();
  }

  /** The first tick of every update found rolling; a failing one is counted and does not stop the others. */
  async recover(): Promise<void> {
    const rolling = [...this.registry.all()].filter((entry) => isRolling(entry.state));
    const turns = new Turns();
    let next = 0;
    const some = async (): Promise<void> => {
      for (let entry = rolling[next++]; entry !== undefined; entry = rolling[next++]) {
        await this.enqueueTick(entry, undefined, true);
        if (turns.isDue()) await turns.pause();
      }
    };
    await Promise.all(Array.from({ length: RECOVERED_AT_ONCE }, some));
  }

  stop(): void {
    this.stopped = true;
    this.sleepCheck?.cancel();
    for (const entry of [...this.registry.all()]) this.registry.remove(entry);
    this.registry.loaded = false;
  }

  private watchForSleep(): void {
    this.sleepCheck = this.options.timers.set(SLEEP_CHECK_MS, () => {
      if (this.stopped) return;
      if (this.options.heartbeats.checkSleep()) {
        this.options.log.warn({}, 'this machine slept; every heartbeat counts as missed');
      }
      this.watchForSleep();
    });
  }

  // -------------------------------------------------------------------------------------------- the gate

  /**
   * Everything that changes an update, counts a pulse or shows a status asks this first (G4, G10).
   *
   * @throws TransientError while the registry is not loaded, and past the deadline of the lease
   */
  requireLeading(): void {
    if (!this.registry.loaded) throw new TransientError('the scheduler is starting; try again');
    if (!this.options.db.mayAct()) {
      throw new TransientError('this scheduler may not lead any more; try again');
    }
  }

  verdict(entry: ActiveUpdate): Verdict {
    return this.options.heartbeats.verdict(entry.keyText, entry.pulseTimeoutMs);
  }

  /** What a reader is shown now. */
  view(entry: ActiveUpdate): UpdateStatus {
    return viewStatus(entry.state, this.verdict(entry));
  }

  /**
   * Options of a transaction that acts on an open verdict taken in this turn: COMMIT is sent within D of
   * it, or after another open verdict in the same turn (G3). D is measured on a clock that stands still
   * while the machine sleeps, so a sleep asks for another verdict too.
   */
  gated(entry: ActiveUpdate): WriteOptions {
    if (!entry.coordinated) return {};
    const { clock, heartbeats, gateCommitDeadlineMs } = this.options;
    const { sleeps } = heartbeats;
    const verdictMono = clock.monoNow();
    const verdictHolds = (): boolean => {
      heartbeats.checkSleep();
      return heartbeats.sleeps === sleeps && clock.monoNow() - verdictMono < gateCommitDeadlineMs;
    };
    return {
      idleTimeoutMs: gateCommitDeadlineMs,
      mayCommit: () => verdictHolds() || this.verdict(entry) === 'open',
    };
  }

  // ------------------------------------------------------------------------------------------------ inputs

  /** Listens to the task writer: whatever may move a rolling update becomes an input of its lane. */
  onTaskChange(change: TaskChange): void {
    const entry = this.registry.ofJob(change.task.job);
    if (entry === undefined || !isRolling(entry.state)) return;
    const { task } = change;
    if (change.kind === 'deleted') {
      // History that is pruned says nothing about its instance.
      if (TERMINAL_STATES.has(task.status)) return;
      void this.enqueueTick(entry, { kind: 'deleted', instanceId: task.instanceId });
      return;
    }
    if (this.isInert(entry, change)) return;
    const { taskId, instanceId, status } = task;
    void this.enqueueTick(entry, { kind: 'task', taskId, instanceId, status });
  }

  /**
   * A change of an instance that is not in the update, or after which an evaluation could only say "wait":
   * the target's task on its way up, a task on its way out. Behind a closed gate the latter are inputs like
   * any other, because a refused one is recorded.
   */
  private isInert(entry: ActiveUpdate, change: TaskChange): boolean {
    const { stepper, plan } = entry;
    const { status, configHash, instanceId } = change.task;
    if (plan === undefined) return false;
    if (!plan.initial.has(instanceId) && !plan.desiredIds.has(instanceId)) return true;
    if (stepper === undefined || this.verdict(entry) === 'closed') return false;
    if (hasRoom(stepper.updater)) return false;
    if (status === 'KILLING') return true;
    const target =
      stepper.updater.direction === 'forward'
        ? plan.desiredIds.has(instanceId) && plan.desired?.hash
        : plan.initial.get(instanceId)?.hash;
    return INERT_STATUSES.has(status) && configHash === target;
  }

  /**
   * Puts a tick into the job's lane, or adds the input to one that waits there already. A tick takes at
   * most one input for each instance, so that no two of one instance are taken for one.
   */
  enqueueTick(entry: ActiveUpdate, input?: UpdateInput, isBoot = false): Promise<void> {
    if (this.stopped) return Promise.resolve();
    if (input !== undefined) entry.inputs.push(input);
    if (entry.tickQueued) return Promise.resolve();
    entry.tickQueued = true;
    return this.options.lanes.enqueue(entry.jobText, () => {
      entry.tickQueued = false;
      return this.runTick(entry, isBoot);
    });
  }

  /** The same, but resolves only when the input was taken and its tick has ended. */
  private async dealWith(entry: ActiveUpdate, input: UpdateInput): Promise<void> {
    void this.enqueueTick(entry, input);
    do {
      await this.options.lanes.enqueue(entry.jobText, () => Promise.resolve());
    } while (entry.inputs.includes(input));
  }

  private takeInputs(entry: ActiveUpdate): UpdateInput[] {
    const seen = new Set<number>();
    let attempts = 0;
    const end = entry.inputs.findIndex(({ instanceId, kind }) => {
      if (kind === 'sla') attempts += 1;
      if (seen.has(instanceId) || attempts > this.options.slaBatchSize) return true;
      seen.add(instanceId);
      return false;
    });
    const taken = end === -1 ? entry.inputs : entry.inputs.slice(0, end);
    entry.inputs = end === -1 ? [] : entry.inputs.slice(end);
    if (entry.inputs.length > 0) void this.enqueueTick(entry);
    return taken;
  }

  // ------------------------------------------------------------------------------------------------- ticks

  /** One tick. Runs in the job's lane; the verdict is taken before anything is awaited. */
  private async runTick(entry: ActiveUpdate, isBoot: boolean): Promise<void> {
    const inputs = this.takeInputs(entry);
    const { stats, log } = this.options;
    if (this.registry.get(entry.keyText) !== entry || !isRolling(entry.state)) return;
    try {
      this.requireLeading();
      if (this.verdict(entry) === 'closed') {
        await this.deny(entry);
      } else {
        await this.attempt(entry, entry.state, inputs);
      }
      this.lookAgain(entry);
    } catch (error) {
      if (error instanceof StaleEntryError) {
        await this.rerunAfterReload(entry, inputs);
        return;
      }
      stats.increment(isBoot ? 'job_update_recovery_errors' : 'job_update_state_change_errors');
      log.error({ err: error, update: entry.keyText }, 'a tick failed; it will be repeated');
      this.retryLater(entry);
    }
  }

  /** What was decided was decided on something else than what is stored: once more, on that (G11). */
  private async rerunAfterReload(entry: ActiveUpdate, inputs: UpdateInput[]): Promise<void> {
    try {
      const fresh = await this.reload(entry);
      fresh?.inputs.push(...inputs, ...entry.inputs);
    } catch (error) {
      this.options.log.error(
        { err: error, update: entry.keyText },
        'an update could not be reloaded',
      );
    }
  }

  private async attempt(
    entry: ActiveUpdate,
    state: RollingStatus,
    inputs: readonly UpdateInput[],
  ): Promise<void> {
    try {
      await this.options.db.write(this.gated(entry), async (tx) => {
        if ((await this.lock(tx, entry)) === 'gone') return;
        const atMs = this.eventTime(entry);
        const unblocked: HistoryEvent[] = entry.episodeOpen
          ? [{ kind: 'update', status: state, timestampMs: atMs }]
          : [];
        const result = await this.options.stepping.step(tx, entry, state, inputs, atMs);
        await this.writeStep(tx, entry, unblocked, result);
      });
    } catch (error) {
      if (!(error instanceof CommitRefusedError)) throw error;
      await this.deny(entry);
    }
  }

  /**
   * A refused tick: nothing is evaluated, the inputs are lost, the updater is thrown away. The first
   * refusal of an episode is recorded (G6).
   */
  private async deny(entry: ActiveUpdate): Promise<void> {
    entry.denied = true;
    entry.discardStepper();
    if (entry.episodeOpen || !isRolling(entry.state)) return;
    const status = awaitingOf(entry.state);
    await this.options.db.write({}, async (tx) => {
      if ((await this.lock(tx, entry)) === 'gone') return;
      const timestampMs = this.eventTime(entry);
      const blocked = { kind: 'update', status, timestampMs, message: MSG_GATE_TIMEOUT } as const;
      await this.write(tx, entry, { state: entry.state, events: [blocked] });
    });
  }

  /** After a lane item: a pulse that came while it ran must not go unnoticed (G7). */
  lookAgain(entry: ActiveUpdate): void {
    if (this.registry.get(entry.keyText) !== entry || !isRolling(entry.state)) return;
    if ((entry.denied || entry.episodeOpen) && this.verdict(entry) === 'open') {
      void this.enqueueTick(entry);
    }
  }

  /** A tick that failed has lost its input: look at everything again, later and later (G12). */
  retryLater(entry: ActiveUpdate): void {
    if (this.stopped || this.registry.get(entry.keyText) !== entry || !isRolling(entry.state))
      return;
    entry.discardStepper();
    entry.cancelRetry();
    const delayMs = Math.min(LAST_RETRY_MS, entry.nextRetryMs || FIRST_RETRY_MS);
    entry.nextRetryMs = 2 * delayMs;
    const handle = this.options.timers.set(delayMs, () => void this.enqueueTick(entry));
    entry.retry = { handle, delayMs };
  }

  // ------------------------------------------------------------------------------- writing, and what follows

  /** Times of events never go back within an update (updates.md §1.3). */
  eventTime(entry: { readonly lastModifiedMs: number }): number {
    return Math.max(this.options.clock.wallNow(), entry.lastModifiedMs);
  }

  /**
   * Locks the row and compares it with the registry (G11).
   *
   * @returns 'gone' when the row was deleted: the entry is dropped once the transaction ends
   * @throws StaleEntryError when somebody else has written to the update
   */
  async lock(tx: WriteTransaction, entry: ActiveUpdate): Promise<'same' | 'gone'> {
    const record = await lockUpdate(tx, entry.key);
    if (record === undefined) {
      tx.onCommit(() => this.drop(entry));
      this.options.log.warn({ update: entry.keyText }, 'an active update has no row any more');
      return 'gone';
    }
    if (record.revision !== entry.revision) throw new StaleEntryError('the update was changed');
    return 'same';
  }

  async writeStep(
    tx: WriteTransaction,
    entry: ActiveUpdate,
    before: readonly HistoryEvent[],
    result: StepResult,
  ): Promise<void> {
    const write: UpdateWrite = {
      state: result.state,
      events: [...before, ...result.events],
      released: result.released,
    };
    const changesNothing = write.events.length === 0 && result.state === entry.state;
    if (!changesNothing) await this.write(tx, entry, write);
    tx.onCommit(() => {
      result.keep();
      this.settle(entry);
      if (!isRolling(entry.state) || this.stopped) return;
      this.setWatches(entry, result);
      result.follow((input) => this.dealWith(entry, input));
    });
  }

  /** Writes to the row and its events; after the commit the registry knows. */
  async write(tx: WriteTransaction, entry: ActiveUpdate, write: UpdateWrite): Promise<void> {
    const revision = await writeUpdate(tx, entry.key.id, write);
    tx.onCommit(() => this.committed(entry, revision, write));
  }

  private committed(entry: ActiveUpdate, revision: number, write: UpdateWrite): void {
    const { stats, log } = this.options;
    entry.revision = revision;
    entry.state = write.state;
    for (const event of write.events) {
      entry.lastModifiedMs = Math.max(entry.lastModifiedMs, event.timestampMs);
      if (event.kind === 'update') {
        entry.lastEventStatus = event.status;
        stats.increment(`update_transition_${event.status}`);
        const { status, user, message } = event;
        log.info({ update: entry.keyText, status, user, message }, 'update changed');
      } else if (event.message === undefined) {
        // Notes of the SLA check carry a message and are not transitions (updates.md §2.6).
        stats.increment(`update_instance_transition_${event.action}`);
      }
    }
    if (isTerminalUpdate(write.state)) this.drop(entry);
    else if (!isRolling(write.state)) {
      entry.denied = false;
      entry.discardStepper();
      entry.cancelRetry();
    }
  }

  /** A tick behind an open gate was committed. */
  private settle(entry: ActiveUpdate): void {
    entry.denied = false;
    entry.cancelRetry();
    entry.nextRetryMs = 0;
  }

  private setWatches(entry: ActiveUpdate, result: StepResult): void {
    const waitMs = entry.plan?.settings.minWaitInRunningMs ?? 0;
    for (const { instanceId, eventId } of result.watches) {
      entry.watches.get(instanceId)?.cancel();
      const handle = this.options.timers.set(waitMs, () => {
        entry.watches.delete(instanceId);
        void this.enqueueTick(entry, { kind: 'timer', instanceId, eventId });
      });
      entry.watches.set(instanceId, handle);
    }
  }

  /** The update is over, or gone: nothing of it stays in memory. */
  drop(entry: ActiveUpdate): void {
    this.registry.remove(entry);
    this.options.heartbeats.forget(entry.keyText);
  }

  /**
   * Puts what is stored in place of what the registry believed, and has it looked at.
   *
   * @returns undefined when the update is over
   * @throws when the store cannot be read; the update is then looked at later
   */
  async reload(entry: ActiveUpdate): Promise<ActiveUpdate | undefined> {
    const { db, log } = this.options;
    let record: UpdateRecord | undefined;
    try {
      record = await db.read((tx) => findUpdate(tx, entry.key));
    } catch (error) {
      this.retryLater(entry);
      throw error;
    }
    log.warn({ update: entry.keyText }, 'an update was changed by somebody else; reloaded');
    const fresh = record && this.adopt(record);
    if (fresh === undefined) this.drop(entry);
    else fresh.denied = entry.denied;
    return fresh;
  }

  /**
   * Takes a stored update into the registry, or in place of what is there, and queues a tick if it is
   * rolling: nobody else knows that it has to be driven. Only in the job's lane.
   *
   * @returns undefined for an update that is over
   */
  adopt(record: UpdateRecord): ActiveUpdate | undefined {
    const entry = this.registry.put(record);
    if (entry !== undefined && isRolling(entry.state)) void this.enqueueTick(entry);
    return entry;
  }

  static isStale(error: unknown): boolean {
    return error instanceof StaleEntryError;
  }
}
