/**
 * What an update costs (issue: the cost per instance at 4,000 instances at most 1.3 times that at 100), and
 * a thousand coordinated updates at once with their pulses. Beside both the ceiling: transactions of the
 * same kind by a bare pg loop in the same run.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../src/store/embedded.js';
import { migrate } from '../../src/store/migrate.js';
import { measureCeiling } from './ceiling.js';
import { measureCrowd } from './crowd.js';
import { withEngine } from './engine.js';
import { measureSizes } from './sizes.js';

export async function benchUpdate(quick: boolean): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'aurora-shim-bench-'));
  chmodSync(dir, 0o711);
  const postgres = await startEmbeddedPostgres({ dataDir: dir });
  try {
    await migrate(postgres.url, { mode: 'auto' });
    const ceiling = await measureCeiling(postgres.url, quick ? 500 : 3_000);
    await withEngine(postgres.url, (engine, db) =>
      measureSizes(
        engine,
        db,
        postgres.url,
        quick ? [10, 100, 400] : [10, 100, 1_000, 4_000],
        ceiling,
      ),
    );
    await measureCrowd(postgres.url, dir, quick ? 100 : 1_000, ceiling);
  } finally {
    await postgres.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}
