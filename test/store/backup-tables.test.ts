/** What is in a backup is decided for every table there is; see src/store/backup-tables.ts. */
import { Client } from 'pg';
import { BACKUP_TABLES, NOT_IN_A_BACKUP } from '../../src/store/backup-tables.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new Client({ connectionString: database.url });
  await client.connect();
});

afterAll(async () => {
  await client.end();
  await database.drop();
});

const names = BACKUP_TABLES.map(({ name }) => name);

async function column(query: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(query);
  return rows.map(({ name }) => name);
}

test('every table is listed, or left out with a reason', async () => {
  const tables = await column(
    `SELECT relname AS name FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY relname`,
  );
  const decided = [...names, ...Object.keys(NOT_IN_A_BACKUP)].sort();
  expect(tables.filter((name) => !decided.includes(name))).toEqual([]);
  expect(decided).toEqual(tables);
  for (const reason of Object.values(NOT_IN_A_BACKUP)) expect(reason).toMatch(/\w+ \w+/);
});

test('tables come after those they refer to, and refer to none that is left out', async () => {
  const { rows } = await client.query<{ from: string; to: string }>(
    `SELECT conrelid::regclass::text AS from, confrelid::regclass::text AS to
       FROM pg_constraint WHERE contype = 'f'`,
  );
  for (const { from, to } of rows.filter((link) => names.includes(link.from))) {
    expect([from, to, names.indexOf(to)]).not.toEqual([from, to, -1]);
    expect([from, names.indexOf(to) < names.indexOf(from)]).toEqual([from, true]);
  }
});

test.each(BACKUP_TABLES)('rows of $name are ordered by its primary key', async (table) => {
  const keys = await column(
    `SELECT a.attname AS name FROM pg_index x
       JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = ANY (x.indkey)
      WHERE x.indrelid = '${table.name}'::regclass AND x.indisprimary`,
  );
  expect([...table.orderBy].sort()).toEqual(keys.sort());
});

test('rows that a recovery keeps are named by their content alone', () => {
  expect(BACKUP_TABLES.filter(({ merged }) => merged).map(({ name }) => name)).toEqual([
    'task_configs',
  ]);
});
