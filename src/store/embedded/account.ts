/**
 * Which operating-system user the embedded server runs as, and how to run a program as that user.
 *
 * Postgres refuses to run as root. Where the shim itself is root, the server therefore gets another
 * account, which needs a passwd entry (initdb asks for its name) and must be able to reach both the
 * binaries and the data (design.md D14).
 */
import { spawn, type SpawnOptions } from 'node:child_process';
import { dirname } from 'node:path';

/** An account to switch to. `null` in its place means: stay who we are. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export interface ProgramResult {
  /** Exit code; -1 when the program could not be executed at all. */
  readonly code: number;
  /** stdout and stderr as they came. */
  readonly output: string;
}

/** Tried in this order when the shim is root and no cluster exists yet. */
const CANDIDATES = ['postgres', 'nobody'];

/**
 * What every program of the server is spawned with: its user, `/` as directory (ours may be closed to that
 * user), and a small environment, so that PGPORT, PGDATA and the like of the caller have no effect.
 */
export function programOptions(
  account: Account | null,
  env: NodeJS.ProcessEnv = {},
): Pick<SpawnOptions, 'cwd' | 'env' | 'uid' | 'gid'> {
  return {
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', ...env },
    ...(account ? { uid: account.uid, gid: account.gid } : {}),
  };
}

/** Runs `program` to its end as `account`. */
export function runAs(
  account: Account | null,
  program: string,
  args: readonly string[],
): Promise<ProgramResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      ...programOptions(account),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.on('error', (error) => resolve({ code: -1, output: error.message }));
    child.on('close', (code, signal) =>
      resolve({ code: code ?? 1, output: signal ? `${output}\nended by ${signal}` : output }),
    );
  });
}

async function idOf(flag: '-u' | '-g' | '-un', who: string): Promise<string | undefined> {
  const { code, output } = await runAs(null, 'id', [flag, who]);
  return code === 0 ? output.trim() : undefined;
}

async function lookUp(who: string): Promise<Account | undefined> {
  const [name, uid, gid] = [await idOf('-un', who), await idOf('-u', who), await idOf('-g', who)];
  if (name === undefined || uid === undefined || gid === undefined) return undefined;
  return { name, uid: Number(uid), gid: Number(gid) };
}

/**
 * The account for the server: `null` for an ordinary user; as root the owner of an existing cluster,
 * else the first of `postgres` and `nobody` that exists.
 *
 * @param clusterOwner uid that owns an existing data directory, if there is one.
 * @throws Error that tells what to do when root has no such account.
 */
export async function serverAccount(clusterOwner: number | undefined): Promise<Account | null> {
  if (process.geteuid?.() !== 0) return null;
  const wanted = clusterOwner === undefined ? CANDIDATES : [String(clusterOwner)];
  for (const who of wanted) {
    const account = await lookUp(who);
    if (account && account.uid !== 0) return account;
  }
  throw new Error(
    `Postgres does not run as root and no account was found for it (tried ${wanted.join(', ')}). ` +
      'Start aurora-shim as an ordinary user, create a user named postgres, or set DATABASE_URL.',
  );
}

/**
 * Writes (`>`) or appends (`>>`) `text` as `account`: a root that wrote by itself into another user's
 * folder could be led elsewhere by a symlink.
 */
export async function writeAs(
  account: Account | null,
  path: string,
  redirection: '>' | '>>',
  text: string,
): Promise<void> {
  const script = `printf %s "$2" ${redirection} "$1"`;
  const { code, output } = await runAs(account, '/bin/sh', ['-c', script, 'sh', path, text]);
  if (code !== 0) throw new Error(`cannot write ${path}: ${output.trim()}`);
}

/** Whether `account` can enter `directory`, asked of the kernel: modes, ACLs and mounts all count. */
export async function canEnter(account: Account | null, directory: string): Promise<boolean> {
  const { code } = await runAs(account, '/bin/sh', ['-c', 'cd -- "$1"', 'sh', directory]);
  return code === 0;
}

/** The topmost directory on the way to `directory` that `account` cannot enter. */
export async function firstClosedParent(
  account: Account | null,
  directory: string,
): Promise<string> {
  const parent = dirname(directory);
  if (parent !== directory && !(await canEnter(account, parent))) {
    return firstClosedParent(account, parent);
  }
  return directory;
}
