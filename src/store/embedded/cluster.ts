/**
 * One private Postgres cluster on disk: its folders, its settings, its pid file.
 *
 * ```
 * <dataDir>/postgres/        ours
 *   url                      connection URL with the password, 0600
 *   server.conf              the settings below, written anew by each start, read by the server
 *   data/                    PGDATA, owned by the account the server runs as
 *   start.log                what the server says before its own log files are open
 *   log/                     those, one per weekday
 *   run/                     Unix socket, where the path is short enough for one
 * ```
 * Root writes only into folders that root owns; the server's account could otherwise lay a symlink in
 * the way of such a write.
 */
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { runAs, writeAs, type Account } from './account.js';
import type { Binaries } from './binaries.js';

/** Superuser and database of the cluster. */
export const DATABASE_USER = 'aurora';
export const DATABASE_NAME = 'aurora';

export interface ClusterPaths {
  readonly root: string;
  readonly data: string;
  readonly log: string;
  readonly run: string;
  readonly url: string;
  readonly settings: string;
  readonly startLog: string;
}

export function clusterPaths(root: string): ClusterPaths {
  return {
    root,
    data: join(root, 'data'),
    log: join(root, 'log'),
    run: join(root, 'run'),
    url: join(root, 'url'),
    settings: join(root, 'server.conf'),
    startLog: join(root, 'start.log'),
  };
}

/** Host and port, user, password and database of `url` file, as one string for psql and pg. */
export function connectionUrl(password: string, port: number, database = DATABASE_NAME): string {
  return `postgresql://${DATABASE_USER}:${password}@127.0.0.1:${port}/${database}`;
}

/** Writes `text` so that a reader sees the old or the new file, also after a power failure. */
export async function writeWhole(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  const file = await open(temporary, 'wx', mode);
  try {
    await file.writeFile(text);
    await file.chmod(mode); // whatever the umask
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

/** Password and the port used last, from the `url` file. */
export async function readSecrets(
  paths: ClusterPaths,
): Promise<{ password: string; port: number }> {
  const url = new URL((await readFile(paths.url, 'utf8')).trim());
  return { password: url.password, port: Number(url.port) };
}

async function makeFolder(path: string, mode: number, owner: Account | null): Promise<void> {
  await mkdir(path);
  await chmod(path, mode);
  if (owner) await chown(path, owner.uid, owner.gid);
}

/**
 * Makes a cluster at `paths.root` unless there is one. It is made under another name and moved into
 * place, so that an interrupted attempt leaves no half cluster and of two simultaneous ones one wins.
 */
export async function ensureCluster(
  paths: ClusterPaths,
  binaries: Binaries,
  account: Account | null,
  options: { readonly port: number; readonly durable: boolean },
): Promise<void> {
  if (await stat(paths.url).catch(() => undefined)) return;

  const attempt = clusterPaths(`${paths.root}.new-${randomBytes(6).toString('hex')}`);
  try {
    await makeFolder(attempt.root, account ? 0o711 : 0o700, null);
    await makeFolder(attempt.data, 0o700, account);
    await makeFolder(attempt.log, 0o700, account);
    await makeFolder(attempt.run, 0o711, account);

    const password = randomBytes(24).toString('hex');
    await writeWhole(attempt.url, `${connectionUrl(password, options.port)}\n`, 0o600);
    const passwordFile = join(attempt.root, 'password');
    await writeWhole(passwordFile, `${password}\n`, 0o600);
    if (account) await chown(passwordFile, account.uid, account.gid);
    await initialise(attempt, binaries, account, passwordFile, options.durable);
    await rm(passwordFile);

    await rename(attempt.root, paths.root);
  } catch (error) {
    await rm(attempt.root, { recursive: true, force: true });
    if (await stat(paths.url).catch(() => undefined)) return; // another start was quicker
    throw error;
  }
}

async function initialise(
  paths: ClusterPaths,
  binaries: Binaries,
  account: Account | null,
  passwordFile: string,
  durable: boolean,
): Promise<void> {
  // The same order of text on every platform: Postgres' own C.UTF-8, which came with 17.
  const locale =
    binaries.major >= 17
      ? ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
      : ['--locale=C'];
  const { code, output } = await runAs(account, join(binaries.bin, 'initdb'), [
    `--pgdata=${paths.data}`,
    `--username=${DATABASE_USER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    ...locale,
    ...(durable ? [] : ['--no-sync']),
  ]);
  if (code !== 0) throw new Error(`initdb failed in ${paths.data}: ${output.trim()}`);
  // A relative path, for the cluster is about to be moved, and may be again.
  const include = "include_if_exists = '../server.conf'\n";
  await writeAs(account, join(paths.data, 'postgresql.conf'), '>>', include);
}

/** Unix domain socket addresses end at 104 bytes on macOS, 108 on Linux. */
const MAX_SOCKET_PATH_BYTES = 103;

/** `run` as a folder for the Unix socket, or nothing where its path does not fit or not parse. */
export function socketFolder(run: string): string {
  const longest = Buffer.byteLength(join(run, '.s.PGSQL.65535.lock'));
  return longest > MAX_SOCKET_PATH_BYTES || /[",\\\n]/.test(run) ? '' : run;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** The text of `server.conf`. */
export function serverSettings(paths: ClusterPaths, port: number, durable: boolean): string {
  const socket = socketFolder(paths.run);
  const settings: Record<string, string> = {
    listen_addresses: quoted('127.0.0.1'),
    port: String(port),
    unix_socket_directories: quoted(socket === '' ? '' : `"${socket}"`),
    password_encryption: 'scram-sha-256',
    timezone: quoted('UTC'),
    log_timezone: quoted('UTC'),
    // A file per weekday, begun anew after a week: no log grows for ever.
    logging_collector: durable ? 'on' : 'off',
    log_directory: quoted('../log'),
    log_filename: quoted('postgresql-%a.log'),
    log_truncate_on_rotation: 'on',
    log_rotation_size: '0',
    log_checkpoints: 'off',
    // What an OK to a client promises (design.md D1) hangs on these three.
    fsync: durable ? 'on' : 'off',
    full_page_writes: durable ? 'on' : 'off',
    synchronous_commit: durable ? 'on' : 'off',
    ...(durable ? {} : { autovacuum: 'off', wal_level: 'minimal', max_wal_senders: '0' }),
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  const heading =
    '# Written by aurora-shim at every start. Settings of your own: data/postgresql.conf';
  return `${[heading, ...lines].join('\n')}\n`;
}

export interface PidFile {
  readonly pid: number;
  readonly port: number;
}

/** PGDATA/postmaster.pid; undefined when there is none or it is not written to its end yet. */
export async function readPidFile(data: string): Promise<PidFile | undefined> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  });
  // Lines: pid, data directory, start time, port, socket directory, address, shared memory, status.
  const lines = text.split('\n');
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  return pid > 0 && port > 0 ? { pid, port } : undefined;
}

/** The end of the newest log file, for error messages. */
export async function tailOfLog(paths: ClusterPaths): Promise<string> {
  const names = await readdir(paths.log).catch(() => []);
  let newest = { path: '', time: 0 };
  for (const path of [paths.startLog, ...names.map((name) => join(paths.log, name))]) {
    const { mtimeMs: time, size } = await stat(path).catch(() => ({ mtimeMs: 0, size: 0 }));
    if (size > 0 && time >= newest.time) newest = { path, time };
  }
  if (newest.path === '') return `(nothing in ${paths.log})`;
  const lines = (await readFile(newest.path, 'utf8')).trimEnd().split('\n');
  return lines.slice(-8).join('\n');
}
