/** A local backend on a state directory of its own, with everything it starts gone at the end. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { KnownTask, SubmitRequest } from '../../../src/backend/backend.js';
import { findByHome, killAll, signal } from '../../../src/backend/local/leftovers.js';
import { LocalBackend } from '../../../src/backend/local/local-backend.js';
import type { LocalBackendOptions } from '../../../src/backend/local/options.js';
import { TaskDir, taskHash, type RunEntry } from '../../../src/backend/local/task-dir.js';
import { systemClock, systemTimers } from '../../../src/time.js';
import type { Compiled } from './compiled.js';
import { RecordingSink } from './recording-sink.js';
import { aConfig, aSubmit, aTarget } from './requests.js';
import { until } from './wait.js';

export type ProcessFields = Record<string, unknown> & { name: string; cmdline: string };

const POLL_MS = 97;

export class LocalWorld {
  readonly stateDir = mkdtempSync(join(tmpdir(), 'aurora-shim-local-'));
  sink = new RecordingSink();
  backend: LocalBackend;
  /** How often a backend has looked at all its tasks, or will as soon as it gets to it. */
  polls = 0;

  constructor(
    private readonly compiled: Compiled,
    private readonly options: Partial<LocalBackendOptions> = {},
  ) {
    chmodSync(this.stateDir, 0o711);
    this.backend = this.#make();
  }

  /** Waits for two looks at all tasks; what the backend has to say it has said then. */
  async pass(): Promise<void> {
    const target = this.polls + 3;
    await until('two polls', () => this.polls >= target);
  }

  async start(known: readonly KnownTask[] = []): Promise<void> {
    await this.backend.start(this.sink, known);
  }

  /** The scheduler ends and another one starts on the same directory. */
  async restart(known: readonly KnownTask[] = [], options: Partial<LocalBackendOptions> = {}) {
    await this.backend.stop();
    this.sink = new RecordingSink();
    this.backend = this.#make(options);
    await this.start(known);
  }

  /** Submits a task of these processes; `task` and `top` are further fields of the document. */
  async run(
    taskId: string,
    processes: readonly ProcessFields[],
    task: Record<string, unknown> = {},
    top: Record<string, unknown> = {},
    request: Partial<SubmitRequest> = {},
  ): Promise<void> {
    await this.backend.submit(
      aSubmit(taskId, { config: configOf(processes, task, top), ...request }),
    );
  }

  dir(taskId: string): TaskDir {
    return new TaskDir(this.stateDir, taskHash(taskId));
  }

  /** The end status, once the core has been told. */
  async end(taskId: string, limitMs?: number): Promise<{ state: string; message?: string }> {
    await until(`the end of ${taskId}`, () => this.sink.ended(taskId), limitMs);
    const { state, message } = this.sink.last(taskId) as { state: string; message?: string };
    return { state, ...(message !== undefined && { message }) };
  }

  runs(taskId: string, process?: string): RunEntry[] {
    const runs = this.dir(taskId).readRuns();
    return process === undefined ? runs : runs.filter((entry) => entry.process === process);
  }

  /** Results of a process' runs in their order, e.g. `FAILED 1`, `KILLED -15`. */
  results(taskId: string, process: string): string[] {
    return this.runs(taskId, process).flatMap((entry) =>
      entry.type === 'end' ? [`${entry.result} ${entry.code ?? entry.error}`] : [],
    );
  }

  startsOf(taskId: string, process: string): number {
    return this.runs(taskId, process).filter(({ type }) => type === 'start').length;
  }

  /** Pid of the latest run, once it was started. */
  pidOf(taskId: string, process: string): Promise<number> {
    return until(`a run of ${process}`, () => {
      const last = this.runs(taskId, process).pop();
      return last?.type === 'start' ? last.pid : undefined;
    });
  }

  async supervisorPid(taskId: string): Promise<number> {
    return (await until('a supervisor', () => this.dir(taskId).readSupervisor())).pid;
  }

  read(taskId: string, path: string): string {
    return readFileSync(join(this.dir(taskId).sandbox, path), 'utf8');
  }

  log(taskId: string, process: string, name = 'stdout', run = 0): string {
    return this.read(taskId, `.logs/${process}/${run}/${name}`);
  }

  /** The supervisor's own stdout or stderr, where loggers `console` and `both` write. */
  own(taskId: string, name: 'stdout' | 'stderr'): string {
    return readFileSync(this.dir(taskId).file(name), 'utf8');
  }

  /** Runs a command in the sandbox, from outside, and returns its output. */
  async exec(taskId: string, command: string): Promise<string> {
    const cwd = this.dir(taskId).sandbox;
    return (await promisify(execFile)('/bin/sh', ['-c', command], { cwd })).stdout;
  }

  /** Detaches, kills what still runs, removes the directory, and says what was still running. */
  async close(): Promise<void> {
    await this.backend.stop();
    for (const hash of readdirSync(join(this.stateDir, 'tasks'))) {
      const dir = new TaskDir(this.stateDir, hash);
      const supervisor = dir.readSupervisor();
      if (supervisor !== undefined && commandOf(supervisor.pid).includes(hash)) {
        signal(supervisor.pid, 'SIGKILL');
        await until('the supervisor is gone', () => !commandOf(supervisor.pid).includes(hash));
      }
      const left = killAll(() => findByHome(dir.sandbox));
      if (left > 0) throw new Error(`${left} processes of ${hash} cannot be killed`);
    }
    rmSync(this.stateDir, { recursive: true, force: true });
  }

  #make(options: Partial<LocalBackendOptions> = {}): LocalBackend {
    return new LocalBackend({
      stateDir: this.stateDir,
      clock: systemClock(() => performance.now() / 1000),
      timers: {
        set: (delayMs, fire) => {
          if (delayMs === POLL_MS) this.polls++;
          return systemTimers.set(delayMs, fire);
        },
      },
      supervisorPath: this.compiled.supervisorPath,
      hostname: 'localhost',
      nosetuid: true,
      pollMs: POLL_MS,
      ...this.options,
      ...options,
    });
  }
}

export function configOf(
  processes: readonly ProcessFields[],
  task: Record<string, unknown> = {},
  top: Record<string, unknown> = {},
) {
  const data = JSON.stringify({
    task: { processes, resources: { cpu: 0.1, ram: 16777216, disk: 16777216 }, ...task },
    ...top,
  });
  return aConfig({ executorConfig: { name: 'AuroraExecutor', data } });
}

export function withPorts(ports: Record<string, number>): Partial<SubmitRequest> {
  return { target: aTarget({ ports }) };
}

export function lives(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}
