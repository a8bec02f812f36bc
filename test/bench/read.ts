/**
 * Large reads and writes over HTTP beside pulses: time, peak memory, statements, and how long the event
 * loop was held. Replies of tasks stand beside the thrift library's own writing of the same reply (issue:
 * at most a tenth of its time and a quarter of its memory once what was asked before is kept).
 */
import { fork } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startEmbeddedPostgres } from '../../src/store/embedded.js';
import { migrate } from '../../src/store/migrate.js';
import { AuroraClient } from '../../src/wire/client.js';
import type { PlainRecord } from '../../src/wire/presence.js';
import type { ProtocolName } from '../../src/wire/protocol.js';
import type { LibraryResult } from './library.js';
import { configOf, ENVIRONMENT, ROLE, seedTasks } from './seed.js';
import { BenchServer } from './server-process.js';
import type { Watched } from './watch.js';

const MAX_SHARE_OF_TIME = 0.1;
const MAX_SHARE_OF_MEMORY = 0.25;
const MAX_HELD_MS = 100;
/** For the time, and for the memory. */
const WARM_ROUNDS = { time: 10, memory: 3 };
const PULSE_EVERY_MS = 10;
const TASK_READS = ['getTasksWithoutConfigs', 'getTasksStatus'];
const PROTOCOLS: readonly ProtocolName[] = ['binary', 'json'];

interface Scale {
  readonly created: number;
  readonly jobs: number;
  readonly tasksPerJob: number;
  readonly smallJobs: number;
}

export async function benchRead(quick: boolean): Promise<void> {
  const scale: Scale = quick
    ? { created: 1_000, jobs: 2, tasksPerJob: 1_000, smallJobs: 200 }
    : { created: 4_000, jobs: 5, tasksPerJob: 2_000, smallJobs: 1_000 };
  const dir = mkdtempSync(join(tmpdir(), 'aurora-shim-bench-'));
  chmodSync(dir, 0o711);
  const postgres = await startEmbeddedPostgres({ dataDir: dir });
  try {
    await migrate(postgres.url, { mode: 'auto' });
    const bench = await ReadBench.start(postgres.url, dir);
    try {
      await bench.run(scale);
    } finally {
      await bench.stop();
    }
  } finally {
    await postgres.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What one call cost, and what pulses heard meanwhile. */
interface Cost extends Watched {
  readonly ms: number;
  readonly bytes: number;
  readonly reply: Buffer;
  readonly slowestPulseMs: number;
}

class ReadBench {
  private missed = 0;

  private constructor(
    private readonly server: BenchServer,
    private readonly database: Client,
    private readonly dir: string,
    private readonly clients: Readonly<Record<ProtocolName, AuroraClient>>,
    private readonly monitor: AuroraClient,
    private readonly pulsed: unknown,
  ) {}

  static async start(databaseUrl: string, dir: string): Promise<ReadBench> {
    const server = await BenchServer.start(join(__dirname, 'shim-server.js'), [
      `--database_url=${databaseUrl}`,
      `--data_dir=${dir}`,
      '--backend=simulated',
      '--http_port=0',
    ]);
    const url = `http://127.0.0.1:${server.port}`;
    const database = new Client({ connectionString: databaseUrl });
    await database.connect();
    const client = (protocol: ProtocolName): AuroraClient =>
      new AuroraClient({ url, protocol, timeoutMs: 60_000 });
    const clients = { binary: client('binary'), json: client('json') };
    const monitor = client('binary');
    return new ReadBench(server, database, dir, clients, monitor, await startUpdate(monitor));
  }

  async stop(): Promise<void> {
    for (const client of [...Object.values(this.clients), this.monitor]) client.close();
    await this.database.end();
    await this.server.stop();
  }

  async run(scale: Scale): Promise<void> {
    console.log(HEAD);
    await this.create(scale.created);
    await seedTasks(this.database, {
      ...{ prefix: 'large', jobs: scale.jobs, tasksPerJob: scale.tasksPerJob, eventsPerTask: 6 },
    });
    const query = {
      role: ROLE,
      jobKeys: Array.from({ length: scale.jobs }, (_, index) => ({
        ...{ role: ROLE, environment: ENVIRONMENT, name: `large-${index}` },
      })),
    };
    for (const method of TASK_READS) await this.tasks(method, { query });
    await seedTasks(this.database, {
      ...{ prefix: 'small', jobs: scale.smallJobs, tasksPerJob: 10, eventsPerTask: 6 },
    });
    for (const method of ['getJobSummary', 'getRoleSummary']) {
      for (const protocol of PROTOCOLS) {
        const args = method === 'getJobSummary' ? { role: ROLE } : {};
        await this.call(method, args, protocol);
        const costs = await this.warm(method, args, protocol);
        this.report(`${method}, ${scale.smallJobs} jobs`, protocol, 'warm', costs);
      }
    }
    console.log(
      this.missed === 0 ? '\nall targets were met' : `\n${this.missed} targets were MISSED`,
    );
  }

  private async create(instances: number): Promise<void> {
    for (const protocol of PROTOCOLS) {
      const taskConfig = configOf(`created-${protocol}`);
      const description = { key: taskConfig.job, taskConfig, instanceCount: instances };
      const what = `createJob, ${instances} instances`;
      this.report(what, protocol, 'once', await this.call('createJob', { description }, protocol));
      // The tasks are placed, started and found running after the answer.
      const name = `created-${protocol}`;
      const settled = await this.watched(() => this.untilRunning(name, instances));
      this.report('  until all of them run', protocol, 'once', settled);
    }
  }

  private async untilRunning(name: string, instances: number): Promise<Buffer> {
    for (;;) {
      const { rows } = await this.database.query<{ n: string }>(
        `SELECT count(*) AS n FROM tasks WHERE job_name = $1 AND status = 'RUNNING'`,
        [name],
      );
      if (Number(rows[0]?.n) >= instances) return Buffer.alloc(0);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  private async tasks(method: string, args: PlainRecord): Promise<void> {
    let library: readonly LibraryResult[] = [];
    for (const protocol of PROTOCOLS) {
      const cold = await this.call(method, args, protocol);
      if (protocol === 'binary') library = await this.library(method, cold.reply);
      const peer = library.find((result) => result.protocol === protocol);
      if (peer === undefined) throw new Error('the library did not answer');
      this.print(method, protocol, 'library', peer);
      this.report(method, protocol, protocol === 'binary' ? 'cold' : 'cool', cold);
      const warm = await this.warm(method, args, protocol);
      this.report(method, protocol, 'warm', warm, peer);
    }
  }

  private library(method: string, reply: Buffer): Promise<readonly LibraryResult[]> {
    const file = join(this.dir, 'reply');
    writeFileSync(file, reply);
    const child = fork(join(__dirname, 'library.js'), [method, file], {
      execArgv: ['--expose-gc', '--max-old-space-size=8192', '--no-deprecation'],
    });
    return new Promise((resolve, reject) => {
      child.once('message', (message) => resolve(message as readonly LibraryResult[]));
      child.once('exit', (code) => reject(new Error(`the library ended with ${code}`)));
    });
  }

  /** The fastest of some rounds, with the highest memory and the longest hold of all of them. */
  private async warm(method: string, args: PlainRecord, protocol: ProtocolName): Promise<Cost> {
    const rounds = async (what: 'time' | 'memory'): Promise<Cost[]> => {
      const costs: Cost[] = [];
      while (costs.length < WARM_ROUNDS[what]) {
        costs.push(await this.call(method, args, protocol, what));
      }
      return costs;
    };
    const heavy = await rounds('memory');
    const light = await rounds('time');
    const [fastest] = [...light].sort((a, b) => a.ms - b.ms) as [Cost];
    const worst = (of: (cost: Cost) => number): number => Math.max(...[...heavy, ...light].map(of));
    return {
      ...fastest,
      peakBytes: Math.max(...heavy.map((cost) => cost.peakBytes)),
      heldMs: worst((cost) => cost.heldMs),
      slowestPulseMs: worst((cost) => cost.slowestPulseMs),
    };
  }

  private call(
    method: string,
    args: PlainRecord,
    protocol: ProtocolName,
    what: 'time' | 'memory' = 'memory',
  ): Promise<Cost> {
    const client = this.clients[protocol];
    return this.watched(async () => (await client.exchange(method, args)).reply, what);
  }

  private async watched(
    work: () => Promise<Buffer>,
    what: 'time' | 'memory' = 'memory',
  ): Promise<Cost> {
    let ms = NaN;
    let slowestPulseMs = 0;
    const { result, ...watched } = await this.server.watched(async () => {
      const pulses = pulsing(this.monitor, this.pulsed);
      const began = performance.now();
      const reply = await work();
      ms = performance.now() - began;
      slowestPulseMs = await pulses();
      return reply;
    }, what);
    return { ...watched, ms, bytes: result.length, reply: result, slowestPulseMs };
  }

  private report(
    what: string,
    protocol: ProtocolName,
    kind: string,
    cost: Cost,
    peer?: LibraryResult,
  ): void {
    const verdicts: string[] = [];
    const judge = (text: string, isMet: boolean): void => {
      if (!isMet) this.missed += 1;
      verdicts.push(`${isMet ? 'ok' : 'MISSED'} ${text}`);
    };
    if (peer !== undefined) {
      const [time, memory] = [cost.ms / peer.ms, cost.peakBytes / peer.peakBytes];
      const cpu = cost.cpuMicros / peer.cpuMicros;
      judge(`${time.toFixed(3)} of its time (CPU ${cpu.toFixed(3)})`, time <= MAX_SHARE_OF_TIME);
      judge(`${memory.toFixed(3)} of its memory`, memory <= MAX_SHARE_OF_MEMORY);
    }
    judge(`held ${cost.heldMs.toFixed(0)} ms`, cost.heldMs <= MAX_HELD_MS);
    verdicts.push(`slowest pulse ${cost.slowestPulseMs.toFixed(0)} ms`);
    this.print(what, protocol, kind, cost, cost.statements, verdicts.join(', '));
  }

  private print(
    what: string,
    protocol: ProtocolName,
    kind: string,
    cost: Pick<Cost, 'ms' | 'cpuMicros' | 'bytes' | 'peakBytes'>,
    statements?: number,
    verdict = '',
  ): void {
    console.log(
      [
        what.padEnd(28),
        (protocol === 'binary' ? 'TBinary' : 'TJSON').padEnd(8),
        kind.padEnd(8),
        cost.ms.toFixed(0).padStart(7),
        (cost.cpuMicros / 1_000).toFixed(0).padStart(7),
        (cost.bytes / 1e6).toFixed(1).padStart(7),
        (cost.peakBytes / 1e6).toFixed(0).padStart(8),
        String(statements ?? '').padStart(6),
        ` ${verdict}`,
      ].join(' '),
    );
  }
}

const HEAD = [
  `targets: a warm reply takes at most ${MAX_SHARE_OF_TIME} of the library's time and ${MAX_SHARE_OF_MEMORY} of its memory,`,
  `and nothing holds the event loop longer than ${MAX_HELD_MS} ms. Times are the client's, from the first byte sent to`,
  'the last received; CPU and statements are all of the server, its pulses included; memory is the highest',
  'above what the server needs at rest; the library only writes. A hold is time in which the loop turned to',
  'nothing else and the process had the CPU.',
  '',
  `${'call'.padEnd(28)} ${'protocol'.padEnd(8)} ${'cache'.padEnd(8)}      ms  CPU ms      MB  peak MB  stmts`,
].join('\n');

/** Pulses until told to stop, whether or not the one before was answered; then the slowest, ms. */
function pulsing(client: AuroraClient, key: unknown): () => Promise<number> {
  const pending: Promise<number>[] = [];
  const timer = setInterval(() => {
    const began = performance.now();
    pending.push(client.call('pulseJobUpdate', { key }).then(() => performance.now() - began));
  }, PULSE_EVERY_MS);
  return async () => {
    clearInterval(timer);
    return Math.max(0, ...(await Promise.all(pending)));
  };
}

/** An update that goes on longer than the benchmark: its key. */
async function startUpdate(client: AuroraClient): Promise<unknown> {
  const taskConfig = configOf('pulsed', { constraints: [] });
  const settings = {
    updateGroupSize: 1,
    minWaitInInstanceRunningMs: 3_600_000,
    blockIfNoPulsesAfterMs: 3_600_000,
  };
  const request = { taskConfig, instanceCount: 2, settings };
  const started = await client.call('startJobUpdate', { request });
  const key = started.result?.['startJobUpdateResult']?.['key'];
  if (key === undefined) throw new Error(`no update: ${JSON.stringify(started)}`);
  return key;
}
