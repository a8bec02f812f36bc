/**
 * Sends committed commands to the backend, in order for each task, and strikes them off when the backend
 * has taken them; at start, what is left over is sent again (design D8, tasks.md §11.2 rule 1).
 */
import type { ClusterBackend, SubmitRequest } from '../backend/backend.js';
import { LaunchRefusedError } from '../backend/backend.js';
import { TransientError } from '../core/errors.js';
import type { Log } from '../observe/log.js';
import type { BackendCommand } from '../store/commands.js';
import { deleteCommands } from '../store/commands.js';
import type { Database } from '../store/database.js';
import type { Timers } from '../time.js';

/** A submit that failed so often is a launch error: after 15 s. */
const LAUNCH_TRIES = 5;
/** SIGTERM to SIGKILL, seconds (tasks.md §6, stop sequence). */
export const KILL_GRACE_SECS = 60;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

export interface CommandRunnerOptions {
  readonly db: Database;
  readonly backend: ClusterBackend;
  readonly timers: Timers;
  readonly log: Log;
  /**
   * A task that was placed will not be launched. Resolves when that is dealt with; while it rejects, it is
   * told again.
   */
  readonly launchFailed: (taskId: string) => Promise<void>;
}

export class CommandRunner {
  private readonly lastOfTask = new Map<string, Promise<void>>();
  private taken: string[] = [];
  private striking = false;
  private waiting = 0;
  private stopped = false;
  private waiters: (() => void)[] = [];

  constructor(private readonly options: CommandRunnerOptions) {}

  /**
   * Takes commands that are committed. `requests` has what a submit says, by task id; a submit without
   * one is of a task that has ended meanwhile and is only struck off.
   */
  run(commands: readonly BackendCommand[], requests: ReadonlyMap<string, SubmitRequest>): void {
    for (const command of commands) {
      const before = this.lastOfTask.get(command.taskId) ?? Promise.resolve();
      const run = before.then(() => this.execute(command, requests.get(command.taskId)));
      this.lastOfTask.set(command.taskId, run);
      void run.then(() => {
        if (this.lastOfTask.get(command.taskId) === run) this.lastOfTask.delete(command.taskId);
        this.settle();
      });
    }
  }

  /** Repeats a kill that the backend was told before (tasks.md §4, kill retry). */
  async killAgain(taskId: string): Promise<void> {
    const { backend, db } = this.options;
    if (db.mayAct()) await backend.kill(taskId, KILL_GRACE_SECS);
  }

  /** Resolves when every command was taken and struck off, retries that wait for a timer aside. */
  idle(): Promise<void> {
    if (!this.busy) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  get busy(): boolean {
    return this.striking || this.lastOfTask.size > this.waiting;
  }

  /** Sends nothing more; what is left is sent at the next start. */
  stop(): void {
    this.stopped = true;
  }

  private async execute(
    command: BackendCommand,
    request: SubmitRequest | undefined,
  ): Promise<void> {
    const { db, log } = this.options;
    const launch = { tries: 0, isHopeless: false };
    for (let delay = FIRST_RETRY_MS; !this.stopped; delay = Math.min(2 * delay, LAST_RETRY_MS)) {
      try {
        if (!db.mayAct()) throw new TransientError('this scheduler does not lead');
        if (command.kind === 'kill')
          await this.options.backend.kill(command.taskId, KILL_GRACE_SECS);
        else if (request !== undefined) await this.submit(request, launch);
        this.taken.push(command.id);
        void this.strike();
        return;
      } catch (error) {
        log.warn({ err: error, ...command }, 'the backend did not take a command; trying again');
        await this.pause(delay);
      }
    }
  }

  /** Resolves when the backend has taken it, or never will and that is written; rejects to be called again. */
  private async submit(
    request: SubmitRequest,
    launch: { tries: number; isHopeless: boolean },
  ): Promise<void> {
    const { backend, launchFailed, log } = this.options;
    const { taskId } = request;
    if (!launch.isHopeless) {
      try {
        await backend.submit(request);
        return;
      } catch (error) {
        launch.tries += 1;
        launch.isHopeless = error instanceof LaunchRefusedError || launch.tries >= LAUNCH_TRIES;
        if (!launch.isHopeless || this.stopped) throw error;
        log.error({ err: error, taskId, tries: launch.tries }, 'a task cannot be launched');
      }
    }
    await launchFailed(taskId);
  }

  private pause(delayMs: number): Promise<void> {
    this.waiting += 1;
    this.settle();
    return new Promise((resolve) =>
      this.options.timers.set(delayMs, () => {
        this.waiting -= 1;
        resolve();
      }),
    );
  }

  /** Deletes the rows of taken commands, as many at once as there are. */
  private async strike(): Promise<void> {
    if (this.striking) return;
    this.striking = true;
    try {
      while (this.taken.length > 0) {
        const ids = this.taken;
        this.taken = [];
        try {
          await this.options.db.write({}, (tx) => deleteCommands(tx, ids));
        } catch (error) {
          if (this.stopped) return;
          // They would be sent again at the next start, which does no harm; but try to keep the table short.
          this.options.log.warn({ err: error }, 'commands could not be struck off yet');
          this.taken.push(...ids);
          this.options.timers.set(FIRST_RETRY_MS, () => void this.strike());
          return;
        }
      }
    } finally {
      this.striking = false;
      this.settle();
    }
  }

  private settle(): void {
    if (this.busy) return;
    const waiters = this.waiters;
    this.waiters = [];
    for (const wake of waiters) wake();
  }
}
