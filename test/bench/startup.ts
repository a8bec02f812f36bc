/**
 * From the start of the process's work to the first RPC it serves, on stores of a quarter, half and all of
 * 100,000 tasks, 10,000 updates that roll and wait for a heartbeat, and 1,000 cron jobs: time, memory,
 * statements, and whether `/health` answers meanwhile. Linear means that twice the store costs twice as
 * much, or less.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startEmbeddedPostgres } from '../../src/store/embedded.js';
import { migrate } from '../../src/store/migrate.js';
import { ENVIRONMENT, ROLE, seedCronJobs, seedTasks, seedUpdates } from './seed.js';
import { BenchServer } from './server-process.js';

const FULL = { jobs: 10_000, tasksPerJob: 10, cronJobs: 1_000 };
const MAX_HELD_MS = 100;
/** Twice the store may cost so much more than twice: the smallest start has costs of its own. */
const MAX_GROWTH = 2.2;
const ASK_EVERY_MS = 20;

interface Start {
  readonly share: number;
  readonly ms: number;
  readonly cpuMs: number;
  readonly peakBytes: number;
  readonly keptBytes: number;
  readonly statements: number;
  readonly heldMs: number;
  readonly slowestHealthMs: number;
}

export async function benchStartup(quick: boolean): Promise<void> {
  const scale = quick ? 0.1 : 1;
  console.log(
    `starts with ${100_000 * scale} tasks, ${10_000 * scale} updates and ${1_000 * scale} cron jobs at full size;\n` +
      `targets: nothing holds the event loop longer than ${MAX_HELD_MS} ms, and twice the store costs at most\n` +
      `${MAX_GROWTH} times as much\n`,
  );
  console.log('size   ms to serve  CPU ms  peak MB  kept MB   stmts');
  const starts: Start[] = [];
  for (const share of [0.25, 0.5, 1]) {
    const start = await measure(share, scale);
    starts.push(start);
    report(start, starts[starts.length - 2]);
  }
}

function report(start: Start, half: Start | undefined): void {
  const verdict = (isMet: boolean): string => (isMet ? 'ok' : 'MISSED');
  const parts = [
    `${verdict(start.heldMs <= MAX_HELD_MS)} held ${start.heldMs.toFixed(0)} ms`,
    `slowest /health ${start.slowestHealthMs.toFixed(0)} ms`,
  ];
  if (half !== undefined) {
    const [time, kept] = [start.ms / half.ms, start.keptBytes / half.keptBytes];
    parts.push(`${verdict(time <= MAX_GROWTH)} ${time.toFixed(2)} times the time of half of it`);
    parts.push(`${verdict(kept <= MAX_GROWTH)} ${kept.toFixed(2)} times its memory`);
  }
  console.log(
    [
      String(start.share).padEnd(5),
      start.ms.toFixed(0).padStart(12),
      start.cpuMs.toFixed(0).padStart(7),
      (start.peakBytes / 1e6).toFixed(0).padStart(8),
      (start.keptBytes / 1e6).toFixed(0).padStart(8),
      String(start.statements).padStart(7),
      ` ${parts.join(', ')}`,
    ].join(' '),
  );
}

async function measure(share: number, scale: number): Promise<Start> {
  const dir = mkdtempSync(join(tmpdir(), 'aurora-shim-bench-'));
  chmodSync(dir, 0o711);
  const postgres = await startEmbeddedPostgres({ dataDir: dir });
  try {
    await migrate(postgres.url, { mode: 'auto' });
    await fill(postgres.url, share * scale);
    const port = await freePort();
    const asking = askHealth(port);
    const server = await BenchServer.start(join(__dirname, 'loaded-server.js'), [
      `--database_url=${postgres.url}`,
      `--data_dir=${dir}`,
      '--backend=simulated',
      `--http_port=${port}`,
    ]);
    const slowestHealthMs = await asking();
    await server.stop();
    const { started } = server;
    if (started === undefined) throw new Error('the start was not measured');
    return { ...started, share, cpuMs: started.cpuMicros / 1_000, slowestHealthMs };
  } finally {
    await postgres.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function fill(url: string, share: number): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const jobs = Math.round(FULL.jobs * share);
  await seedTasks(client, { prefix: 'job', jobs, tasksPerJob: FULL.tasksPerJob, eventsPerTask: 4 });
  await seedUpdates(client, 'job');
  await seedCronJobs(client, Math.round(FULL.cronJobs * share));
  await client.query('VACUUM ANALYZE');
  const { rows } = await client.query<{ tasks: string; updates: string }>(
    `SELECT (SELECT count(*) FROM tasks WHERE role = $1 AND environment = $2) AS tasks,
            (SELECT count(*) FROM active_updates) AS updates`,
    [ROLE, ENVIRONMENT],
  );
  if (Number(rows[0]?.tasks) !== jobs * FULL.tasksPerJob || Number(rows[0]?.updates) !== jobs) {
    throw new Error(`the store was not filled: ${JSON.stringify(rows[0])}`);
  }
  await client.end();
}

/** A port nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Asks `/health` again and again from when it answers for the first time; then the slowest answer, ms. */
function askHealth(port: number): () => Promise<number> {
  const agent = new Agent({ keepAlive: true });
  const answers: Promise<number>[] = [];
  const ask = (): Promise<number> =>
    new Promise((resolve) => {
      const began = performance.now();
      get({ port, host: '127.0.0.1', path: '/health', agent }, (response) => {
        response.resume().on('end', () => resolve(performance.now() - began));
      }).on('error', () => resolve(0));
    });
  const timer = setInterval(() => answers.push(ask()), ASK_EVERY_MS);
  return async () => {
    clearInterval(timer);
    const slowest = (await Promise.all(answers)).reduce((a, b) => Math.max(a, b), 0);
    agent.destroy();
    return slowest;
  };
}
