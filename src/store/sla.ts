/** What an SLA-aware kill has to know of what is stored (updates.md §3.10). */
import { sql } from 'kysely';
import type { JobKey } from '../core/model/keys.js';
import type { UpdateAction } from '../core/model/statuses.js';
import type { Queries } from './database.js';
import { IS_ACTIVE } from './tasks.js';

/** A job's active tasks in short, for counting. */
export interface JobActivity {
  readonly active: number;
  /** Those that are RUNNING, with the event since which they are; `ageMs` by the clock of Postgres. */
  readonly running: readonly {
    readonly taskId: string;
    readonly newestEvent: { readonly id: string; readonly ageMs: number };
  }[];
}

/** One statement, one short row for each active task of the job. */
export async function findJobActivity(queries: Queries, job: JobKey): Promise<JobActivity> {
  const rows = await queries.run<{
    task_id: string;
    event_id: string | null;
    age_ms: number | null;
  }>(sql`
    SELECT t.task_id, e.id AS event_id,
           (extract(epoch FROM shim_clock() - e.recorded_at) * 1000)::float8 AS age_ms
      FROM tasks t
      LEFT JOIN LATERAL (SELECT x.id, x.recorded_at FROM task_events x
                          WHERE x.task_id = t.task_id AND x.status = 'RUNNING'
                          ORDER BY x.id DESC LIMIT 1) e ON t.status = 'RUNNING'
     WHERE t.role = ${job.role} AND t.environment = ${job.environment} AND t.job_name = ${job.name}
       AND ${IS_ACTIVE}`);
  return {
    active: rows.length,
    running: rows.flatMap(({ task_id: taskId, event_id: id, age_ms: ageMs }) =>
      id === null || ageMs === null ? [] : [{ taskId, newestEvent: { id, ageMs } }],
    ),
  };
}

/** The instances of an update that have this note, with the action it stands beside. One statement. */
export async function findNoted(
  queries: Queries,
  updateId: string,
  message: string,
): Promise<{ readonly instanceId: number; readonly action: UpdateAction }[]> {
  const rows = await queries.run<{ instance_id: number; action: UpdateAction }>(sql`
    SELECT DISTINCT e.instance_id, e.action FROM job_instance_update_events e
     WHERE e.update_id = ${updateId} AND e.message = ${message}`);
  return rows.map((row) => ({ instanceId: row.instance_id, action: row.action }));
}
