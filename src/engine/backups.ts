/**
 * Backups (operations.md §5.3): written while everything goes on, by a timer and on request, one at a time,
 * into a folder of which the oldest are deleted.
 */
import { access, constants, mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Log } from '../observe/log.js';
import type { Stats } from '../observe/stats.js';
import { backupText } from '../store/backup.js';
import { writeBackupFile } from '../store/backup-file.js';
import type { Database } from '../store/database.js';
import type { Clock, TimerHandle, Timers } from '../time.js';
import { JobLanes } from './job-lane.js';

export interface BackupSettings {
  /** `-backup_dir` */
  readonly dir: string;
  /** `-backup_interval` */
  readonly intervalMs: number;
  /** `-max_saved_backups` */
  readonly maxSaved: number;
  readonly clusterName: string;
}

export interface BackupsOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly stats: Stats;
  readonly log: Log;
  readonly settings: BackupSettings;
}

const PREFIX = 'scheduler-backup-';
/** Only these are ours to delete; operators may keep copies under other names. */
const BACKUP_NAME = /^scheduler-backup-\d{4}(-\d\d){4}$/;
/** What is being written. */
const DRAFT_PREFIX = 'temp_';
/** How long Postgres may take for one batch of rows, ms. */
const STATEMENT_MS = 300_000;
/** They take turns in one lane. */
const TURNS = 'backup';

/**
 * Makes the folder if it is missing.
 *
 * @throws Error for the operator when it cannot be made or written
 */
export async function prepareBackupDir(dir: string): Promise<void> {
  try {
    // Its parents are not ours to close to others.
    await mkdir(dirname(dir), { recursive: true });
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await access(dir, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Error(`--backup_dir=${dir} cannot be written: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** `scheduler-backup-yyyy-MM-dd-HH-mm`, UTC: two of the same minute have the same name. */
export function backupName(wallMs: number): string {
  return PREFIX + new Date(wallMs).toISOString().slice(0, 16).replace(/[T:]/g, '-');
}

export class Backups {
  private readonly turns = new JobLanes();
  private next: TimerHandle | undefined;
  private stopped = false;

  constructor(private readonly options: BackupsOptions) {
    for (const result of ['success', 'failed']) {
      options.stats.increment(`scheduler_backup_${result}`, 0);
    }
  }

  /** One is being written. */
  get busy(): boolean {
    return this.turns.busy > 0;
  }

  /** The first one comes after one interval. Drafts of a process that died are removed. */
  async start(): Promise<void> {
    const { dir } = this.options.settings;
    const names = await readdir(dir).catch(() => []);
    for (const name of names.filter((file) => file.startsWith(DRAFT_PREFIX + PREFIX))) {
      await rm(join(dir, name), { force: true }).catch(() => undefined);
    }
    this.arm();
  }

  /** Gives up one that is being written. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.next?.cancel();
    await this.turns.idle();
  }

  /**
   * Writes a backup and then deletes the oldest beyond the number to keep.
   *
   * @returns its name
   * @throws Error when it could not be written, which is counted; there is no part of it then
   */
  write(): Promise<string> {
    const { stats, log } = this.options;
    return this.turns.enqueue(TURNS, async () => {
      try {
        const name = await this.writeNow();
        stats.increment('scheduler_backup_success');
        log.info({ backup: name }, 'backup written');
        await this.deleteOldest();
        return name;
      } catch (error) {
        stats.increment('scheduler_backup_failed');
        log.error({ err: error }, 'a backup could not be written');
        throw error;
      }
    });
  }

  /**
   * Names of all files in the folder, drafts left out: any of them can be staged.
   *
   * @throws Error when the folder cannot be read
   */
  async list(): Promise<string[]> {
    const entries = await readdir(this.options.settings.dir, { withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory() && !entry.name.startsWith(DRAFT_PREFIX))
      .map((entry) => entry.name)
      .sort();
  }

  private arm(): void {
    const { timers, settings } = this.options;
    if (this.stopped) return;
    this.next = timers.set(settings.intervalMs, () => {
      this.arm();
      // Counted and logged; the next one may succeed.
      this.write().catch(() => undefined);
    });
  }

  private async writeNow(): Promise<string> {
    const { db, clock, settings } = this.options;
    const nowMs = clock.wallNow();
    const name = backupName(nowMs);
    const about = { createdAt: new Date(nowMs).toISOString(), cluster: settings.clusterName };
    const path = join(settings.dir, name);
    const draft = join(settings.dir, DRAFT_PREFIX + name);
    await db.snapshot(
      (tx) => writeBackupFile(path, draft, this.whileRunning(backupText(tx, about))),
      { statementMs: STATEMENT_MS },
    );
    return name;
  }

  private async *whileRunning(text: AsyncIterable<string>): AsyncGenerator<string> {
    for await (const lines of text) {
      if (this.stopped) throw new Error('this scheduler stops');
      yield lines;
    }
  }

  /** Names sort by time. That one cannot be deleted spoils no backup. */
  private async deleteOldest(): Promise<void> {
    const { settings, log } = this.options;
    try {
      const names = (await this.list()).filter((name) => BACKUP_NAME.test(name));
      for (const name of names.slice(0, Math.max(0, names.length - settings.maxSaved))) {
        await rm(join(settings.dir, name), { force: true });
      }
    } catch (error) {
      log.warn({ err: error }, 'old backups could not be deleted');
    }
  }
}
