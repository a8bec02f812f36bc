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

export interface WriteOptions {
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
  /** How long a COMMIT may stay unanswered before its connection is given up, ms. */
  readonly commitAnswerMs?: number;
  /** How long to look for the outcome of such a COMMIT, ms. */
  readonly outcomeMs?: number;
  /** Called once when the fence refused a write. */
  readonly onFenced?: () => void;
}

const DEFAULT_POOL_SIZE = 12;
const DEFAULT_IDLE_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;
const DEFAULT_COMMIT_ANSWER_MS = 15_000;
const DEFAULT_OUTCOME_MS = 15_000;
const OUTCOME_RETRY_MS = 200;
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

function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  if (typeof code !== 'string') return /connection|timeout/i.test(error.message);
  if (/^[0-9A-Z]{5}$/.test(code)) return TRANSIENT_CLASSES.has(code.slice(0, 2));
  // Node's own: ECONNREFUSED, ECONNRESET, EPIPE, ETIMEDOUT ...
  return code.startsWith('E');
}

function compile(statement: Runnable<unknown>): CompiledQuery {
  return (statement as RawBuilder<unknown>).compile(query);
}

export class Database {
  /** Statements sent so far, BEGIN and COMMIT included. */
  statements = 0;
  private readonly pool: pg.Pool;
  private epoch: number | undefined;
  private closed = false;

  constructor(private readonly options: DatabaseOptions) {
    this.pool = new pg.Pool({
      connectionString: options.url,
      max: options.poolSize ?? DEFAULT_POOL_SIZE,
      application_name: `aurora-shim:${options.holder}`,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      idle_in_transaction_session_timeout: DEFAULT_IDLE_TIMEOUT_MS,
      connectionTimeoutMillis: STATEMENT_TIMEOUT_MS,
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

  /** Becomes the only scheduler that may write: raises the epoch once the writers of the old one ended. */
  async takeOver(): Promise<number> {
    const rows = await this.withClient((client) =>
      this.send(client, 'SELECT shim_take_over() AS epoch'),
    );
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
  async snapshot<T>(work: (tx: Queries) => Promise<T>): Promise<T> {
    return this.withClient(async (client) => {
      await this.send(client, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      const result = await work(this.queries(client));
      await this.send(client, 'COMMIT');
      return result;
    });
  }

  /**
   * One fenced write transaction.
   *
   * @throws CommitRefusedError when `mayCommit` said no
   * @throws TransientError when it is known to be rolled back for a reason that may pass
   * @throws UnknownOutcomeError when COMMIT was sent and its outcome could not be found out
   * @throws whatever `work` throws, after the rollback
   */
  async write<T>(options: WriteOptions, work: (tx: WriteTransaction) => Promise<T>): Promise<T> {
    if (this.epoch === undefined) throw new TransientError('this scheduler does not lead');
    const client = await this.connect();
    const receipt = randomUUID();
    const onCommit: (() => void)[] = [];
    const afterCommit: (() => void)[] = [];
    let broken: Error | undefined;
    try {
      await this.begin(client, receipt, options.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS);
      const tx: WriteTransaction = {
        ...this.queries(client),
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
        broken = answer;
        await this.resolveOutcome(receipt, answer);
      }
      for (const action of [...onCommit, ...afterCommit]) action();
      return result;
    } catch (error) {
      if (broken === undefined) broken = await this.rollback(client);
      throw this.explain(error);
    } finally {
      client.release(broken);
    }
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.pool.end();
  }

  private async begin(client: pg.PoolClient, receipt: string, idleMs: number): Promise<void> {
    // One round trip; all three values are made here and are numbers or a UUID.
    const fence = `SELECT shim_begin_write(${Number(this.epoch)}, '${receipt}', ${Math.ceil(idleMs)})`;
    this.statements += 2;
    await client.query(`BEGIN; ${fence}`);
  }

  /** 'committed', or the error after which the outcome is unknown. */
  private async commit(client: pg.PoolClient): Promise<'committed' | Error> {
    this.statements += 1;
    const sent = client.query('COMMIT');
    const answerMs = this.options.commitAnswerMs ?? DEFAULT_COMMIT_ANSWER_MS;
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<Error>((resolve) => {
      timer = setTimeout(() => resolve(new Error('COMMIT was not answered')), answerMs);
    });
    try {
      return await Promise.race([
        sent.then((result) => {
          // A transaction in which a statement failed answers COMMIT with ROLLBACK.
          if (result.command !== 'COMMIT') throw new TransientError('the transaction was aborted');
          return 'committed' as const;
        }),
        silence,
      ]);
    } catch (error) {
      if (error instanceof TransientError) throw error;
      // The server said no (a deferred constraint, a timeout): then it is rolled back, and we know.
      const code = (error as { code?: unknown }).code;
      if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('57')) {
        throw error;
      }
      return error instanceof Error ? error : new Error(String(error));
    } finally {
      clearTimeout(timer);
      sent.catch(() => undefined);
    }
  }

  /**
   * Whether the transaction with this receipt committed. Inserting the same id waits for a writer still
   * at work, then conflicts exactly if that writer committed.
   */
  private async resolveOutcome(receipt: string, cause: Error): Promise<void> {
    const { clock, log } = this.options;
    log.warn({ err: cause }, 'the answer to a COMMIT was lost; looking for its outcome');
    const giveUpAt = clock.monoNow() + (this.options.outcomeMs ?? DEFAULT_OUTCOME_MS);
    do {
      try {
        if (await this.hasCommitted(receipt)) return;
        throw new TransientError('the transaction was rolled back');
      } catch (error) {
        if (error instanceof TransientError) throw error;
        log.warn({ err: error }, 'the outcome of a COMMIT could not be looked up yet');
        await new Promise((resolve) => setTimeout(resolve, OUTCOME_RETRY_MS));
      }
    } while (clock.monoNow() < giveUpAt && !this.closed);
    throw new UnknownOutcomeError('whether the change was committed could not be found out');
  }

  private async hasCommitted(receipt: string): Promise<boolean> {
    const client = await this.pool.connect();
    let broken: Error | undefined;
    try {
      await this.send(client, 'BEGIN');
      const probe = await client.query(
        'INSERT INTO write_receipts (id) VALUES ($1) ON CONFLICT DO NOTHING',
        [receipt],
      );
      await this.send(client, 'ROLLBACK');
      return probe.rowCount === 0;
    } catch (error) {
      broken = error instanceof Error ? error : new Error(String(error));
      throw error;
    } finally {
      client.release(broken);
    }
  }

  private async rollback(client: pg.PoolClient): Promise<Error | undefined> {
    try {
      await this.send(client, 'ROLLBACK');
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  private explain(error: unknown): unknown {
    if ((error as { code?: unknown } | undefined)?.code === FENCED) {
      this.options.onFenced?.();
      return new FencedError('another scheduler has taken over');
    }
    if (isTransient(error) && !(error instanceof TransientError)) {
      return new TransientError(`the store is not available: ${(error as Error).message}`, {
        cause: error,
      });
    }
    return error;
  }

  private queries(client: pg.PoolClient): Queries {
    return {
      run: async <O>(statement: Runnable<O>): Promise<O[]> => {
        const { sql, parameters } = compile(statement);
        return (await this.send(client, sql, parameters)) as O[];
      },
    };
  }

  private async send(
    client: pg.PoolClient,
    text: string,
    values?: readonly unknown[],
  ): Promise<unknown[]> {
    this.statements += 1;
    const result = await client.query<Record<string, unknown>>(
      values === undefined ? { text } : { text, values: values as unknown[] },
    );
    return result.rows;
  }

  private async connect(): Promise<pg.PoolClient> {
    try {
      return await this.pool.connect();
    } catch (error) {
      throw this.explain(error);
    }
  }

  private async withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.connect();
    let broken: Error | undefined;
    try {
      return await work(client);
    } catch (error) {
      broken = error instanceof Error ? error : new Error(String(error));
      throw this.explain(error);
    } finally {
      client.release(broken);
    }
  }
}
