/** What makes a query an error before anything is read (rpc.md §7, §10, §12). */
import type { JobKey } from '../model/keys.js';
import { isValidJobKey } from '../model/keys.js';
import type { ScheduleStatus, UpdateStatus } from '../model/statuses.js';
import { ACTIVE_STATES } from '../model/statuses.js';
import type { Refusal } from './refusals.js';
import { error, IDENTIFIER_RULE, invalid } from './refusals.js';

/** The IDL's TaskQuery: unset and empty collections alike mean no filter. */
export interface ApiTaskQuery {
  readonly role?: string;
  readonly environment?: string;
  readonly jobName?: string;
  readonly taskIds?: readonly string[];
  /** A number is a status of a newer IDL: it equals none, and is not the same as no filter. */
  readonly statuses?: readonly (ScheduleStatus | number)[];
  readonly instanceIds?: readonly number[];
  readonly slaveHosts?: readonly string[];
  /** Parts may be unset; that is an error, see `taskQueryProblem`. */
  readonly jobKeys?: readonly Partial<JobKey>[];
  readonly offset?: number;
  readonly limit?: number;
}

/** The IDL's JobUpdateQuery. */
export interface ApiJobUpdateQuery {
  readonly role?: string;
  readonly jobKey?: Partial<JobKey>;
  readonly key?: { readonly job?: Partial<JobKey>; readonly id?: string };
  readonly user?: string;
  readonly updateStatuses?: readonly (UpdateStatus | number)[];
  readonly offset?: number;
  readonly limit?: number;
}

/** The job keys a query is scoped to; empty when it is not job scoped. */
function scopedKeys(query: ApiTaskQuery): readonly Partial<JobKey>[] {
  const { role, environment, jobName: name, jobKeys = [] } = query;
  const ownKey =
    role !== undefined && environment !== undefined && name !== undefined
      ? [{ role, environment, name }]
      : [];
  return [...jobKeys, ...ownKey];
}

/**
 * A missing query, or a bad key in a query that is job scoped and names no task ids: ERROR. A role of
 * spaces alone is a wildcard, yet no good role beside an environment and a job name.
 */
export function taskQueryProblem(query: ApiTaskQuery | undefined): Refusal | undefined {
  if (query === undefined) return error('query must be set');
  if ((query.taskIds ?? []).length > 0) return undefined;
  return scopedKeys(query).every((key) => isValidJobKey(key))
    ? undefined
    : error(`query: role, environment and name of a job key each ${IDENTIFIER_RULE}`);
}

/** getPendingReason answers for PENDING tasks, which have no host: filters for either are refused. */
export function pendingReasonQueryProblem(query: ApiTaskQuery | undefined): Refusal | undefined {
  if (query === undefined) return error('query must be set');
  if ((query.slaveHosts ?? []).length > 0) {
    return invalid('query.slaveHosts must not be given: pending tasks have no host');
  }
  if ((query.statuses ?? []).length > 0) {
    return invalid('query.statuses must not be given: the answer is about pending tasks');
  }
  return taskQueryProblem(query);
}

/** pruneTasks deletes history only: an active status among those asked for, or a negative limit, is ERROR. */
export function pruneQueryProblem(query: ApiTaskQuery | undefined): Refusal | undefined {
  const active = query?.statuses?.find(
    (status) => typeof status === 'string' && ACTIVE_STATES.has(status),
  );
  if (active !== undefined) return error(`query.statuses: ${active} tasks cannot be pruned`);
  if (query?.limit !== undefined && query.limit < 0) {
    return error('query.limit must not be negative');
  }
  return taskQueryProblem(query);
}

/** A missing query or a negative offset: ERROR. Keys are compared, not validated. */
export function jobUpdateQueryProblem(query: ApiJobUpdateQuery | undefined): Refusal | undefined {
  if (query === undefined) return error('jobUpdateQuery must be set');
  return query.offset !== undefined && query.offset < 0
    ? error('jobUpdateQuery.offset must not be negative')
    : undefined;
}
