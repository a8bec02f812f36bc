/** `aurora-shim migrate`: brings the schema up to date (or only checks it) and says what was done. */
import type { Config } from '../config/flags.js';
import { startEmbeddedPostgres } from '../store/embedded.js';
import { migrate } from '../store/migrate.js';

/** Resolves to one line for the operator; rejects with the problem. */
export async function migrateDatabase(config: Config): Promise<string> {
  const embedded =
    config.database_url === undefined
      ? await startEmbeddedPostgres({ dataDir: config.data_dir })
      : undefined;
  try {
    const url = config.database_url ?? embedded?.url ?? '';
    const mode = config.migrate === 'check' ? 'check' : 'auto';
    const { applied, schemaVersion } = await migrate(url, { mode });
    const done = applied.length === 0 ? 'nothing to do' : `ran ${applied.join(', ')}`;
    return `schema version ${schemaVersion}: ${done}`;
  } finally {
    if (embedded?.running === 'started') await embedded.stop();
  }
}
