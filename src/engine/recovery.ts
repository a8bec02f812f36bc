/**
 * Recovery from a backup (rpc.md §12, §12.1): staged beside the live state, looked at and edited there, then
 * put in its place as a whole. What this process remembers fits nothing afterwards, so that it must end.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { RefusedError } from '../core/errors.js';
import type { TaskConfig } from '../core/model/config.js';
import type { Log } from '../observe/log.js';
import { DamagedBackupError, readBackupFile } from '../store/backup-file.js';
import type { Database, WriteTransaction } from '../store/database.js';
import {
  deleteStagedTasks,
  dropStaged,
  findStaged,
  loadStagedConfigs,
  replaceState,
  stage,
  STAGING,
} from '../store/recovery.js';
import type { StoredTask, TaskFilter } from '../store/task-queries.js';
import { findStoredTasks } from '../store/task-queries.js';
import { JobLanes } from './job-lane.js';

export interface RecoveryOptions {
  readonly db: Database;
  readonly log: Log;
  /** Folder of the backups. */
  readonly dir: string;
  /** Called once, when the state was replaced: the process must end, and be started again. */
  readonly onReplaced: () => void;
}

export interface StagedTask {
  readonly task: StoredTask;
  readonly config: TaskConfig;
}

/** How long one statement may take, ms: a recovery checks or replaces all there is. */
const STATEMENT_MS = 900_000;
/** Calls take turns in one lane: none sees the tables of another come or go. */
const TURNS = 'recovery';

export class Recovery {
  private readonly turns = new JobLanes();

  constructor(private readonly options: RecoveryOptions) {}

  get busy(): boolean {
    return this.turns.busy > 0;
  }

  /** Resolves when no call is under way. */
  idle(): Promise<void> {
    return this.turns.idle();
  }

  /**
   * Reads a backup to its end first, then stages it in one transaction.
   *
   * @throws RefusedError ERROR for a name that is no file of the folder, a file that is damaged, of a newer
   *   release or against the rules of a table, and while a backup is staged; nothing is staged then
   */
  stage(backupId: string, user: string): Promise<void> {
    return this.turns.enqueue(TURNS, async () => {
      const { db, log } = this.options;
      const path = await this.pathOf(backupId);
      const staged = await db.read((tx) => findStaged(tx));
      if (staged !== undefined) {
        throw refused(`backup ${staged} is staged already: commit or unload it first`);
      }
      try {
        for await (const _ of readBackupFile(path));
        await this.write((tx) => stage(tx, backupId, user, readBackupFile(path)));
      } catch (error) {
        if (error instanceof DamagedBackupError) {
          throw refused(`backup ${backupId} ${error.message}`, error);
        }
        throw error;
      }
      log.warn({ backup: backupId, user }, 'a backup was staged');
    });
  }

  /** @throws RefusedError ERROR when nothing is staged */
  find(filter: TaskFilter): Promise<StagedTask[]> {
    return this.turns.enqueue(TURNS, () =>
      this.options.db.snapshot(async (tx) => {
        requireStaged(await findStaged(tx));
        const tasks = await findStoredTasks(tx, whole(filter), STAGING);
        const configs = await loadStagedConfigs(
          tx,
          tasks.map((task) => task.configHash),
        );
        // A foreign key of the staged tables has checked that it is there.
        return tasks.map((task) => ({ task, config: configs.get(task.configHash) as TaskConfig }));
      }),
    );
  }

  /**
   * Removes tasks from what is staged; nothing happens to live ones.
   *
   * @returns how many
   * @throws RefusedError ERROR when nothing is staged
   */
  deleteTasks(filter: TaskFilter): Promise<number> {
    return this.turns.enqueue(TURNS, () =>
      this.write(async (tx) => {
        requireStaged(await findStaged(tx));
        return deleteStagedTasks(tx, whole(filter));
      }),
    );
  }

  /**
   * Replaces all state by what is staged and raises the epoch. From the commit on this process neither acts
   * nor writes, and `onReplaced` ends it.
   *
   * @throws RefusedError ERROR when nothing is staged
   */
  commit(user: string): Promise<void> {
    const { db, log, onReplaced } = this.options;
    return this.turns.enqueue(TURNS, async () => {
      const backup = await this.write(async (tx) => {
        const staged = requireStaged(await findStaged(tx));
        await replaceState(tx);
        tx.onCommit(() => db.retire());
        return staged;
      });
      log.warn({ backup, user }, 'the state was replaced by a backup; this process ends');
      onReplaced();
    });
  }

  /** Drops what is staged, if anything is. */
  unload(): Promise<void> {
    return this.turns.enqueue(TURNS, () => this.write((tx) => dropStaged(tx)));
  }

  private write<T>(work: (tx: WriteTransaction) => Promise<T>): Promise<T> {
    return this.options.db.write({ statementMs: STATEMENT_MS }, work);
  }

  private async pathOf(backupId: string): Promise<string> {
    if (/[/\\\0]/.test(backupId) || /^\.*$/.test(backupId)) {
      throw refused(`backupId must be the name of a file in --backup_dir, it is "${backupId}"`);
    }
    const path = join(this.options.dir, backupId);
    const found = await stat(path).catch((error: unknown) => {
      const { code, message } = error as NodeJS.ErrnoException;
      const why = code === 'ENOENT' ? 'is not in --backup_dir' : `cannot be read: ${message}`;
      throw refused(`backup ${backupId} ${why}`, error);
    });
    if (!found.isFile()) throw refused(`backup ${backupId} is no file`);
    return path;
  }
}

/** Offset and limit say nothing here (rpc.md §7). */
function whole({ offset: _offset, limit: _limit, ...filter }: TaskFilter): TaskFilter {
  return filter;
}

function requireStaged(backupId: string | undefined): string {
  if (backupId === undefined) throw refused('no backup is staged');
  return backupId;
}

function refused(message: string, cause?: unknown): RefusedError {
  return Object.assign(new RefusedError('ERROR', message), { cause });
}
