/**
 * Processes of a task that no run accounts for any more (thermos.md §2.3, "children that left the session").
 *
 * Node cannot be a subreaper, so a child that outlives its parent is adopted by somebody else. It is found
 * again by what it inherited: `HOME` of a task's processes is its sandbox and nobody else's (thermos.md §2.5).
 * What is missed: a process that was adopted AND has cleared or changed HOME, or whose environment may not be
 * read (set-uid programs, when the shim is not root); and, outside Linux, everything that left its process
 * group, because there is no /proc to look through.
 */
import { closeSync, openSync, readSync, readdirSync } from 'node:fs';

export interface Leftover {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  /** Clock ticks since boot. */
  readonly startTime: number;
}

/** Every living process of the machine by pid; empty outside Linux. About 15 µs for each. */
export type ProcessTable = ReadonlyMap<number, Leftover>;

export function processTable(): ProcessTable {
  const table = new Map<number, Leftover>();
  for (const pid of allPids()) {
    const entry = readStat(pid);
    if (entry !== undefined) table.set(pid, entry);
  }
  return table;
}

/**
 * What belongs to the task of this supervisor, itself left out: everything below it, and what was adopted by
 * one of its ancestors (or by init) and still has the sandbox for its HOME, with everything below that.
 */
export function processesOf(table: ProcessTable, supervisor: number, home: string): Leftover[] {
  const self = table.get(supervisor);
  const ancestors = new Set([1]);
  for (let at = self; at !== undefined; at = table.get(at.parent)) {
    if (ancestors.has(at.parent)) break;
    ancestors.add(at.parent);
  }
  const children = new Map<number, Leftover[]>();
  const found: Leftover[] = [];
  for (const entry of table.values()) {
    const { pid, parent } = entry;
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [entry]);
    else siblings.push(entry);
    const mayBeAdopted = ancestors.has(parent) && !ancestors.has(pid) && pid !== supervisor;
    if (mayBeAdopted && entry.startTime >= (self?.startTime ?? 0) && hasHome(pid, home)) {
      found.push(entry);
    }
  }
  found.push(...(children.get(supervisor) ?? []));
  for (let at = 0; at < found.length; at++) {
    found.push(...(children.get((found[at] as Leftover).pid) ?? []));
  }
  return found;
}

/** The same for a supervisor that is gone: whoever has this HOME. */
export function findByHome(home: string): Leftover[] {
  return [...processTable().values()].filter(
    ({ pid }) => pid !== process.pid && hasHome(pid, home),
  );
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

/** Undefined for a process that is gone or only waits to be reaped, and everywhere but on Linux. */
export function readStat(pid: number): Leftover | undefined {
  const text = readProc(`/proc/${pid}/stat`)?.toString('latin1');
  if (text === undefined) return undefined;
  // The command name, in parentheses, may hold anything; the fields follow the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ', 20);
  const [state, parent, , session] = fields;
  if (state === 'Z' || state === 'X') return undefined;
  return { pid, parent: Number(parent), session: Number(session), startTime: Number(fields[19]) };
}

function hasHome(pid: number, home: string): boolean {
  const environment = readProc(`/proc/${pid}/environ`);
  if (environment === undefined) return false;
  const marker = `HOME=${home}\0`;
  for (let at = environment.indexOf(marker); at >= 0; at = environment.indexOf(marker, at + 1)) {
    if (at === 0 || environment[at - 1] === 0) return true;
  }
  return false;
}

let buffer = Buffer.allocUnsafe(16 * 1024);

/** A file of /proc, whose size is not known before it is read; valid until the next call. */
function readProc(path: string): Buffer | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    for (let length = 0; ;) {
      const read = readSync(fd, buffer, length, buffer.length - length, null);
      length += read;
      if (read === 0) return buffer.subarray(0, length);
      if (length === buffer.length) {
        buffer = Buffer.concat([buffer, Buffer.allocUnsafe(buffer.length)]);
      }
    }
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
