/**
 * Brings a database to the schema of this release: the plain SQL files of `migrations/`, in the order of
 * their numbers, each exactly once (design.md D13). How to write one: migrations/README.md.
 *
 * kysely's Migrator does the bookkeeping (table `schema_migration`), holds an advisory lock meanwhile and
 * runs everything pending in one transaction: a failing file leaves the schema as it was.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CompiledQuery, Kysely, Migrator, PostgresDialect, sql, type Migration } from 'kysely';
import {
  Client,
  DatabaseError,
  Pool,
  type ClientConfig,
  type PoolClient,
  type PoolConfig,
} from 'pg';

/** `auto`: run what is pending. `check`: refuse to go on if anything is. `off`: do not even look. */
export type MigrateMode = 'auto' | 'check' | 'off';

export interface MigrateOptions {
  readonly mode: MigrateMode;
  /** Folder with the SQL files; default: `migrations/` of this package. */
  readonly dir?: string;
}

export interface MigrateResult {
  /** Names of the files run by this call, in order. */
  readonly applied: readonly string[];
  /** Number of the newest file the database has seen (0: none); undefined with mode `off`. */
  readonly schemaVersion: number | undefined;
}

/** The schema does not suit this release, or cannot be made to; the message says what to do. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError';
}

/** There is no server where one was sought, or it does not let us in; the message names both. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
}

/** What it means that a connection could not be made. */
export function unreachable(config: ClientConfig, error: unknown): UnreachableError {
  // Host and port as pg understands them, with its defaults; nothing of the password.
  const { host, port } = new Client(config);
  return new UnreachableError(
    `Cannot reach Postgres at ${host}:${port} (${reasonOf(error)}): check --database_url (or DATABASE_URL)`,
    { cause: error },
  );
}

function reasonOf(error: unknown): string {
  const { message, errors } = error as { message?: string; errors?: readonly Error[] };
  // Of a host with several addresses Node.js reports all attempts, under an empty message.
  return message || errors?.[0]?.message || String(error);
}

const MISSING = new Set(['42P01', '42883', '3F000']);

/** The error itself, unless it comes from a table or function that the schema would have. */
export function explainMissing(error: unknown): unknown {
  if (!(error instanceof DatabaseError) || !MISSING.has(error.code ?? '')) return error;
  return new SchemaError(
    `The database lacks the schema of this release (${error.message}). ` +
      'Run `aurora-shim migrate`, or start with --migrate=auto.',
    { cause: error },
  );
}

interface MigrationFile {
  readonly name: string;
  readonly text: string;
  /** Why releases that do not know this file must not run on the schema it makes. */
  readonly breaking: string | undefined;
}

interface Tables {
  schema_migration: { name: string; timestamp: string };
  schema_breaking_migration: { name: string; reason: string };
}

const OLDEST_SERVER = 140_000;
/** A host that does not answer at all must not hold up a start for as long as TCP would. */
const CONNECTION_TIMEOUT_MS = 10_000;
const FILE_NAME = /^\d{4}_[a-z0-9_]+$/;
const BREAKING = /^-- breaking:[ \t]*(.+)$/m;

/**
 * Migrates (or checks) the database of `target`, with a connection of its own that has no statement
 * timeout (operations.md §2.5).
 *
 * @throws SchemaError on an unusable schema, server or folder
 * @throws UnreachableError when there is no connection to be had
 */
export async function migrate(
  target: string | PoolConfig,
  { mode, dir = defaultFolder() }: MigrateOptions,
): Promise<MigrateResult> {
  if (mode === 'off') return { applied: [], schemaVersion: undefined };
  const files = await readFolder(dir);
  const config = typeof target === 'string' ? { connectionString: target } : target;
  const pool = new Pool({
    connectionTimeoutMillis: CONNECTION_TIMEOUT_MS,
    ...config,
    max: 1,
    application_name: 'aurora-shim:migrate',
  });
  pool.on('error', () => {}); // an idle connection lost: the next statement reports it
  const connect = async (): Promise<PoolClient> => {
    try {
      return await pool.connect();
    } catch (error) {
      throw unreachable(config, error);
    }
  };
  const dialect = new PostgresDialect({
    pool: { connect, end: () => pool.end() },
    onCreateConnection: async (connection) => {
      // A migration may rewrite a table or wait for another process that does.
      for (const name of [
        'statement_timeout',
        'lock_timeout',
        'idle_in_transaction_session_timeout',
      ])
        await connection.executeQuery(CompiledQuery.raw(`SET ${name} = 0`));
    },
  });
  const db = new Kysely<Tables>({ dialect });
  try {
    await checkServer(db);
    return await bringUp(db, files, mode);
  } finally {
    await db.destroy();
  }
}

async function bringUp(
  db: Kysely<Tables>,
  files: readonly MigrationFile[],
  mode: 'auto' | 'check',
): Promise<MigrateResult> {
  const executed = await executedNames(db);
  const known = new Set(files.map((file) => file.name));
  const foreign = executed.filter((name) => !known.has(name));
  await refuseBreaking(db, foreign);
  const pending = files.filter((file) => !executed.includes(file.name)).map((file) => file.name);

  if (mode === 'check' && pending.length > 0) {
    throw new SchemaError(
      `The database lacks ${pending.length} migration(s): ${pending.join(', ')}. ` +
        'Run `aurora-shim migrate`, or start with --migrate=auto.',
    );
  }
  const applied = pending.length > 0 ? await run(db, files, foreign) : [];
  // Another process may have been the one that ran them: ask again.
  const all = pending.length > 0 ? await executedNames(db) : executed;
  return { applied, schemaVersion: Math.max(0, ...all.map((name) => parseInt(name, 10))) };
}

async function run(
  db: Kysely<Tables>,
  files: readonly MigrationFile[],
  foreign: readonly string[],
): Promise<string[]> {
  const migrations: Record<string, Migration> = {};
  for (const file of files) migrations[file.name] = { up: (tx: Kysely<Tables>) => apply(tx, file) };
  // Files of a newer release that this one can live with; the Migrator wants to see what was run.
  for (const name of foreign) migrations[name] = { up: () => Promise.resolve() };

  const migrator = new Migrator({
    db,
    provider: { getMigrations: () => Promise.resolve(migrations) },
    migrationTableName: 'schema_migration',
    migrationLockTableName: 'schema_migration_lock',
  });
  const { error, results = [] } = await migrator.migrateToLatest();
  if (error !== undefined) {
    if (error instanceof SchemaError || error instanceof UnreachableError) throw error;
    const failed = results.find(({ status }) => status === 'Error')?.migrationName;
    const where = files.find(({ name }) => name === failed);
    const what = error instanceof Error ? error.message : JSON.stringify(error);
    throw new SchemaError(
      where ? `Migration ${where.name}.sql failed${line(where, error)}: ${what}` : what,
      { cause: error },
    );
  }
  return results.filter(({ status }) => status === 'Success').map((done) => done.migrationName);
}

/** Beside what the Migrator makes itself. */
const BOOKKEEPING = `
  CREATE TABLE IF NOT EXISTS schema_breaking_migration (
    name text PRIMARY KEY,
    reason text NOT NULL
  );
  COMMENT ON TABLE schema_breaking_migration IS
    'Migrations after which releases that do not know them must not run, and why.';
  COMMENT ON TABLE schema_migration IS 'Migrations run on this database, by file name.';
  COMMENT ON TABLE schema_migration_lock IS 'Belongs to the migrator; says nothing.';
`;

async function apply(tx: Kysely<Tables>, file: MigrationFile): Promise<void> {
  // Without parameters pg sends the text as one simple query, which may hold many statements.
  await sql.raw(file.text).execute(tx);
  await sql.raw(BOOKKEEPING).execute(tx);
  if (file.breaking !== undefined) {
    await tx
      .insertInto('schema_breaking_migration')
      .values({ name: file.name, reason: file.breaking })
      .execute();
  }
}

/** " in line N" for errors that carry a position. */
function line(file: MigrationFile, error: unknown): string {
  const position = error instanceof DatabaseError ? Number(error.position) : NaN;
  if (!(position > 0)) return '';
  return ` in line ${file.text.slice(0, position - 1).split('\n').length}`;
}

async function executedNames(db: Kysely<Tables>): Promise<string[]> {
  if (!(await tableExists(db, 'schema_migration'))) return [];
  const rows = await db.selectFrom('schema_migration').select('name').orderBy('name').execute();
  return rows.map((row) => row.name);
}

async function refuseBreaking(db: Kysely<Tables>, foreign: readonly string[]): Promise<void> {
  if (foreign.length === 0 || !(await tableExists(db, 'schema_breaking_migration'))) return;
  const rows = await db
    .selectFrom('schema_breaking_migration')
    .selectAll()
    .where('name', 'in', foreign)
    .orderBy('name')
    .execute();
  if (rows.length === 0) return;
  throw new SchemaError(
    'The database belongs to a newer release of aurora-shim, this one must not use it: ' +
      `${rows.map(({ name, reason }) => `${name} (${reason})`).join('; ')}. ` +
      'Start the newer release.',
  );
}

async function tableExists(db: Kysely<Tables>, table: keyof Tables): Promise<boolean> {
  const result = await sql<{ there: boolean }>`
    SELECT to_regclass(${table}) IS NOT NULL AS there`.execute(db);
  return result.rows[0]?.there === true;
}

async function checkServer(db: Kysely<Tables>): Promise<void> {
  const result = await sql<{ number: string; text: string }>`
    SELECT current_setting('server_version_num') AS number,
           current_setting('server_version') AS text`.execute(db);
  const server = result.rows[0];
  if (Number(server?.number) < OLDEST_SERVER) {
    throw new SchemaError(`Postgres ${server?.text} is too old: aurora-shim needs 14 or newer.`);
  }
}

async function readFolder(dir: string): Promise<MigrationFile[]> {
  const files: MigrationFile[] = [];
  for (const entry of (await readdir(dir)).sort()) {
    if (!entry.endsWith('.sql')) continue;
    const name = entry.slice(0, -'.sql'.length);
    if (!FILE_NAME.test(name)) {
      throw new SchemaError(`${join(dir, entry)}: migrations are named like 0001_some_words.sql`);
    }
    const twin = files.find((file) => file.name.slice(0, 4) === name.slice(0, 4));
    if (twin) throw new SchemaError(`Two migrations have one number: ${twin.name}, ${name}`);
    const text = await readFile(join(dir, entry), 'utf8');
    files.push({ name, text, breaking: BREAKING.exec(text)?.[1]?.trim() });
  }
  return files;
}

/** `migrations/` beside package.json, wherever this file was compiled to. */
function defaultFolder(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) {
    folder = dirname(folder);
  }
  return join(folder, 'migrations');
}
