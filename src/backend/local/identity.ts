/**
 * Which process is meant by a number: pid, start time and boot id together, so that a reused pid is never
 * taken for the process that had it before (tasks.md §11.2 rule 13).
 *
 * Linux reads /proc; elsewhere `ps` and `sysctl` answer, more slowly and to the second.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readStat } from './leftovers.js';

export interface ProcessIdentity {
  readonly pid: number;
  /** In the kernel's own terms; compared, never computed with. */
  readonly startTime: string;
  readonly bootId: string;
}

const isLinux = process.platform === 'linux';
let knownBootId: string | undefined;

/** Constant from one start of the machine to the next. */
export function bootId(): string {
  knownBootId ??= isLinux
    ? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    : (output('sysctl', '-n', 'kern.bootsessionuuid') ??
      output('sysctl', '-n', 'kern.boottime') ??
      'unknown');
  return knownBootId;
}

/** Undefined when no such process lives; one that waits to be reaped does not live. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  if (isLinux) {
    const startTime = readStat(pid)?.startTime;
    return startTime === undefined
      ? undefined
      : { pid, startTime: String(startTime), bootId: bootId() };
  }
  const startTime = output('ps', '-o', 'lstart=', '-p', String(pid));
  return startTime === undefined ? undefined : { pid, startTime, bootId: bootId() };
}

/** `seenBefore`: it was found alive since we started; then, off Linux, the pid alone has to do. */
export function isAlive(identity: ProcessIdentity, seenBefore = false): boolean {
  if (identity.bootId !== bootId() || !exists(identity.pid)) return false;
  if (seenBefore && !isLinux) return true;
  return identityOf(identity.pid)?.startTime === identity.startTime;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function output(file: string, ...args: string[]): string | undefined {
  try {
    const text = execFileSync(file, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return text.trim() || undefined;
  } catch {
    return undefined;
  }
}
