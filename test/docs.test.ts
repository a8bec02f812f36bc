/** The queries of docs/audit.md run, and answer, on a database with a story in it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { aConfig, aJob } from './support/builders.js';
import { World } from './support/world.js';

const text = readFileSync(join(__dirname, '..', 'docs', 'audit.md'), 'utf8');
const queries = [...text.matchAll(/### (.+)\n[^#]*?```sql\n([^`]+)```/g)].map(
  (match): [string, string] => [match[1] ?? '', match[2] ?? ''],
);

/** Questions whose honest answer may be "nothing". */
const MAY_BE_EMPTY = [
  /Which monitor/,
  /cluster was not told/,
  /rolled back or failed/,
  /instances failed/,
];

let world: World;

beforeAll(async () => {
  world = await World.create();
  const job = aJob('shop');
  await world.runningJob(job, aConfig('1', { job }), 2);
  const key = await world.startUpdate(
    job,
    aConfig('2', { job }),
    2,
    { pulseTimeoutMs: 10_000 },
    { user: 'UNSECURE' },
  );
  await world.pulse(key);
  await world.replace(job, 0);
  await world.engine.updates.change(key, 'pause', 'UNSECURE', 'why');
  await world.engine.updates.change(key, 'abort', 'UNSECURE', 'over');
  await world.engine.jobs.kill(job, [1], 'UNSECURE', 'by hand');
  await world.startUpdate(job, aConfig('3', { job }), 2, { pulseTimeoutMs: 10_000 });
  // The fake clock is months behind the database's; the queries ask for "today".
  world.time.stepWall(Date.now() - world.time.wallNow());
  const other = aJob('other');
  await world.runningJob(other, aConfig('1', { job: other }), 1);
  await world.engine.maintenance.announce(['localhost'], 'UNSECURE');
  await world.startUpdate(other, aConfig('2', { job: other }), 1, {}, { user: 'UNSECURE' });
});

afterAll(() => world.close());

test('docs/audit.md asks at least a dozen questions', () => {
  expect(queries.length).toBeGreaterThanOrEqual(12);
});

test.each(queries)('%s', async (question, query) => {
  const rows = await world.sql(query);
  if (!MAY_BE_EMPTY.some((pattern) => pattern.test(question))) expect(rows).not.toEqual([]);
});
