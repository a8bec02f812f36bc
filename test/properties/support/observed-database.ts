/**
 * The store with two additions: everything its connections send is looked at, and a write transaction can
 * be slowed down, failed or killed at each point of its way. What is observed is what leaves for Postgres,
 * so a COMMIT is seen in the very turn in which the driver takes it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type pg from 'pg';
import type { Queries, WriteOptions, WriteTransaction } from '../../../src/store/database.js';
import { Database } from '../../../src/store/database.js';

/** One write transaction as its statements tell it. */
export interface Observed {
  readonly statements: string[];
  /** Rows that were read, and values by which they were asked for. */
  rows: number;
  values: number;
  /** The update whose row was locked. */
  updateId?: string;
  /** Reads the update's instructions: its updater is built anew, which reads all its instances. */
  rebuilds: boolean;
  /** Asks for the SLA, which is a question about the whole job. */
  checksSla: boolean;
  /** New tasks that replace no failed one, and kills with the audit text of an update. */
  inserted: number;
  readonly killedFor: string[];
}

export interface Observer {
  /** COMMIT is being sent. */
  committing(transaction: Observed): void;
  /** ROLLBACK is being sent. */
  rollingBack(transaction: Observed): void;
  /** A statement that follows from `cause` (see `attributed`) is being sent. */
  statement(cause: string, text: string): void;
}

export type Point = 'begin' | 'statement' | 'commit';

const causes = new AsyncLocalStorage<string>();

/** What `work` makes the store do, now or later, is known to come from `cause`. */
export function attributed<T>(cause: string, work: () => T): T {
  return causes.run(cause, work);
}

const UUID = /^[0-9a-f]{8}-[0-9a-f-]{27}$/;
const SLA_READS = /x\.status = 'RUNNING'|SELECT[^;]*FROM job_instance_update_events[^;]*message = /;
const INSERT_TASKS = /INSERT INTO tasks \(([^)]*)\)\s*SELECT \* FROM unnest\(([^)]*)\)/;
const KILL_TEXT = /^Killed for job update (.+)$/;

type Statement = string | { readonly text: string; readonly values?: readonly unknown[] };
type Send = (statement: Statement, values?: readonly unknown[]) => Promise<pg.QueryResult>;

export class ObservedDatabase extends Database {
  /** The process this store belongs to is dead: nothing of it is sent any more. */
  dead = false;
  /** Comes at each point of a write transaction, also of one that acts on a verdict; may throw. */
  at: ((point: Point, isGated: boolean) => void) | undefined;

  constructor(options: ConstructorParameters<typeof Database>[0], observer: Observer) {
    super(options);
    this['pool'].on('connect', (client) => observe(client, observer));
  }

  override async read<T>(work: (tx: Queries) => Promise<T>): Promise<T> {
    this.requireLife();
    return super.read(work);
  }

  override write<T>(options: WriteOptions, work: (tx: WriteTransaction) => Promise<T>): Promise<T> {
    const isGated = options.mayCommit !== undefined;
    return super.write(options, async (tx) => {
      this.pass('begin', isGated);
      const result = await work({
        ...tx,
        run: (statement) => {
          this.pass('statement', isGated);
          return tx.run(statement);
        },
      });
      this.pass('commit', isGated);
      return result;
    });
  }

  private pass(point: Point, isGated: boolean): void {
    this.requireLife();
    this.at?.(point, isGated);
    this.requireLife();
  }

  private requireLife(): void {
    if (this.dead) throw new Error('this process is dead');
  }
}

function observe(client: pg.PoolClient, observer: Observer): void {
  const send = client.query.bind(client) as Send;
  let open: Observed | undefined;
  const observed: Send = (statement, given) => {
    const text = typeof statement === 'string' ? statement : statement.text;
    const values = (typeof statement === 'string' ? given : statement.values) ?? [];
    if (text.startsWith('BEGIN; SELECT shim_begin_write')) {
      open = {
        statements: [],
        rows: 0,
        values: 0,
        rebuilds: false,
        checksSla: false,
        inserted: 0,
        killedFor: [],
      };
    }
    const cause = causes.getStore();
    if (cause !== undefined) observer.statement(cause, text);
    const transaction = open;
    if (transaction === undefined) return send(statement, given);
    if (text === 'COMMIT') observer.committing(transaction);
    if (text === 'ROLLBACK') observer.rollingBack(transaction);
    if (text === 'COMMIT' || text === 'ROLLBACK') open = undefined;
    note(transaction, text, values);
    return send(statement, given).then((result) => {
      if (isRead(text)) transaction.rows += result.rows.length;
      return result;
    });
  };
  client.query = observed as unknown as typeof client.query;
}

function note(transaction: Observed, text: string, values: readonly unknown[]): void {
  transaction.statements.push(text);
  if (isRead(text)) transaction.values += values.flat().length;
  if (/FROM job_updates\b.*FOR UPDATE/s.test(text)) {
    const id = values.find((value) => typeof value === 'string' && UUID.test(value));
    if (typeof id === 'string') transaction.updateId = id;
  }
  if (SLA_READS.test(text)) transaction.checksSla = true;
  if (text.includes('job_update_initial_configs')) transaction.rebuilds = true;
  for (const [column, ancestors] of insertedTasks(text, values)) {
    if (column === 'ancestor_id') {
      transaction.inserted += ancestors.filter((ancestor) => ancestor === null).length;
    }
  }
  for (const value of values.flat()) {
    const updateId = typeof value === 'string' && KILL_TEXT.exec(value)?.[1];
    if (updateId) transaction.killedFor.push(updateId);
  }
}

const isRead = (text: string): boolean => text.trimStart().startsWith('SELECT');

/** Values by column of the tasks that a statement inserts; a column is one parameter, an array. */
function insertedTasks(text: string, values: readonly unknown[]): [string, unknown[]][] {
  const [, columns = '', parameters = ''] = INSERT_TASKS.exec(text) ?? [];
  const numbers = [...parameters.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number));
  return columns
    .split(',')
    .map((column, n) => [column.trim(), (values[(numbers[n] ?? 0) - 1] ?? []) as unknown[]]);
}
