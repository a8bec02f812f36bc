/** Updates by nothing but their ids, however many are asked for. */
import { sql } from 'kysely';
import type { Queries } from './database.js';
import type { UpdateRecord, UpdateRow } from './updates.js';
import { UPDATE_COLUMNS, toUpdateRecord } from './updates.js';

/** Those of the updates that are stored, by id, in one statement; an id that no update has is left out. */
export async function findUpdatesById(
  queries: Queries,
  updateIds: readonly string[],
): Promise<Map<string, UpdateRecord>> {
  const rows = await queries.run<UpdateRow>(
    sql`SELECT ${UPDATE_COLUMNS} FROM job_updates u WHERE u.update_id = ANY (${updateIds}::text[])`,
  );
  return new Map(rows.map((row) => [row.update_id, toUpdateRecord(row)]));
}
