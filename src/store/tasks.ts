/** Rows of tasks and their events: one statement for any number of tasks. */
import { sql } from 'kysely';
import type { JobKey } from '../core/model/keys.js';
import type { ScheduleStatus } from '../core/model/statuses.js';
import { ACTIVE_STATES, SLAVE_ASSIGNED_STATES } from '../core/model/statuses.js';
import type { TaskEvent } from '../core/model/task.js';
import type { Queries, WriteTransaction } from './database.js';
import { inSlices } from './slices.js';
import type { TaskColumns } from './schema.js';

/** A task as its row has it, with what its events say in short. */
export interface TaskRecord {
  readonly taskId: string;
  readonly job: JobKey;
  readonly instanceId: number;
  readonly configHash: string;
  readonly status: ScheduleStatus;
  readonly slaveHost?: string;
  readonly slaveId?: string;
  readonly assignedPorts: Readonly<Record<string, number>>;
  readonly failureCount: number;
  readonly timesPartitioned: number;
  readonly ancestorId?: string;
  readonly everKilling: boolean;
  /** `ageMs` is measured on the clock of Postgres. */
  readonly newestEvent: {
    readonly id: string;
    readonly timestampMs: number;
    readonly ageMs: number;
  };
}

export interface TaskState {
  readonly taskId: string;
  readonly status: ScheduleStatus;
  readonly failureCount: number;
  readonly timesPartitioned: number;
  readonly slaveHost?: string;
  readonly slaveId?: string;
  readonly assignedPorts: Readonly<Record<string, number>>;
}

export interface NewTask {
  readonly taskId: string;
  readonly job: JobKey;
  readonly instanceId: number;
  readonly configHash: string;
  readonly status: 'PENDING' | 'THROTTLED';
  readonly failureCount: number;
  readonly ancestorId?: string;
}

/** An event to append. */
export interface NewTaskEvent extends TaskEvent {
  readonly taskId: string;
}

interface TaskRow extends Omit<
  TaskColumns,
  'created_at' | 'removed_at' | 'removed_reason' | 'ended_at'
> {
  ever_killing: boolean;
  event_id: string;
  event_at: number;
  event_age_ms: number;
}

const ACTIVE = [...ACTIVE_STATES];

const RECORD_COLUMNS = sql.raw(`
  t.task_id, t.role, t.environment, t.job_name, t.instance_id, t.config_hash, t.status, t.slave_host,
  t.slave_id, t.assigned_ports, t.failure_count, t.times_partitioned, t.ancestor_id,
  EXISTS (SELECT 1 FROM task_events k WHERE k.task_id = t.task_id AND k.status = 'KILLING') AS ever_killing,
  e.id AS event_id, e.happened_at AS event_at,
  (extract(epoch FROM shim_clock() - e.recorded_at) * 1000)::float8 AS event_age_ms`);

const NEWEST_EVENT = sql.raw(`
  JOIN LATERAL (SELECT x.id, x.happened_at, x.recorded_at FROM task_events x
                 WHERE x.task_id = t.task_id ORDER BY x.id DESC LIMIT 1) e ON true`);

/** `active` in the words of the index tasks_one_active_per_instance, so that it is used. */
export const IS_ACTIVE = sql.raw(
  `t.removed_at IS NULL AND t.status IN (${ACTIVE.map((status) => `'${status}'`).join(', ')})`,
);

function toRecord(row: TaskRow): TaskRecord {
  return {
    taskId: row.task_id,
    job: { role: row.role, environment: row.environment, name: row.job_name },
    instanceId: row.instance_id,
    configHash: row.config_hash,
    status: row.status,
    ...(row.slave_host === null ? {} : { slaveHost: row.slave_host }),
    ...(row.slave_id === null ? {} : { slaveId: row.slave_id }),
    assignedPorts: row.assigned_ports,
    failureCount: row.failure_count,
    timesPartitioned: row.times_partitioned,
    ...(row.ancestor_id === null ? {} : { ancestorId: row.ancestor_id }),
    everKilling: row.ever_killing,
    newestEvent: { id: row.event_id, timestampMs: row.event_at, ageMs: row.event_age_ms },
  };
}

/** Tasks by id, tombstones left out; locked against other writers until the transaction ends. */
export async function lockTasks(
  tx: WriteTransaction,
  taskIds: readonly string[],
): Promise<TaskRecord[]> {
  if (taskIds.length === 0) return [];
  const rows = await tx.run<TaskRow>(sql`
    SELECT ${RECORD_COLUMNS} FROM tasks t ${NEWEST_EVENT}
     WHERE t.task_id = ANY (${taskIds}) AND t.removed_at IS NULL
     ORDER BY t.task_id FOR UPDATE OF t`);
  return rows.map(toRecord);
}

export async function findTasks(
  queries: Queries,
  taskIds: readonly string[],
): Promise<TaskRecord[]> {
  if (taskIds.length === 0) return [];
  const rows = await queries.run<TaskRow>(sql`
    SELECT ${RECORD_COLUMNS} FROM tasks t ${NEWEST_EVENT}
     WHERE t.task_id = ANY (${taskIds}) AND t.removed_at IS NULL`);
  return rows.map(toRecord);
}

/** Active tasks of a job, of the given instances or of all, by instance id. */
export async function findActiveTasks(
  queries: Queries,
  job: JobKey,
  instanceIds?: readonly number[],
): Promise<TaskRecord[]> {
  if (instanceIds !== undefined && instanceIds.length === 0) return [];
  const only =
    instanceIds === undefined ? sql`` : sql`AND t.instance_id = ANY (${instanceIds}::int[])`;
  const rows = await queries.run<TaskRow>(sql`
    SELECT ${RECORD_COLUMNS} FROM tasks t ${NEWEST_EVENT}
     WHERE t.role = ${job.role} AND t.environment = ${job.environment} AND t.job_name = ${job.name}
       AND ${IS_ACTIVE} ${only}
     ORDER BY t.instance_id`);
  return rows.map(toRecord);
}

/** Every active task of every job, in no order, in slices within a transaction: for a start. */
export async function* allActiveTasks(queries: Queries): AsyncGenerator<TaskRecord[]> {
  const rows = sql<TaskRow>`SELECT ${RECORD_COLUMNS} FROM tasks t ${NEWEST_EVENT} WHERE ${IS_ACTIVE}`;
  for await (const slice of inSlices(queries, rows)) yield slice.map(toRecord);
}

/**
 * Tasks that hold a host and whose submit the backend has taken, oldest first: those it must know. About
 * one whose submit is still outstanding it could only say that it is lost.
 */
export async function findSubmittedTaskIds(queries: Queries): Promise<string[]> {
  const rows = await queries.run<{ task_id: string }>(sql`
    SELECT t.task_id FROM tasks t
     WHERE ${IS_ACTIVE} AND t.status = ANY (${[...SLAVE_ASSIGNED_STATES]}::text[])
       AND NOT EXISTS (SELECT 1 FROM backend_commands c
                        WHERE c.task_id = t.task_id AND c.kind = 'submit')
     ORDER BY t.created_at, t.task_id`);
  return rows.map((row) => row.task_id);
}

/** Instance → config hash of a job's active tasks: what a diff compares with. */
export async function findActiveConfigs(
  queries: Queries,
  job: JobKey,
): Promise<Map<number, string>> {
  const rows = await queries.run<{ instance_id: number; config_hash: string }>(sql`
    SELECT t.instance_id, t.config_hash FROM tasks t
     WHERE t.role = ${job.role} AND t.environment = ${job.environment} AND t.job_name = ${job.name}
       AND ${IS_ACTIVE} ORDER BY t.instance_id`);
  return new Map(rows.map((row) => [row.instance_id, row.config_hash]));
}

/** Deletes the rows of ended tasks and their events. @returns how many tasks there were */
export async function pruneTasks(
  tx: WriteTransaction,
  taskIds: readonly string[],
): Promise<number> {
  if (taskIds.length === 0) return 0;
  const [row] = await tx.run<{ pruned: number }>(
    sql`SELECT shim_prune_tasks(${taskIds}) AS pruned`,
  );
  return row?.pruned ?? 0;
}

/** The job key gets a row, which tasks and updates refer to. */
export async function ensureJob(tx: WriteTransaction, job: JobKey): Promise<void> {
  await tx.run(sql`
    INSERT INTO jobs (role, environment, name)
    VALUES (${job.role}, ${job.environment}, ${job.name}) ON CONFLICT DO NOTHING`);
}

/** A generation of an instance in the words of its events, oldest first. */
export interface Generation {
  readonly taskId: string;
  readonly events: readonly TaskEvent[];
}

/** How far a chain of generations is followed: penalties stop growing long before. */
const MAX_ANCESTORS = 20;

/** For each task id its chain of stored ancestors, the nearest first, itself included. */
export async function findGenerations(
  queries: Queries,
  taskIds: readonly string[],
): Promise<Map<string, Generation[]>> {
  const chains = new Map<string, Generation[]>();
  if (taskIds.length === 0) return chains;
  const rows = await queries.run<{
    start_id: string;
    task_id: string;
    events: { t: number; s: ScheduleStatus }[];
  }>(sql`
    WITH RECURSIVE chain AS (
      SELECT t.task_id AS start_id, t.task_id, t.ancestor_id, 0 AS depth
        FROM tasks t WHERE t.task_id = ANY (${taskIds})
      UNION ALL
      SELECT c.start_id, t.task_id, t.ancestor_id, c.depth + 1
        FROM chain c JOIN tasks t ON t.task_id = c.ancestor_id
       WHERE c.depth < ${MAX_ANCESTORS} AND t.removed_at IS NULL)
    SELECT c.start_id, c.task_id,
           (SELECT jsonb_agg(jsonb_build_object(
                     't', (extract(epoch FROM e.happened_at) * 1000)::float8, 's', e.status)
                   ORDER BY e.id)
              FROM task_events e WHERE e.task_id = c.task_id) AS events
      FROM chain c ORDER BY c.start_id, c.depth`);
  for (const row of rows) {
    const chain = chains.get(row.start_id) ?? [];
    chain.push({
      taskId: row.task_id,
      events: (row.events ?? []).map((event) => ({ timestampMs: event.t, status: event.s })),
    });
    chains.set(row.start_id, chain);
  }
  return chains;
}
