/**
 * A staged backup (rpc.md §12.1): tables of their own beside the live ones, made when a backup is staged and
 * dropped when it is committed or unloaded. The row of `recovery_session` is there as long as they are.
 */
import { sql } from 'kysely';
import pg from 'pg';
import { RefusedError } from '../core/errors.js';
import type { TaskConfig } from '../core/model/config.js';
import { columnsOf, newestMigration, type BackupHeader } from './backup.js';
import type { BackupPart } from './backup-file.js';
import { DamagedBackupError } from './backup-file.js';
import { BACKUP_TABLES } from './backup-tables.js';
import type { Queries, WriteTransaction } from './database.js';
import { taskConditions, type TaskFilter } from './task-queries.js';

/** The schema of the staged tables. */
export const STAGING = 'recovery_staging';

const ALL = BACKUP_TABLES.map(({ name }) => name);
const MERGED = BACKUP_TABLES.filter(({ merged }) => merged).map(({ name }) => name);
/** Data a type cannot hold, and rows that break a rule of their table. */
const CONTENT_CLASSES = new Set(['22', '23']);

/** Name of the staged backup; undefined when there is none. */
export async function findStaged(queries: Queries): Promise<string | undefined> {
  const [row] = await queries.run<{ backup_id: string }>(
    sql`SELECT backup_id FROM recovery_session`,
  );
  return row?.backup_id;
}

/**
 * Fills the staging tables.
 *
 * @throws RefusedError ERROR when a backup is staged already
 * @throws DamagedBackupError for a backup that does not fit this release or breaks a rule of a table
 */
export async function stage(
  tx: WriteTransaction,
  backupId: string,
  user: string,
  parts: AsyncIterable<BackupPart>,
): Promise<void> {
  const staged = await findStaged(tx);
  if (staged !== undefined) {
    throw new RefusedError(
      'ERROR',
      `backup ${staged} is staged already: commit or unload it first`,
    );
  }
  await tx.run(sql`SELECT shim_open_staging(${ALL}::regclass[])`);
  const columns = new Map<string, ReadonlySet<string>>();
  for (const name of ALL) columns.set(name, new Set(await columnsOf(tx, `${STAGING}.${name}`)));
  for await (const part of parts) {
    if (part.kind === 'header') {
      await requireFitting(tx, part.header);
      await openSession(tx, backupId, user, part.header);
      continue;
    }
    const unknown = part.columns.find((column) => columns.get(part.table)?.has(column) !== true);
    if (unknown !== undefined) {
      throw new DamagedBackupError(
        `has a column ${unknown} in table ${part.table}, which this release does not know`,
      );
    }
    await insertRows(tx, part).catch((error: unknown) => {
      throw explained(error, part.table);
    });
  }
  await tx.run(sql`SELECT shim_link_staging(${ALL}::regclass[])`).catch((error: unknown) => {
    throw explained(error);
  });
  await requireHistory(tx);
}

/** What every reader relies on and no constraint says: tasks and updates begin with an event. */
async function requireHistory(tx: WriteTransaction): Promise<void> {
  const kinds = [
    { table: 'tasks', id: 'task_id', events: 'task_events' },
    { table: 'job_updates', id: 'update_id', events: 'job_update_events' },
  ];
  for (const { table, id, events } of kinds) {
    const [row] = await tx.run<{ id: string }>(sql`
      SELECT t.${sql.ref(id)} AS id FROM ${sql.table(`${STAGING}.${table}`)} t
       WHERE NOT EXISTS (SELECT FROM ${sql.table(`${STAGING}.${events}`)} e
                          WHERE e.${sql.ref(id)} = t.${sql.ref(id)}) LIMIT 1`);
    if (row === undefined) continue;
    throw new DamagedBackupError(
      `breaks a rule of table ${table}: ${row.id} has no row in ${events}`,
    );
  }
}

async function openSession(
  tx: WriteTransaction,
  backupId: string,
  user: string,
  { createdAt, cluster, schema }: BackupHeader,
): Promise<void> {
  await tx.run(sql`
    INSERT INTO recovery_session (id, backup_id, backup_created_at, backup_cluster, backup_schema, staged_by)
    VALUES (1, ${backupId}, ${createdAt}, ${cluster}, ${schema}, ${user})`);
}

/** Older schemas differ by what was added since, unless a migration says otherwise (migrations/README.md). */
async function requireFitting(tx: WriteTransaction, { schema }: BackupHeader): Promise<void> {
  const ours = await newestMigration(tx);
  if (schema > ours) {
    throw new DamagedBackupError(
      `was written with the newer schema ${schema}; this database has ${ours || 'none'}`,
    );
  }
  const [breaking] = await tx.run<{ name: string; reason: string }>(sql`
    SELECT name, reason FROM schema_breaking_migration
     WHERE name COLLATE "C" > ${schema} ORDER BY name LIMIT 1`);
  if (breaking !== undefined) {
    throw new DamagedBackupError(
      `was written with schema ${schema}, before the breaking change ${breaking.name} (${breaking.reason})`,
    );
  }
}

async function insertRows(
  tx: WriteTransaction,
  { table, columns, rows }: Extract<BackupPart, { kind: 'rows' }>,
): Promise<void> {
  const names = sql.join(columns.map((column) => sql.ref(column)));
  const staged = sql.table(`${STAGING}.${table}`);
  await tx.run(sql`
    INSERT INTO ${staged} (${names})
    SELECT ${names} FROM json_populate_recordset(NULL::${staged}, ${`[${rows.join(',')}]`}::json)`);
}

function explained(error: unknown, table?: string): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  if (!CONTENT_CLASSES.has(error.code?.slice(0, 2) ?? '')) return error;
  const where = error.table ?? table;
  const detail = error.detail === undefined ? '' : ` (${error.detail})`;
  return new DamagedBackupError(
    `breaks a rule${where === undefined ? '' : ` of table ${where}`}: ${error.message}${detail}`,
  );
}

/** Configs of staged tasks. Past the cache of live ones, which a staged row must not get into. */
export async function loadStagedConfigs(
  queries: Queries,
  hashes: readonly string[],
): Promise<ReadonlyMap<string, TaskConfig>> {
  if (hashes.length === 0) return new Map();
  const rows = await queries.run<{ hash: string; config: TaskConfig }>(sql`
    SELECT hash, config FROM ${sql.table(`${STAGING}.task_configs`)}
     WHERE hash = ANY (${[...new Set(hashes)]})`);
  return new Map(rows.map(({ hash, config }) => [hash, config]));
}

/** Removes matching tasks with their events. Returns how many. */
export async function deleteStagedTasks(tx: WriteTransaction, filter: TaskFilter): Promise<number> {
  const rows = await tx.run(sql`
    DELETE FROM ${sql.table(`${STAGING}.tasks`)} t WHERE ${taskConditions(filter)} RETURNING t.task_id`);
  return rows.length;
}

/** Drops what is staged, if anything is. */
export async function dropStaged(tx: WriteTransaction): Promise<void> {
  await tx.run(sql`SELECT shim_close_staging()`);
}

/**
 * Puts the staged rows in the place of the live ones, waits for all other writers before and leaves them an
 * epoch that is over.
 */
export async function replaceState(tx: WriteTransaction): Promise<void> {
  await tx.run(sql`SELECT shim_replace_state(${ALL}::regclass[], ${MERGED}::regclass[])`);
}
