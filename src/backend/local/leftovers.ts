/**
 * Processes of a task that no run accounts for any more (thermos.md §2.3, "children that left the session").
 *
 * Node cannot be a subreaper, so they are found by what they inherited: `HOME` of a task's processes is its
 * sandbox and nobody else's (thermos.md §2.5). What is missed: a process that left its session AND cleared or
 * changed HOME, or whose environment may not be read (set-uid programs, when the shim is not root); and,
 * outside Linux, everything that left its process group, because there is no /proc to look through.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { isDead, statOf } from './identity.js';

export interface Leftover {
  readonly pid: number;
  readonly session: number;
}

/** Living processes whose HOME is this directory; one look costs about 20 µs for each on the machine. */
export function findByHome(home: string): Leftover[] {
  const marker = Buffer.from(`\0HOME=${home}\0`);
  const found: Leftover[] = [];
  for (const pid of allPids()) {
    if (pid === process.pid || !environment(pid).includes(marker)) continue;
    const stat = statOf(pid);
    if (stat !== undefined && !isDead(stat.state)) found.push({ pid, session: stat.session });
  }
  return found;
}

/** Living members of a session, its leader included. */
export function findBySession(session: number): Leftover[] {
  return allPids().flatMap((pid) => {
    const stat = statOf(pid);
    return stat?.session === session && !isDead(stat.state) ? [{ pid, session }] : [];
  });
}

/**
 * SIGKILLs whatever `find` finds until it finds nothing, since a process may fork while the list is read.
 * Returns how many are left after `limitMs` (processes in uninterruptible sleep).
 */
export function killAll(find: () => readonly Leftover[], limitMs = 2000): number {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = find();
    for (const { pid } of found) signal(pid, 'SIGKILL');
    if (found.length === 0 || performance.now() > end) return found.length;
    pause(2);
  }
}

/** Signals a process, or with a negative number a process group; false when there is none. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

function allPids(): number[] {
  try {
    return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
  } catch {
    return [];
  }
}

function environment(pid: number): Buffer {
  try {
    return Buffer.concat([Buffer.from([0]), readFileSync(`/proc/${pid}/environ`)]);
  } catch {
    return Buffer.alloc(0);
  }
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
