/**
 * The embedded default of design.md D14: a private Postgres cluster below the data directory, with the
 * programs that npm installed. The server is no child of ours: it outlives a kill -9 of the shim and the
 * next start finds it again.
 */
import { chmod, mkdir, readFile, realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { canEnter, firstClosedParent, serverAccount, type Account } from './embedded/account.js';
import {
  findPlatformPackage,
  givenBinaries,
  usableBinaries,
  type Binaries,
} from './embedded/binaries.js';
import { clusterPaths, ensureCluster, type ClusterPaths } from './embedded/cluster.js';
import { chooseDataDir } from './embedded/data-dir.js';
import { findOrStart, freePort } from './embedded/server.js';

export interface EmbeddedOptions {
  /** Folder for all of the shim's data; the cluster is its subfolder `postgres`. Made if missing. */
  readonly dataDir: string;
  /** Receives a line when something happens that an operator may want to know. No secrets. */
  readonly log?: (message: string) => void;
  /** TCP port on 127.0.0.1; without it the one used last, at first a free one. */
  readonly port?: number;
  /** False only for tests: no fsync, so that a power failure destroys the cluster. Default true. */
  readonly durable?: boolean;
  /** Folder with other initdb, pg_ctl and postgres programs than the installed package's. */
  readonly binaries?: string;
}

export interface EmbeddedPostgres {
  /** For pg and psql; holds the password. Also in the file `<dataDir>/postgres/url`. */
  readonly url: string;
  /** Process id of the server. */
  readonly pid: number;
  /** `found`: it ran already, left by an earlier shim or started by one at this moment. */
  readonly running: 'started' | 'found';
  /** Stops the server, ending every connection to it; does nothing when it is down already. */
  stop(): Promise<void>;
}

/** The platform's folder for the shim's data; see data-dir.ts for the rule. */
export function defaultDataDir(): string {
  return chooseDataDir({
    platform: process.platform,
    isRoot: process.geteuid?.() === 0,
    home: homedir(),
    xdgDataHome: process.env['XDG_DATA_HOME'],
  });
}

/**
 * Finds the running server of `dataDir`, or starts it, making the cluster at first.
 *
 * Two of these at once on one data directory end up with the same server: the cluster is moved into
 * place whole, and Postgres itself lets only one server run in it.
 *
 * @throws Error with what to do: no account or programs that can be used, a data directory that the
 *   server's account cannot enter, a port that is taken, a cluster of another major version.
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const log = options.log ?? ((): void => {});
  const durable = options.durable ?? true;
  if (process.platform === 'win32') {
    throw new Error('The embedded Postgres is for Linux and macOS. Set DATABASE_URL.');
  }

  const wanted = resolve(options.dataDir);
  const owner = await stat(clusterPaths(join(wanted, 'postgres')).data).catch(() => undefined);
  const account = await serverAccount(owner?.uid);
  const dataDir = await prepareDataDir(wanted, account);
  const paths = clusterPaths(join(dataDir, 'postgres'));
  const binaries =
    options.binaries === undefined
      ? await usableBinaries(await findPlatformPackage(), account, dataDir, log)
      : await givenBinaries(account, options.binaries);
  await ensureCluster(paths, binaries, account, {
    port: options.port ?? (await freePort()),
    durable,
  });
  await checkOwnership(paths, account);
  await checkMajor(paths, binaries);

  return findOrStart({ paths, binaries, account, durable, port: options.port, log });
}

/** Makes the data directory and sees that the server's account can enter it. */
async function prepareDataDir(wanted: string, account: Account | null): Promise<string> {
  try {
    const made = await mkdir(wanted, { recursive: true });
    // Folders of our own making are opened (for passing through) whatever the umask; others' stay.
    for (let path = wanted; made !== undefined; path = dirname(path)) {
      await chmod(path, account ? 0o711 : 0o700);
      if (path === made) break;
    }
  } catch (error) {
    throw new Error(
      `Cannot make the data directory ${wanted} (${(error as Error).message}). ` +
        'Choose another with --data_dir.',
    );
  }
  const dataDir = await realpath(wanted);
  if (await canEnter(account, dataDir)) return dataDir;
  const closed = await firstClosedParent(account, dataDir);
  throw new Error(
    `The data directory ${dataDir} cannot be used: ` +
      (account
        ? `Postgres does not run as root but as user ${account.name}, who may not enter ${closed}. ` +
          `Choose another --data_dir (such as /var/lib/aurora-shim), or chmod o+x ${closed}.`
        : `this user may not enter ${closed}. Choose another with --data_dir.`),
  );
}

/** The folder must be this user's, the data in it the server's: see account.ts for who that is. */
async function checkOwnership(paths: ClusterPaths, account: Account | null): Promise<void> {
  const me = process.geteuid?.();
  for (const [path, expected] of [
    [paths.root, me],
    [paths.data, account?.uid ?? me],
  ] as const) {
    const { uid } = await stat(path);
    if (uid === expected) continue;
    throw new Error(
      `${path} belongs to uid ${uid}, but should to uid ${expected}. ` +
        'Start aurora-shim as the user who made the cluster, or choose another --data_dir.',
    );
  }
}

async function checkMajor(paths: ClusterPaths, binaries: Binaries): Promise<void> {
  const text = (await readFile(join(paths.data, 'PG_VERSION'), 'utf8')).trim();
  if (Number(text) === binaries.major) return;
  throw new Error(
    `The cluster in ${paths.root} was made by Postgres ${text}, but the installed programs are of ` +
      `version ${binaries.major}. Move the data over with pg_dump and psql, or with pg_upgrade.`,
  );
}
