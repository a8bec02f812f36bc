/** What only Postgres knows of updates that are not moving: who paused them, and where instances stand. */
import { sql } from 'kysely';
import type { ScheduleStatus } from '../core/model/statuses.js';
import { MSG_SLA_CHECK, MSG_SLA_PASS } from '../core/update/messages.js';
import type { Queries } from './database.js';
import { IS_ACTIVE } from './tasks.js';

/** The event of a pause. */
export interface PauseRecord {
  readonly sinceMs: number;
  readonly user?: string;
  readonly message?: string;
}

/** The pause that holds, by update id; one statement. Updates whose last event is no pause are left out. */
export async function findPauses(
  queries: Queries,
  updateIds: readonly string[],
): Promise<Map<string, PauseRecord>> {
  const rows = await queries.run<{
    update_id: string;
    at: number;
    user_name: string | null;
    message: string | null;
  }>(sql`
    SELECT a.update_id, e.happened_at AS at, e.user_name, e.message
      FROM unnest(${updateIds}::text[]) AS a(update_id)
      JOIN LATERAL (SELECT * FROM job_update_events x WHERE x.update_id = a.update_id
                     ORDER BY x.id DESC LIMIT 1) e ON true
     WHERE e.status IN ('ROLL_FORWARD_PAUSED', 'ROLL_BACK_PAUSED')`);
  return new Map(
    rows.map((row) => [
      row.update_id,
      {
        sinceMs: row.at,
        ...(row.user_name === null ? {} : { user: row.user_name }),
        ...(row.message === null ? {} : { message: row.message }),
      },
    ]),
  );
}

/** Whom to ask about: these instances of these updates, or whomever the stored events say is in hand. */
export interface AskedInstances {
  readonly instances: readonly { readonly updateId: string; readonly instanceId: number }[];
  /** Updates of which nobody remembers the instances in hand. */
  readonly forgotten: readonly string[];
}

export interface InstanceRecord {
  readonly updateId: string;
  readonly instanceId: number;
  readonly takenMs?: number;
  readonly task?: {
    readonly taskId: string;
    readonly status: ScheduleStatus;
    readonly sinceMs: number;
  };
  readonly slaAskedMs?: number;
}

const ACTION_IN_HAND = sql.raw(`
  CASE u.state WHEN 'ROLLING_FORWARD' THEN 'INSTANCE_UPDATING'
               WHEN 'ROLLING_BACK' THEN 'INSTANCE_ROLLING_BACK' END`);

/** Where the instances in hand of rolling updates stand; one statement. */
export async function findInstancesInHand(
  queries: Queries,
  { instances, forgotten }: AskedInstances,
): Promise<InstanceRecord[]> {
  const rows = await queries.run<{
    update_id: string;
    instance_id: number;
    taken_at: number | null;
    sla_asked_at: number | null;
    task_id: string | null;
    status: ScheduleStatus | null;
    since: number | null;
  }>(sql`
    WITH newest AS (
      SELECT DISTINCT ON (e.update_id, e.instance_id) e.update_id, e.instance_id, e.action
        FROM job_instance_update_events e WHERE e.update_id = ANY (${forgotten}::text[])
       ORDER BY e.update_id, e.instance_id, e.id DESC),
    asked AS (
      SELECT * FROM unnest(${instances.map((asked) => asked.updateId)}::text[],
                           ${instances.map((asked) => asked.instanceId)}::int[])
               AS remembered(update_id, instance_id)
      UNION ALL
      SELECT n.update_id, n.instance_id FROM newest n JOIN job_updates u USING (update_id)
       WHERE n.action = ${ACTION_IN_HAND}),
    story AS (
      SELECT a.update_id, a.instance_id, min(x.happened_at) AS taken_at,
             min(x.happened_at) FILTER (WHERE x.message = ${MSG_SLA_CHECK}) AS asked_at,
             bool_or(x.message = ${MSG_SLA_PASS}) AS passed
        FROM asked a JOIN job_updates u USING (update_id)
        JOIN job_instance_update_events x
          ON x.update_id = a.update_id AND x.instance_id = a.instance_id
         AND x.action = ${ACTION_IN_HAND}
       GROUP BY a.update_id, a.instance_id)
    SELECT a.update_id, a.instance_id, s.taken_at, t.task_id, t.status, t.since,
           CASE WHEN s.passed IS NOT TRUE THEN s.asked_at END AS sla_asked_at
      FROM asked a JOIN job_updates u USING (update_id)
      LEFT JOIN story s ON s.update_id = a.update_id AND s.instance_id = a.instance_id
      LEFT JOIN LATERAL (
        SELECT t.task_id, t.status,
               (SELECT x.happened_at FROM task_events x WHERE x.task_id = t.task_id
                 ORDER BY x.id DESC LIMIT 1) AS since
          FROM tasks t
         WHERE t.role = u.role AND t.environment = u.environment AND t.job_name = u.job_name
           AND t.instance_id = a.instance_id AND ${IS_ACTIVE}) t ON true`);
  return rows.map((row) => ({
    updateId: row.update_id,
    instanceId: row.instance_id,
    ...(row.taken_at === null ? {} : { takenMs: row.taken_at }),
    ...(row.sla_asked_at === null ? {} : { slaAskedMs: row.sla_asked_at }),
    ...(row.task_id === null || row.status === null || row.since === null
      ? {}
      : { task: { taskId: row.task_id, status: row.status, sinceMs: row.since } }),
  }));
}
