/** Finding, starting and stopping the server of a private cluster. */
import { execFile, spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client, DatabaseError } from 'pg';
import { programOptions, runAs, type Account } from './account.js';
import type { Binaries } from './binaries.js';
import {
  connectionUrl,
  DATABASE_NAME,
  readPidFile,
  readSecrets,
  serverSettings,
  tailOfLog,
  writeWhole,
  type ClusterPaths,
  type PidFile,
} from './cluster.js';

export interface ServerOptions {
  readonly paths: ClusterPaths;
  readonly binaries: Binaries;
  readonly account: Account | null;
  readonly durable: boolean;
  /** The port asked for; otherwise the one used last. */
  readonly port: number | undefined;
  readonly log: (message: string) => void;
}

export interface RunningServer {
  readonly url: string;
  readonly pid: number;
  readonly running: 'started' | 'found';
  stop(): Promise<void>;
}

/** How long a start (which may have much log to replay after a crash) or a stop may take. */
const PATIENCE_MS = 120_000;
const RETRY_MS = 50;
/** Starts that may fail because somebody took the free port between our look and the server's. */
const MAX_STARTS = 4;

/** The server of `options.paths`: the one that runs, or one started now. */
export async function findOrStart(options: ServerOptions): Promise<RunningServer> {
  let failure = '';
  for (let attempt = 1; attempt <= MAX_STARTS; attempt++) {
    const found = await find(options);
    if (found.server) return settle(options, found.server, 'found');
    const started = await launch(options, found.stranger);
    if (typeof started !== 'string') return settle(options, started, 'started');
    // Another start may have been quicker: then the next look finds its server.
    failure = started;
  }
  throw new Error(`The embedded Postgres in ${options.paths.root} did not start: ${failure}`);
}

interface Found {
  readonly server?: PidFile;
  /** Another program that by chance has the process id a killed server left behind. */
  readonly stranger?: number;
}

/** Looks for a running server, and waits until it takes connections. */
async function find({ paths, log }: ServerOptions): Promise<Found> {
  const { password } = await readSecrets(paths);
  const giveUp = performance.now() + PATIENCE_MS;
  let told = false;
  for (;;) {
    const pidFile = await readPidFile(paths.data);
    if (!pidFile || !isAlive(pidFile.pid)) return {};
    if (!(await isServerOf(pidFile.pid, paths.data))) return { stranger: pidFile.pid };
    const answer = await ask(connectionUrl(password, pidFile.port, 'postgres'));
    if (answer === 'answered') return { server: pidFile };
    if (answer === 'refused') {
      throw new Error(
        `The Postgres in ${paths.root} (process ${pidFile.pid}) refuses the password in ` +
          `${paths.url}. Restore that file, or choose another --data_dir.`,
      );
    }
    if (performance.now() > giveUp) {
      throw new Error(
        `The Postgres in ${paths.root} (process ${pidFile.pid}) runs but takes no connections; ` +
          `it may be replaying its log. Try again later. Its last words:\n${await tailOfLog(paths)}`,
      );
    }
    if (!told) log(`waiting for Postgres (process ${pidFile.pid}) to take connections`);
    told = true;
    await sleep(RETRY_MS);
  }
}

/**
 * Starts the server, detached: it belongs to no session or process group of ours, so neither our death
 * nor a Ctrl-C reaches it. pg_ctl would do the same but for `stranger`.
 *
 * @param stranger a process that Postgres must not take for a server of this cluster. Its own word for
 *   such a one is "grandparent" (backend/utils/init/miscinit.c). So no pid file needs our hands, and
 *   Postgres alone decides who may run here.
 * @returns the server, or why there is none.
 */
async function launch(
  options: ServerOptions,
  stranger: number | undefined,
): Promise<PidFile | string> {
  const { paths, binaries, account, durable } = options;
  const { password, port: last } = await readSecrets(paths);
  const port = await choosePort(options, last);
  if (port !== last) await writeWhole(paths.url, `${connectionUrl(password, port)}\n`, 0o600);
  await writeWhole(paths.settings, serverSettings(paths, port, durable), 0o644);

  const output = await open(paths.startLog, 'a', 0o600);
  const child = spawn(join(binaries.bin, 'postgres'), ['-D', paths.data], {
    ...programOptions(account, { PG_GRANDPARENT_PID: String(stranger ?? process.pid) }),
    detached: true,
    stdio: ['ignore', output.fd, output.fd],
  });
  let ended: string | undefined;
  child.on('error', (error) => (ended = error.message));
  child.on('exit', (code, signal) => (ended = `it ended with ${signal ?? `code ${code}`}`));
  child.unref();
  await output.close();

  const giveUp = performance.now() + PATIENCE_MS;
  while (ended === undefined && performance.now() < giveUp) {
    const pidFile = await readPidFile(paths.data);
    if (pidFile && pidFile.pid === child.pid) {
      if ((await ask(connectionUrl(password, port, 'postgres'))) === 'answered') return pidFile;
    }
    await sleep(RETRY_MS / 2);
  }
  return `${ended ?? 'it takes no connections'}\n${await tailOfLog(paths)}`;
}

async function choosePort({ port: wanted, log }: ServerOptions, last: number): Promise<number> {
  try {
    return await probePort(wanted ?? last);
  } catch (error) {
    if (wanted !== undefined) {
      throw new Error(
        `Port ${wanted} for the embedded Postgres is not free (${(error as Error).message}).`,
      );
    }
    const port = await freePort();
    log(`port ${last} of the embedded Postgres is taken by something else; it moves to ${port}`);
    return port;
  }
}

/** Last steps for a server that takes connections: its database, its address on file. */
async function settle(
  options: ServerOptions,
  { pid, port }: PidFile,
  running: 'started' | 'found',
): Promise<RunningServer> {
  const { paths, durable, log } = options;
  const { password, port: onFile } = await readSecrets(paths);
  const url = connectionUrl(password, port);
  if (port !== onFile) await writeWhole(paths.url, `${url}\n`, 0o600);
  await prepareDatabase(connectionUrl(password, port, 'postgres'), durable);
  log(`embedded Postgres ${running}: process ${pid}, port ${port}, psql "$(cat '${paths.url}')"`);
  return { url, pid, running, stop: () => stop(options) };
}

async function prepareDatabase(url: string, durable: boolean): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ fsync: string; present: boolean }>(
      `SELECT current_setting('fsync') AS fsync,
              EXISTS (SELECT FROM pg_database WHERE datname = $1) AS present`,
      [DATABASE_NAME],
    );
    if (durable && rows[0]?.fsync !== 'on') {
      throw new Error('The embedded Postgres runs with fsync off and would lose what it confirms.');
    }
    if (!rows[0]?.present) await client.query(`CREATE DATABASE ${DATABASE_NAME}`);
  } catch (error) {
    // Two starts at once: the other one made it.
    const code = error instanceof DatabaseError ? error.code : undefined;
    if (code !== '42P04' && code !== '23505') throw error;
  } finally {
    await client.end();
  }
}

async function stop({ paths, binaries, account }: ServerOptions): Promise<void> {
  if (!(await readPidFile(paths.data))) return;
  const { code, output } = await runAs(account, join(binaries.bin, 'pg_ctl'), [
    'stop',
    '--silent',
    '--wait',
    '--mode=fast',
    `--timeout=${PATIENCE_MS / 1000}`,
    `--pgdata=${paths.data}`,
  ]);
  const left = code === 0 ? undefined : await readPidFile(paths.data);
  if (left && isAlive(left.pid)) {
    throw new Error(`The embedded Postgres in ${paths.root} did not stop: ${output.trim()}`);
  }
}

/** Whether a process of that id exists, whoever owns it. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Whether process `pid` is a Postgres on `data`. After a reboot or in a new container another program
 * may have the number that a killed server left in its pid file. In doubt: yes.
 */
async function isServerOf(pid: number, data: string): Promise<boolean> {
  if (process.platform === 'linux') {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
    return command === undefined || command.split('\0').includes(data);
  }
  const ps = promisify(execFile)('ps', ['-ww', '-o', 'command=', '-p', String(pid)]);
  return ps.then(
    ({ stdout }) => stdout.includes(data),
    () => true,
  );
}

/** `silent`: nobody listens, or the server is not ready yet. */
async function ask(url: string): Promise<'answered' | 'refused' | 'silent'> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {}); // the server may go away in the middle
  try {
    await client.connect();
    await client.query('SELECT 1');
    return 'answered';
  } catch (error) {
    const code = error instanceof DatabaseError ? (error.code ?? '') : '';
    return code.startsWith('28') ? 'refused' : 'silent'; // 28: invalid authorization
  } finally {
    await client.end().catch(() => {});
  }
}

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export function freePort(): Promise<number> {
  return probePort(0);
}

/** Listens on `port` for a moment: the port it got, or a rejection when it is taken. */
function probePort(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = probe.address();
      const got = typeof address === 'object' ? address?.port : undefined;
      probe.close(() => (got === undefined ? reject(new Error('no port')) : resolve(got)));
    });
  });
}
