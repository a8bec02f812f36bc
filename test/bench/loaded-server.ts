/**
 * The whole shim, started on a database that is full and a simulated cluster on which those tasks run; what
 * the start cost is told with the port. Arguments: the port, then the flags.
 */
import { Client } from 'pg';
import { startApp } from '../../src/app.js';
import { SimulatedBackend } from '../../src/backend/simulated/simulated-backend.js';
import { SimulatedCluster } from '../../src/backend/simulated/simulated-cluster.js';
import { parseConfig } from '../../src/config/parse.js';
import { createLog } from '../../src/observe/log.js';
import { surroundings } from '../../src/settings.js';
import { systemClock, systemTimers } from '../../src/time.js';
import { configOf } from './seed.js';
import { serveBench } from './server-process.js';
import { countStatements, watch } from './watch.js';

const PAGE = 10_000;

/** The tasks of the database as a cluster has them. */
async function clusterOf(url: string): Promise<SimulatedCluster> {
  const clock = systemClock(() => 0);
  const cluster = new SimulatedCluster({ clock, timers: systemTimers });
  const client = new Client({ connectionString: url });
  await client.connect();
  const config = configOf('any');
  const target = { host: 'localhost', agentId: 'agent-localhost', ports: {} };
  const rest = { config, target, groupHash: '', preemptible: true, revocable: false, priority: 0 };
  for (let last = ''; ;) {
    const { rows } = await client.query<{ task_id: string; instance_id: number }>(
      `SELECT task_id, instance_id FROM tasks WHERE task_id > $1 ORDER BY task_id LIMIT ${PAGE}`,
      [last],
    );
    for (const row of rows) {
      cluster.submit({ taskId: row.task_id, instanceId: row.instance_id, ...rest });
    }
    last = rows[rows.length - 1]?.task_id ?? '';
    if (rows.length < PAGE) break;
  }
  await client.end();
  return cluster;
}

async function main(): Promise<void> {
  countStatements();
  const parsed = parseConfig(process.argv.slice(2), {}, () => '', surroundings());
  if ('errors' in parsed) throw new Error(parsed.errors.join('; '));
  const { config } = parsed;
  const cluster = await clusterOf(config.database_url ?? '');
  const end = watch();
  const began = performance.now();
  const app = await startApp({
    config,
    log: createLog({ level: 'warn' }),
    end: () => undefined,
    abort: () => undefined,
    backend: (clock) => new SimulatedBackend(cluster, { clock, timers: systemTimers }),
  });
  const ms = performance.now() - began;
  serveBench(app.port, () => app.stop(), { ...end(), ms });
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
});
