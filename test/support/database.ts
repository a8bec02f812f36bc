/**
 * Real Postgres for tests: a freshly migrated database per call, cloned from a template.
 *
 * The server is the one of `TEST_DATABASE_URL` (its role must be allowed to create databases), or a
 * private one of this Jest run, started by the first test that needs it and removed at the end
 * (global-setup.ts, global-teardown.ts). With `AURORA_TEST_KEEP=1` databases and private server stay for
 * a look with psql; the run prints its URL.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { startEmbeddedPostgres } from '../../src/store/embedded.js';
import { migrate } from '../../src/store/migrate.js';

export interface TestDatabase {
  readonly url: string;
  readonly name: string;
  /** Ends every connection to the database and removes it. Not calling it keeps it until the end. */
  drop(): Promise<void>;
}

const MIGRATIONS = join(__dirname, '..', '..', 'migrations');
const keep = process.env['AURORA_TEST_KEEP'] !== undefined;

/**
 * A new database with the schema of `migrations/` (or none with `empty`), for this caller alone.
 *
 * Call `drop()` when the test has passed; leave the database where it is otherwise.
 */
export async function createTestDatabase(
  options: { readonly empty?: boolean } = {},
): Promise<TestDatabase> {
  const server = await serverUrl();
  const template = options.empty ? 'template0' : await templateDatabase(server);
  const name = `aurora_test_${process.env['JEST_WORKER_ID'] ?? 0}_${randomBytes(6).toString('hex')}`;
  await onServer(server, (client) => client.query(`CREATE DATABASE ${name} TEMPLATE ${template}`));
  return {
    name,
    url: withDatabase(server, name),
    drop: async () => {
      if (keep) return;
      await onServer(server, (client) =>
        client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
      );
    },
  };
}

/** URL of a database of the test server in which only databases are made and dropped. */
let serverPromise: Promise<string> | undefined;
export function serverUrl(): Promise<string> {
  return (serverPromise ??= startOrFindServer());
}

async function startOrFindServer(): Promise<string> {
  const given = process.env['TEST_DATABASE_URL'];
  if (given !== undefined && given !== '') {
    await onServer(given, (client) => client.query('SELECT 1')).catch((error: unknown) => {
      throw new Error(
        `TEST_DATABASE_URL does not answer (${String(error)}). Start that server, or unset the ` +
          'variable: the tests then start one of their own.',
      );
    });
    return given;
  }
  const directory = process.env['AURORA_TEST_RUN_DIR'] ?? join(tmpdir(), 'aurora-shim-test');
  // Making a cluster costs a second of CPU, so one worker does it while the others wait.
  await mkdir(directory, { recursive: true });
  const release = await lockFolder(join(directory, 'starting'));
  try {
    const { url } = await startEmbeddedPostgres({ dataDir: directory, durable: false });
    return withDatabase(url, 'postgres');
  } finally {
    await release();
  }
}

/** A lock between processes: whoever makes the folder holds it. A holder that died is waited out. */
async function lockFolder(path: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      await mkdir(path);
      return () => rm(path, { recursive: true, force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const made = await stat(path).catch(() => undefined);
    if (made && Date.now() - made.ctimeMs > 60_000)
      await rm(path, { recursive: true, force: true });
    await sleep(20);
  }
}

let templatePromise: Promise<string> | undefined;
function templateDatabase(server: string): Promise<string> {
  return (templatePromise ??= makeTemplate(server));
}

/** Makes the template of the present migration files unless this server has it; returns its name. */
async function makeTemplate(server: string): Promise<string> {
  const name = `aurora_template_${await fingerprint()}`;
  await onServer(server, async (client) => {
    // One worker migrates, the others wait and find its work.
    await client.query(`SELECT pg_advisory_lock(hashtext('aurora_template'))`);
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    if (rowCount) return;
    const draft = `${name}_draft`;
    await client.query(`DROP DATABASE IF EXISTS ${draft} WITH (FORCE)`);
    await client.query(`CREATE DATABASE ${draft} TEMPLATE template0`);
    await migrate(withDatabase(server, draft), { mode: 'auto', dir: MIGRATIONS });
    await client.query(`ALTER DATABASE ${draft} RENAME TO ${name}`);
  });
  return name;
}

async function fingerprint(): Promise<string> {
  const hash = createHash('sha256');
  for (const name of (await readdir(MIGRATIONS)).sort()) {
    if (name.endsWith('.sql')) hash.update(name).update(await readFile(join(MIGRATIONS, name)));
  }
  return hash.digest('hex').slice(0, 16);
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.toString();
}

async function onServer<T>(url: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {}); // the query under way reports it
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
