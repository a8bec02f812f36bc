/** Many coordinated updates at once over HTTP, each pulsed every second. */
import { join } from 'node:path';
import { Client } from 'pg';
import { AuroraClient } from '../../src/wire/client.js';
import type { Ceiling } from './ceiling.js';
import { BenchServer } from './server-process.js';

const INSTANCES = 10;
const STARTS_AT_ONCE = 20;
const LIMIT_MS = 600_000;

export async function measureCrowd(
  url: string,
  dir: string,
  updates: number,
  ceiling: Ceiling,
): Promise<void> {
  const server = await BenchServer.start(join(__dirname, 'shim-server.js'), [
    `--database_url=${url}`,
    `--data_dir=${dir}`,
    '--backend=simulated',
    '--http_port=0',
  ]);
  const client = new AuroraClient({
    url: `http://127.0.0.1:${server.port}`,
    connections: 30,
    timeoutMs: 60_000,
  });
  // Each update has a monitor of its own: with fewer connections its pulses would wait for others'.
  const monitors = new AuroraClient({
    url: `http://127.0.0.1:${server.port}`,
    connections: updates,
    timeoutMs: 60_000,
  });
  const database = new Client({ connectionString: url });
  await database.connect();
  try {
    const names = Array.from({ length: updates }, (_, index) => `crowd${index}`);
    await inParallel(names, (name) => createJob(client, name));
    await until(async () => (await count(database, RUNNING)) >= updates * INSTANCES);
    const keys = await inParallel(names, (name) => startUpdate(client, name));
    const latencies: Latencies = { active: [], finished: [] };
    const transactions = await count(database, COMMITTED);
    const began = performance.now();
    const pulsing = pulseAll(monitors, keys, latencies);
    await until(async () => (await count(database, DONE)) >= updates);
    const seconds = (performance.now() - began) / 1_000;
    pulsing.stop();
    const perSecond = ((await count(database, COMMITTED)) - transactions) / seconds;
    console.log(
      `${updates} coordinated updates of ${INSTANCES} instances at once, each pulsed every second:\n` +
        `${(updates / seconds).toFixed(1)} updates/s done in ${seconds.toFixed(1)} s, ` +
        `${perSecond.toFixed(0)} transactions/s (${(perSecond / ceiling.perSecond).toFixed(2)} of the ceiling)\n` +
        `pulses under that load, answered from memory: ${spread(latencies.active)}\n` +
        `pulses to updates that had finished, a SELECT each: ${spread(latencies.finished)}`,
    );
  } finally {
    client.close();
    monitors.close();
    await database.end();
    await server.stop();
  }
}

/** Ms from each call to its answer, by what the update was when it was answered. */
interface Latencies {
  readonly active: number[];
  readonly finished: number[];
}

function spread(latencies: readonly number[]): string {
  // A copy: pulses that are under way still add theirs.
  const sorted = [...latencies].sort((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.floor(share * (sorted.length - 1))] ?? NaN).toFixed(1);
  return `${sorted.length}, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`;
}

const RUNNING = `SELECT count(*) AS n FROM tasks WHERE job_name LIKE 'crowd%' AND status = 'RUNNING'`;
const DONE = `SELECT count(*) AS n FROM job_updates WHERE job_name LIKE 'crowd%' AND state = 'ROLLED_FORWARD'`;
const COMMITTED =
  'SELECT xact_commit AS n FROM pg_stat_database WHERE datname = current_database()';

async function count(client: Client, query: string): Promise<number> {
  const { rows } = await client.query<{ n: string }>(query);
  return Number(rows[0]?.n);
}

async function until(reached: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + LIMIT_MS;
  while (!(await reached())) {
    if (performance.now() > giveUpAt) throw new Error('it took too long');
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function inParallel<T>(
  names: readonly string[],
  work: (name: string) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  const queue = [...names.entries()];
  await Promise.all(
    Array.from({ length: STARTS_AT_ONCE }, async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        results[next[0]] = await work(next[1]);
      }
    }),
  );
  return results;
}

function config(name: string, data: string): Readonly<Record<string, unknown>> {
  return {
    job: { role: 'bench', environment: 'test', name },
    owner: { user: 'bench' },
    isService: true,
    resources: [{ numCpus: 0.1 }, { ramMb: 1 }, { diskMb: 1 }],
    executorConfig: { name: 'AuroraExecutor', data },
  };
}

async function createJob(client: AuroraClient, name: string): Promise<void> {
  const taskConfig = config(name, 'old');
  const description = { key: taskConfig['job'], taskConfig, instanceCount: INSTANCES };
  const response = await client.call('createJob', { description });
  if (response.responseCode !== 'OK') throw new Error(JSON.stringify(response.details));
}

async function startUpdate(client: AuroraClient, name: string): Promise<unknown> {
  const settings = {
    updateGroupSize: 2,
    minWaitInInstanceRunningMs: 0,
    blockIfNoPulsesAfterMs: 5_000,
  };
  const request = { taskConfig: config(name, 'new'), instanceCount: INSTANCES, settings };
  const response = await client.call('startJobUpdate', { request });
  return response.result?.['startJobUpdateResult']?.['key'];
}

/**
 * Each update once a second, spread over it, whether or not the one before was answered, until its monitor
 * hears that it has finished.
 */
function pulseAll(
  client: AuroraClient,
  keys: readonly unknown[],
  latencies: Latencies,
): { stop: () => void } {
  const STEP_MS = 20;
  const perStep = Math.ceil((keys.length * STEP_MS) / 1_000);
  let next = 0;
  const finished = new Set<unknown>();
  const timer = setInterval(() => {
    for (let index = 0; index < perStep; index++) {
      const key = keys[next++ % keys.length];
      if (finished.has(key)) continue;
      const began = performance.now();
      client.call('pulseJobUpdate', { key }).then(
        ({ result }) => {
          const answer = result?.['pulseJobUpdateResult'] as { status?: string } | undefined;
          const hasFinished = answer?.status === 'FINISHED';
          latencies[hasFinished ? 'finished' : 'active'].push(performance.now() - began);
          if (hasFinished) finished.add(key);
        },
        () => undefined,
      );
    }
  }, STEP_MS);
  return { stop: () => clearInterval(timer) };
}
