/**
 * What thrift/extension.thrift adds to Aurora's API: heartbeats by id, many pulses in one call, and why
 * updates are not moving. Outcomes carry the result struct itself, where the others carry a union's member.
 */
import { RefusedError } from '../core/errors.js';
import type { JobKey, JobUpdateKey } from '../core/model/keys.js';
import { isValidJobKey, jobKeyText, updateKeyText } from '../core/model/keys.js';
import type { ActiveUpdate } from '../engine/active-updates.js';
import { findBlockers } from '../engine/blockers.js';
import type { HeartbeatResult } from '../engine/pulses.js';
import { findUpdatesById } from '../store/update-lookup.js';
import type { Authorization } from './authorize.js';
import type { RpcDeps, RpcMethods, SentUpdateKey } from './deps.js';
import { countResult, given } from './deps.js';
import type { Caller, Outcome, RpcMethod } from './outcome.js';
import { ok, refuse } from './outcome.js';

/** Keys of one call at most: what a hundred monitors of a hundred updates would send. */
export const MOST_KEYS = 10_000;

/** Answers to nearly all heartbeats, made once. */
const ANSWERS = {
  OK: Promise.resolve(ok({ status: 'OK' })),
  PAUSED: Promise.resolve(ok({ status: 'PAUSED' })),
  FINISHED: Promise.resolve(ok({ status: 'FINISHED' })),
} as const;

/** As cheap as pulseJobUpdate: no SQL and no lane for an update in the registry. */
function heartbeatMethod({ engine, authorization }: RpcDeps): RpcMethod {
  // `-unknown_pulse_response` is for clients from before this method: none of them calls it.
  const answer = (updateId: string, result: HeartbeatResult): Promise<Outcome> =>
    result === 'UNKNOWN'
      ? Promise.resolve(refuse('INVALID_REQUEST', `There is no update ${updateId}.`))
      : ANSWERS[result];
  const heartbeat = (updateId: string): Promise<Outcome> => {
    const result = engine.updates.pulses.heartbeat(updateId);
    return typeof result === 'string'
      ? answer(updateId, result)
      : result.then((late) => answer(updateId, late));
  };
  return (args, caller) => {
    try {
      const updateId = given<string>(args, 'updateId');
      if (updateId.trim() === '') throw new RefusedError('ERROR', 'updateId must not be blank');
      return authorization === undefined
        ? heartbeat(updateId)
        : ifPermitted({ engine, authorization }, updateId, caller, heartbeat);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  };
}

/** The job comes from the update, so whoever may not pulse it hears so only if there is one. */
async function ifPermitted(
  { engine, authorization }: { engine: RpcDeps['engine']; authorization: Authorization },
  updateId: string,
  caller: Caller,
  heartbeat: (updateId: string) => Promise<Outcome>,
): Promise<Outcome> {
  engine.updater.requireLeading();
  const { registry, options } = engine.updater;
  const job =
    registry.withId(updateId)?.key.job ??
    (await options.db.read((tx) => findUpdatesById(tx, [updateId]))).get(updateId)?.key.job;
  return job === undefined || authorization.mayPulse(caller, job)
    ? heartbeat(updateId)
    : authorization.notForJob('heartbeatJobUpdate', job, caller);
}

/** A key that could be an update's; undefined for one of which a part is missing or malformed. */
function wellFormed({ job, id }: SentUpdateKey): JobUpdateKey | undefined {
  return isValidJobKey(job) && id !== undefined && id.trim() !== '' ? { job, id } : undefined;
}

/** @throws RefusedError INVALID_REQUEST for more than MOST_KEYS */
function bounded<T>(name: string, items: readonly T[]): readonly T[] {
  if (items.length <= MOST_KEYS) return items;
  throw new RefusedError(
    'INVALID_REQUEST',
    `${name}: ${items.length} are more than ${MOST_KEYS} in one call`,
  );
}

/** One bad key must not keep a thousand good ones from being heard, so each has a status of its own. */
function bulkMethod({ engine, authorization }: RpcDeps): RpcMethod {
  return async (args, caller) => {
    const sent = bounded('keys', given<readonly SentUpdateKey[]>(args, 'keys'));
    const keys = sent.map(wellFormed);
    const mayPulse = pulseCheck(authorization, caller);
    const good = keys.filter((key) => key !== undefined && mayPulse(key.job));
    const results = await engine.updates.pulses.pulseAll(good as JobUpdateKey[]);
    const byKey = new Map(good.map((key, index) => [key, results[index]]));
    return ok({
      updates: sent.map((key, index) => ({
        key,
        status:
          keys[index] === undefined ? 'MALFORMED_KEY' : (byKey.get(keys[index]) ?? 'NOT_PERMITTED'),
      })),
    });
  };
}

/** Whether this caller may pulse a job's updates; a job that comes again is not asked about again. */
function pulseCheck(
  authorization: Authorization | undefined,
  caller: Caller,
): (job: JobKey) => boolean {
  if (authorization === undefined) return () => true;
  const known = new Map<string, boolean>();
  return (job) => {
    const text = jobKeyText(job);
    let may = known.get(text);
    if (may === undefined) {
      may = authorization.mayPulse(caller, job);
      known.set(text, may);
      if (!may) authorization.failed('permission');
    }
    return may;
  };
}

interface BlockersQuery {
  readonly keys?: readonly SentUpdateKey[];
  readonly jobs?: readonly Partial<JobKey>[];
  readonly updateIds?: readonly string[];
}

/** Instances listed for one update; the others are counted. */
const MOST_INSTANCES_LISTED = 100;

/**
 * The active updates that meet every condition of the query. A key that no update can have meets none, and
 * is no mistake either, as in the queries of Aurora's reads.
 */
function entriesFor({ engine }: RpcDeps, query: BlockersQuery): ActiveUpdate[] {
  engine.updater.requireLeading();
  const { registry } = engine.updater;
  const keys = bounded('query.keys', query.keys ?? []).map(wellFormed);
  const jobs = bounded('query.jobs', query.jobs ?? []).filter(isValidJobKey);
  const ids = bounded('query.updateIds', query.updateIds ?? []);
  const conditions = [
    query.keys?.length ? keys.map((key) => key && registry.get(updateKeyText(key))) : undefined,
    query.jobs?.length ? jobs.map((job) => registry.ofJob(job)) : undefined,
    ids.length > 0 ? ids.map((id) => registry.withId(id)) : undefined,
  ].filter((met) => met !== undefined);
  const [first = registry.all(), ...others] = conditions.map((met) => new Set(met));
  return [...first].filter(
    (entry): entry is ActiveUpdate =>
      entry !== undefined && others.every((condition) => condition.has(entry)),
  );
}

function blockersMethod(deps: RpcDeps): RpcMethod {
  return async (args) => {
    const entries = entriesFor(deps, given<BlockersQuery>(args, 'query'));
    const updates = await findBlockers(deps.engine, entries);
    countResult(deps, 'getJobUpdateBlockers', updates.length);
    return ok({
      updates: updates.map(({ key, status, user, metadata, text, blockers }) => ({
        ...{ key, status, user, metadata, text },
        ...blockers,
        instances: blockers.instances.slice(0, MOST_INSTANCES_LISTED),
        instanceCount: blockers.instances.length,
      })),
    });
  };
}

export function createExtension(deps: RpcDeps): RpcMethods {
  return {
    heartbeatJobUpdate: heartbeatMethod(deps),
    pulseJobUpdates: bulkMethod(deps),
    getJobUpdateBlockers: blockersMethod(deps),
  };
}
