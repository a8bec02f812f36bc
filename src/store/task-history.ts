/**
 * Tasks that have ended, for those who forget them (tasks.md §6): the choice is made in Postgres, by its
 * clock and by indexes, so that it costs what is chosen and not what is stored.
 */
import type { RawBuilder } from 'kysely';
import { sql } from 'kysely';
import type { JobKey } from '../core/model/keys.js';
import type { HistoryLimits } from '../core/task/pruning.js';
import type { Queries } from './database.js';

/** Once for a statement: compared with as it is, a volatile function would keep it from using an index. */
const NOW = sql`(SELECT shim_clock())`;

/** Longer than anything is stored, and short enough for Postgres to reckon with: a hundred years. */
const LONGEST_MS = 100 * 365 * 86_400_000;

function ago(ms: number): RawBuilder<unknown> {
  return sql`${NOW} - ${Math.min(ms, LONGEST_MS)}::float8 * interval '1 millisecond'`;
}

export interface EndedTasks {
  /** Tasks as clients see them. */
  readonly taskIds: readonly string[];
  /** Rows of tasks that were killed before they had a host (design D12). */
  readonly tombstoneIds: readonly string[];
}

/** What ended at least `minAgeMs` ago, the oldest first, at most `limit` of them. */
export async function findOldTasks(
  queries: Queries,
  minAgeMs: number,
  limit: number,
): Promise<EndedTasks> {
  const rows = await queries.run<{ task_id: string; is_tombstone: boolean }>(sql`
    SELECT t.task_id, t.removed_at IS NOT NULL AS is_tombstone FROM tasks t
     WHERE t.ended_at <= ${ago(minAgeMs)} ORDER BY t.ended_at LIMIT ${limit}::int`);
  const ids = (tombstones: boolean): string[] =>
    rows.filter((row) => row.is_tombstone === tombstones).map((row) => row.task_id);
  return { taskIds: ids(false), tombstoneIds: ids(true) };
}

/** How long ago the oldest of all ended, ms; undefined when none is stored. */
export async function oldestEndAge(queries: Queries): Promise<number | undefined> {
  const [row] = await queries.run<{ age_ms: number }>(sql`
    SELECT (extract(epoch FROM ${NOW} - t.ended_at) * 1000)::float8 AS age_ms
      FROM tasks t WHERE t.ended_at IS NOT NULL ORDER BY t.ended_at LIMIT 1`);
  return row?.age_ms;
}

/** Jobs that have more ended tasks than they may keep. Reads one index from end to end: for a start. */
export async function findCrowdedJobs(queries: Queries, maxPerJob: number): Promise<JobKey[]> {
  return queries.run<JobKey>(sql`
    SELECT t.role, t.environment, t.job_name AS name FROM tasks t
     WHERE t.ended_at IS NOT NULL AND t.removed_at IS NULL
     GROUP BY t.role, t.environment, t.job_name HAVING count(*) > ${maxPerJob}::bigint`);
}

/**
 * Ended tasks of these jobs beyond the newest `maxPerJob` of each, none younger than the minimum retention;
 * the oldest first, at most `limit` of them.
 */
export async function findExcessTasks(
  queries: Queries,
  jobs: readonly JobKey[],
  { maxPerJob, minRetentionMs }: HistoryLimits,
  limit: number,
): Promise<string[]> {
  const rows = await queries.run<{ task_id: string }>(sql`
    SELECT excess.task_id
      FROM unnest(${jobs.map((job) => job.role)}::text[],
                  ${jobs.map((job) => job.environment)}::text[],
                  ${jobs.map((job) => job.name)}::text[]) AS j(role, environment, name)
      CROSS JOIN LATERAL (
        SELECT t.ended_at, t.task_id FROM tasks t
         WHERE t.role = j.role AND t.environment = j.environment AND t.job_name = j.name
           AND t.ended_at IS NOT NULL AND t.removed_at IS NULL
         ORDER BY t.ended_at DESC, t.task_id DESC OFFSET ${maxPerJob}::bigint LIMIT 1) newest
      CROSS JOIN LATERAL (
        SELECT t.ended_at, t.task_id FROM tasks t
         WHERE t.role = j.role AND t.environment = j.environment AND t.job_name = j.name
           AND t.ended_at IS NOT NULL AND t.removed_at IS NULL
           AND (t.ended_at, t.task_id) <= (newest.ended_at, newest.task_id)
           AND t.ended_at <= ${ago(minRetentionMs)}
         ORDER BY t.ended_at, t.task_id LIMIT ${limit}::int) excess
     ORDER BY excess.ended_at, excess.task_id LIMIT ${limit}::int`);
  return rows.map((row) => row.task_id);
}
