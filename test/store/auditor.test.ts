/** The role for auditors reads everything and changes nothing (docs/audit.md, "Connecting"). */
import { randomBytes } from 'node:crypto';
import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { migrate } from '../../src/store/migrate.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const AUDITOR = 'aurora_shim_auditor';
const DENIED = '42501';
const MIGRATIONS = join(__dirname, '..', '..', 'migrations');

let database: TestDatabase;
/** Owns the schema, as the scheduler does. */
let owner: Client;
let auditor: Client;

async function connect({ url }: TestDatabase): Promise<Client> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return client;
}

async function relations(kinds: string): Promise<string[]> {
  const { rows } = await owner.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind = ANY ($1) ORDER BY relname`,
    [[...kinds]],
  );
  return rows.map(({ name }) => name);
}

const codeOf = (client: Client, sql: string): Promise<string> =>
  client.query(sql).then(
    () => 'done',
    (error: unknown) => (error as { code: string }).code,
  );

beforeAll(async () => {
  database = await createTestDatabase();
  owner = await connect(database);
  auditor = await connect(database);
  await auditor.query(`SET ROLE ${AUDITOR}`);
});

afterAll(async () => {
  await owner.end();
  await auditor.end();
  await database.drop();
});

test('reads every table and view', async () => {
  const names = await relations('rv');
  expect(names).toEqual(expect.arrayContaining(['cron_jobs', 'tasks', 'update_blockers']));
  for (const name of names) {
    expect([name, await codeOf(auditor, `SELECT * FROM ${name}`)]).toEqual([name, 'done']);
  }
});

test('reads what later migrations add', async () => {
  await owner.query('CREATE TABLE later (id int)');
  expect(await codeOf(auditor, 'SELECT * FROM later')).toBe('done');
  expect(await codeOf(auditor, 'DELETE FROM later')).toBe(DENIED);
  await owner.query('DROP TABLE later');
});

test('writes no table', async () => {
  for (const name of await relations('r')) {
    const { rows } = await owner.query<{ column: string }>(
      `SELECT attname AS column FROM pg_attribute
        WHERE attrelid = $1::regclass AND attnum = 1`,
      [name],
    );
    const column = rows[0]?.column;
    const codes = [
      await codeOf(auditor, `INSERT INTO ${name} DEFAULT VALUES`),
      await codeOf(auditor, `UPDATE ${name} SET ${column} = DEFAULT`),
      await codeOf(auditor, `DELETE FROM ${name}`),
      await codeOf(auditor, `TRUNCATE ${name} CASCADE`),
    ];
    expect([name, ...codes]).toEqual([name, DENIED, DENIED, DENIED, DENIED]);
  }
  expect(await codeOf(auditor, `SELECT nextval('update_history_seq')`)).toBe(DENIED);
});

/** Nulls and empty lists: the owner gets through the door, whatever is behind it. */
const CALLS: [string, string][] = [
  ['SELECT shim_prune_tasks(ARRAY[]::text[])', 'done'],
  ['SELECT shim_prune_updates(ARRAY[]::text[])', 'done'],
  ['SELECT shim_begin_write(0, gen_random_uuid(), 1000)', 'done'],
  ['SELECT shim_begin_write(-1, gen_random_uuid(), 1000)', 'SHF01'],
  ['SELECT shim_take_lease(-1, -1, gen_random_uuid(), 1000, 1)', 'done'],
  ['SELECT shim_take_over()', 'done'],
];

test.each(CALLS)('may not %s; the owner may', async (call, result) => {
  await expect(auditor.query(call)).rejects.toMatchObject({
    code: DENIED,
    message: expect.stringContaining('permission denied for function') as string,
  });
  expect(await codeOf(owner, call)).toBe(result);
});

test('nobody but the owner may call what changes something', async () => {
  const { rows } = await owner.query(
    `SELECT p.oid::regprocedure::text AS name FROM pg_proc p
      WHERE p.pronamespace = 'public'::regnamespace
        AND has_function_privilege('${AUDITOR}', p.oid, 'EXECUTE') ORDER BY name`,
  );
  // The clock, which views use, and the trigger, which nobody can call.
  expect(rows).toEqual([{ name: 'shim_append_only()' }, { name: 'shim_clock()' }]);
});

test('a role that wrote before the functions were shut keeps them', async () => {
  const writer = `writer_${randomBytes(4).toString('hex')}`;
  const former = await mkdtemp(join(tmpdir(), 'migrations-'));
  for (const name of await readdir(MIGRATIONS)) {
    if (name < '0006') await copyFile(join(MIGRATIONS, name), join(former, name));
  }
  const upgraded = await createTestDatabase({ empty: true });
  await migrate(upgraded.url, { mode: 'auto', dir: former });
  const client = await connect(upgraded);
  await client.query(`CREATE ROLE ${writer}`);
  try {
    await client.query(`GRANT INSERT ON write_receipts TO ${writer}`);
    await migrate(upgraded.url, { mode: 'auto' });
    const { rows } = await client.query(
      `SELECT has_function_privilege($1, 'shim_begin_write(bigint, uuid, integer)', 'EXECUTE') AS writer,
              has_function_privilege($2, 'shim_begin_write(bigint, uuid, integer)', 'EXECUTE') AS auditor`,
      [writer, AUDITOR],
    );
    expect(rows).toEqual([{ writer: true, auditor: false }]);
  } finally {
    await client.query(`DROP OWNED BY ${writer}; DROP ROLE ${writer}`);
    await client.end();
    await upgraded.drop();
    await rm(former, { recursive: true });
  }
});
