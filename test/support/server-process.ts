/**
 * The real scheduler as a process of its own, for tests that kill it: `main.js serve` on a data directory
 * that outlives it, with whatever runs below stopped and removed in the end.
 *
 * No build is needed. The sources are compiled once per Jest run, into the run's own folder, and laid out
 * like a build: what the program finds relative to itself (migrations, IDL, packages) is linked there.
 */
import { transformFile } from '@swc/core';
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { identityOf } from '../../src/backend/local/identity.js';
import { findByHome, killAll, signal } from '../../src/backend/local/leftovers.js';
import { TaskDir, taskHash } from '../../src/backend/local/task-dir.js';
import { AuroraClient } from '../../src/wire/client.js';
import { until } from '../backend/support/wait.js';

const ROOT = join(__dirname, '..', '..');
const LINKED = ['package.json', 'node_modules', 'thrift', 'migrations'];
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 20_000;

/** Everything made here goes into the run's folder, which global-teardown.ts removes. */
export function newTestDir(name: string): string {
  const dir = mkdtempSync(join(process.env['AURORA_TEST_RUN_DIR'] ?? tmpdir(), `${name}-`));
  chmodSync(dir, 0o711); // as root the embedded Postgres runs as another user
  return dir;
}

let compiled: Promise<string> | undefined;
/** Folder whose `src` holds the program as JavaScript; compiled by the first worker that asks. */
export function compiledProgram(): Promise<string> {
  return (compiled ??= compile());
}

async function compile(): Promise<string> {
  const run = process.env['AURORA_TEST_RUN_DIR'];
  if (run === undefined) throw new Error('the program is compiled for Jest runs only');
  const target = join(run, 'program');
  if (existsSync(target)) return target;
  const draft = await mkdtemp(`${target}-`);
  for (const name of LINKED) await symlink(join(ROOT, name), join(draft, name));
  const sources = await readdir(join(ROOT, 'src'), { recursive: true });
  for (const source of sources.filter((name) => name.endsWith('.ts'))) {
    const { code } = await transformFile(join(ROOT, 'src', source), {
      swcrc: false,
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'commonjs', ignoreDynamic: true },
    });
    const file = join(draft, 'src', source.replace(/\.ts$/, '.js'));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, code);
  }
  // Whole or not at all; of two workers that compiled at once the second drops its work.
  await rename(draft, target).catch(() => rm(draft, { recursive: true, force: true }));
  return target;
}

/** Kills what tasks of the local backend left running below this state directory. */
export async function endLocalTasks(stateDir: string): Promise<void> {
  const tasks = join(stateDir, 'tasks');
  if (!existsSync(tasks)) return;
  for (const hash of readdirSync(tasks)) {
    const dir = new TaskDir(stateDir, hash);
    const pid = dir.readSupervisor()?.pid;
    if (pid !== undefined && commandOf(pid).includes(hash)) {
      signal(pid, 'SIGKILL');
      await until('the supervisor is gone', () => !commandOf(pid).includes(hash));
    }
    const left = killAll(() => findByHome(dir.sandbox));
    if (left > 0) throw new Error(`${left} processes of ${hash} cannot be killed`);
  }
}

/** Whether this process exists and has not ended. */
export function lives(pid: number): boolean {
  return identityOf(pid) !== undefined;
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}

/** How a process ended, and all it wrote. */
export interface Ended {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly url: string;
}

export interface ServerProcessOptions {
  /** Without it the server runs an embedded Postgres of its own. */
  readonly databaseUrl?: string;
  /** In addition to `--http_port=0` and `--nosetuid=true`. */
  readonly flags?: readonly string[];
}

export class ServerProcess {
  readonly dataDir = newTestDir('server');
  private running: Running | undefined;
  private readonly clients: AuroraClient[] = [];

  constructor(private readonly options: ServerProcessOptions = {}) {}

  get url(): string {
    return this.now.url;
  }

  get pid(): number {
    return this.now.child.pid as number;
  }

  /** Of the database in use, for pg. */
  get databaseUrl(): string {
    const { databaseUrl } = this.options;
    return databaseUrl ?? readFileSync(join(this.dataDir, 'postgres', 'url'), 'utf8').trim();
  }

  /** State directory of the local backend. */
  get stateDir(): string {
    return join(this.dataDir, 'tasks');
  }

  /** A client of the server that runs now. */
  client(): AuroraClient {
    const client = new AuroraClient({ url: this.url });
    this.clients.push(client);
    return client;
  }

  /** Starts it, for the first time or again on what its predecessor left. Resolves when it serves. */
  async start(): Promise<void> {
    if (this.running !== undefined) throw new Error('it runs already');
    const { child, ended } = await this.spawn();
    const refused = ended.then(({ output }) => {
      throw new Error(`the server did not start:\n${output}`);
    });
    try {
      this.running = { child, ended, url: await Promise.race([urlOf(child), refused]) };
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  /** Starts it in the expectation that it refuses to; resolves with what it said. */
  async startRefused(): Promise<Ended> {
    const { child, ended } = await this.spawn();
    return Promise.race([
      ended,
      urlOf(child).then(() => {
        child.kill('SIGKILL');
        throw new Error('the server started');
      }),
    ]);
  }

  /** What a crash does. */
  kill9(): Promise<Ended> {
    return this.end('SIGKILL');
  }

  /** An orderly end. */
  terminate(): Promise<Ended> {
    return this.end('SIGTERM');
  }

  /** Waits for it to end by itself. */
  async exited(): Promise<Ended> {
    const { child, ended } = this.now;
    const limit = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    const end = await ended;
    clearTimeout(limit);
    this.running = undefined;
    for (const client of this.clients.splice(0)) client.close();
    return end;
  }

  /** Working directory of a task's processes. */
  sandbox(taskId: string): string {
    return new TaskDir(this.stateDir, taskHash(taskId)).sandbox;
  }

  /** Process id of the last run of a task's only process. */
  taskPid(taskId: string): number {
    const runs = new TaskDir(this.stateDir, taskHash(taskId)).readRuns();
    const pid = runs.flatMap((run) => (run.type === 'start' ? [run.pid] : [])).at(-1);
    if (pid === undefined) throw new Error(`${taskId} has started no process`);
    return pid;
  }

  /** Stops the server, its tasks and its Postgres, and removes all it wrote. */
  async close(): Promise<void> {
    if (this.running !== undefined) await this.kill9();
    await endLocalTasks(this.stateDir);
    await this.endPostgres();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  private get now(): Running {
    if (this.running === undefined) throw new Error('the server does not run');
    return this.running;
  }

  private async spawn(): Promise<{ child: ChildProcess; ended: Promise<Ended> }> {
    const { databaseUrl, flags = [] } = this.options;
    const script = join(await compiledProgram(), 'src', 'main.js');
    const child = spawn(
      process.execPath,
      [
        ...[script, 'serve', '--http_port=0', '--nosetuid=true', `--data_dir=${this.dataDir}`],
        ...(databaseUrl === undefined ? [] : [`--database_url=${databaseUrl}`]),
        ...flags,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], env: withoutSettings(process.env) },
    );
    return { child, ended: endOf(child) };
  }

  private async end(how: NodeJS.Signals): Promise<Ended> {
    const { child, ended } = this.now;
    this.running = undefined;
    for (const client of this.clients.splice(0)) client.close();
    const limit = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    child.kill(how);
    const end = await ended;
    clearTimeout(limit);
    return end;
  }

  private async endPostgres(): Promise<void> {
    const pidFile = join(this.dataDir, 'postgres', 'data', 'postmaster.pid');
    const pid = (): number =>
      existsSync(pidFile) ? Number.parseInt(readFileSync(pidFile, 'utf8'), 10) : NaN;
    const server = pid();
    if (Number.isNaN(server) || !signal(server, 'SIGQUIT')) return;
    const isGone = (): boolean => pid() !== server || !lives(server);
    await until(`Postgres ${server} is gone`, isGone, STOP_LIMIT_MS);
  }
}

/** Settings of the shell that runs the tests are not the server's. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(AURORA_.*|DATABASE_URL|PG[A-Z]+)$/.test(name)),
  );
}

function endOf(child: ChildProcess): Promise<Ended> {
  let output = '';
  const read = (piece: Buffer): void => void (output += piece.toString());
  child.stdout?.on('data', read);
  child.stderr?.on('data', read);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, by) => resolve({ exitCode, signal: by, output }));
  });
}

/** Where it serves, once it says so. */
function urlOf(child: ChildProcess): Promise<string> {
  let said = '';
  return new Promise((resolve, reject) => {
    const limit = setTimeout(
      () => reject(new Error(`the server did not serve in ${START_LIMIT_MS} ms:\n${said}`)),
      START_LIMIT_MS,
    );
    child.once('close', () => clearTimeout(limit));
    child.stdout?.on('data', (piece: Buffer) => {
      if (said.length > 1e6) return;
      said += piece.toString();
      const url = /"url":"(http:[^"]+)".*"msg":"serving"/.exec(said)?.[1];
      if (url === undefined) return;
      clearTimeout(limit);
      resolve(url);
    });
  });
}
