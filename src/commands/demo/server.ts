/** The demo's own scheduler: a process like any other, which the story may kill and start again. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';

const START_LIMIT_MS = 90_000;
const STOP_LIMIT_MS = 30_000;
const POLL_MS = 100;

export interface DemoServerOptions {
  /** The compiled main module. */
  readonly mainScript: string;
  /** Everything of this demo lies below. */
  readonly dir: string;
  readonly flags: readonly string[];
}

export class DemoServer {
  private child: ChildProcess | undefined;
  private port = 0;

  constructor(private readonly options: DemoServerOptions) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  get logFile(): string {
    return join(this.options.dir, 'scheduler.log');
  }

  /** The URL by which psql reaches the embedded server. */
  get databaseUrl(): string {
    return readFileSync(join(this.options.dir, 'data', 'postgres', 'url'), 'utf8').trim();
  }

  /** Resolves when it serves. */
  async start(): Promise<void> {
    if (this.port === 0) this.port = await freePort();
    const log = openSync(this.logFile, 'a');
    const child = spawn(
      process.execPath,
      [
        this.options.mainScript,
        'serve',
        `--data_dir=${join(this.options.dir, 'data')}`,
        `--http_port=${this.port}`,
        ...this.options.flags,
      ],
      // A group of its own: Ctrl-C is for the demo, which then stops this in order.
      { stdio: ['ignore', log, log], detached: true, env: withoutSettings(process.env) },
    );
    closeSync(log);
    this.child = child;
    for (let waited = 0; !(await this.serves()); waited += POLL_MS) {
      if (child.exitCode !== null || waited > START_LIMIT_MS) {
        throw new Error(`the scheduler did not start:\n${lastLines(this.logFile)}`);
      }
      await sleep(POLL_MS);
    }
  }

  /** What a crash does. */
  async kill9(): Promise<void> {
    await this.end('SIGKILL');
  }

  async stop(): Promise<void> {
    if (this.child !== undefined) await this.end('SIGTERM');
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const limit = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    child.kill(signal);
    await gone;
    clearTimeout(limit);
  }

  private serves(): Promise<boolean> {
    return new Promise((resolve) => {
      const probe = request(`${this.url}/leaderhealth`, (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      });
      probe.on('error', () => resolve(false));
      probe.end();
    });
  }
}

/** The demo runs on its own database and flags, whatever the shell is set up for. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(AURORA_.*|DATABASE_URL|PG[A-Z]+)$/.test(name)),
  );
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trim().split('\n').slice(-5).join('\n');
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
