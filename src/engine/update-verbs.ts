/**
 * What clients ask of updates: start, pause, resume, abort, rollback (updates.md §2.1 to §2.5, G8, G11);
 * pulses are in `pulses.ts`. Each takes its turn in the job's lane and is one transaction; the first tick of
 * start, resume and rollback is part of it (C8).
 */
import { randomUUID } from 'node:crypto';
import { RefusedError } from '../core/errors.js';
import type { Metadata, StoredConfig, TaskConfig } from '../core/model/config.js';
import type { JobKey, JobUpdateKey } from '../core/model/keys.js';
import { jobKeyText, updateKeyText } from '../core/model/keys.js';
import type { Range } from '../core/model/ranges.js';
import {
  countRanges,
  fromRanges,
  rangesProblem,
  rangesText,
  toRanges,
} from '../core/model/ranges.js';
import type { RollingStatus, UpdateStatus } from '../core/model/statuses.js';
import { isRolling } from '../core/model/statuses.js';
import type {
  HistoryEvent,
  JobUpdate,
  UpdateInstructions,
  UpdateSettings,
} from '../core/model/update.js';
import type { JobDiff } from '../core/update/diff.js';
import { groupByConfig, isNoop, jobDiff, outOfScope } from '../core/update/diff.js';
import type { Verdict } from '../core/update/gate.js';
import { PlanError, planUpdate } from '../core/update/plan.js';
import type { Verb, VerbDecision } from '../core/update/verbs.js';
import { decideStart, decideVerb } from '../core/update/verbs.js';
import { cronJobProblem } from '../core/validate/cron.js';
import type { ConfigStore } from '../store/configs.js';
import type { Queries, WriteTransaction } from '../store/database.js';
import { CommitRefusedError } from '../store/database.js';
import { ensureJob, findActiveConfigs } from '../store/tasks.js';
import type { UpdateRecord } from '../store/updates.js';
import { findActiveUpdates, findUpdate, insertUpdate } from '../store/updates.js';
import { ActiveUpdate } from './active-updates.js';
import type { Cron } from './cron.js';
import type { PulseResult } from './pulses.js';
import { Pulses } from './pulses.js';
import { Updater } from './updater.js';

/** A validated request to update a job. */
export interface StartRequest {
  readonly job: JobKey;
  readonly config: TaskConfig;
  readonly instanceCount: number;
  readonly settings: UpdateSettings;
  readonly metadata: readonly Metadata[];
  readonly user: string;
  readonly message?: string;
  /**
   * Rows 9 and 10 of updates.md §2.1: refusals that come after the diff and before the conflict. It is told
   * what the update would replace and put there.
   */
  readonly checkAfterDiff: (
    tx: WriteTransaction,
    instructions: UpdateInstructions,
  ) => Promise<void> | undefined;
}

export type StartResult =
  | { readonly kind: 'started'; readonly key: JobUpdateKey }
  | { readonly kind: 'noop' }
  /** Another update of the job is active. */
  | { readonly kind: 'in-progress'; readonly active: UpdateRecord };

/** A bound on what one request may make us list, far above any `-max_tasks_per_job`. */
const MOST_INSTANCES = 100_000;

/** The start ends without having stored anything; carries the answer out of the transaction. */
class NothingStored extends Error {
  constructor(readonly result: StartResult) {
    super('nothing stored');
  }
}

export class UpdateVerbs {
  readonly pulses: Pulses;

  constructor(
    private readonly updater: Updater,
    private readonly configs: ConfigStore,
    private readonly cron: Pick<Cron, 'has'>,
  ) {
    this.pulses = new Pulses(updater);
  }

  // ----------------------------------------------------------------------------------------------- start

  start(request: StartRequest): Promise<StartResult> {
    this.updater.requireLeading();
    const { lanes } = this.updater.options;
    return lanes.enqueue(jobKeyText(request.job), () => this.runStart(request));
  }

  private async runStart(request: StartRequest): Promise<StartResult> {
    const { db } = this.updater.options;
    try {
      const key = await db.write({}, (tx) => this.storeStart(tx, request));
      const entry = this.updater.registry.get(updateKeyText(key));
      if (entry !== undefined) this.updater.lookAgain(entry);
      return { kind: 'started', key };
    } catch (error) {
      if (error instanceof NothingStored) return error.result;
      if (error instanceof PlanError) throw new RefusedError('ERROR', error.message);
      throw error;
    }
  }

  private async storeStart(tx: WriteTransaction, request: StartRequest): Promise<JobUpdateKey> {
    const config = this.configs.identify(request.config);
    const { settings, instanceCount, job } = request;
    // Once more, in the lane: the job may have become a cron job while this waited.
    const refusal = cronJobProblem(job, (key) => this.cron.has(key));
    if (refusal !== undefined) throw new RefusedError(refusal.code, refusal.message);
    const { diff, outside, configOf } = await diffJob(tx, this.configs, {
      job,
      config,
      instanceCount,
      scope: settings.onlyTheseInstances,
    });
    if (outside.length > 0) throw outsideScope(toRanges(outside));
    if (isNoop(diff)) throw new NothingStored({ kind: 'noop' });
    const instructions: UpdateInstructions = {
      initialState: groupByConfig(diff.replaced, configOf),
      settings,
      ...(diff.replacements.size === 0
        ? {}
        : { desiredState: { config, instances: toRanges(diff.replacements) } }),
    };
    await request.checkAfterDiff(tx, instructions);
    const [active] = await findActiveUpdates(tx, job);
    if (active !== undefined) throw new NothingStored({ kind: 'in-progress', active });
    planUpdate(instructions);
    const key = { job, id: randomUUID() };
    const update: JobUpdate = {
      key,
      user: request.user,
      metadata: request.metadata,
      state: 'ROLLING_FORWARD',
      instructions,
    };
    await ensureJob(tx, job);
    await this.configs.save(tx, [config]);
    await this.writeStart(tx, update, request);
    return key;
  }

  private async writeStart(
    tx: WriteTransaction,
    update: JobUpdate,
    request: StartRequest,
  ): Promise<void> {
    const { updater } = this;
    const { pulseTimeoutMs } = request.settings;
    const first = decideStart(pulseTimeoutMs);
    const atMs = updater.options.clock.wallNow();
    await insertUpdate(tx, update, { status: first.status, atMs });
    const entry = new ActiveUpdate({
      key: update.key,
      state: 'ROLLING_FORWARD',
      revision: 1,
      pulseTimeoutMs,
      lastEventStatus: first.status,
      lastEventMs: atMs,
      createdMs: atMs,
      lastModifiedMs: atMs,
      user: update.user,
      metadata: update.metadata,
    });
    entry.plan = planUpdate(update.instructions);
    tx.onCommit(() => updater.registry.add(entry));
    const event = audited(first.status, atMs, request.user, request.message);
    if (first.evaluate) {
      const result = await updater.options.stepping.step(tx, entry, 'ROLLING_FORWARD', [], atMs);
      await updater.writeStep(tx, entry, [event], result);
    } else {
      await updater.write(tx, entry, {
        state: 'ROLLING_FORWARD',
        events: [event],
      });
    }
  }

  // ---------------------------------------------------------------------- pause, resume, abort, rollback

  /** @throws RefusedError INVALID_REQUEST for an unknown update or one the verb does not apply to */
  change(key: JobUpdateKey, verb: Verb, user: string, message?: string): Promise<void> {
    this.updater.requireLeading();
    return this.updater.options.lanes.enqueue(jobKeyText(key.job), async () => {
      for (;;) {
        const entry = await this.find(key);
        if ('ended' in entry) {
          requireApplicable(decideVerb(verb, entry.ended, 'closed'));
          return;
        }
        if (await this.runVerb(entry, verb, user, message)) return;
      }
    });
  }

  /** The registry's entry of an update, or its final state. */
  private async find(
    key: JobUpdateKey,
  ): Promise<ActiveUpdate | { readonly ended: UpdateRecord['state'] }> {
    const { updater } = this;
    const known = updater.registry.get(updateKeyText(key));
    if (known !== undefined) return known;
    const record = await updater.options.db.read((tx) => findUpdate(tx, key));
    if (record === undefined) throw unknownUpdate(key);
    return updater.adopt(record) ?? { ended: record.state };
  }

  /** Returns false when the verb must be decided anew: the entry was stale, or the gate fell meanwhile. */
  private async runVerb(
    entry: ActiveUpdate,
    verb: Verb,
    user: string,
    message: string | undefined,
  ): Promise<boolean> {
    const { updater } = this;
    const verdict = updater.verdict(entry);
    const decision = decideVerb(verb, entry.state, verdict);
    const gated = decision.kind === 'change' && decision.evaluate;
    let row: 'same' | 'gone';
    try {
      row = await updater.options.db.write(gated ? updater.gated(entry) : {}, async (tx) => {
        const found = await updater.lock(tx, entry);
        if (found === 'gone') return found;
        requireApplicable(decision);
        if (decision.kind === 'change') {
          await this.writeVerb(tx, entry, decision, user, message, verdict);
        }
        return found;
      });
    } catch (error) {
      if (Updater.isStale(error)) {
        await updater.reload(entry);
        return false;
      }
      // The gate fell while this was written: the same verb again, as it is behind a closed gate.
      if (error instanceof CommitRefusedError) return false;
      if (!(error instanceof RefusedError)) updater.retryLater(entry);
      throw error;
    }
    if (row === 'gone') throw unknownUpdate(entry.key);
    updater.lookAgain(entry);
    return true;
  }

  private async writeVerb(
    tx: WriteTransaction,
    entry: ActiveUpdate,
    decision: Extract<VerbDecision, { kind: 'change' }>,
    user: string,
    message: string | undefined,
    verdict: Verdict,
  ): Promise<void> {
    const { updater } = this;
    const atMs = updater.eventTime(entry);
    const events = decision.events.map((event) =>
      event.audited
        ? audited(event.status, atMs, user, message)
        : {
            kind: 'update' as const,
            status: event.status,
            timestampMs: atMs,
            ...(event.message === undefined ? {} : { message: event.message }),
          },
    );
    // The updater of the old direction is of no use to the new one.
    if (decision.state !== entry.state) tx.onCommit(() => entry.discardStepper());
    if (decision.evaluate && verdict === 'open') {
      const rolling = decision.state as RollingStatus;
      const result = await updater.options.stepping.step(tx, entry, rolling, [], atMs);
      await updater.writeStep(tx, entry, events, result);
      return;
    }
    await updater.write(tx, entry, {
      state: decision.state,
      events,
    });
    if (verdict === 'closed' && isRolling(decision.state)) {
      tx.onCommit(() => {
        entry.denied = true;
      });
    }
  }

  /** A heartbeat by key; the other ways in are `pulses`' own (G4). */
  pulse(key: JobUpdateKey): PulseResult | Promise<PulseResult> {
    return this.pulses.pulse(key);
  }
}

/** What a job has, against what it is to have. */
export async function diffJob(
  queries: Queries,
  configs: ConfigStore,
  request: {
    readonly job: JobKey;
    readonly config: StoredConfig;
    readonly instanceCount: number;
    readonly scope: readonly Range[];
  },
): Promise<{
  diff: JobDiff;
  /** Ids of the scope that the job neither has nor would get. */
  outside: readonly number[];
  configOf: (hash: string) => StoredConfig;
}> {
  const problem = rangesProblem(request.scope);
  if (problem !== undefined) {
    throw new RefusedError('ERROR', `updateOnlyTheseInstances: ${problem}`);
  }
  if (request.instanceCount < 0) {
    throw new RefusedError('ERROR', `instanceCount ${request.instanceCount} is negative`);
  }
  if (request.instanceCount > MOST_INSTANCES) {
    throw new RefusedError(
      'INVALID_REQUEST',
      `instanceCount ${request.instanceCount} is too large`,
    );
  }
  const current = await findActiveConfigs(queries, request.job);
  // More ids than there can be instances: some are out of scope, and listing them could fill the memory.
  if (countRanges(request.scope) > request.instanceCount + current.size) {
    throw outsideScope(request.scope);
  }
  const scope = request.scope.length === 0 ? undefined : new Set(fromRanges(request.scope));
  const diff = jobDiff(current, request.config.hash, request.instanceCount, scope);
  return {
    diff,
    outside: scope === undefined ? [] : outOfScope(diff, scope),
    configOf: await configs.load(queries, current.values()),
  };
}

function outsideScope(ranges: readonly Range[]): RefusedError {
  return new RefusedError(
    'INVALID_REQUEST',
    `updateOnlyTheseInstances names instances the job does not have: ${rangesText(ranges)}`,
  );
}

function audited(
  status: UpdateStatus,
  timestampMs: number,
  user: string,
  message: string | undefined,
): HistoryEvent {
  return {
    kind: 'update',
    status,
    timestampMs,
    user,
    ...(message === undefined ? {} : { message }),
  };
}

function requireApplicable(decision: VerbDecision): void {
  if (decision.kind === 'refused') throw new RefusedError('INVALID_REQUEST', decision.message);
}

function unknownUpdate(key: JobUpdateKey): RefusedError {
  return new RefusedError('INVALID_REQUEST', `There is no update ${updateKeyText(key)}.`);
}
