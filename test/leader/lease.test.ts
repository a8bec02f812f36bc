/** The lease step by step (operations.md §2.5), each process on a monotonic clock of its own. */
import { Client } from 'pg';
import { silentLog } from '../../src/observe/log.js';
import { Database, FencedError } from '../../src/store/database.js';
import type { TestDatabase } from '../support/database.js';
import { createTestDatabase } from '../support/database.js';
import { FlakyPostgres } from '../support/flaky-postgres.js';
import { Candidate, TTL } from './support.js';

const DEADLINE = 0.7 * TTL;
const RENEWAL = TTL / 5;

let database: TestDatabase;
let admin: Client;
let candidates: Candidate[];
let databases: Database[];

beforeEach(async () => {
  database = await createTestDatabase();
  admin = new Client({ connectionString: database.url });
  await admin.connect();
  [candidates, databases] = [[], []];
});

afterEach(async () => {
  for (const { lease } of candidates) await lease.release().catch(() => undefined);
  for (const db of databases) await db.close();
  await admin.end();
  await database.drop();
});

function candidate(url = database.url, ttlMs?: number): Candidate {
  const made = new Candidate(url, ttlMs);
  candidates.push(made);
  return made;
}

async function leader(url?: string, ttlMs?: number): Promise<Candidate> {
  const made = await candidate(url, ttlMs).begin();
  expect(made.outcome).toEqual(expect.any(Number));
  return made;
}

/** A store that writes under this candidate's epoch. */
function storeOf(of: Candidate): Database {
  const { time: clock, holder } = of;
  const db = new Database({ url: database.url, clock, log: silentLog, holder });
  db.lead(of.outcome as number);
  databases.push(db);
  return db;
}

const nothing = (db: Database): Promise<void> => db.write({}, () => Promise.resolve());

async function row(): Promise<Record<string, unknown>> {
  return (await admin.query('SELECT * FROM scheduler_lease')).rows[0] as Record<string, unknown>;
}

test('the first start finds the lease free; the row says who has it', async () => {
  expect(await row()).toMatchObject({ epoch: '0', released: true, holder: null });
  const first = await leader();
  expect(first.outcome).toBe(1);
  expect(await row()).toMatchObject({
    ...{ epoch: '1', holder: first.holder, beat: '0', ttl_ms: TTL },
    ...{ released: false, advertised: false, host: null },
  });
  await first.lease.advertise({ host: 'h', port: 8081, name: 'http' });
  expect(await row()).toMatchObject({ advertised: true, host: 'h', port: 8081 });
  await nothing(storeOf(first));
});

test('it is renewed every fifth of the ttl, and each renewal moves the deadline', async () => {
  const first = await leader();
  expect(first.lease.mayAct()).toBe(true);
  for (let beat = 1; beat <= 8; beat++) {
    await first.advance(RENEWAL);
    expect((await row())['beat']).toBe(String(beat));
    expect(first.lease.mayAct()).toBe(true);
  }
  expect(first.lost).toBe(0);
});

test('a beating leader is left alone: the second one gives up once it has been patient', async () => {
  const first = await leader();
  await first.lease.advertise({ host: 'h', port: 8081, name: 'http' });
  const second = candidate();
  const taken = second.lease.take();
  const refused = expect(taken).rejects.toThrow(/already serves this database at h:8081/);
  for (let ms = 0; ms < 6_000; ms += 1_000) {
    await first.advance(1_000);
    await second.advance(1_000);
  }
  await refused;
  expect(first.lease.mayAct()).toBe(true);
  expect(first.lost).toBe(0);
});

test('a lease given back is taken at once, and its last holder is told nothing bad', async () => {
  const first = await leader();
  await first.lease.release();
  expect(await row()).toMatchObject({ released: true, epoch: '1' });
  expect(first.lease.mayAct()).toBe(false);
  const second = await leader();
  expect([second.outcome, first.lost]).toEqual([2, 0]);
});

test('where the connection of the holder is gone, nobody waits for the ttl', async () => {
  const first = await leader();
  await first.crash();
  const second = candidate();
  await second.begin();
  // The server may need a moment to notice the end of a connection.
  await second.advance(500);
  expect(second.outcome).toBe(2);
});

describe('a holder that is connected and silent', () => {
  test('is replaced after its ttl on the clock of the candidate, and writes nothing from then on', async () => {
    const first = await leader();
    const old = storeOf(first);
    const second = await candidate().begin();
    await second.advance(TTL - 1);
    expect(second.outcome).toBeUndefined();
    await nothing(old);
    await second.advance(251);
    expect(second.outcome).toBe(2);
    await expect(nothing(old)).rejects.toBeInstanceOf(FencedError);
    await nothing(storeOf(second));
    // It still believes in itself, until it renews.
    expect(first.lease.mayAct()).toBe(true);
    await first.advance(RENEWAL);
    expect([first.lease.mayAct(), first.lost]).toEqual([false, 1]);
    expect((await row())['holder']).toBe(second.holder);
  });

  test('is given the whole ttl again by every beat', async () => {
    const first = await leader();
    const second = await candidate().begin();
    await second.advance(TTL - 1_000);
    await first.advance(RENEWAL);
    await second.advance(1_500);
    // By now it is known to live; a process that has been patient for so long gives up.
    expect(second.outcome).toBe('AlreadyLedError');
  });

  test('with a ttl of its own is judged by that', async () => {
    await leader(database.url, 3 * TTL);
    const second = await candidate().begin();
    await second.advance(3 * TTL - 1);
    expect(second.outcome).toBeUndefined();
    await second.advance(251);
    expect(second.outcome).toBe(2);
  });
});

test('of two candidates one takes it, and the other sees a holder that lives', async () => {
  await (await leader()).crash();
  const [second, third] = [candidate(), candidate()];
  await Promise.all([second.begin(), third.begin()]);
  await Promise.all([second.advance(500), third.advance(500)]);
  const epochs = [second.outcome, third.outcome];
  expect(epochs.filter((epoch) => epoch === 2)).toHaveLength(1);
  expect(epochs.filter((epoch) => epoch === undefined)).toHaveLength(1);
  expect((await row())['epoch']).toBe('2');
});

test('a takeover takes what it has seen and nothing else: a beat or a faster candidate is in time', async () => {
  const first = await leader();
  const [second, third] = [candidate(), candidate()];
  const before = await second.store.read();
  await first.advance(RENEWAL);
  expect(await second.store.takeOver(before)).toBeUndefined();
  const seen = await second.store.read();
  expect(await second.store.takeOver(seen)).toBe(2);
  expect(await third.store.takeOver(seen)).toBeUndefined();
  expect(await row()).toMatchObject({ epoch: '2', holder: second.holder });
});

test('a takeover waits for writers of the old epoch, and cuts off those that do not end', async () => {
  const ttl = 300;
  const first = await leader(database.url, ttl);
  const old = storeOf(first);
  let [reached, stuck] = [(): void => undefined, (): void => undefined];
  const begun = new Promise<void>((resolve) => (reached = resolve));
  const never = new Promise<void>((resolve) => (stuck = resolve));
  const writing = old.write({}, () => {
    reached();
    return never;
  });
  const cut = expect(writing).rejects.toThrow();
  await begun;
  await first.crash();
  const second = await candidate(database.url, ttl).begin();
  for (let n = 0; n < 20 && second.outcome === undefined; n++) await second.advance(250);
  expect(second.outcome).toBe(2);
  stuck();
  await cut;
});

test('an epoch raised past the lease keeps nobody from leading', async () => {
  await (await leader()).lease.release();
  await admin.query('SELECT shim_take_over(), shim_take_over()');
  const second = await leader();
  expect(second.outcome).toBe(4);
  expect((await row())['epoch']).toBe('4');
  await nothing(storeOf(second));
});

describe('without Postgres', () => {
  let flaky: FlakyPostgres;
  let first: Candidate;

  beforeEach(async () => {
    flaky = await FlakyPostgres.listen();
    first = await leader(flaky.to(database.url));
  });

  afterEach(async () => {
    await flaky.close();
  });

  test('the right to act ends at 0.7 of the ttl after the last renewal was sent', async () => {
    await first.advance(RENEWAL);
    flaky.goAway();
    await first.advance(DEADLINE - 1);
    expect([first.lease.mayAct(), first.lost]).toEqual([true, 0]);
    await first.advance(1);
    expect([first.lease.mayAct(), first.lost]).toEqual([false, 1]);
    // Nothing brings it back.
    flaky.comeBack();
    await first.advance(TTL);
    expect([first.lease.mayAct(), first.lost]).toEqual([false, 1]);
    expect((await row())['beat']).toBe('1');
  });

  test('one that comes back in time goes on under the same epoch, and holds the lock again', async () => {
    flaky.goAway();
    await first.advance(DEADLINE - 1_000);
    flaky.comeBack();
    await first.advance(999 + DEADLINE);
    expect([first.lease.mayAct(), first.lost]).toEqual([true, 0]);
    const { rows } = await admin.query(`SELECT 1 FROM pg_locks WHERE locktype = 'advisory'
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`);
    expect(rows).toHaveLength(1);
  });

  test('the time an answer takes is taken off the deadline', async () => {
    const renew = first.store.renew.bind(first.store);
    first.store.renew = async (epoch) => {
      const isMine = await renew(epoch);
      first.time.tick(1_000);
      return isMine;
    };
    await first.advance(RENEWAL);
    flaky.goAway();
    first.time.tick(DEADLINE - 1_001);
    expect(first.lease.mayAct()).toBe(true);
    first.time.tick(1);
    expect(first.lease.mayAct()).toBe(false);
  });

  test('the deadline counts also when no timer fires', () => {
    first.time.tick(DEADLINE - 1);
    expect(first.lease.mayAct()).toBe(true);
    first.time.tick(1);
    expect(first.lease.mayAct()).toBe(false);
  });
});

test('after a sleep nothing is done before the lease was renewed', async () => {
  const first = await leader();
  first.time.sleep(60_000);
  first.time.tick(RENEWAL);
  first.time.fireDue();
  expect(first.lease.mayAct()).toBe(false);
  await first.settle();
  expect(first.lease.mayAct()).toBe(true);
});

test('a sleeper that was replaced meanwhile finds out at once', async () => {
  const first = await leader();
  const second = await candidate().begin();
  await second.advance(TTL + 250);
  first.time.sleep(60_000);
  await first.advance(RENEWAL);
  expect([first.lease.mayAct(), first.lost, second.outcome]).toEqual([false, 1, 2]);
});
