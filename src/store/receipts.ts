/** Receipts of write transactions: kept for as long as a lost COMMIT may be asked about. */
import { sql } from 'kysely';
import type { Database } from './database.js';

const KEPT_SECS = 120;

/** Deletes old receipts; writes nothing when there are none. */
export async function dropOldReceipts(db: Database): Promise<void> {
  const old = sql.raw(`written_at < shim_clock() - interval '${KEPT_SECS} seconds'`);
  const found = await db.run(sql`SELECT 1 FROM write_receipts WHERE ${old} LIMIT 1`);
  if (found.length === 0) return;
  await db.write({}, (tx) => tx.run(sql`DELETE FROM write_receipts WHERE ${old}`));
}
