/**
 * Postgres behind one door: pooled connections, reads, and fenced write transactions.
 *
 * Every write transaction begins with the fence statement (operations.md §2.5), which refuses a deposed
 * scheduler and leaves a receipt. COMMIT is sent in the same event-loop turn in which the caller is asked
 * for the last time whether it may (updates.md G3); a COMMIT whose answer is lost is looked up by its
 * receipt and never repeated blindly (G11).
 */
import { randomUUID } from 'node:crypto';
import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type Compilable,
  type CompiledQuery,
  type RawBuilder,
} from 'kysely';
import pg from 'pg';
import { TransientError, UnknownOutcomeError } from '../core/errors.js';
import type { Log } from '../observe/log.js';
import type { Clock } from '../time.js';
import { explainMissing, unreachable } from './migrate.js';
import type { Schema } from './schema.js';

/** Builds queries; never runs one. */
export const query = new Kysely<Schema>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

type Runnable<O> = Compilable<O> | RawBuilder<O>;

/** A place to run statements: a connection, inside a transaction or not. */
export interface Queries {
  /** Runs one statement and returns its rows. */
  run<O>(statement: Runnable<O>): Promise<O[]>;
}

export interface WriteTransaction extends Queries {
  /** Brings memory up to date right after the commit, before anybody is told; must not throw. */
  onCommit(action: () => void): void;
  /** Tells others after the commit, in the order given; must not throw. */
  afterCommit(action: () => void): void;
}

/** For work that takes longer than what clients wait for (operations.md §2.5). */
export interface TimeLimits {
  /** How long one statement may take, ms; the session's limit unless given. */
  readonly statementMs?: number;
}

export interface WriteOptions extends TimeLimits {
  /**
   * Asked in the event-loop turn in which COMMIT would be sent; false rolls back and makes `write` throw
   * CommitRefusedError.
   */
  readonly mayCommit?: () => boolean;
  /** How long the server lets this transaction idle before it cuts it off, ms. */
  readonly idleTimeoutMs?: number;
}

/** `mayCommit` said no; nothing was written. */
export class CommitRefusedError extends Error {
  override readonly name = 'CommitRefusedError';
}

/** Another scheduler has taken over; nothing was written and nothing more can be. */
export class FencedError extends TransientError {}

export interface DatabaseOptions {
  readonly url: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Connections at most. */
  readonly poolSize?: number;
  /** Marks this process's sessions in pg_stat_activity. */
  readonly holder: string;
  /** How long a statement or COMMIT may stay unanswered before its connection is given up, ms. */
  readonly answerMs?: number;
  /** How long the outcome of a COMMIT is still looked for once the end has begun (`endWaiting`), ms. */
  readonly outcomeMs?: number;
  /**
   * Whether this process may still act under its epoch, as far as it knows (the lease's deadline,
   * operations.md §2.5). One comparison, asked before every write; by default always.
   */
  readonly mayAct?: () => boolean;
  /** Called once when the fence refused a write. */
  readonly onFenced?: () => void;
}

const DEFAULT_POOL_SIZE = 12;
const DEFAULT_IDLE_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;
/** More than a statement may take, so that the server's own time limit comes first. */
const DEFAULT_ANSWER_MS = 15_000;
const ANSWER_MARGIN_MS = 5_000;
const DEFAULT_OUTCOME_MS = 15_000;
const OUTCOME_RETRY_MS = 200;
/** Beyond so many different texts a statement is not prepared: filters of reads vary in their form. */
const MOST_PREPARED = 200;
const FENCED = 'SHF01';

/** Classes and codes after which the same transaction may succeed: connection, resources, conflicts. */
const TRANSIENT_CLASSES = new Set(['08', '53', '57', '40', '55']);

const parseDate = pg.types.getTypeParser(pg.types.builtins.TIMESTAMPTZ) as (text: string) => Date;

function parseTimestamp(text: string): number {
  return parseDate(text).getTime();
}

const parsers = {
  getTypeParser: (oid: number, format?: 'text' | 'binary'): unknown => {
    if (oid === pg.types.builtins.TIMESTAMPTZ) return parseTimestamp;
    return pg.types.getTypeParser(oid, format as 'text');
  },
};

/** Of an error of the driver. */
function isTransient(error: Error): boolean {
  if (error instanceof pg.DatabaseError)
    return TRANSIENT_CLASSES.has(error.code?.slice(0, 2) ?? '');
  const { code } = error as { code?: unknown };
  // Node's own: ECONNREFUSED, ECONNRESET, EPIPE, ETIMEDOUT ...
  if (typeof code === 'string') return code.startsWith('E');
  return /connection|timeout/i.test(error.message);
}

/** The server refused a statement and goes on: the session is alive and its transaction rolled back. */
function isRefusal(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.severity === 'ERROR';
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function compile(statement: Runnable<unknown>): CompiledQuery {
  return (statement as RawBuilder<unknown>).compile(query);
}

export class Database {
  /** Statements sent so far, BEGIN and COMMIT included. */
  statements = 0;
  private readonly pool: pg.Pool;
  private readonly names = new Map<string, string>();
  private epoch: number | undefined;
  private closed = false;
  private retired = false;
  /** Until when outcomes are looked for, real time; a test's clock does not move Postgres. */
  private waitUntil = Infinity;
  /** Connections on which nothing more can be asked. */
  private readonly lost = new WeakSet<pg.PoolClient>();

  constructor(private readonly options: DatabaseOptions) {
    this.pool = new pg.Pool({
      connectionString: options.url,
      max: options.poolSize ?? DEFAULT_POOL_SIZE,
      application_name: `aurora-shim:${options.holder}`,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      idle_in_transaction_session_timeout: DEFAULT_IDLE_TIMEOUT_MS,
      connectionTimeoutMillis: STATEMENT_TIMEOUT_MS,
      query_timeout: options.answerMs ?? DEFAULT_ANSWER_MS,
      keepAlive: true,
      types: parsers as pg.CustomTypesConfig,
    });
    // Without a listener an idle connection that the server closes would end the process.
    this.pool.on('error', (error) => {
      options.log.warn({ err: error }, 'a database connection was lost');
    });
    // Nor may one that is lost between two statements of a transaction; the next statement reports it.
    this.pool.on('connect', (client) => client.on('error', () => undefined));
  }

  /** The epoch under which this process writes; see `takeOver`. */
  get currentEpoch(): number | undefined {
    return this.epoch;
  }

  /** Writes under this epoch from now on, which somebody has taken for this process. */
  lead(epoch: number): void {
    this.epoch = epoch;
  }

  /** False once the right to lead may have passed to another process: nothing may be done or answered. */
  mayAct(): boolean {
    return !this.retired && (this.options.mayAct?.() ?? true);
  }

  /** What memory holds does not fit the store any more: this process neither acts nor writes again. */
  retire(): void {
    this.retired = true;
  }

  /** Becomes the only scheduler that may write: raises the epoch once the writers of the old one ended. */
  async takeOver(): Promise<number> {
    const rows = await this.withClient((client) =>
      this.send(client, 'SELECT shim_take_over() AS epoch'),
    ).catch((error: unknown) => {
      throw explainMissing(error);
    });
    this.epoch = Number((rows[0] as { epoch: string }).epoch);
    return this.epoch;
  }

  /** One statement outside any transaction. */
  async run<O>(statement: Runnable<O>): Promise<O[]> {
    return this.read((tx) => tx.run(statement));
  }

  /** Statements on one connection, each with a snapshot of its own. */
  async read<T>(work: (tx: Queries) => Promise<T>): Promise<T> {
    return this.withClient((client) => work(this.queries(client)));
  }

  /** Statements that all see the same state (updates.md I5). */
  async snapshot<T>(work: (tx: Queries) => Promise<T>, limits: TimeLimits = {}): Promise<T> {
    return this.withClient(async (client) => {
      await this.send(client, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      await this.allow(client, limits);
      const result = await work(this.queries(client, limits));
      await this.send(client, 'COMMIT');
      return result;
    });
  }

  /**
   * One fenced write transaction. When the answer to COMMIT is lost it returns only once the outcome is
   * known, as if the answer had come late.
   *
   * @throws CommitRefusedError when `mayCommit` said no
   * @throws TransientError when it is known to be rolled back for a reason that may pass
   * @throws UnknownOutcomeError when this process ends before the outcome of a COMMIT was found out
   * @throws whatever `work` throws, after the rollback
   */
  async write<T>(options: WriteOptions, work: (tx: WriteTransaction) => Promise<T>): Promise<T> {
    if (this.epoch === undefined || !this.mayAct()) {
      throw new TransientError('this scheduler does not lead');
    }
    const client = await this.connect();
    const receipt = randomUUID();
    const onCommit: (() => void)[] = [];
    const afterCommit: (() => void)[] = [];
    let held = true;
    const release = (broken?: Error): void => {
      if (held) client.release(broken);
      held = false;
    };
    try {
      await this.begin(client, receipt, options.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS);
      await this.allow(client, options);
      const tx: WriteTransaction = {
        ...this.queries(client, options),
        onCommit: (action) => onCommit.push(action),
        afterCommit: (action) => afterCommit.push(action),
      };
      const result = await work(tx);
      if (options.mayCommit !== undefined && !options.mayCommit()) {
        throw new CommitRefusedError('the commit was refused');
      }
      // No await between the question above and this: COMMIT leaves in the same turn.
      const answer = await this.commit(client);
      if (answer !== 'committed') {
        // Looking for the outcome takes another connection; this one must not hold its place.
        release(answer);
        await this.resolveOutcome(receipt, answer);
      }
      this.runAll([...onCommit, ...afterCommit]);
      return result;
    } catch (error) {
      if (held) release(await this.rollback(client));
      throw error;
    } finally {
      release();
    }
  }

  /**
   * The process is about to end: from now on the outcome of a COMMIT is looked for no longer than
   * `outcomeMs`. Until then whoever sent it waits, because nothing it did would fit what is stored.
   */
  endWaiting(): void {
    this.waitUntil = performance.now() + (this.options.outcomeMs ?? DEFAULT_OUTCOME_MS);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.pool.end();
  }

  /** What follows from a commit; one that fails does not keep the others from running. */
  private runAll(actions: readonly (() => void)[]): void {
    for (const action of actions) {
      try {
        action();
      } catch (error) {
        this.options.log.error({ err: error }, 'what follows from a commit failed');
      }
    }
  }

  private async begin(client: pg.PoolClient, receipt: string, idleMs: number): Promise<void> {
    // One round trip; all three values are made here and are numbers or a UUID.
    const fence = `SELECT shim_begin_write(${Number(this.epoch)}, '${receipt}', ${Math.ceil(idleMs)})`;
    this.statements += 1;
    await this.send(client, `BEGIN; ${fence}`);
  }

  /** 'committed', or the error after which the outcome is unknown. */
  private async commit(client: pg.PoolClient): Promise<'committed' | Error> {
    this.statements += 1;
    try {
      const { command } = await client.query('COMMIT');
      if (command === 'COMMIT') return 'committed';
    } catch (error) {
      // The server said no (a deferred constraint, say): then it is rolled back, and we know.
      if (isRefusal(error)) throw this.explain(error);
      return asError(error);
    }
    // A transaction in which a statement failed answers COMMIT with ROLLBACK.
    throw new TransientError('the transaction was aborted');
  }

  /**
   * Returns if the transaction with this receipt committed. Inserting the same id waits for a writer still
   * at work, then conflicts exactly if that writer committed.
   */
  private async resolveOutcome(receipt: string, cause: Error): Promise<void> {
    const { log } = this.options;
    log.warn({ err: cause }, 'the answer to a COMMIT was lost; looking for its outcome');
    do {
      const committed = await this.hasCommitted(receipt).catch((error: unknown) => {
        log.warn({ err: error }, 'the outcome of a COMMIT could not be looked up yet');
        return undefined;
      });
      if (committed === true) return;
      if (committed === false) throw new TransientError('the transaction was rolled back');
      await new Promise((resolve) => setTimeout(resolve, OUTCOME_RETRY_MS));
    } while (performance.now() < this.waitUntil && !this.closed);
    throw new UnknownOutcomeError('whether the change was committed could not be found out');
  }

  private hasCommitted(receipt: string): Promise<boolean> {
    return this.withClient(async (client) => {
      await this.send(client, 'BEGIN');
      const found = await this.send(
        client,
        'INSERT INTO write_receipts (id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING id',
        [receipt],
      );
      await this.send(client, 'ROLLBACK');
      return found.length === 0;
    });
  }

  /** Undefined when the connection can be used again. */
  private async rollback(client: pg.PoolClient): Promise<Error | undefined> {
    if (this.lost.has(client)) return new Error('the connection is lost');
    try {
      await this.send(client, 'ROLLBACK');
      return undefined;
    } catch (error) {
      return asError(error);
    }
  }

  /** What an error of the driver means. */
  private explain(error: unknown): Error {
    const cause = asError(error);
    if ((cause as { code?: unknown }).code === FENCED) {
      // Who retired raised the epoch itself; nobody else leads for all we know.
      if (!this.retired) this.options.onFenced?.();
      return new FencedError('another scheduler has taken over');
    }
    if (!isTransient(cause)) return cause;
    return new TransientError(`the store is not available: ${cause.message}`, { cause });
  }

  private queries(client: pg.PoolClient, { statementMs }: TimeLimits = {}): Queries {
    // The server's limit comes first here, too.
    const answerMs = statementMs === undefined ? undefined : statementMs + ANSWER_MARGIN_MS;
    return {
      run: async <O>(statement: Runnable<O>): Promise<O[]> => {
        const { sql, parameters } = compile(statement);
        return (await this.send(client, sql, parameters, answerMs)) as O[];
      },
    };
  }

  /** Until the end of the transaction. Between two statements it may idle for as long as one may take. */
  private async allow(client: pg.PoolClient, { statementMs }: TimeLimits): Promise<void> {
    if (statementMs === undefined) return;
    const limit = Math.ceil(statementMs);
    await this.send(
      client,
      `SET LOCAL statement_timeout = ${limit}; ` +
        `SET LOCAL idle_in_transaction_session_timeout = ${limit}`,
    );
  }

  /**
   * Statements are prepared once on each connection: Postgres then need not plan them each time, which
   * costs it more than running them. Texts come from our own code and are few.
   */
  private prepared(text: string): { text: string; name?: string } {
    let name = this.names.get(text);
    if (name === undefined && this.names.size < MOST_PREPARED) {
      name = `shim_${this.names.size}`;
      this.names.set(text, name);
    }
    return name === undefined ? { text } : { text, name };
  }

  private async send(
    client: pg.PoolClient,
    text: string,
    values?: readonly unknown[],
    answerMs?: number,
  ): Promise<unknown[]> {
    this.statements += 1;
    const limit = answerMs === undefined ? {} : { query_timeout: answerMs };
    try {
      const result = await client.query<Record<string, unknown>>(
        values === undefined
          ? { text }
          : { ...this.prepared(text), values: values as unknown[], ...limit },
      );
      return result.rows;
    } catch (error) {
      if (!isRefusal(error)) this.lost.add(client);
      throw this.explain(error);
    }
  }

  private async connect(): Promise<pg.PoolClient> {
    try {
      return await this.pool.connect();
    } catch (error) {
      const explained = this.explain(error);
      // One that may pass is told to clients; what it takes an operator for is told as at the start.
      if (explained instanceof TransientError) throw explained;
      throw unreachable({ connectionString: this.options.url }, error);
    }
  }

  private async withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.connect();
    let broken: Error | undefined;
    try {
      return await work(client);
    } catch (error) {
      broken = asError(error);
      throw error;
    } finally {
      client.release(broken);
    }
  }
}
