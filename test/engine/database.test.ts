/**
 * Write transactions and their failures (operations.md §2.5): what is known to be rolled back, what may be
 * tried again, and that memory hears of a commit exactly when there was one. Through a proxy, in real time.
 */
import { sql } from 'kysely';
import { RefusedError, TransientError, UnknownOutcomeError } from '../../src/core/errors.js';
import { silentLog } from '../../src/observe/log.js';
import type { DatabaseOptions, WriteTransaction } from '../../src/store/database.js';
import { CommitRefusedError, Database } from '../../src/store/database.js';
import type { TestDatabase } from '../support/database.js';
import { createTestDatabase } from '../support/database.js';
import { FakeTime } from '../support/fake-time.js';
import type { CommitFate } from '../support/flaky-postgres.js';
import { FlakyPostgres } from '../support/flaky-postgres.js';

let database: TestDatabase;
let proxy: FlakyPostgres;
let db: Database;

beforeEach(async () => {
  database = await createTestDatabase();
  proxy = await FlakyPostgres.listen();
});

afterEach(async () => {
  await db.close();
  await proxy.close();
  await database.drop();
});

async function open(options: Partial<DatabaseOptions> = {}): Promise<void> {
  db = new Database({
    ...{ url: proxy.to(database.url), clock: new FakeTime(), log: silentLog, holder: 'test' },
    ...options,
  });
  await db.takeOver();
}

const insert = (name: string) => (tx: WriteTransaction) =>
  tx.run(sql`INSERT INTO jobs (role, environment, name) VALUES ('r', 'e', ${name})`);

async function stored(): Promise<string[]> {
  const rows = await db.run<{ name: string }>(sql`SELECT name FROM jobs ORDER BY name`);
  return rows.map((row) => row.name);
}

/** One transaction whose COMMIT meets this fate; returns what memory was told, or the error. */
async function commitMeets(fate: CommitFate): Promise<string[]> {
  const told: string[] = [];
  await db.write({}, async (tx) => {
    await insert(fate)(tx);
    tx.afterCommit(() => told.push('after'));
    tx.onCommit(() => told.push('on'));
    proxy.nextCommit = fate;
  });
  return told;
}

test('memory follows the commit: first what is to be true, then who is to be told', async () => {
  await open();
  const told: string[] = [];
  await db.write({}, async (tx) => {
    tx.afterCommit(() => told.push('after 1'));
    tx.onCommit(() => told.push('on'));
    tx.afterCommit(() => told.push('after 2'));
    await insert('a')(tx);
    expect(told).toEqual([]);
  });
  expect(told).toEqual(['on', 'after 1', 'after 2']);
});

test('an action after the commit that throws keeps no other from running, nor the caller from its answer', async () => {
  await open();
  const told: string[] = [];
  const result = await db.write({}, async (tx) => {
    tx.onCommit(() => {
      throw new Error('no');
    });
    tx.afterCommit(() => told.push('after'));
    await insert('a')(tx);
    return 'done';
  });
  expect(result).toBe('done');
  expect(told).toEqual(['after']);
});

test('a commit that is refused leaves nothing, and the connection usable', async () => {
  await open({ poolSize: 1 });
  const refused = db.write({ mayCommit: () => false }, insert('a'));
  await expect(refused).rejects.toBeInstanceOf(CommitRefusedError);
  await db.write({ mayCommit: () => true }, insert('b'));
  expect(await stored()).toEqual(['b']);
});

test('what the work throws is thrown as it is, whatever its code looks like', async () => {
  await open();
  const mine = new RefusedError('ERROR', 'no connection to the rule book');
  await expect(db.write({}, () => Promise.reject(mine))).rejects.toBe(mine);
});

test('a transaction that goes on after a statement failed is not taken for committed', async () => {
  await open();
  const told: string[] = [];
  const aborted = db.write({}, async (tx) => {
    tx.onCommit(() => told.push('on'));
    await tx.run(sql`SELECT 1 / 0`).catch(() => undefined);
  });
  await expect(aborted).rejects.toBeInstanceOf(TransientError);
  expect(told).toEqual([]);
});

test('what the server refuses for good is not said to be worth another try', async () => {
  await open();
  await db.write({}, insert('a'));
  await expect(db.write({}, insert('a'))).rejects.toMatchObject({ code: '23505' });
});

test('a transaction that idles too long is cut off by the server: known to be rolled back', async () => {
  await open();
  const idle = db.write({ idleTimeoutMs: 50 }, async (tx) => {
    await insert('a')(tx);
    // Until the server has had enough.
    const mine = `SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction'
                     AND datname = current_database()`;
    while ((await db.run(sql.raw(mine))).length > 0);
  });
  await expect(idle).rejects.toBeInstanceOf(TransientError);
  expect(await stored()).toEqual([]);
});

test('a server that is away fails reads and writes in a way that may pass', async () => {
  await open();
  proxy.goAway();
  await expect(stored()).rejects.toBeInstanceOf(TransientError);
  await expect(db.write({}, insert('a'))).rejects.toBeInstanceOf(TransientError);
  proxy.comeBack();
  await db.write({}, insert('a'));
});

test('a connection cut between two statements: rolled back', async () => {
  await open();
  const cut = db.write({}, async (tx) => {
    await insert('a')(tx);
    proxy.goAway();
    await insert('b')(tx);
  });
  await expect(cut).rejects.toBeInstanceOf(TransientError);
  proxy.comeBack();
  expect(await stored()).toEqual([]);
});

test('a COMMIT that was done unheard: memory is told as if it had been', async () => {
  await open();
  expect(await commitMeets('cut')).toEqual(['on', 'after']);
  expect(await stored()).toEqual(['cut']);
});

test('a COMMIT that never arrived: memory is told nothing', async () => {
  await open();
  await expect(commitMeets('lose')).rejects.toBeInstanceOf(TransientError);
  expect(await stored()).toEqual([]);
});

test('as many lost COMMITs at once as there are connections are all cleared up', async () => {
  await open({ poolSize: 2 });
  const carriedOut = new Promise<void>((resolve) => (proxy.onFate = resolve));
  await Promise.all([
    db.write({}, async (tx) => {
      await insert('a')(tx);
      proxy.nextCommit = 'cut';
    }),
    db.write({}, async (tx) => {
      await insert('b')(tx);
      await carriedOut;
      proxy.nextCommit = 'cut';
    }),
  ]);
  expect(await stored()).toEqual(['a', 'b']);
});

test('only the end of the process makes an outcome unknown', async () => {
  await open({ outcomeMs: 20 });
  proxy.onFate = () => proxy.goAway();
  const unknown = commitMeets('cut');
  while (proxy.refused === 0) await new Promise((resolve) => setImmediate(resolve));
  db.endWaiting();
  await expect(unknown).rejects.toBeInstanceOf(UnknownOutcomeError);
});
