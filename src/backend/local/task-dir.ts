/**
 * What a task's state directory holds; driver and supervisor talk through it and nothing else.
 *
 * ```
 * <stateDir>/tasks/t-<40 hex of sha256(taskId)>/
 *   spec.json        what to run; written by the driver before the supervisor starts
 *   supervisor.json  pid, start time, boot id; created exclusively, so there is one supervisor at most
 *   state.json       every status so far, in order; replaced atomically, the end status flushed to disk
 *   runs.jsonl       one line for each start and each end of a process
 *   kill.json        somebody asked for the end
 *   told             the core has acknowledged the end status
 *   stdout, stderr   the supervisor's own: what loggers `console` and `both` write to
 *   run/sandbox/     the task's directory and working directory, owned by its user (thermos.md §2.6)
 * <stateDir>/news/t-…  touched after each change of state.json: one directory to watch for all tasks
 * ```
 */
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { LoggerPlan, TaskPlan } from '../../core/thermos/plan.js';
import type { BackendState, StatusEvent } from '../backend.js';
import type { ProcessIdentity } from './identity.js';

/** Whom the task's processes run as; `become` only where that is somebody else than the shim. */
export interface RunUser {
  readonly name: string;
  readonly become?: {
    readonly uid: number;
    readonly gid: number;
    /** Supplementary groups, the primary one included. */
    readonly groups: readonly number[];
    /** Path of util-linux `setpriv`; without it the supplementary groups are dropped. */
    readonly setpriv?: string;
  };
}

/** spec.json: everything a supervisor needs, so that it asks nobody. */
export interface TaskSpec {
  readonly taskId: string;
  readonly plan: TaskPlan;
  readonly user: RunUser;
  /** Path of the shell that runs command lines. */
  readonly shell: string;
  /** PATH of the processes. */
  readonly path: string;
  readonly preserveEnv: boolean;
  /** For processes without a logger of their own. */
  readonly logger: LoggerPlan;
  /** From the request to stop to its end, all steps included (thermos.md §2.4 step 7). */
  readonly stopTimeoutSecs: number;
  readonly httpTimeoutMs: number;
  readonly maxRuns: number;
  /** The host it was placed on, and the ports it was given there; absent in specs of former releases. */
  readonly host?: string;
  readonly assignedPorts?: readonly number[];
  /** Cores, MiB, MiB: for the host's free resources. */
  readonly resources: { readonly cpus: number; readonly ramMb: number; readonly diskMb: number };
}

export interface StateEntry {
  readonly state: BackendState;
  readonly message?: string;
  readonly reason?: NonNullable<StatusEvent['reason']>;
  /** Wall ms. */
  readonly atMs: number;
}

export type RunEntry =
  | {
      readonly type: 'start';
      readonly process: string;
      readonly run: number;
      /** Absent when it could not be started. */
      readonly pid?: number;
      readonly startTime?: string;
      readonly atMs: number;
    }
  | {
      readonly type: 'end';
      readonly process: string;
      readonly run: number;
      readonly result: 'SUCCESS' | 'FAILED' | 'KILLED';
      /** Exit code, or the negative number of the signal; absent when it could not be started. */
      readonly code?: number;
      readonly error?: string;
      readonly atMs: number;
    };

const ENDED: ReadonlySet<BackendState> = new Set(['finished', 'failed', 'killed', 'lost']);

export function isEnded(state: BackendState): boolean {
  return ENDED.has(state);
}

/** The directory's name (tasks.md §1, "Local"). */
export function taskHash(taskId: string): string {
  return `t-${createHash('sha256').update(taskId).digest('hex').slice(0, 40)}`;
}

export class TaskDir {
  readonly path: string;
  readonly #news: string;

  constructor(
    stateDir: string,
    readonly hash: string,
  ) {
    this.path = join(stateDir, 'tasks', hash);
    this.#news = join(stateDir, 'news', hash);
  }

  /** `<mesos_dir>`: the parent of the sandbox. */
  get runDir(): string {
    return join(this.path, 'run');
  }

  get sandbox(): string {
    return join(this.path, 'run', 'sandbox');
  }

  file(name: string): string {
    return join(this.path, name);
  }

  readSpec(): TaskSpec | undefined {
    return readJson<TaskSpec>(this.file('spec.json'));
  }

  writeSpec(spec: TaskSpec): void {
    writeAtomically(this.file('spec.json'), JSON.stringify(spec), false);
  }

  readSupervisor(): ProcessIdentity | undefined {
    return readJson<ProcessIdentity>(this.file('supervisor.json'));
  }

  /** False when another supervisor was here first. */
  claim(identity: ProcessIdentity): boolean {
    const draft = this.file(`supervisor.json.${identity.pid}`);
    writeFileSync(draft, JSON.stringify(identity), { mode: 0o600 });
    try {
      linkSync(draft, this.file('supervisor.json'));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    } finally {
      unlinkSync(draft);
    }
  }

  readStates(): StateEntry[] {
    return readJson<StateEntry[]>(this.file('state.json')) ?? [];
  }

  /** Appends a status; an end status is on disk when this returns. */
  addState(entry: StateEntry): void {
    const states = [...this.readStates(), entry];
    writeAtomically(this.file('state.json'), JSON.stringify(states), isEnded(entry.state));
    writeFileSync(this.#news, '');
  }

  get newsFile(): string {
    return this.#news;
  }

  /** How long the task is given between SIGTERM and SIGKILL; undefined: nobody asked for its end. */
  readKill(): { readonly graceSecs: number } | undefined {
    return readJson(this.file('kill.json'));
  }

  writeKill(graceSecs: number): void {
    writeAtomically(this.file('kill.json'), JSON.stringify({ graceSecs }), false);
  }

  addRun(entry: RunEntry): void {
    appendFileSync(this.file('runs.jsonl'), `${JSON.stringify(entry)}\n`, { mode: 0o600 });
  }

  readRuns(): RunEntry[] {
    const text = readText(this.file('runs.jsonl')) ?? '';
    return text.split('\n').flatMap((line) => {
      try {
        return [JSON.parse(line) as RunEntry];
      } catch {
        return []; // a line cut short by a crash, or the empty one at the end
      }
    });
  }

  get isTold(): boolean {
    return readText(this.file('told')) !== undefined;
  }

  markTold(): void {
    writeFileSync(this.file('told'), '', { mode: 0o600 });
  }
}

function writeAtomically(path: string, text: string, flush: boolean): void {
  const draft = `${path}.${process.pid}.new`;
  const fd = openSync(draft, 'w', 0o600);
  try {
    writeSync(fd, text);
    if (flush) fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(draft, path);
  if (flush) flushDirectory(join(path, '..'));
}

function flushDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A file that a power failure left empty or torn counts as absent: its task did not survive either. */
function readJson<T>(path: string): T | undefined {
  const text = readText(path);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as T);
  } catch {
    return undefined;
  }
}
