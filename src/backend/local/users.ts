/** Whom a task runs as (thermos.md §2.7). */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { promisify } from 'node:util';
import { DocumentProblem } from '../../core/thermos/problem.js';
import type { RunUser } from './task-dir.js';

const run = promisify(execFile);
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'];

/** The name of whoever runs this process; its number where it has no name. */
export function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}

/**
 * With `nosetuid` every task runs as the shim's own user. Otherwise as its role: F3 when there is no such
 * user, or when it is another one and the shim is not root.
 */
export async function runUser(role: string, nosetuid: boolean): Promise<RunUser> {
  const own = ownName();
  if (nosetuid || role === own) return { name: own };
  const ids = await lookUp(role);
  if (ids === undefined) {
    throw new DocumentProblem(
      'F3',
      'job.role',
      `there is no user ${role} on this machine, and --nosetuid is off`,
    );
  }
  if (process.getuid?.() !== 0) {
    throw new DocumentProblem('F3', 'job.role', `only root may run a task as ${role}`);
  }
  const setpriv = SETPRIV.find((path) => existsSync(path));
  return { name: role, become: { ...ids, ...(setpriv !== undefined && { setpriv }) } };
}

/** Asks `id`, which knows every source of users the machine has, not only /etc/passwd. */
async function lookUp(
  name: string,
): Promise<{ uid: number; gid: number; groups: number[] } | undefined> {
  try {
    const [uid, gid, groups] = await Promise.all(
      ['-u', '-g', '-G'].map(async (flag) => (await run('id', [flag, '--', name])).stdout.trim()),
    );
    if (uid === undefined || gid === undefined || groups === undefined) return undefined;
    return { uid: Number(uid), gid: Number(gid), groups: groups.split(/\s+/).map(Number) };
  } catch {
    return undefined;
  }
}
