/** Tasks and their events for the SLA figures (tasks.md §9.1), a page at a time. */
import { sql } from 'kysely';
import type { JobKey } from '../core/model/keys.js';
import type { ScheduleStatus } from '../core/model/statuses.js';
import type { SlaEvent, TimeFrame } from '../core/sla/metrics.js';
import { DECISIVE_STATUSES } from '../core/sla/metrics.js';
import type { Queries } from './database.js';
import { inSlices } from './slices.js';

/** A stored task, tombstones left out. */
export interface TaskOnPage {
  readonly taskId: string;
  readonly job: JobKey;
  readonly instanceId: number;
  readonly status: ScheduleStatus;
  readonly configHash: string;
}

/**
 * All stored tasks: by job, in it by instance. Needs a snapshot to run in, which holds one connection as
 * long; a page is fetched when it is asked for.
 */
export async function* taskPages(queries: Queries, size: number): AsyncGenerator<TaskOnPage[]> {
  // A page that began behind the last task of the one before would have to be found by a scan each time.
  const tasks = sql<Omit<TaskOnPage, 'job'> & JobKey>`
    SELECT task_id AS "taskId", role, environment, job_name AS name, instance_id AS "instanceId",
           status, config_hash AS "configHash"
      FROM tasks
     WHERE removed_at IS NULL
     ORDER BY role, environment, job_name, instance_id`;
  for await (const rows of inSlices(queries, tasks, size)) {
    yield rows.map(({ role, environment, name, ...task }) => ({
      ...task,
      job: { role, environment, name },
    }));
  }
}

/**
 * Of each task the events its figures depend on, oldest first: all when one is not before the frame, else
 * those from the last decisive one on. Most tasks run on undisturbed, and have a single one.
 */
export async function findSlaEvents(
  queries: Queries,
  taskIds: readonly string[],
  { startMs }: Pick<TimeFrame, 'startMs'>,
): Promise<ReadonlyMap<string, readonly SlaEvent[]>> {
  const start = new Date(startMs);
  const rows = await queries.run<{ id: string; events: [number, ScheduleStatus, number][] }>(sql`
    SELECT task.id, needed.events
      FROM unnest(${taskIds}::text[]) AS task (id)
     CROSS JOIN LATERAL (
       SELECT json_agg(
                json_build_array(e.id, e.status, round(extract(epoch FROM e.happened_at) * 1000))
                ORDER BY e.id) AS events
         FROM task_events e
        WHERE e.task_id = task.id
          AND e.id >= (
            SELECT CASE WHEN newest.happened_at < ${start} THEN coalesce(decisive.id, 0) ELSE 0 END
              FROM (SELECT n.happened_at FROM task_events n WHERE n.task_id = task.id
                     ORDER BY n.id DESC LIMIT 1) newest
              LEFT JOIN LATERAL (
                SELECT d.id FROM task_events d
                 WHERE d.task_id = task.id AND d.status = ANY (${[...DECISIVE_STATUSES]})
                 ORDER BY d.id DESC LIMIT 1) decisive ON true)) needed
     WHERE needed.events IS NOT NULL`);
  return new Map(
    rows.map(({ id, events }) => [
      id,
      events.map(([eventId, status, timestampMs]) => ({ id: eventId, status, timestampMs })),
    ]),
  );
}
