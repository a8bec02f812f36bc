/** The driver's side of supervisors: starting one, and what to make of one that ended without a record. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { bootId, isAlive } from './identity.js';
import { findByHome, killAll, signal } from './leftovers.js';
import type { LocalSettings } from './options.js';
import type { TaskDir } from './task-dir.js';

/** How a supervisor ended that was our own child. */
export type SupervisorEnd =
  { readonly signal: NodeJS.Signals } | { readonly code: number } | { readonly error: string };

/**
 * Starts a supervisor in its own session, holding nothing of ours. Starting two for one task is harmless: the
 * second finds the claim of the first and leaves. `ended` is called only while this process lives.
 */
export function startSupervisor(
  dir: TaskDir,
  settings: Pick<LocalSettings, 'supervisorPath' | 'preserveEnv' | 'path'>,
  ended: (end: SupervisorEnd) => void,
): void {
  const output = ['stdout', 'stderr'].map((name) => openSync(dir.file(name), 'a', 0o600));
  try {
    const stateDir = dirname(dirname(dir.path));
    const child = spawn(process.execPath, [settings.supervisorPath, stateDir, dir.hash], {
      cwd: dir.path,
      detached: true,
      stdio: ['ignore', ...output],
      // The shim's environment holds secrets; a supervisor and its tasks get them only on request.
      env: settings.preserveEnv ? process.env : { PATH: settings.path },
    });
    child.on('error', (error) => {
      if (child.pid === undefined) ended({ error: error.message });
    });
    child.on('exit', (code, signal) => ended(signal === null ? { code: code ?? 0 } : { signal }));
    child.unref();
  } finally {
    for (const fd of output) closeSync(fd);
  }
}

/** Status of a task whose supervisor left no record (tasks.md §11.2 rule 14, thermos.md §2.8). */
export function describeEnd(end: SupervisorEnd | undefined): {
  readonly state: 'killed' | 'lost';
  readonly message: string;
} {
  if (end === undefined) {
    return { state: 'lost', message: 'The supervisor is gone and left no record.' };
  }
  if ('signal' in end) {
    return { state: 'killed', message: `The supervisor was killed by ${end.signal}.` };
  }
  if ('error' in end) {
    return { state: 'lost', message: `The supervisor could not be started: ${end.error}` };
  }
  return { state: 'lost', message: `The supervisor exited with code ${end.code}.` };
}

/** Ends what a dead supervisor left running. */
export function sweep(dir: TaskDir): void {
  for (const run of dir.readRuns()) {
    if (run.type !== 'start' || run.pid === undefined || run.startTime === undefined) continue;
    if (isAlive({ pid: run.pid, startTime: run.startTime, bootId: bootId() })) {
      signal(-run.pid, 'SIGKILL');
    }
  }
  killAll(() => findByHome(dir.sandbox));
}
