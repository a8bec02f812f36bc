/**
 * Everything a batch of task changes writes, in one statement where it can be, because round trips are
 * what a small change costs.
 */
import { sql } from 'kysely';
import type { BackendCommand } from './commands.js';
import type { WriteTransaction } from './database.js';
import type { NewTask, NewTaskEvent, TaskState } from './tasks.js';

export interface TaskWrites {
  /** New state of rows, each task at most once. */
  readonly states: readonly TaskState[];
  readonly inserts: readonly NewTask[];
  /** Tasks that never had a host: their rows become tombstones (design D12). */
  readonly removals: readonly { readonly taskId: string; readonly reason?: string }[];
  /** Appended in this order. */
  readonly events: readonly NewTaskEvent[];
  readonly commands: readonly Omit<BackendCommand, 'id'>[];
}

export interface WrittenTasks {
  /** Ids of the events, in their order. */
  readonly eventIds: readonly string[];
  readonly commands: readonly BackendCommand[];
}

export async function writeTasks(tx: WriteTransaction, writes: TaskWrites): Promise<WrittenTasks> {
  const { states, removals, inserts } = writes;
  if (inserts.length > 0 && states.length + removals.length > 0) {
    // Rows leave the set of active ones before their replacements enter it: the unique index is asked row
    // by row, and the parts of one statement have no order.
    await run(tx, { states, removals, inserts: [], events: [], commands: [] });
    return run(tx, { ...writes, states: [], removals: [] });
  }
  return run(tx, writes);
}

async function run(tx: WriteTransaction, writes: TaskWrites): Promise<WrittenTasks> {
  const { states, inserts, removals, events, commands } = writes;
  if (states.length + inserts.length + removals.length + events.length + commands.length === 0) {
    return { eventIds: [], commands: [] };
  }
  const [row] = await tx.run<{ event_ids: string[] | null; command_ids: string[] | null }>(sql`
    WITH changed AS (
      UPDATE tasks t SET status = c.status, failure_count = c.failure_count,
             times_partitioned = c.times_partitioned, slave_host = c.slave_host,
             slave_id = c.slave_id, assigned_ports = c.assigned_ports::jsonb
        FROM unnest(
          ${states.map((state) => state.taskId)}::text[],
          ${states.map((state) => state.status)}::text[],
          ${states.map((state) => state.failureCount)}::int[],
          ${states.map((state) => state.timesPartitioned)}::int[],
          ${states.map((state) => state.slaveHost ?? null)}::text[],
          ${states.map((state) => state.slaveId ?? null)}::text[],
          ${states.map((state) => JSON.stringify(state.assignedPorts))}::text[])
          AS c(task_id, status, failure_count, times_partitioned, slave_host, slave_id, assigned_ports)
       WHERE t.task_id = c.task_id),
    removed AS (
      UPDATE tasks t SET removed_at = shim_clock(), removed_reason = c.reason
        FROM unnest(
          ${removals.map((removal) => removal.taskId)}::text[],
          ${removals.map((removal) => removal.reason ?? null)}::text[]) AS c(task_id, reason)
       WHERE t.task_id = c.task_id),
    inserted AS (
      INSERT INTO tasks (task_id, role, environment, job_name, instance_id, config_hash, status,
                         failure_count, ancestor_id)
      SELECT * FROM unnest(
        ${inserts.map((task) => task.taskId)}::text[],
        ${inserts.map((task) => task.job.role)}::text[],
        ${inserts.map((task) => task.job.environment)}::text[],
        ${inserts.map((task) => task.job.name)}::text[],
        ${inserts.map((task) => task.instanceId)}::int[],
        ${inserts.map((task) => task.configHash)}::text[],
        ${inserts.map((task) => task.status)}::text[],
        ${inserts.map((task) => task.failureCount)}::int[],
        ${inserts.map((task) => task.ancestorId ?? null)}::text[])),
    events AS (
      INSERT INTO task_events (task_id, status, happened_at, message, scheduler)
      SELECT c.task_id, c.status, to_timestamp(c.at / 1000.0), c.message, c.scheduler
        FROM unnest(
          ${events.map((event) => event.taskId)}::text[],
          ${events.map((event) => event.status)}::text[],
          ${events.map((event) => event.timestampMs)}::float8[],
          ${events.map((event) => event.message ?? null)}::text[],
          ${events.map((event) => event.scheduler ?? null)}::text[])
          WITH ORDINALITY AS c(task_id, status, at, message, scheduler, ord)
       ORDER BY c.ord RETURNING id),
    commands AS (
      INSERT INTO backend_commands (task_id, kind)
      SELECT c.task_id, c.kind
        FROM unnest(
          ${commands.map((command) => command.taskId)}::text[],
          ${commands.map((command) => command.kind)}::text[])
          WITH ORDINALITY AS c(task_id, kind, ord)
       ORDER BY c.ord RETURNING id)
    SELECT (SELECT array_agg(e.id ORDER BY e.id) FROM events e) AS event_ids,
           (SELECT array_agg(c.id ORDER BY c.id) FROM commands c) AS command_ids`);
  const commandIds = row?.command_ids ?? [];
  return {
    eventIds: row?.event_ids ?? [],
    commands: commands.map((command, index) => ({ ...command, id: commandIds[index] ?? '' })),
  };
}
