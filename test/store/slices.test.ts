/** Large results come in slices of one state, in a number of statements that follows from their size. */
import { sql } from 'kysely';
import { inSlices } from '../../src/store/slices.js';
import { World } from '../support/world.js';

let world: World;

beforeEach(async () => {
  world = await World.create();
});

afterEach(async () => {
  await world.close();
});

const numbers = (count: number) =>
  sql<{ n: number }>`SELECT generate_series(1, ${sql.raw(String(count))}) AS n`;

test.each([
  [0, []],
  [1, [1]],
  [999, [999]],
  [1_000, [1_000]],
  [2_500, [1_000, 1_000, 500]],
])('%i rows', async (count, sizes) => {
  const before = world.db.statements;
  const slices: number[][] = [];
  await world.db.snapshot(async (tx) => {
    for await (const rows of inSlices(tx, numbers(count))) slices.push(rows.map(({ n }) => n));
  });
  expect(slices.map((slice) => slice.length)).toEqual(sizes);
  expect(slices.flat()).toEqual(Array.from({ length: count }, (_, index) => index + 1));
  // BEGIN, DECLARE, FETCH until one is short, CLOSE, COMMIT.
  expect(world.db.statements - before).toBe(4 + Math.floor(count / 1_000) + 1);
});

test('all slices are of the state in which the reading began', async () => {
  await world.sql('CREATE TABLE slices_test AS SELECT generate_series(1, 2500) AS n');
  const seen = await world.db.snapshot(async (tx) => {
    let rows = 0;
    for await (const slice of inSlices(tx, sql`SELECT * FROM slices_test`)) {
      await world.sql('INSERT INTO slices_test SELECT generate_series(1, 500)');
      rows += slice.length;
    }
    return rows;
  });
  expect(seen).toBe(2_500);
});

test('a reader may stop early, and the next reading begins anew', async () => {
  const firsts: number[] = [];
  for (let time = 0; time < 2; time++) {
    await world.db.snapshot(async (tx) => {
      for await (const [row] of inSlices(tx, numbers(3_000))) {
        firsts.push(row!.n);
        break;
      }
    });
  }
  expect(firsts).toEqual([1, 1]);
});
