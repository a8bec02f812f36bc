/**
 * A backup as text (docs/backups.md): one line about the file, for each table a line with its columns and a
 * line for each row, and one line that tells whether all of it is there. Rows are written as Postgres gives
 * them out and read back by it, so that nothing is lost to JavaScript's numbers and dates.
 */
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { BACKUP_TABLES, type BackupTable } from './backup-tables.js';
import type { Queries } from './database.js';
import { inSlices } from './slices.js';

export const BACKUP_FORMAT = 'aurora-shim';
/** Raised by changes that an older release would read wrongly. */
export const BACKUP_VERSION = 1;

/** What the first line says. */
export interface BackupHeader {
  /** Name of the newest migration of the database. */
  readonly schema: string;
  /** When it was begun, wall clock of the scheduler: ISO 8601, UTC. */
  readonly createdAt: string;
  readonly cluster: string;
}

/** What the last line says; the hash is of everything before that line. */
export interface BackupTrailer {
  readonly rows: Readonly<Record<string, number>>;
  readonly sha256: string;
}

/**
 * The lines of a backup, some at a time, each with its line feed. Holds no more than one batch of rows.
 *
 * @param tx a transaction in which all statements see the same state (`Database.snapshot`)
 */
export async function* backupText(
  tx: Queries,
  about: Omit<BackupHeader, 'schema'>,
): AsyncGenerator<string> {
  const hash = createHash('sha256');
  const rows: Record<string, number> = {};
  const counted = (text: string): string => {
    hash.update(text);
    return text;
  };
  await tx.run(sql`SET LOCAL TIME ZONE 'UTC'`);
  const schema = await newestMigration(tx);
  const format = { '@backup': BACKUP_FORMAT, version: BACKUP_VERSION };
  yield counted(`${JSON.stringify({ ...format, schema, ...about })}\n`);
  for (const table of BACKUP_TABLES) {
    const columns = await columnsOf(tx, table.name);
    yield counted(`${JSON.stringify({ '@table': table.name, columns })}\n`);
    rows[table.name] = 0;
    for await (const batch of rowsOf(tx, table)) {
      rows[table.name] = (rows[table.name] ?? 0) + batch.length;
      yield counted(batch.map((row) => `${row}\n`).join(''));
    }
  }
  const trailer: BackupTrailer = { rows, sha256: hash.digest('hex') };
  yield `${JSON.stringify({ '@end': trailer })}\n`;
}

/** Its name without .sql; empty in a database without bookkeeping of migrations. */
export async function newestMigration(queries: Queries): Promise<string> {
  const [row] = await queries.run<{ name: string | null }>(
    sql`SELECT max(name COLLATE "C") AS name FROM schema_migration`,
  );
  return row?.name ?? '';
}

/** Columns of a table, also one of another schema, in their order. */
export async function columnsOf(queries: Queries, table: string): Promise<string[]> {
  const rows = await queries.run<{ name: string }>(sql`
    SELECT attname AS name FROM pg_attribute
     WHERE attrelid = ${table}::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`);
  return rows.map((row) => row.name);
}

/** Rows as JSON objects. */
async function* rowsOf(tx: Queries, table: BackupTable): AsyncGenerator<string[]> {
  const order = sql.join(table.orderBy.map((column) => sql.ref(column)));
  const rows = sql<{ row: string }>`
    SELECT row_to_json(t)::text AS row FROM ${sql.table(table.name)} t ORDER BY ${order}`;
  for await (const batch of inSlices(tx, rows, table.rowsAtOnce)) {
    yield batch.map(({ row }) => row);
  }
}
