/** design.md D11: people read this database with psql, so everything in it says what it is. */
import { Client } from 'pg';
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

/** What extensions brought is not ours to explain. */
const OURS = (catalog: string, oid: string): string => `NOT EXISTS (
  SELECT FROM pg_depend d
   WHERE d.classid = '${catalog}'::regclass AND d.objid = ${oid} AND d.deptype = 'e')`;

/** Name and comment of everything of one sort in our schema. */
const SORTS: [string, string][] = [
  [
    'table, view and sequence',
    `SELECT c.relname AS name, obj_description(c.oid, 'pg_class') AS comment
       FROM pg_class c
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
        AND ${OURS('pg_class', 'c.oid')}`,
  ],
  [
    'column',
    `SELECT c.relname || '.' || a.attname AS name, col_description(c.oid, a.attnum) AS comment
       FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
        AND a.attnum > 0 AND NOT a.attisdropped AND ${OURS('pg_class', 'c.oid')}`,
  ],
  [
    // Those of primary keys and unique constraints say all there is to say.
    'index',
    `SELECT c.relname AS name, obj_description(c.oid, 'pg_class') AS comment
       FROM pg_class c
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('i', 'I')
        AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid)
        AND ${OURS('pg_class', 'c.oid')}`,
  ],
  [
    'function',
    `SELECT p.oid::regprocedure::text AS name, obj_description(p.oid, 'pg_proc') AS comment
       FROM pg_proc p
      WHERE p.pronamespace = 'public'::regnamespace AND ${OURS('pg_proc', 'p.oid')}`,
  ],
  [
    'trigger',
    `SELECT t.tgname || ' on ' || c.relname AS name, obj_description(t.oid, 'pg_trigger') AS comment
       FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
      WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal`,
  ],
];

test.each(SORTS)('every %s has a comment that is a sentence', async (_sort, query) => {
  const { rows } = await client.query<{ name: string; comment: string | null }>(query);
  expect(rows).not.toEqual([]);
  const silent = rows.filter(({ comment }) => !/^\S.*\.$/.test(comment ?? ''));
  expect(silent).toEqual([]);
});
