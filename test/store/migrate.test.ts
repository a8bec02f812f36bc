/** design.md D13: each file runs once, failures change nothing, older releases know when to keep out. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { migrate, SchemaError } from '../../src/store/migrate.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
let dir: string;

beforeEach(async () => {
  database = await createTestDatabase({ empty: true });
  dir = await mkdtemp(join(tmpdir(), 'migrations-'));
});

afterEach(async () => {
  await database.drop();
  await rm(dir, { recursive: true });
});

const file = (name: string, text: string): Promise<void> => writeFile(join(dir, name), text);
const run = (mode: 'auto' | 'check' | 'off' = 'auto'): ReturnType<typeof migrate> =>
  migrate(database.url, { mode, dir });

async function rows(sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function standard(): Promise<void> {
  await file('0001_init.sql', 'CREATE TABLE one (id int);\nINSERT INTO one VALUES (1);');
  await file('0002_more.sql', 'INSERT INTO one VALUES (2);');
  await file('README.md', 'not a migration');
}

test('an empty folder and an empty database: nothing to do', async () => {
  expect(await run()).toEqual({ applied: [], schemaVersion: 0 });
  expect(await run('check')).toEqual({ applied: [], schemaVersion: 0 });
});

test('runs files in order, once', async () => {
  await standard();
  expect(await run()).toEqual({ applied: ['0001_init', '0002_more'], schemaVersion: 2 });
  expect(await run()).toEqual({ applied: [], schemaVersion: 2 });
  await file('0003_later.sql', 'INSERT INTO one VALUES (3);');
  expect(await run()).toEqual({ applied: ['0003_later'], schemaVersion: 3 });
  expect(await rows('SELECT id FROM one ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
});

test('eight at once run each file once', async () => {
  await standard();
  const results = await Promise.all(Array.from({ length: 8 }, () => run()));
  expect(results.map((result) => result.schemaVersion)).toEqual(Array(8).fill(2));
  expect(await rows('SELECT count(*)::int AS n FROM one')).toEqual([{ n: 2 }]);
});

test('a failing file undoes the whole run and names file and line', async () => {
  await standard();
  await file('0003_bad.sql', 'SELECT 1;\n\nSELECT nonsense;\n');
  const failure = await run().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(SchemaError);
  expect(String(failure)).toContain(
    'Migration 0003_bad.sql failed in line 3: column "nonsense" does not exist',
  );
  expect(await rows(`SELECT to_regclass('one') AS one`)).toEqual([{ one: null }]);
});

test('check refuses a schema that lacks files and says how to get them', async () => {
  await standard();
  await expect(run('check')).rejects.toThrow(
    'The database lacks 2 migration(s): 0001_init, 0002_more. Run `aurora-shim migrate`',
  );
  expect(await rows(`SELECT to_regclass('schema_migration') AS t`)).toEqual([{ t: null }]);
  await run();
  expect(await run('check')).toEqual({ applied: [], schemaVersion: 2 });
});

test('off does not even connect', async () => {
  await standard();
  const nowhere = 'postgresql://nobody@127.0.0.1:1/none';
  expect(await migrate(nowhere, { mode: 'off', dir })).toEqual({
    applied: [],
    schemaVersion: undefined,
  });
});

describe('an older release on a newer schema', () => {
  test('works where the newer files are not marked as breaking', async () => {
    await standard();
    await file('0003_newer.sql', 'CREATE TABLE newer (id int);');
    await run();
    await rm(join(dir, '0003_newer.sql'));
    expect(await run('check')).toEqual({ applied: [], schemaVersion: 3 });
    expect(await run('auto')).toEqual({ applied: [], schemaVersion: 3 });
  });

  test.each(['auto', 'check'] as const)(
    '%s refuses a breaking one with its reason',
    async (mode) => {
      await standard();
      await file('0003_newer.sql', '-- breaking: table one is gone\nDROP TABLE one;');
      await run();
      expect(await run(mode)).toEqual({ applied: [], schemaVersion: 3 });
      await rm(join(dir, '0003_newer.sql'));
      await expect(run(mode)).rejects.toThrow(
        'newer release of aurora-shim, this one must not use it: 0003_newer (table one is gone)',
      );
    },
  );

  test('refuses to slip a file of its own in before those', async () => {
    await standard();
    await file('0004_newer.sql', 'SELECT 1;');
    await run();
    await rm(join(dir, '0004_newer.sql'));
    await file('0003_own.sql', 'SELECT 1;');
    await expect(run()).rejects.toThrow(SchemaError);
  });
});

test.each([
  ['1_short.sql', 'migrations are named like 0001_some_words.sql'],
  ['0001_Upper.sql', 'migrations are named like 0001_some_words.sql'],
  ['0002_twin.sql', 'Two migrations have one number: 0002_more, 0002_twin'],
])('refuses the file name %s', async (name, message) => {
  await standard();
  await file(name, 'SELECT 1;');
  await expect(run()).rejects.toThrow(message);
});

test('a migration may take longer than the statement timeout of the role', async () => {
  await file('0001_slow.sql', 'SELECT pg_sleep(0.2);');
  await rows(`ALTER DATABASE ${database.name} SET statement_timeout = '50ms'`);
  expect(await run()).toEqual({ applied: ['0001_slow'], schemaVersion: 1 });
});
