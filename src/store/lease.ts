/**
 * The row of the leader's lease, and the lock that hints at a dead holder (operations.md §2.5). A connection
 * of its own: neither may wait for a busy pool. When it breaks, the next statement opens another.
 */
import pg from 'pg';
import { explainMissing, unreachable } from './migrate.js';

/** What a candidate looks at. */
export interface LeaseRow {
  readonly epoch: number;
  readonly beat: number;
  readonly holder: string | undefined;
  /** `host:port` the holder advertises. */
  readonly address: string | undefined;
  readonly ttlMs: number;
  readonly released: boolean;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** Scheme of the address. */
  readonly name: string;
}

export interface LeaseStoreOptions {
  readonly url: string;
  /** UUID of this process. */
  readonly holder: string;
  readonly ttlMs: number;
  /** Number of the newest migration, where it is known. */
  readonly schemaVersion?: number;
}

/** In the words of earlier releases, which hold nothing but this lock. */
const HINT = `hashtext('aurora-shim leader')`;
const LOCK_NOT_AVAILABLE = '55P03';
/** Of the ttl: a statement unanswered for longer gives up its connection, so that another can be tried in time. */
const ANSWER_SHARE = 0.3;

interface Row {
  epoch: string;
  beat: string;
  holder: string | null;
  host: string | null;
  port: number | null;
  ttl_ms: number;
  released: boolean;
}

export class LeaseStore {
  private client: pg.Client | undefined;
  private connecting: Promise<pg.Client> | undefined;
  /** This session has the lock. */
  private hinting = false;

  constructor(private readonly options: LeaseStoreOptions) {}

  async read(): Promise<LeaseRow> {
    const [row] = await this.run<Row>('SELECT * FROM scheduler_lease WHERE id = 1');
    if (row === undefined) throw new Error('scheduler_lease has no row');
    return {
      epoch: Number(row.epoch),
      beat: Number(row.beat),
      holder: row.holder ?? undefined,
      address: row.host === null ? undefined : `${row.host}:${row.port}`,
      ttlMs: row.ttl_ms,
      released: row.released,
    };
  }

  /**
   * Takes over a lease that is still as it was seen.
   *
   * @returns the new epoch; undefined when somebody was faster, the holder lives, or writers of the old
   *   epoch did not end within the ttl: those have been cut off, and it may be tried again
   */
  async takeOver(seen: LeaseRow): Promise<number | undefined> {
    const { holder, ttlMs, schemaVersion } = this.options;
    try {
      // One message, one transaction; the wait for old writers is longer than other statements may take.
      const rows = await this.run<{ epoch: string | null }>(
        `SELECT shim_take_lease($1, $2, $3, $4, $5) AS epoch
           FROM set_config('lock_timeout', $6, true)`,
        [seen.epoch, seen.beat, holder, ttlMs, schemaVersion ?? null, `${ttlMs}ms`],
        2 * ttlMs,
      );
      const epoch = rows[0]?.epoch;
      return epoch === null || epoch === undefined ? undefined : Number(epoch);
    } catch (error) {
      if ((error as { code?: unknown }).code !== LOCK_NOT_AVAILABLE) throw error;
      if (seen.holder !== undefined) await this.cutOff(seen.holder);
      return undefined;
    }
  }

  /** False when the lease is somebody else's. */
  async renew(epoch: number): Promise<boolean> {
    const rows = await this.run(
      `UPDATE scheduler_lease SET beat = beat + 1
        WHERE id = 1 AND epoch = $1 AND holder = $2 AND NOT released RETURNING beat`,
      [epoch, this.options.holder],
    );
    return rows.length > 0;
  }

  /** Clients may come to this address. */
  async advertise(epoch: number, endpoint: Endpoint): Promise<void> {
    await this.run(
      `UPDATE scheduler_lease SET advertised = true, host = $3, port = $4, endpoint_name = $5
        WHERE id = 1 AND epoch = $1 AND holder = $2`,
      [epoch, this.options.holder, endpoint.host, endpoint.port, endpoint.name],
    );
  }

  /** Gives the lease back, and says so to whoever listens. */
  async release(epoch: number): Promise<void> {
    await this.run(
      `WITH given AS (
         UPDATE scheduler_lease SET released = true, advertised = false
          WHERE id = 1 AND epoch = $1 AND holder = $2 RETURNING 1)
       SELECT pg_notify('scheduler_lease', '') FROM given`,
      [epoch, this.options.holder],
    );
  }

  /**
   * Takes the lock every holder keeps for as long as its connection lives.
   *
   * @returns false while another session has it
   */
  async tryHint(): Promise<boolean> {
    if (this.hinting) return true;
    const [row] = await this.run<{ taken: boolean }>(
      `SELECT pg_try_advisory_lock(${HINT}) AS taken`,
    );
    this.hinting = row?.taken === true;
    return this.hinting;
  }

  async dropHint(): Promise<void> {
    if (this.hinting) await this.run(`SELECT pg_advisory_unlock(${HINT})`);
    this.hinting = false;
  }

  async close(): Promise<void> {
    const { client } = this;
    this.forget();
    await client?.end().catch(() => undefined);
  }

  /** Ends the sessions of a scheduler that does not end them itself (same role, so it is allowed). */
  private async cutOff(holder: string): Promise<void> {
    await this.run(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
          AND starts_with(application_name, 'aurora-shim:' || $1)`,
      [holder],
    );
  }

  private async run<R>(text: string, values: unknown[] = [], answerMs?: number): Promise<R[]> {
    const client = this.client ?? (await this.connect());
    try {
      const limit = answerMs ?? this.answerMs;
      const query = { text, values, query_timeout: limit } as pg.QueryConfig;
      return (await client.query(query)).rows as R[];
    } catch (error) {
      // A statement the server refused leaves the session as it was.
      if (!(error instanceof pg.DatabaseError && error.severity === 'ERROR')) this.abandon(client);
      throw explainMissing(error);
    }
  }

  /** One at a time, whoever asks. */
  private connect(): Promise<pg.Client> {
    this.connecting ??= this.open().finally(() => {
      this.connecting = undefined;
    });
    return this.connecting;
  }

  private async open(): Promise<pg.Client> {
    const { url, holder } = this.options;
    const client = new pg.Client({
      connectionString: url,
      application_name: `aurora-shim:${holder}:leader`,
      connectionTimeoutMillis: this.answerMs,
      keepAlive: true,
    });
    // Until the next statement reports it, a lost connection is nobody's error.
    client.on('error', () => this.abandon(client));
    client.on('end', () => this.abandon(client));
    try {
      await client.connect();
    } catch (error) {
      throw unreachable({ connectionString: url }, error);
    }
    this.client = client;
    return client;
  }

  private get answerMs(): number {
    return Math.ceil(ANSWER_SHARE * this.options.ttlMs);
  }

  /** The server frees the lock when it notices; a silent connection must not be waited for. */
  private abandon(client: pg.Client): void {
    if (this.client !== client) return;
    this.forget();
    const { connection } = client as unknown as { connection?: { stream?: { destroy(): void } } };
    connection?.stream?.destroy();
  }

  private forget(): void {
    this.client = undefined;
    this.hinting = false;
  }
}
