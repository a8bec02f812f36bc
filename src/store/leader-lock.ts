/**
 * One scheduler for each database (design D9, until the lease of operations.md §2.5 exists): a session
 * advisory lock, held on a connection of its own. It keeps a second server from starting by mistake; what
 * keeps a deposed one from writing is the fence.
 */
import { Client } from 'pg';
import type { Log } from '../observe/log.js';

/** Another aurora-shim serves this database. */
export class AlreadyLedError extends Error {
  override readonly name = 'AlreadyLedError';
}

export interface LeaderLockOptions {
  readonly url: string;
  readonly holder: string;
  readonly log: Log;
  /** How long to wait for a process that is just ending, ms. */
  readonly patienceMs?: number;
  /** Somebody else has the lock now: this process must end. */
  readonly onLost: () => void;
}

const LOCK = `hashtext('aurora-shim leader')`;
const RETRY_MS = 250;
const DEFAULT_PATIENCE_MS = 5_000;

export class LeaderLock {
  private client: Client | undefined;
  private released = false;

  constructor(private readonly options: LeaderLockOptions) {}

  /** @throws AlreadyLedError when another session keeps the lock; pg's errors when the server is away */
  async take(): Promise<void> {
    const client = await this.connect();
    const patience = this.options.patienceMs ?? DEFAULT_PATIENCE_MS;
    for (let waited = 0; ; waited += RETRY_MS) {
      const { rows } = await client.query<{ taken: boolean }>(
        `SELECT pg_try_advisory_lock(${LOCK}) AS taken`,
      );
      if (rows[0]?.taken === true) break;
      if (waited >= patience) {
        const other = await describeHolder(client);
        await client.end();
        throw new AlreadyLedError(
          `Another aurora-shim already serves this database${other}. Stop it first, or give this one ` +
            'another --data_dir or --database_url.',
        );
      }
      await pause(RETRY_MS);
    }
    this.client = client;
    client.on('end', () => void this.takeAgain());
  }

  async release(): Promise<void> {
    this.released = true;
    await this.client?.end().catch(() => undefined);
  }

  private async connect(): Promise<Client> {
    const client = new Client({
      connectionString: this.options.url,
      application_name: `aurora-shim:${this.options.holder}:leader`,
      keepAlive: true,
    });
    client.on('error', () => undefined); // its 'end' follows
    await client.connect();
    return client;
  }

  /** The connection was lost, the lock with it: get it back, or find that somebody else was faster. */
  private async takeAgain(): Promise<void> {
    while (!this.released) {
      this.options.log.warn({}, 'the leader lock was lost; taking it again');
      try {
        await this.take();
        return;
      } catch (error) {
        if (error instanceof AlreadyLedError) {
          this.options.log.error({ err: error }, 'another scheduler leads');
          this.options.onLost();
          return;
        }
        await pause(RETRY_MS);
      }
    }
  }
}

async function describeHolder(client: Client): Promise<string> {
  const { rows } = await client.query<{ name: string; since: Date }>(`
    SELECT a.application_name AS name, a.backend_start AS since
      FROM pg_locks l JOIN pg_stat_activity a USING (pid)
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND (l.classid::bigint << 32 | l.objid::bigint) = ${LOCK}::bigint & x'ffffffffffffffff'::bit(64)::bigint`);
  const holder = rows[0];
  return holder === undefined ? '' : ` (${holder.name}, since ${holder.since.toISOString()})`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
