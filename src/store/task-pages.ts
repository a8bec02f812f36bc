/**
 * Tasks with their events as clients read them again and again (rpc.md §7, §10): which tasks match, in
 * which order and in which version is asked of Postgres each time; what a version of a task looks like is
 * read once and kept.
 *
 * A version is the row's xmin, the transaction that wrote it. Whatever changes about a task, its events
 * included, is written in a transaction that also writes the task's row (`task-writes.ts`), so the same
 * version is the same task; nothing else decides whether what is kept is still true. The same version is
 * the same object, with which readers may keep what they make of it.
 */
import { sql } from 'kysely';
import type { ScheduleStatus } from '../core/model/statuses.js';
import type { TaskEvent } from '../core/model/task.js';
import { appendEvent } from '../core/task/transition.js';
import { Turns } from '../time.js';
import type { Queries } from './database.js';
import type { StoredTask, TaskFilter } from './task-queries.js';
import { taskConditions, pageOf, STORED_TASK_COLUMNS, storedTask } from './task-queries.js';
import type { StoredTaskRow } from './task-queries.js';

/** Tasks read by one statement: so many rows are decoded without a pause. */
const SLICE = 2_000;

/**
 * What is kept, by an estimate of its size in memory with all that readers make of it: 128 MiB, some 25,000
 * tasks. Tasks that were not asked for since the last round are forgotten first.
 */
const MOST_KEPT_BYTES = 128 * 1024 * 1024;
/** The record and its encodings in both protocols, with and without the config's data. */
const TASK_BYTES = 2_000;
const EVENT_BYTES = 500;
/** A character of a message: in the record and in up to four encodings. */
const CHARACTER_BYTES = 5;
/** A message longer than this is not looked for among those that are known. */
const SHORT_TEXT = 64;
const MOST_TEXTS = 1_000;

interface Kept {
  readonly version: string;
  readonly task: StoredTask;
  /** Of the first event, ms with a fraction: what the answer is ordered by. */
  readonly firstMs: number;
  readonly bytes: number;
  /** Asked for since eviction last came by. */
  used: boolean;
}

interface VersionRow {
  task_id: string;
  version: string;
}

interface TaskRow extends StoredTaskRow, VersionRow {
  /** `[ms, status, message, scheduler]`, oldest first. */
  events: readonly [number, ScheduleStatus, string | null, string | null][] | null;
}

const VERSION = sql.raw('t.task_id, t.xmin::text AS version');

export interface TaskPagesOptions {
  /** By the estimate above; 0 keeps nothing. */
  readonly mostBytes?: number;
}

export class TaskPages {
  /** Eviction goes through it in the order of entry. */
  private readonly kept = new Map<string, Kept>();
  private bytes = 0;
  private readonly mostBytes: number;
  /** Statuses, messages and hosts that many events share, so that they are not kept a million times. */
  private readonly texts = new Map<string, string>();

  constructor(options: TaskPagesOptions = {}) {
    this.mostBytes = options.mostBytes ?? MOST_KEPT_BYTES;
  }

  /** Tasks kept now. */
  get size(): number {
    return this.kept.size;
  }

  /** An estimate, as `mostBytes` is. */
  get keptBytes(): number {
    return this.bytes;
  }

  /**
   * The filter's page of tasks in the order of `findStoredTasks`: one statement, and one for each 2,000 of
   * them that are not kept in their version. The statements must see the same state.
   */
  async find(queries: Queries, filter: TaskFilter): Promise<readonly StoredTask[]> {
    const turns = new Turns();
    const { offset = 0, limit = 0 } = filter;
    const isPage = offset > 0 || limit > 0;
    const rows = isPage
      ? await pageOf<VersionRow>(queries, VERSION, filter)
      : await versionsOf(queries, filter);
    const found: (Kept | undefined)[] = [];
    const missing: string[] = [];
    for (const row of rows) {
      const kept = this.kept.get(row.task_id);
      if (kept?.version === row.version) {
        kept.used = true;
        found.push(kept);
      } else {
        missing.push(row.task_id);
        found.push(undefined);
      }
    }
    await turns.pause();
    const read = await this.read(queries, missing, turns);
    const all: Kept[] = [];
    let next = 0;
    for (const kept of found) {
      const task = kept ?? read.get(missing[next++] ?? '');
      if (task !== undefined) all.push(task);
    }
    // Postgres orders pages, because it must know the order to cut them.
    if (!isPage) all.sort(byFirstEvent);
    await turns.pause();
    return all.map(({ task }) => task);
  }

  private async read(
    queries: Queries,
    taskIds: readonly string[],
    turns: Turns,
  ): Promise<ReadonlyMap<string, Kept>> {
    const read = new Map<string, Kept>();
    for (let from = 0; from < taskIds.length; from += SLICE) {
      const rows = await queries.run<TaskRow>(sql`
        SELECT ${VERSION}, ${STORED_TASK_COLUMNS},
               (SELECT json_agg(json_build_array(
                         (extract(epoch FROM e.happened_at) * 1000)::float8, e.status, e.message,
                         e.scheduler) ORDER BY e.id)
                  FROM task_events e WHERE e.task_id = t.task_id) AS events
          FROM tasks t WHERE t.task_id = ANY (${taskIds.slice(from, from + SLICE)}::text[])`);
      for (const row of rows) {
        const kept = this.toKept(row);
        read.set(row.task_id, kept);
        this.keep(row.task_id, kept);
        if (turns.isDue()) await turns.pause();
      }
    }
    return read;
  }

  private toKept(row: TaskRow): Kept {
    let events: TaskEvent[] = [];
    let bytes = TASK_BYTES;
    for (const [ms, status, message, scheduler] of row.events ?? []) {
      const event: TaskEvent = {
        timestampMs: Math.floor(ms),
        status: this.shared(status),
        ...(message === null ? {} : { message: this.shared(message) }),
        ...(scheduler === null ? {} : { scheduler: this.shared(scheduler) }),
      };
      // Only these are ever put together.
      if (status === 'PARTITIONED') events = appendEvent(events, event);
      else events.push(event);
      bytes += EVENT_BYTES + CHARACTER_BYTES * ((message?.length ?? 0) + (scheduler?.length ?? 0));
    }
    return {
      version: row.version,
      task: storedTask(row, events),
      firstMs: row.events?.[0]?.[0] ?? 0,
      bytes,
      used: false,
    };
  }

  private shared<T extends string>(text: T): T {
    if (text.length > SHORT_TEXT) return text;
    const known = this.texts.get(text);
    if (known !== undefined) return known as T;
    if (this.texts.size >= MOST_TEXTS) this.texts.clear();
    this.texts.set(text, text);
    return text;
  }

  private keep(taskId: string, kept: Kept): void {
    if (kept.bytes > this.mostBytes) return;
    this.forget(taskId);
    this.kept.set(taskId, kept);
    this.bytes += kept.bytes;
    while (this.bytes > this.mostBytes) {
      const [oldestId, oldest] = this.kept.entries().next().value as [string, Kept];
      this.forget(oldestId);
      if (!oldest.used) continue;
      oldest.used = false;
      this.kept.set(oldestId, oldest);
      this.bytes += oldest.bytes;
    }
  }

  private forget(taskId: string): void {
    this.bytes -= this.kept.get(taskId)?.bytes ?? 0;
    this.kept.delete(taskId);
  }
}

/** All that match, in no order: as one text, which costs a third of as many rows. Ids have no blanks. */
async function versionsOf(queries: Queries, filter: TaskFilter): Promise<VersionRow[]> {
  const [row] = await queries.run<{ versions: string | null }>(sql`
    SELECT string_agg(t.task_id || ' ' || t.xmin::text, ',') AS versions
      FROM tasks t WHERE ${taskConditions(filter)}`);
  const texts = row?.versions?.split(',') ?? [];
  return texts.map((text) => {
    const end = text.indexOf(' ');
    return { task_id: text.slice(0, end), version: text.slice(end + 1) };
  });
}

/** By the time of the first event and then by id, whose characters are all ASCII. */
function byFirstEvent(a: Kept, b: Kept): number {
  return a.firstMs - b.firstMs || (a.task.taskId < b.task.taskId ? -1 : 1);
}
