/** The outbox: what the cluster backend must still be told (design D8, tasks.md §11.2 rule 1). */
import { sql } from 'kysely';
import type { Queries, WriteTransaction } from './database.js';
import { query } from './database.js';

export interface BackendCommand {
  readonly id: string;
  readonly taskId: string;
  readonly kind: 'submit' | 'kill';
}

/** All that are outstanding, oldest first. */
export async function findCommands(queries: Queries): Promise<BackendCommand[]> {
  const rows = await queries.run(
    query.selectFrom('backend_commands').select(['id', 'task_id', 'kind']).orderBy('id'),
  );
  return rows.map((row) => ({ id: row.id, taskId: row.task_id, kind: row.kind }));
}

/** The backend has taken these. */
export async function deleteCommands(tx: WriteTransaction, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await tx.run(sql`DELETE FROM backend_commands WHERE id = ANY (${ids}::bigint[])`);
}
