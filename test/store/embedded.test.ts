/** design.md D14: the private Postgres that outlives its shim. */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, chown, cp, lstat, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { Client } from 'pg';
import { runAs, serverAccount, type Account } from '../../src/store/embedded/account.js';
import { findPlatformPackage, usableBinaries } from '../../src/store/embedded/binaries.js';
import { clusterPaths, serverSettings, socketFolder } from '../../src/store/embedded/cluster.js';
import { chooseDataDir } from '../../src/store/embedded/data-dir.js';
import { startEmbeddedPostgres, type EmbeddedOptions } from '../../src/store/embedded.js';

const asRoot = process.geteuid?.() === 0;
const cleanUps: (() => Promise<unknown> | unknown)[] = [];
let dataDir: string;
let logged: string[];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'embedded-'));
  await chmod(dataDir, 0o711);
  logged = [];
});

afterEach(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
  cleanUps.length = 0;
  await rm(dataDir, { recursive: true, force: true });
});

async function start(
  options: Partial<EmbeddedOptions> = {},
): ReturnType<typeof startEmbeddedPostgres> {
  const server = await startEmbeddedPostgres({
    dataDir,
    durable: false,
    log: (message) => logged.push(message),
    ...options,
  });
  cleanUps.push(() => server.stop());
  return server;
}

async function ask(url: string, sql: string): Promise<Record<string, unknown>> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows[0] ?? {};
  } finally {
    await client.end();
  }
}

/** Resolves when the process is gone; a dead server's pid file may stay behind. */
async function gone(pid: number): Promise<void> {
  const isZombie = async (): Promise<boolean> =>
    (await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')).includes(') Z ');
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    if (await isZombie()) return;
    await new Promise(setImmediate);
  }
}

async function occupied(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  cleanUps.push(() => new Promise((resolve) => server.close(resolve)));
  return server;
}

const portOf = (url: string): number => Number(new URL(url).port);

test('a cluster as we want it: UTF-8, code point order, passwords, loopback only, a private URL file', async () => {
  const { url } = await start();
  expect(
    await ask(
      url,
      `SELECT current_setting('server_encoding') AS encoding, datlocprovider AS provider,
              datlocale AS locale, current_setting('listen_addresses') AS addresses,
              current_setting('timezone') AS timezone, current_user::text AS user
         FROM pg_database WHERE datname = current_database()`,
    ),
  ).toEqual({
    encoding: 'UTF8',
    provider: 'b',
    locale: 'C.UTF-8',
    addresses: '127.0.0.1',
    timezone: 'UTC',
    user: 'aurora',
  });
  const wrong = new URL(url);
  wrong.password = 'wrong';
  await expect(ask(wrong.toString(), 'SELECT 1')).rejects.toThrow('password authentication failed');

  const file = join(dataDir, 'postgres', 'url');
  expect((await readFile(file, 'utf8')).trim()).toBe(url);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(logged.join()).not.toContain(new URL(url).password);
});

test('the next start finds the running server, the one after a stop starts it on the same port', async () => {
  const first = await start();
  expect(first.running).toBe('started');
  await ask(first.url, 'CREATE TABLE kept AS SELECT 1 AS id');

  const second = await start();
  expect(second).toMatchObject({ running: 'found', pid: first.pid, url: first.url });

  await second.stop();
  await second.stop();
  const third = await start();
  expect(third).toMatchObject({ running: 'started', url: first.url });
  expect(await ask(third.url, 'SELECT id FROM kept')).toEqual({ id: 1 });
});

test('starts at the same time end up with one server', async () => {
  const servers = await Promise.all([start(), start(), start()]);
  expect(new Set(servers.map(({ pid }) => pid)).size).toBe(1);
  expect(new Set(servers.map(({ url }) => url)).size).toBe(1);
});

test('kill -9 of the shim leaves the server to the next one', async () => {
  const script = `
    require(${JSON.stringify(join(__dirname, '../../src/store/embedded.ts'))})
      .startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, durable: false })
      .then(({ pid }) => { console.log(pid); setInterval(() => {}, 1000); });`;
  const hook = join(__dirname, '../support/ts-hook.cjs');
  const shim = spawn(process.execPath, ['--require', hook, '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true, // a process group of its own, to be killed as a whole
  });
  const [line] = (await once(shim.stdout, 'data')) as [Buffer];
  process.kill(-(shim.pid ?? NaN), 'SIGKILL');
  await once(shim, 'exit');

  const found = await start();
  expect(found).toMatchObject({ running: 'found', pid: Number(line.toString()) });
});

test('kill -9 of the server: the next start replays its log', async () => {
  const first = await start({ durable: true });
  await ask(first.url, 'CREATE TABLE kept AS SELECT 1 AS id');
  process.kill(first.pid, 'SIGKILL');
  await gone(first.pid);
  const second = await start({ durable: true });
  expect(second.running).toBe('started');
  expect(await ask(second.url, 'SELECT id FROM kept')).toEqual({ id: 1 });
});

test('a stranger who got the number in a left-over pid file is not taken for the server', async () => {
  const first = await start();
  const { data } = clusterPaths(join(dataDir, 'postgres'));
  const pidFile = await readFile(join(data, 'postmaster.pid'), 'utf8');
  await first.stop();

  const { uid, gid } = await stat(data);
  const stranger: ChildProcess = spawn('sleep', ['60'], asRoot ? { uid, gid } : {});
  cleanUps.push(() => stranger.kill());
  await once(stranger, 'spawn');
  await writeFile(join(data, 'postmaster.pid'), pidFile.replace(/^\d+/, String(stranger.pid)), {
    mode: 0o600,
  });
  if (asRoot) await chown(join(data, 'postmaster.pid'), uid, gid);

  const second = await start();
  expect(second.running).toBe('started');
  expect(second.pid).not.toBe(stranger.pid);
});

describe('ports', () => {
  test('the one asked for is used; a taken one is refused', async () => {
    const blocker = await occupied(0);
    const { port } = blocker.address() as AddressInfo;
    await expect(start({ port })).rejects.toThrow(
      `Port ${port} for the embedded Postgres is not free`,
    );
    await new Promise((resolve) => blocker.close(resolve));
    expect(portOf((await start({ port })).url)).toBe(port);
  });

  test('when the last one is taken by something else, the cluster moves', async () => {
    const first = await start();
    await first.stop();
    await occupied(portOf(first.url));
    const second = await start();
    expect(portOf(second.url)).not.toBe(portOf(first.url));
    expect(logged.join('\n')).toContain(`it moves to ${portOf(second.url)}`);
    expect((await readFile(join(dataDir, 'postgres', 'url'), 'utf8')).trim()).toBe(second.url);
  });
});

describe('refusals say what to do', () => {
  test('a lost password', async () => {
    const { url } = await start();
    const changed = new URL(url);
    changed.password = 'lost';
    await writeFile(join(dataDir, 'postgres', 'url'), changed.toString());
    await expect(start()).rejects.toThrow(/refuses the password in .*Restore that file/);
  });

  test('a cluster of another major version', async () => {
    await (await start()).stop();
    const versionFile = join(dataDir, 'postgres', 'data', 'PG_VERSION');
    await writeFile(versionFile, '13\n');
    await expect(start()).rejects.toThrow(/was made by Postgres 13, .*pg_dump/);
    await writeFile(versionFile, '18\n');
  });

  test('a server without fsync where durability is wanted', async () => {
    await start();
    await expect(start({ durable: true })).rejects.toThrow('fsync off');
  });

  test('a data directory that cannot be made', async () => {
    const file = join(dataDir, 'file');
    await writeFile(file, '');
    await expect(start({ dataDir: join(file, 'below') })).rejects.toThrow(
      /Cannot make the data directory .*--data_dir/,
    );
  });

  (asRoot ? test : test.skip)('root: a cluster that another user made', async () => {
    await (await start()).stop();
    await chown(join(dataDir, 'postgres'), 12_345, 12_345);
    await expect(start()).rejects.toThrow(/belongs to uid 12345.*as the user who made the cluster/);
  });

  (asRoot ? test : test.skip)('root: a folder the other user may not enter', async () => {
    await chmod(dataDir, 0o700);
    await expect(start({ dataDir: join(dataDir, 'a', 'b') })).rejects.toThrow(
      new RegExp(`may not enter ${dataDir}\\. Choose another --data_dir`),
    );
  });
});

describe('programs', () => {
  let account: Account | null;
  let directory: string;

  beforeEach(async () => {
    account = await serverAccount(undefined);
    directory = join(dataDir, 'package');
    const installed = await findPlatformPackage();
    await cp(installed.directory, directory, {
      recursive: true,
      filter: async (source) => !source.endsWith('.a') && !(await isLink(source)),
    });
  });

  const isLink = async (path: string): Promise<boolean> => (await lstat(path)).isSymbolicLink();

  test('symlinks that npm did not make are made', async () => {
    const { bin } = await usableBinaries({ directory, version: '1' }, account, dataDir, () => {});
    expect(bin).toBe(join(directory, 'native', 'bin'));
    expect((await runAs(account, join(bin, 'initdb'), ['--version'])).code).toBe(0);
  });

  test('a package that the account cannot use is copied, once', async () => {
    const closed = asRoot ? directory : join(directory, 'native', 'lib');
    await chmod(closed, asRoot ? 0o700 : 0o555);
    cleanUps.push(() => chmod(closed, 0o755));
    const use = (): ReturnType<typeof usableBinaries> =>
      usableBinaries({ directory, version: '1' }, account, dataDir, (line) => logged.push(line));

    const [one, two] = await Promise.all([use(), use()]);
    expect(one).toEqual(two);
    expect(one.bin.startsWith(join(dataDir, 'postgres-binaries-1-'))).toBe(true);
    expect((await runAs(account, join(one.bin, 'initdb'), ['--version'])).code).toBe(0);

    logged = [];
    expect(await use()).toEqual(one);
    expect(logged).toEqual([]);
  });
});

test('where a socket path does not fit, there is no socket', () => {
  expect(socketFolder('/short/run')).toBe('/short/run');
  expect(socketFolder(`/${'x'.repeat(90)}`)).toBe('');
  expect(socketFolder('/with,comma')).toBe('');
  const settings = serverSettings(clusterPaths(`/it's/here`), 5432, true);
  expect(settings).toContain(`unix_socket_directories = '"/it''s/here/run"'`);
  expect(settings).toContain('fsync = on');
});

test.each([
  ['linux', false, undefined, '/home/me/.local/share/aurora-shim'],
  ['linux', false, '/data', '/data/aurora-shim'],
  ['linux', false, 'relative', '/home/me/.local/share/aurora-shim'],
  ['linux', true, undefined, '/var/lib/aurora-shim'],
  ['darwin', false, undefined, '/home/me/Library/Application Support/aurora-shim'],
] as const)('default data directory: %s, root %s, XDG %s', (platform, isRoot, xdg, expected) => {
  expect(chooseDataDir({ platform, isRoot, home: '/home/me', xdgDataHome: xdg })).toBe(expected);
});
