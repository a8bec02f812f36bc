/**
 * Pulses per second over HTTP, beside an echo of the same sizes; and how long a pulse that ends a block
 * takes to its committed kill (design §4: at 50 connections at least 0.75 of the echo in TBinary and 0.6
 * in TJSON).
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import autocannon from 'autocannon';
import { startEmbeddedPostgres } from '../../src/store/embedded.js';
import { AuroraClient } from '../../src/wire/client.js';
import { BINARY_TYPE, JSON_TYPE } from '../../src/wire/media-types.js';
import { measureUnblocking } from './unblocking.js';
import { BenchServer } from './server-process.js';

const JOB = { role: 'bench', environment: 'test', name: 'pulsed' };
const CONNECTIONS = [1, 10, 50];

interface Call {
  readonly name: string;
  readonly type: string;
  readonly request: Buffer;
  readonly reply: Buffer;
}

export async function benchPulse(quick: boolean): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'aurora-shim-bench-'));
  chmodSync(dir, 0o711);
  const postgres = await startEmbeddedPostgres({ dataDir: dir });
  try {
    await compare(postgres.url, dir, quick);
    await measureUnblocking(postgres.url, quick ? 50 : 300);
  } finally {
    await postgres.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function compare(url: string, dir: string, quick: boolean): Promise<void> {
  const shim = await BenchServer.start(join(__dirname, 'shim-server.js'), [
    `--database_url=${url}`,
    `--data_dir=${dir}`,
    '--backend=simulated',
    '--http_port=0',
  ]);
  const calls = await prepare(`http://127.0.0.1:${shim.port}`);
  const echo = await BenchServer.start(
    join(__dirname, 'echo-server.js'),
    calls.map((call) => `${call.type}=${call.reply.length}`),
  );
  const seconds = quick ? 2 : 4;
  const rounds = quick ? 1 : 5;
  console.log('server CPU in µs for each request; ratios are echo / shim, medians of the rounds\n');
  console.log(
    'protocol  conns   pulses/s   CPU shim  CPU echo   CPU ratio  throughput ratio  p99 ms',
  );
  try {
    for (const call of calls) {
      for (const connections of CONNECTIONS) {
        const results: { shim: Load; echo: Load }[] = [];
        for (let round = 0; round < rounds; round++) {
          results.push({
            echo: await load(echo, '/', call, connections, seconds),
            shim: await load(shim, '/api', call, connections, seconds),
          });
        }
        report(call, connections, results);
      }
    }
  } finally {
    await echo.stop();
    await shim.stop();
  }
}

/** A coordinated update that rolls, and the bytes of a pulse for it in both protocols. */
async function prepare(url: string): Promise<Call[]> {
  const client = new AuroraClient({ url });
  const config = {
    job: JOB,
    owner: { user: 'bench' },
    isService: true,
    resources: [{ numCpus: 1 }, { ramMb: 1 }, { diskMb: 1 }],
    executorConfig: { name: 'AuroraExecutor', data: 'x' },
  };
  const settings = {
    updateGroupSize: 1,
    maxPerInstanceFailures: 0,
    maxFailedInstances: 0,
    // Longer than the benchmark, so that the update is still rolling at its end.
    minWaitInInstanceRunningMs: 3_600_000,
    blockIfNoPulsesAfterMs: 3_600_000,
  };
  const request = { taskConfig: config, instanceCount: 2, settings };
  const started = await client.call('startJobUpdate', { request });
  const key = started.result?.['startJobUpdateResult']?.['key'];
  if (key === undefined) throw new Error(`no update: ${JSON.stringify(started)}`);
  client.close();
  const calls: Call[] = [];
  for (const [name, protocol, type] of [
    ['TBinary', 'binary', BINARY_TYPE],
    ['TJSON', 'json', JSON_TYPE],
  ] as const) {
    const recorder = new AuroraClient({ url, protocol });
    const exchange = await recorder.exchange('pulseJobUpdate', { key });
    recorder.close();
    calls.push({ name, type, request: exchange.request, reply: exchange.reply });
  }
  return calls;
}

interface Load {
  readonly perSecond: number;
  readonly cpuPerRequest: number;
  readonly p99: number;
}

async function load(
  server: BenchServer,
  path: string,
  call: Call,
  connections: number,
  seconds: number,
): Promise<Load> {
  const before = await server.cpuMicros();
  const result = await autocannon({
    url: `http://127.0.0.1:${server.port}${path}`,
    connections,
    duration: seconds,
    method: 'POST',
    headers: { 'Content-Type': call.type, Accept: call.type },
    body: call.request,
  });
  const cpu = (await server.cpuMicros()) - before;
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error('not every request was answered with 200');
  return {
    perSecond: result.requests.total / result.duration,
    cpuPerRequest: cpu / result.requests.total,
    p99: result.latency.p99,
  };
}

function report(
  call: Call,
  connections: number,
  results: readonly { shim: Load; echo: Load }[],
): void {
  const of = (pick: (result: { shim: Load; echo: Load }) => number): number =>
    median(results.map(pick));
  const cells = [
    call.name.padEnd(8),
    String(connections).padStart(6),
    of(({ shim }) => shim.perSecond)
      .toFixed(0)
      .padStart(10),
    of(({ shim }) => shim.cpuPerRequest)
      .toFixed(1)
      .padStart(10),
    of(({ echo }) => echo.cpuPerRequest)
      .toFixed(1)
      .padStart(9),
    of(({ shim, echo }) => echo.cpuPerRequest / shim.cpuPerRequest)
      .toFixed(2)
      .padStart(11),
    of(({ shim, echo }) => shim.perSecond / echo.perSecond)
      .toFixed(2)
      .padStart(17),
    of(({ shim }) => shim.p99)
      .toFixed(1)
      .padStart(7),
  ];
  console.log(cells.join(' '));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
