/**
 * What belongs in a backup (rpc.md §12.1): every table is in one of these two lists, and a test holds that
 * against the schema. A migration that adds a table adds it here.
 */
export interface BackupTable {
  readonly name: string;
  /** Order of its rows in the file: a key, so that two backups of one state are alike. */
  readonly orderBy: readonly string[];
  /** Rows fetched at once; fewer where one may be large. */
  readonly rowsAtOnce: number;
  /** Rows are known by their content: a recovery adds and overwrites, and deletes none. */
  readonly merged?: true;
}

/** A table comes after those that it refers to. */
export const BACKUP_TABLES: readonly BackupTable[] = [
  { name: 'jobs', orderBy: ['role', 'environment', 'name'], rowsAtOnce: 500 },
  { name: 'task_configs', orderBy: ['hash'], rowsAtOnce: 20, merged: true },
  { name: 'quotas', orderBy: ['role'], rowsAtOnce: 500 },
  { name: 'tasks', orderBy: ['task_id'], rowsAtOnce: 500 },
  { name: 'task_events', orderBy: ['id'], rowsAtOnce: 500 },
  { name: 'cron_jobs', orderBy: ['role', 'environment', 'job_name'], rowsAtOnce: 500 },
  { name: 'cron_follow_ups', orderBy: ['role', 'environment', 'job_name'], rowsAtOnce: 100 },
  { name: 'job_updates', orderBy: ['update_id'], rowsAtOnce: 50 },
  { name: 'job_update_initial_configs', orderBy: ['update_id', 'config_hash'], rowsAtOnce: 100 },
  { name: 'job_update_events', orderBy: ['id'], rowsAtOnce: 500 },
  { name: 'job_instance_update_events', orderBy: ['id'], rowsAtOnce: 500 },
  { name: 'hosts', orderBy: ['host'], rowsAtOnce: 100 },
  { name: 'host_maintenance_requests', orderBy: ['host'], rowsAtOnce: 100 },
];

/** Tables that are in no backup, and why. */
export const NOT_IN_A_BACKUP: Readonly<Record<string, string>> = {
  scheduler_fence: 'who may write is a matter of now: a recovery raises the epoch, never lowers it',
  scheduler_lease: 'who leads is a matter of now',
  write_receipts:
    'they tell the outcome of transactions of the last minutes, the recovery included',
  backend_commands:
    'to submit a task a second time could run it twice; after a recovery, for which the outstanding ones are ' +
    'deleted, what the backend reports tells which tasks to kill and which were lost',
  recovery_session: 'it is about a recovery under way',
  schema_migration: 'the schema is what the migrations of this release made',
  schema_migration_lock: 'belongs to the migrations',
  schema_breaking_migration: 'belongs to the migrations',
};
