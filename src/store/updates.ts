/** Rows of job updates: what the engine writes in a tick, and what it loads to go on. */
import { sql } from 'kysely';
import type { Metadata, StoredConfig } from '../core/model/config.js';
import type { JobKey, JobUpdateKey } from '../core/model/keys.js';
import type { Range } from '../core/model/ranges.js';
import type { ExplicitUpdateStatus, UpdateAction, UpdateStatus } from '../core/model/statuses.js';
import { UPDATE_ACTIONS } from '../core/model/statuses.js';
import type {
  HistoryEvent,
  InstanceConfigGroup,
  InstanceUpdateEvent,
  JobUpdate,
  UpdateEvent,
  UpdateInstructions,
  UpdateSettings,
} from '../core/model/update.js';
import type { ConfigStore } from './configs.js';
import type { Queries, WriteTransaction } from './database.js';

/** An update's row without its instructions. */
export interface UpdateRecord {
  readonly key: JobUpdateKey;
  readonly state: ExplicitUpdateStatus;
  readonly revision: number;
  readonly pulseTimeoutMs: number;
  readonly lastEventStatus: UpdateStatus;
  readonly lastEventMs: number;
  readonly createdMs: number;
  readonly lastModifiedMs: number;
  readonly user: string;
  readonly metadata: readonly Metadata[];
}

export interface UpdateRow {
  update_id: string;
  role: string;
  environment: string;
  job_name: string;
  user_name: string;
  state: ExplicitUpdateStatus;
  revision: string;
  pulse_timeout_ms: number;
  metadata: Metadata[];
  created_at: number;
  last_modified_at: number;
  last_event_status: UpdateStatus;
  last_event_at: number;
}

export const UPDATE_COLUMNS = sql.raw(`
  u.update_id, u.role, u.environment, u.job_name, u.user_name, u.state, u.revision, u.pulse_timeout_ms,
  u.metadata, u.created_at, u.last_modified_at, u.last_event_status, u.last_event_at`);

/** An update that has not ended, in the words of the index job_updates_one_active_per_job. */
export const ACTIVE_UPDATE = sql.raw(
  `u.state IN ('ROLLING_FORWARD', 'ROLLING_BACK', 'ROLL_FORWARD_PAUSED', 'ROLL_BACK_PAUSED')`,
);

export function toUpdateRecord(row: UpdateRow): UpdateRecord {
  return {
    key: {
      job: { role: row.role, environment: row.environment, name: row.job_name },
      id: row.update_id,
    },
    state: row.state,
    revision: Number(row.revision),
    pulseTimeoutMs: row.pulse_timeout_ms,
    lastEventStatus: row.last_event_status,
    lastEventMs: row.last_event_at,
    createdMs: row.created_at,
    lastModifiedMs: row.last_modified_at,
    user: row.user_name,
    metadata: row.metadata,
  };
}

const isKey = (key: JobUpdateKey): ReturnType<typeof sql> => sql`
  u.update_id = ${key.id} AND u.role = ${key.job.role} AND u.environment = ${key.job.environment}
  AND u.job_name = ${key.job.name}`;

export async function findUpdate(
  queries: Queries,
  key: JobUpdateKey,
): Promise<UpdateRecord | undefined> {
  const rows = await queries.run<UpdateRow>(
    sql`SELECT ${UPDATE_COLUMNS} FROM job_updates u WHERE ${isKey(key)}`,
  );
  return rows[0] && toUpdateRecord(rows[0]);
}

/** The row, locked until the transaction ends (updates.md G11). */
export async function lockUpdate(
  tx: WriteTransaction,
  key: JobUpdateKey,
): Promise<UpdateRecord | undefined> {
  const rows = await tx.run<UpdateRow>(
    sql`SELECT ${UPDATE_COLUMNS} FROM job_updates u WHERE ${isKey(key)} FOR UPDATE`,
  );
  return rows[0] && toUpdateRecord(rows[0]);
}

/** All active updates, or those of one job: a list, because imported data may break the rule of one. */
export async function findActiveUpdates(queries: Queries, job?: JobKey): Promise<UpdateRecord[]> {
  const ofJob =
    job === undefined
      ? sql``
      : sql`AND u.role = ${job.role} AND u.environment = ${job.environment} AND u.job_name = ${job.name}`;
  const rows = await queries.run<UpdateRow>(sql`
    SELECT ${UPDATE_COLUMNS} FROM job_updates u WHERE ${ACTIVE_UPDATE} ${ofJob}
     ORDER BY u.created_at, u.update_id`);
  return rows.map(toUpdateRecord);
}

const toPairs = (ranges: readonly Range[]): [number, number][] =>
  ranges.map((range) => [range.first, range.last]);
const fromPairs = (pairs: readonly (readonly [number, number])[]): Range[] =>
  pairs.map(([first, last]) => ({ first, last }));

/** Stores a new update, without events; its configs must be saved already. */
export async function insertUpdate(
  tx: WriteTransaction,
  update: JobUpdate,
  first: { readonly status: UpdateStatus; readonly atMs: number },
): Promise<void> {
  const { key, instructions } = update;
  const { settings, desiredState, initialState } = instructions;
  await tx.run(sql`
    INSERT INTO job_updates (update_id, role, environment, job_name, user_name, state,
      pulse_timeout_ms, settings, desired_config_hash, desired_instances, metadata, created_at,
      last_modified_at, last_event_status, last_event_at)
    VALUES (${key.id}, ${key.job.role}, ${key.job.environment}, ${key.job.name}, ${update.user},
      ${update.state}, ${settings.pulseTimeoutMs}, ${JSON.stringify(settings)}::jsonb,
      ${desiredState?.config.hash ?? null},
      ${desiredState === undefined ? null : JSON.stringify(toPairs(desiredState.instances))}::jsonb,
      ${JSON.stringify(update.metadata)}::jsonb, to_timestamp(${first.atMs}::float8 / 1000.0),
      to_timestamp(${first.atMs}::float8 / 1000.0), ${first.status},
      to_timestamp(${first.atMs}::float8 / 1000.0))`);
  if (initialState.length > 0) {
    await tx.run(sql`
      INSERT INTO job_update_initial_configs (update_id, config_hash, instances)
      SELECT ${key.id}, c.hash, c.instances::jsonb
        FROM unnest(${initialState.map((group) => group.config.hash)}::text[],
                    ${initialState.map((group) => JSON.stringify(toPairs(group.instances)))}::text[])
          AS c(hash, instances)`);
  }
}

/** What one tick or verb writes to an update. */
export interface UpdateWrite {
  readonly state: ExplicitUpdateStatus;
  /** In the order they happened. */
  readonly events: readonly HistoryEvent[];
  /** Added to the instances let through an autopause barrier. */
  readonly released?: readonly number[];
}

/**
 * Writes the row and its new events in one statement and raises the revision. The events' times must not
 * be older than the update's newest event. Returns the new revision.
 */
export async function writeUpdate(
  tx: WriteTransaction,
  updateId: string,
  write: UpdateWrite,
): Promise<number> {
  const { events } = write;
  const last = events.reduce<UpdateStatus | null>(
    (status, event) => (event.kind === 'update' ? event.status : status),
    null,
  );
  const lastMs = events.reduce<number | null>(
    (at, event) => (event.kind === 'update' ? event.timestampMs : at),
    null,
  );
  const modifiedMs = events.length === 0 ? null : Math.max(...events.map((e) => e.timestampMs));
  const column = <T>(pick: (event: HistoryEvent) => T): T[] => events.map(pick);
  const ofUpdate = <T>(pick: (event: Extract<HistoryEvent, { kind: 'update' }>) => T) =>
    column((event) => (event.kind === 'update' ? (pick(event) ?? null) : null));
  const rows = await tx.run<{ revision: string }>(sql`
    WITH events AS MATERIALIZED (
      SELECT nextval('update_history_seq') AS id, c.*
        FROM (SELECT * FROM unnest(
          ${column((event) => (event.kind === 'instance' ? event.instanceId : null))}::int[],
          ${column((event) => (event.kind === 'update' ? event.status : event.action))}::text[],
          ${column((event) => event.timestampMs)}::float8[],
          ${ofUpdate((event) => event.user)}::text[],
          ${column((event) => event.message ?? null)}::text[])
          WITH ORDINALITY AS u(instance_id, what, at, user_name, message, ord)
          ORDER BY u.ord) c),
    update_events AS (
      INSERT INTO job_update_events (id, update_id, status, happened_at, user_name, message)
      SELECT e.id, ${updateId}, e.what, to_timestamp(e.at / 1000.0), e.user_name, e.message
        FROM events e WHERE e.instance_id IS NULL),
    instance_events AS (
      INSERT INTO job_instance_update_events (id, update_id, instance_id, action, happened_at, message)
      SELECT e.id, ${updateId}, e.instance_id, e.what, to_timestamp(e.at / 1000.0), e.message
        FROM events e WHERE e.instance_id IS NOT NULL)
    UPDATE job_updates u
       SET state = ${write.state}, revision = u.revision + 1,
           last_event_status = coalesce(${last}, u.last_event_status),
           last_event_at = coalesce(to_timestamp(${lastMs}::float8 / 1000.0),
                                    u.last_event_at),
           last_modified_at = greatest(u.last_modified_at,
                                       to_timestamp(${modifiedMs}::float8 / 1000.0)),
           autopause_released = u.autopause_released || ${write.released ?? []}::int[]
     WHERE u.update_id = ${updateId}
    RETURNING u.revision`);
  const row = rows[0];
  if (row === undefined) throw new Error(`update ${updateId} has no row`);
  return Number(row.revision);
}

/** Instructions by update id, in two statements whatever their number. */
export async function loadInstructions(
  queries: Queries,
  configs: ConfigStore,
  updateIds: readonly string[],
): Promise<Map<string, UpdateInstructions>> {
  const rows = await queries.run<{
    update_id: string;
    settings: UpdateSettings;
    desired_config_hash: string | null;
    desired_instances: [number, number][] | null;
    initial: { hash: string; instances: [number, number][] }[] | null;
  }>(sql`
    SELECT u.update_id, u.settings, u.desired_config_hash, u.desired_instances,
           (SELECT jsonb_agg(jsonb_build_object('hash', i.config_hash, 'instances', i.instances)
                     ORDER BY (i.instances -> 0 ->> 0)::int)
              FROM job_update_initial_configs i WHERE i.update_id = u.update_id) AS initial
      FROM job_updates u WHERE u.update_id = ANY (${updateIds})`);
  const hashes = rows.flatMap((row) => [
    ...(row.desired_config_hash === null ? [] : [row.desired_config_hash]),
    ...(row.initial ?? []).map((group) => group.hash),
  ]);
  const configOf = await configs.load(queries, hashes);
  const group = (hash: string, pairs: [number, number][]): InstanceConfigGroup => ({
    config: configOf(hash) satisfies StoredConfig,
    instances: fromPairs(pairs),
  });
  return new Map(
    rows.map((row) => [
      row.update_id,
      {
        settings: row.settings,
        initialState: (row.initial ?? []).map((entry) => group(entry.hash, entry.instances)),
        ...(row.desired_config_hash === null
          ? {}
          : { desiredState: group(row.desired_config_hash, row.desired_instances ?? []) }),
      },
    ]),
  );
}

/** What is stored about the instances of an update: which actions each has, and who passed a barrier. */
export async function loadHistory(
  queries: Queries,
  updateId: string,
): Promise<{ actions: Map<number, number>; autopauseReleased: Set<number> }> {
  const rows = await queries.run<{ instance_id: number; actions: number }>(sql`
    SELECT e.instance_id,
           bit_or(1 << (array_position(${[...UPDATE_ACTIONS]}::text[], e.action) - 1)) AS actions
      FROM job_instance_update_events e WHERE e.update_id = ${updateId} GROUP BY e.instance_id`);
  const released = await queries.run<{ autopause_released: number[] }>(
    sql`SELECT u.autopause_released FROM job_updates u WHERE u.update_id = ${updateId}`,
  );
  return {
    actions: new Map(rows.map((row) => [row.instance_id, row.actions])),
    autopauseReleased: new Set(released[0]?.autopause_released ?? []),
  };
}

interface EventRow {
  update_id: string;
  at: number;
  message: string | null;
}

/** Stored update events of these updates, oldest first for each. */
export async function loadUpdateEvents(
  queries: Queries,
  updateIds: readonly string[],
): Promise<Map<string, UpdateEvent[]>> {
  const rows = await queries.run<EventRow & { status: UpdateStatus; user_name: string | null }>(sql`
    SELECT e.update_id, e.status, e.happened_at AS at, e.user_name, e.message
      FROM job_update_events e WHERE e.update_id = ANY (${updateIds}) ORDER BY e.id`);
  return collect(rows, (row) => ({
    status: row.status,
    timestampMs: row.at,
    ...(row.user_name === null ? {} : { user: row.user_name }),
    ...(row.message === null ? {} : { message: row.message }),
  }));
}

/** Stored instance events of these updates, oldest first for each. */
export async function loadInstanceEvents(
  queries: Queries,
  updateIds: readonly string[],
): Promise<Map<string, InstanceUpdateEvent[]>> {
  const rows = await queries.run<EventRow & { instance_id: number; action: UpdateAction }>(sql`
    SELECT e.update_id, e.instance_id, e.action, e.happened_at AS at, e.message
      FROM job_instance_update_events e WHERE e.update_id = ANY (${updateIds}) ORDER BY e.id`);
  return collect(rows, (row) => ({
    instanceId: row.instance_id,
    action: row.action,
    timestampMs: row.at,
    ...(row.message === null ? {} : { message: row.message }),
  }));
}

function collect<R extends { update_id: string }, T>(
  rows: readonly R[],
  convert: (row: R) => T,
): Map<string, T[]> {
  const byUpdate = new Map<string, T[]>();
  for (const row of rows) {
    const list = byUpdate.get(row.update_id);
    if (list === undefined) byUpdate.set(row.update_id, [convert(row)]);
    else list.push(convert(row));
  }
  return byUpdate;
}

/** Conditions of getJobUpdateSummaries and getJobUpdateDetails, ANDed (rpc.md §7). */
export interface UpdateFilter {
  readonly key?: JobUpdateKey;
  readonly jobKey?: JobKey;
  readonly role?: string;
  readonly user?: string;
  /** Statuses as readers see them. */
  readonly statuses?: readonly string[];
  readonly offset?: number;
  readonly limit?: number;
}

/**
 * Updates by what readers see (updates.md I5): `freshIds` are the updates with a fresh heartbeat, one
 * snapshot for the whole request. Newest modification first, then update id.
 */
export async function findUpdates(
  queries: Queries,
  filter: UpdateFilter,
  freshIds: readonly string[],
): Promise<UpdateRecord[]> {
  const conditions = [sql`true`];
  if (filter.key !== undefined) conditions.push(sql`${isKey(filter.key)}`);
  if (filter.jobKey !== undefined) {
    const { role, environment, name } = filter.jobKey;
    conditions.push(
      sql`u.role = ${role} AND u.environment = ${environment} AND u.job_name = ${name}`,
    );
  }
  if (filter.role !== undefined) conditions.push(sql`u.role = ${filter.role}`);
  if (filter.user !== undefined) conditions.push(sql`u.user_name = ${filter.user}`);
  if (filter.statuses !== undefined && filter.statuses.length > 0) {
    conditions.push(sql`
      CASE WHEN u.state IN ('ROLLING_FORWARD', 'ROLLING_BACK') AND u.pulse_timeout_ms > 0
                AND u.update_id <> ALL (${freshIds}::text[])
           THEN CASE u.state WHEN 'ROLLING_FORWARD' THEN 'ROLL_FORWARD_AWAITING_PULSE'
                             ELSE 'ROLL_BACK_AWAITING_PULSE' END
           ELSE u.state END = ANY (${filter.statuses}::text[])`);
  }
  const offset = filter.offset ?? 0;
  const limit = filter.limit !== undefined && filter.limit > 0 ? filter.limit : null;
  const rows = await queries.run<UpdateRow>(sql`
    SELECT ${UPDATE_COLUMNS} FROM job_updates u WHERE ${sql.join(conditions, sql` AND `)}
     ORDER BY u.last_modified_at DESC, u.update_id OFFSET ${offset} LIMIT ${limit}`);
  return rows.map(toUpdateRecord);
}
