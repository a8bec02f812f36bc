/** Large results a slice at a time, so that neither memory nor the event loop has to take them whole. */
import type { RawBuilder } from 'kysely';
import { sql } from 'kysely';
import type { Queries } from './database.js';

const SLICE = 1_000;

/**
 * The rows of a query through a cursor: one statement to open it, one for each slice. Only inside a
 * transaction, which sees one state meanwhile, and one at a time in it; the transaction's end closes it
 * where the reader stopped early. Between two slices the reader may take as long as a transaction may idle.
 */
export async function* inSlices<R>(
  queries: Queries,
  rows: RawBuilder<R>,
  size = SLICE,
): AsyncGenerator<R[]> {
  await queries.run(sql`DECLARE shim_rows NO SCROLL CURSOR FOR ${rows}`);
  const fetch = sql<R>`FETCH ${sql.raw(String(size))} FROM shim_rows`;
  for (;;) {
    const slice = await queries.run(fetch);
    if (slice.length > 0) yield slice;
    if (slice.length < size) break;
  }
  await queries.run(sql`CLOSE shim_rows`);
}
