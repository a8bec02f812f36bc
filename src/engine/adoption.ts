/**
 * The first step of a start (tasks.md §11.3): the engine learns which tasks are active. Slice by slice,
 * because there may be a hundred thousand of them, and whoever asks how we are must be answered meanwhile.
 */
import type { KnownTask } from '../backend/backend.js';
import type { BackendCommand } from '../store/commands.js';
import { findCommands } from '../store/commands.js';
import type { ConfigStore } from '../store/configs.js';
import type { Database } from '../store/database.js';
import type { TaskRecord } from '../store/tasks.js';
import { allActiveTasks } from '../store/tasks.js';
import { Turns } from '../time.js';
import type { Reports } from './reports.js';
import type { Scheduling } from './scheduling.js';
import type { TaskSnapshot } from './tasks.js';
import { snapshotOfRecord } from './tasks.js';

export interface AdoptionOptions {
  readonly db: Database;
  readonly configs: ConfigStore;
  readonly reports: Pick<Reports, 'remember'>;
  readonly scheduling: Pick<Scheduling, 'adopt'>;
}

/** What the later steps need to know of the tasks; nothing of it is kept when they are done. */
export interface Adopted {
  /** What the backend is told. */
  readonly known: readonly KnownTask[];
  /** Commands that were committed and not taken before the last end. */
  readonly left: readonly BackendCommand[];
  /** Tasks that may need a timer: those that are on their way somewhere. */
  readonly moving: readonly TaskSnapshot[];
  /** Ids of the others. */
  readonly running: Set<string>;
}

export function adoptTasks(options: AdoptionOptions): Promise<Adopted> {
  const { db, configs, reports, scheduling } = options;
  return db.snapshot(async (tx) => {
    const left = await findCommands(tx);
    const unsubmitted = new Set(
      left.filter(({ kind }) => kind === 'submit').map(({ taskId }) => taskId),
    );
    const known: KnownTask[] = [];
    const moving: TaskSnapshot[] = [];
    const running = new Set<string>();
    const turns = new Turns();
    for await (const records of allActiveTasks(tx)) {
      const configOf = await configs.load(
        tx,
        records.map((record) => record.configHash),
      );
      for (const record of records) {
        reports.remember(record.taskId, record.job);
        known.push(knownTask(record, !unsubmitted.has(record.taskId)));
        if (record.status === 'RUNNING') running.add(record.taskId);
        else moving.push(snapshotOfRecord(record));
        scheduling.adopt(record, configOf(record.configHash).config);
        if (turns.isDue()) await turns.pause();
      }
    }
    return { known, left, moving, running };
  });
}

function knownTask(record: TaskRecord, submitted: boolean): KnownTask {
  return {
    taskId: record.taskId,
    status: record.status,
    submitted,
    ...(record.slaveHost === undefined ? {} : { host: record.slaveHost }),
    ...(record.slaveId === undefined ? {} : { agentId: record.slaveId }),
  };
}
