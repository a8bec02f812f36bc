/** One update after the other, of growing size: statements, rows and time for each instance. */
import { Client } from 'pg';
import type { Engine } from '../../src/engine/engine.js';
import type { Database } from '../../src/store/database.js';
import { aConfig, aSettings } from '../support/builders.js';
import type { Ceiling } from './ceiling.js';

/** Batches of 5 %, no watch, pulsed all the time by a timeout longer than the run. */
const SHARE = 0.05;

export async function measureSizes(
  engine: Engine,
  db: Database,
  url: string,
  sizes: readonly number[],
  ceiling: Ceiling,
): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  console.log('one update of N instances, batches of 5 %, for each instance:\n');
  console.log('     N  statements   rows added    ms   ms/ceiling transaction');
  const costs = new Map<number, { statements: number; ms: number }>();
  await updateOnce(engine, db, client, 50, 'warm');
  for (const size of sizes) {
    const { statements, rows, ms } = await updateOnce(engine, db, client, size, `size${size}`);
    costs.set(size, { statements, ms });
    console.log(
      [
        String(size).padStart(6),
        statements.toFixed(2).padStart(11),
        rows.toFixed(1).padStart(12),
        ms.toFixed(2).padStart(5),
        (ms / ceiling.msPerTransaction).toFixed(2).padStart(8),
      ].join(' '),
    );
  }
  await client.end();
  const last = sizes[sizes.length - 1] ?? 0;
  const [big, small] = [costs.get(last), costs.get(100)];
  if (big === undefined || small === undefined) return;
  console.log(
    `\n${last} beside 100 instances: ${(big.ms / small.ms).toFixed(2)} of the time, ` +
      `${(big.statements / small.statements).toFixed(2)} of the statements for each instance\n`,
  );
}

async function updateOnce(
  engine: Engine,
  db: Database,
  client: Client,
  size: number,
  name: string,
): Promise<{ statements: number; rows: number; ms: number }> {
  const job = { role: 'bench', environment: 'test', name };
  await engine.jobs.create(job, aConfig('old', { job }), size, () => undefined);
  await settled(engine);
  const groupSize = Math.max(1, Math.round(size * SHARE));
  const before = { statements: db.statements, rows: await rowsStored(client) };
  const began = performance.now();
  const started = await engine.updates.start({
    job,
    config: aConfig('new', { job }),
    instanceCount: size,
    settings: aSettings({
      strategy: { kind: 'batch', groupSize, autopause: false },
      minWaitInRunningMs: 0,
      pulseTimeoutMs: 3_600_000,
    }),
    metadata: [],
    user: 'bench',
    checkAfterDiff: () => undefined,
  });
  if (started.kind !== 'started') throw new Error(started.kind);
  await engine.updates.pulse(started.key);
  while (engine.updater.registry.ofJob(job) !== undefined) await settled(engine);
  const ms = performance.now() - began;
  const rows = (await rowsStored(client)) - before.rows;
  await settled(engine);
  return {
    statements: (db.statements - before.statements) / size,
    rows: rows / size,
    ms: ms / size,
  };
}

async function settled(engine: Engine): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5));
  await engine.idle();
}

/** Rows in the tables that an update adds to; commands come and go and are not among them. */
async function rowsStored(client: Client): Promise<number> {
  const tables = [
    'tasks',
    'task_events',
    'job_update_events',
    'job_instance_update_events',
    'write_receipts',
  ];
  const counts = tables.map((table) => `(SELECT count(*) FROM ${table})`).join(' + ');
  const { rows } = await client.query<{ n: string }>(`SELECT ${counts} AS n`);
  return Number(rows[0]?.n ?? 0);
}
