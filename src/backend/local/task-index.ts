/** The tasks a LocalBackend knows: read from the state directory at start, one entry each. */
import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DriverLog } from '../supervised.js';
import type { ProcessIdentity } from './identity.js';
import { isEnded, taskHash, TaskDir, type StateEntry, type TaskSpec } from './task-dir.js';

export interface TaskEntry {
  readonly taskId: string;
  readonly dir: TaskDir;
  /** What its spec says of it. */
  readonly resources: TaskSpec['resources'];
  readonly host: string | undefined;
  readonly ports: readonly number[];
  /** As many of its states have been handed to the delivery. */
  told: number;
  /** Its end status, once seen. */
  end?: StateEntry;
  /** The core has acknowledged the end status. */
  acknowledged: boolean;
  supervisor?: ProcessIdentity;
  /** A supervisor that this driver started has not ended yet. */
  hasChild: boolean;
}

export class TaskIndex {
  readonly #byId = new Map<string, TaskEntry>();
  readonly #byHash = new Map<string, TaskEntry>();
  readonly #live = new Set<TaskEntry>();

  constructor(
    private readonly stateDir: string,
    private readonly log: DriverLog,
  ) {}

  /** Reads every task directory; one whose spec was never completed is removed. */
  async load(): Promise<void> {
    for (const hash of readdirSync(join(this.stateDir, 'tasks'))) {
      const dir = new TaskDir(this.stateDir, hash);
      try {
        const spec = dir.readSpec();
        if (spec === undefined) {
          await this.#removeDir(dir);
          continue;
        }
        const entry = this.#put(dir, spec);
        entry.acknowledged = dir.isTold;
        this.see(entry, dir.readStates());
      } catch (error) {
        this.log.error({ err: error, dir: dir.path }, 'unreadable task directory left alone');
      }
    }
  }

  add(spec: TaskSpec): TaskEntry {
    return this.#put(new TaskDir(this.stateDir, taskHash(spec.taskId)), spec);
  }

  get(taskId: string): TaskEntry | undefined {
    return this.#byId.get(taskId);
  }

  byHash(hash: string): TaskEntry | undefined {
    return this.#byHash.get(hash);
  }

  all(): TaskEntry[] {
    return [...this.#byId.values()];
  }

  live(): TaskEntry[] {
    return [...this.#live];
  }

  /** Takes note of an end status among the states. */
  see(entry: TaskEntry, states: readonly StateEntry[]): void {
    const last = states[states.length - 1];
    if (last === undefined || !isEnded(last.state)) return;
    entry.end = last;
    this.#live.delete(entry);
  }

  /** Removes what ended, was acknowledged, and is too old or one too many, oldest first. */
  async prune(nowMs: number, keep: number, keepMs: number): Promise<void> {
    const ended = this.all()
      .filter((entry) => entry.acknowledged && entry.end !== undefined)
      .sort((a, b) => (b.end?.atMs ?? 0) - (a.end?.atMs ?? 0));
    for (const [at, entry] of ended.entries()) {
      if (at < keep && nowMs - (entry.end?.atMs ?? 0) < keepMs) continue;
      await this.remove(entry);
    }
  }

  async remove(entry: TaskEntry): Promise<void> {
    this.#byId.delete(entry.taskId);
    this.#byHash.delete(entry.dir.hash);
    this.#live.delete(entry);
    await this.#removeDir(entry.dir);
  }

  #put(dir: TaskDir, { taskId, resources, host, assignedPorts: ports = [] }: TaskSpec): TaskEntry {
    const entry: TaskEntry = {
      ...{ taskId, dir, resources, host, ports },
      told: 0,
      acknowledged: false,
      hasChild: false,
    };
    this.#byId.set(taskId, entry);
    this.#byHash.set(dir.hash, entry);
    this.#live.add(entry);
    return entry;
  }

  async #removeDir(dir: TaskDir): Promise<void> {
    try {
      await rm(dir.path, { recursive: true, force: true });
      await rm(dir.newsFile, { force: true });
    } catch (error) {
      this.log.warn({ err: error, dir: dir.path }, 'cannot remove a task directory');
    }
  }
}
