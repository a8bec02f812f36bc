/** Updates that have ended, for those who forget them (updates.md §2.9): one statement each. */
import { sql } from 'kysely';
import { jobKeyText } from '../core/model/keys.js';
import type { EndedUpdate } from '../core/update/pruning.js';
import type { Queries, WriteTransaction } from './database.js';

/**
 * Every update that has ended. A tombstone is no task its job has left: the API never shows it
 * (design D12).
 */
export async function findEndedUpdates(queries: Queries): Promise<EndedUpdate[]> {
  const rows = await queries.run<{
    update_id: string;
    role: string;
    environment: string;
    job_name: string;
    created_at: number;
    job_has_tasks: boolean;
  }>(sql`
    SELECT u.update_id, u.role, u.environment, u.job_name, u.created_at,
           EXISTS (SELECT 1 FROM tasks t
                    WHERE t.role = u.role AND t.environment = u.environment
                      AND t.job_name = u.job_name AND t.removed_at IS NULL) AS job_has_tasks
      FROM job_updates u
     WHERE u.state IN ('ROLLED_FORWARD', 'ROLLED_BACK', 'ABORTED', 'ERROR', 'FAILED')
     ORDER BY u.created_at, u.update_id`);
  return rows.map((row) => ({
    updateId: row.update_id,
    jobText: jobKeyText({ role: row.role, environment: row.environment, name: row.job_name }),
    createdMs: row.created_at,
    jobHasTasks: row.job_has_tasks,
  }));
}

/** Deletes these updates with their events; returns how many there were. */
export async function pruneUpdates(
  tx: WriteTransaction,
  updateIds: readonly string[],
): Promise<number> {
  const [row] = await tx.run<{ pruned: number }>(
    sql`SELECT shim_prune_updates(${updateIds}::text[]) AS pruned`,
  );
  return row?.pruned ?? 0;
}
