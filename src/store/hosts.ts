/** Hosts with their maintenance modes, and requests to drain them (tasks.md §10). */
import type { RawBuilder } from 'kysely';
import { sql } from 'kysely';
import type { Drain, DrainRequest } from '../core/maintenance/drain.js';
import type { SlaPolicy } from '../core/model/config.js';
import type { JobKey } from '../core/model/keys.js';
import type { Attributes, HostMode } from '../core/schedule/host.js';
import type { Queries, WriteTransaction } from './database.js';
import { IS_ACTIVE } from './tasks.js';

export interface HostRecord {
  readonly host: string;
  readonly agentId: string;
  readonly attributes: Attributes;
  readonly mode: HostMode;
}

/** An active task on a host. */
export interface HostedTask {
  readonly taskId: string;
  readonly job: JobKey;
  readonly host: string;
}

/** Known hosts among the named ones, or all, by name. */
export async function findHosts(
  queries: Queries,
  names?: readonly string[],
): Promise<HostRecord[]> {
  const only = names === undefined ? sql`` : sql`WHERE h.host = ANY (${names}::text[])`;
  const rows = await queries.run<{
    host: string;
    agent_id: string;
    attributes: Attributes;
    mode: HostMode;
  }>(sql`
    SELECT h.host, h.agent_id, h.attributes, h.mode FROM hosts h ${only}
     ORDER BY h.host COLLATE "C"`);
  return rows.map(({ agent_id: agentId, ...row }) => ({ ...row, agentId }));
}

/** The backend has reported it; a host that is known keeps its mode, which is returned. */
export async function saveHost(
  tx: WriteTransaction,
  { host, agentId, attributes }: Omit<HostRecord, 'mode'>,
): Promise<HostMode> {
  const [row] = await tx.run<{ mode: HostMode }>(sql`
    INSERT INTO hosts (host, agent_id, attributes)
    VALUES (${host}, ${agentId}, ${JSON.stringify(attributes)}::jsonb)
    ON CONFLICT (host) DO UPDATE
      SET agent_id = excluded.agent_id, attributes = excluded.attributes, last_seen_at = shim_clock()
    RETURNING mode`);
  if (row === undefined) throw new Error(`host ${host} was not stored`);
  return row.mode;
}

/** In one order, or two who lock several of them might wait for each other. */
function lockHosts(names: readonly string[]): RawBuilder<unknown> {
  return sql`SELECT x.host FROM hosts x WHERE x.host = ANY (${names}::text[])
              ORDER BY x.host FOR UPDATE`;
}

/** @returns the known ones among the named hosts, which have the mode now */
export async function saveModes(
  tx: WriteTransaction,
  names: readonly string[],
  mode: HostMode,
  user: string,
): Promise<string[]> {
  const rows = await tx.run<{ host: string }>(sql`
    WITH locked AS (${lockHosts(names)})
    UPDATE hosts h
       SET mode = ${mode},
           mode_changed_at = CASE WHEN h.mode = ${mode} THEN h.mode_changed_at ELSE shim_clock() END,
           mode_changed_by = CASE WHEN h.mode = ${mode} THEN h.mode_changed_by ELSE ${user} END
      FROM locked l WHERE h.host = l.host RETURNING h.host`);
  return rows.map((row) => row.host);
}

/** DRAINING hosts among the named ones on which nothing is active become DRAINED, and are returned. */
export async function saveDrained(
  tx: WriteTransaction,
  names: readonly string[],
): Promise<string[]> {
  const rows = await tx.run<{ host: string }>(sql`
    WITH locked AS (${lockHosts(names)})
    UPDATE hosts h SET mode = 'DRAINED', mode_changed_at = shim_clock(), mode_changed_by = NULL
      FROM locked l WHERE h.host = l.host AND h.mode = 'DRAINING'
       AND NOT EXISTS (SELECT FROM tasks t WHERE t.slave_host = h.host AND ${IS_ACTIVE})
    RETURNING h.host`);
  return rows.map((row) => row.host);
}

/** One request for each named host, known or not, over the one it had. */
export async function saveRequests(
  tx: WriteTransaction,
  names: readonly string[],
  { policy, timeoutSecs }: DrainRequest,
  user: string,
): Promise<void> {
  const policyText = policy === undefined ? null : JSON.stringify(policy);
  await tx.run(sql`
    INSERT INTO host_maintenance_requests (host, default_sla_policy, timeout_secs, created_by)
    SELECT n, ${policyText}::jsonb, ${timeoutSecs}::bigint, ${user}
      FROM unnest(${names}::text[]) AS n
    ON CONFLICT (host) DO UPDATE
      SET default_sla_policy = excluded.default_sla_policy, timeout_secs = excluded.timeout_secs,
          created_at = shim_clock(), created_by = excluded.created_by`);
}

export async function deleteRequests(
  tx: WriteTransaction,
  names: readonly string[],
): Promise<void> {
  await tx.run(sql`DELETE FROM host_maintenance_requests WHERE host = ANY (${names}::text[])`);
}

/** Names of the hosts that have a request. */
export async function findRequested(queries: Queries): Promise<string[]> {
  const rows = await queries.run<{ host: string }>(sql`SELECT host FROM host_maintenance_requests`);
  return rows.map((row) => row.host);
}

/**
 * The named hosts that are DRAINING or DRAINED; they stay so until the transaction ends, as nobody else
 * may change them before.
 */
export async function lockDrains(
  tx: WriteTransaction,
  names: readonly string[],
): Promise<Map<string, Drain>> {
  const rows = await tx.run<{
    host: string;
    mode: Drain['mode'];
    policy: SlaPolicy | null;
    timeout_secs: string | null;
    age_ms: number | null;
  }>(sql`
    SELECT h.host, h.mode, r.default_sla_policy AS policy, r.timeout_secs,
           (extract(epoch FROM shim_clock() - r.created_at) * 1000)::float8 AS age_ms
      FROM hosts h LEFT JOIN host_maintenance_requests r USING (host)
     WHERE h.host = ANY (${names}::text[]) AND h.mode IN ('DRAINING', 'DRAINED')
     ORDER BY h.host FOR SHARE OF h`);
  return new Map(
    rows.map(({ host, mode, policy, timeout_secs: timeoutSecs, age_ms: ageMs }) => [
      host,
      timeoutSecs === null || ageMs === null
        ? { host, mode }
        : {
            ...{ host, mode },
            request: {
              ...(policy === null ? {} : { policy }),
              timeoutSecs: Number(timeoutSecs),
              ageMs,
            },
          },
    ]),
  );
}

/** Every active task on the named hosts. */
export async function findHostedTasks(
  queries: Queries,
  names: readonly string[],
): Promise<HostedTask[]> {
  const rows = await queries.run<{
    task_id: string;
    role: string;
    environment: string;
    job_name: string;
    slave_host: string;
  }>(sql`
    SELECT t.task_id, t.role, t.environment, t.job_name, t.slave_host FROM tasks t
     WHERE t.slave_host = ANY (${names}::text[]) AND ${IS_ACTIVE}`);
  return rows.map((row) => ({
    taskId: row.task_id,
    job: { role: row.role, environment: row.environment, name: row.job_name },
    host: row.slave_host,
  }));
}
