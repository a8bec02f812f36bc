/**
 * Tasks and jobs as clients ask for them (rpc.md §7, §10): the filters of the API in SQL, a fixed number of
 * statements whatever is found, and never a tombstone.
 */
import type { RawBuilder } from 'kysely';
import { sql } from 'kysely';
import type { JobKey } from '../core/model/keys.js';
import type { ScheduleStatus } from '../core/model/statuses.js';
import { ACTIVE_STATES, SLAVE_ASSIGNED_STATES } from '../core/model/statuses.js';
import type { Task, TaskEvent } from '../core/model/task.js';
import { appendEvent } from '../core/task/transition.js';
import type { Queries } from './database.js';
import type { TaskColumns } from './schema.js';

/** A task with the events a client is shown. */
export interface StoredTask extends Omit<Task, 'config' | 'job'> {
  readonly configHash: string;
}

/**
 * All conditions must hold; unset and empty lists mean none, and so does a blank role. Members that equal
 * nothing, such as a status of another IDL or a key with a part missing, match nothing.
 */
export interface TaskFilter {
  readonly role?: string;
  readonly environment?: string;
  readonly jobName?: string;
  readonly taskIds?: readonly string[];
  readonly statuses?: readonly (string | number)[];
  readonly instanceIds?: readonly number[];
  readonly slaveHosts?: readonly string[];
  readonly jobKeys?: readonly Partial<JobKey>[];
  /** How many of the matching tasks to skip and to return at most; below 1 means 0 and all. */
  readonly offset?: number;
  readonly limit?: number;
}

function isBlank(text: string | undefined): boolean {
  return text === undefined || text.trim() === '';
}

/** The filter as a condition on a row `t` of tasks. */
export function taskConditions(filter: TaskFilter): RawBuilder<unknown> {
  const { role, environment, jobName, taskIds, statuses, instanceIds, slaveHosts } = filter;
  const { jobKeys } = filter;
  const all = [sql`t.removed_at IS NULL`];
  const given = (list: readonly unknown[] | undefined): boolean => (list ?? []).length > 0;
  if (!isBlank(role)) all.push(sql`t.role = ${role}`);
  if (environment !== undefined) all.push(sql`t.environment = ${environment}`);
  if (jobName !== undefined) all.push(sql`t.job_name = ${jobName}`);
  if (given(taskIds)) all.push(sql`t.task_id = ANY (${taskIds}::text[])`);
  if (given(statuses)) all.push(sql`t.status = ANY (${statuses?.map(String)}::text[])`);
  if (given(instanceIds)) all.push(sql`t.instance_id = ANY (${instanceIds}::int[])`);
  if (given(slaveHosts)) all.push(sql`t.slave_host = ANY (${slaveHosts}::text[])`);
  if (jobKeys !== undefined && jobKeys.length > 0) {
    const part = (name: keyof JobKey): (string | null)[] => jobKeys.map((key) => key[name] ?? null);
    all.push(sql`(t.role, t.environment, t.job_name) IN (
      SELECT * FROM unnest(${part('role')}::text[], ${part('environment')}::text[],
                           ${part('name')}::text[]))`);
  }
  return sql.join(all, sql` AND `);
}

export type StoredTaskRow = Pick<
  TaskColumns,
  | 'task_id'
  | 'instance_id'
  | 'config_hash'
  | 'status'
  | 'slave_host'
  | 'slave_id'
  | 'assigned_ports'
  | 'failure_count'
  | 'times_partitioned'
  | 'ancestor_id'
>;

export const STORED_TASK_COLUMNS = sql`
  t.task_id, t.instance_id, t.config_hash, t.status, t.slave_host, t.slave_id, t.assigned_ports,
  t.failure_count, t.times_partitioned, t.ancestor_id`;

function tableOf(schema: string | undefined, name: string): RawBuilder<unknown> {
  return sql.table(schema === undefined ? name : `${schema}.${name}`);
}

/** The filter's page of tasks, by the time of their first event and then by id. */
export function pageOf<R>(
  queries: Queries,
  columns: RawBuilder<unknown>,
  filter: TaskFilter,
  schema?: string,
): Promise<R[]> {
  const { offset = 0, limit = 0 } = filter;
  return queries.run<R>(sql`
    SELECT ${columns} FROM ${tableOf(schema, 'tasks')} t
      JOIN LATERAL (SELECT e.happened_at FROM ${tableOf(schema, 'task_events')} e
                     WHERE e.task_id = t.task_id ORDER BY e.id LIMIT 1) first ON true
     WHERE ${taskConditions(filter)}
     ORDER BY first.happened_at, t.task_id COLLATE "C"
    OFFSET ${Math.max(0, offset)}::bigint LIMIT ${limit > 0 ? limit : null}::bigint`);
}

/** Ids alone, in one statement and in the order of `findStoredTasks`. */
export async function findTaskIds(queries: Queries, filter: TaskFilter): Promise<string[]> {
  const rows = await pageOf<{ task_id: string }>(queries, sql`t.task_id`, filter);
  return rows.map((row) => row.task_id);
}

/**
 * Two statements: the tasks and their events.
 *
 * @param schema where its tables are; the live ones unless given
 */
export async function findStoredTasks(
  queries: Queries,
  filter: TaskFilter,
  schema?: string,
): Promise<StoredTask[]> {
  const rows = await pageOf<StoredTaskRow>(queries, STORED_TASK_COLUMNS, filter, schema);
  if (rows.length === 0) return [];
  const events = await eventsOf(
    queries,
    rows.map((row) => row.task_id),
    schema,
  );
  return rows.map((row) => storedTask(row, events.get(row.task_id) ?? []));
}

export function storedTask(row: StoredTaskRow, events: readonly TaskEvent[]): StoredTask {
  return {
    taskId: row.task_id,
    instanceId: row.instance_id,
    configHash: row.config_hash,
    status: row.status,
    ...(row.slave_host === null ? {} : { slaveHost: row.slave_host }),
    ...(row.slave_id === null ? {} : { slaveId: row.slave_id }),
    assignedPorts: row.assigned_ports,
    failureCount: row.failure_count,
    timesPartitioned: row.times_partitioned,
    ...(row.ancestor_id === null ? {} : { ancestorId: row.ancestor_id }),
    events,
  };
}

/** Oldest first. The store keeps every partition of a task, its readers see the shortened list. */
async function eventsOf(
  queries: Queries,
  taskIds: readonly string[],
  schema: string | undefined,
): Promise<Map<string, readonly TaskEvent[]>> {
  const rows = await queries.run<{
    task_id: string;
    status: ScheduleStatus;
    at: number;
    message: string | null;
    scheduler: string | null;
  }>(sql`
    SELECT e.task_id, e.status, e.happened_at AS at, e.message, e.scheduler
      FROM ${tableOf(schema, 'task_events')} e
     WHERE e.task_id = ANY (${taskIds}::text[]) ORDER BY e.id`);
  const events = new Map<string, readonly TaskEvent[]>();
  for (const row of rows) {
    const event: TaskEvent = {
      timestampMs: row.at,
      status: row.status,
      ...(row.message === null ? {} : { message: row.message }),
      ...(row.scheduler === null ? {} : { scheduler: row.scheduler }),
    };
    events.set(row.task_id, appendEvent(events.get(row.task_id) ?? [], event));
  }
  return events;
}

/** The IDL's JobStats: stored tasks by what they are doing or became. */
export interface JobStats {
  readonly activeTaskCount: number;
  readonly finishedTaskCount: number;
  readonly failedTaskCount: number;
  readonly pendingTaskCount: number;
}

/** A job as its tasks say it is. */
export interface JobRecord {
  readonly key: JobKey;
  /** Config of the latest task: active before terminal, then by the newest last event (rpc.md §10). */
  readonly latestConfigHash: string;
  readonly taskCount: number;
  readonly stats: JobStats;
}

const ACTIVE = [...ACTIVE_STATES];
const PENDING_STATUSES = ['INIT', 'PENDING', 'THROTTLED'];
const ON_A_HOST = [...SLAVE_ASSIGNED_STATES];

/**
 * Every job with a matching task, in one statement.
 *
 * @param role unset or blank: of every role
 * @param which active tasks alone, or all that are stored
 */
export async function findJobs(
  queries: Queries,
  role: string | undefined,
  which: 'active' | 'stored',
): Promise<JobRecord[]> {
  const filter: TaskFilter = {
    ...(role === undefined ? {} : { role }),
    ...(which === 'active' ? { statuses: ACTIVE } : {}),
  };
  const counted = (statuses: readonly string[]): RawBuilder<unknown> =>
    sql`(count(*) FILTER (WHERE t.status = ANY (${statuses}::text[])))::int`;
  const rows = await queries.run<{
    role: string;
    environment: string;
    job_name: string;
    config_hash: string;
    tasks: number;
    pending: number;
    active: number;
    finished: number;
    failed: number;
  }>(sql`
    SELECT t.role, t.environment, t.job_name,
           (array_agg(t.config_hash ORDER BY t.status = ANY (${ACTIVE}::text[]) DESC,
                                             e.happened_at DESC, e.id DESC))[1] AS config_hash,
           count(*)::int AS tasks, ${counted(PENDING_STATUSES)} AS pending,
           ${counted(ON_A_HOST)} AS active, ${counted(['FINISHED', 'KILLED'])} AS finished,
           ${counted(['FAILED', 'LOST'])} AS failed
      FROM tasks t
      JOIN LATERAL (SELECT x.id, x.happened_at FROM task_events x
                     WHERE x.task_id = t.task_id ORDER BY x.id DESC LIMIT 1) e ON true
     WHERE ${taskConditions(filter)}
     GROUP BY t.role, t.environment, t.job_name
     ORDER BY t.role, t.environment, t.job_name`);
  return rows.map((row) => ({
    key: { role: row.role, environment: row.environment, name: row.job_name },
    latestConfigHash: row.config_hash,
    taskCount: row.tasks,
    stats: {
      activeTaskCount: row.active,
      finishedTaskCount: row.finished,
      failedTaskCount: row.failed,
      pendingTaskCount: row.pending,
    },
  }));
}

export interface RoleRecord {
  readonly role: string;
  /** Jobs with any stored task, ended ones included. */
  readonly jobCount: number;
  /** Cron templates. */
  readonly cronJobCount: number;
}

/** Every role with a stored task or a cron template, in one statement. */
export async function findRoles(queries: Queries): Promise<RoleRecord[]> {
  const rows = await queries.run<{ role: string; jobs: number; crons: number }>(sql`
    SELECT role, coalesce(j.jobs, 0) AS jobs, coalesce(c.crons, 0) AS crons
      FROM (SELECT t.role, count(DISTINCT (t.environment, t.job_name))::int AS jobs
              FROM tasks t WHERE t.removed_at IS NULL GROUP BY t.role) j
      FULL JOIN (SELECT role, count(*)::int AS crons FROM cron_jobs GROUP BY role) c USING (role)
     ORDER BY role`);
  return rows.map(({ role, jobs, crons }) => ({ role, jobCount: jobs, cronJobCount: crons }));
}
