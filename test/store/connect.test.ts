/** What an operator is told when the database cannot be used at start: where, why, and what to check. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { silentLog } from '../../src/observe/log.js';
import { Database } from '../../src/store/database.js';
import { LeaseStore } from '../../src/store/lease.js';
import { migrate, SchemaError, UnreachableError } from '../../src/store/migrate.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { FakeTime } from '../support/fake-time.js';

const ADVICE = 'check --database_url (or DATABASE_URL)';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase({ empty: true });
});
afterEach(() => database.drop());

/** With a change to the URL of a server that works. */
function changed(change: (url: URL) => void): string {
  const url = new URL(database.url);
  change(url);
  return url.href;
}

const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => Promise.reject(new Error('it worked')),
    (error: unknown) => error as Error,
  );

async function readLease(url: string, ttlMs = 10_000): Promise<Error> {
  const store = new LeaseStore({ url, holder: 'us', ttlMs });
  const error = await failure(store.read());
  await store.close();
  return error;
}

/** Each way in which the start comes to the database first, and what it says about this URL. */
async function complaints(url: string): Promise<string[]> {
  const errors = [await failure(migrate(url, { mode: 'auto' })), await readLease(url)];
  for (const error of errors) expect(error).toBeInstanceOf(UnreachableError);
  return errors.map(({ message }) => message);
}

/** Accepts connections and does `what` with each. */
async function fakeServer(
  what: (socket: Socket) => void,
): Promise<{ port: number; server: Server }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    what(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, server };
}

test('no server there', async () => {
  for (const message of await complaints('postgresql://me:secret@127.0.0.1:1/db')) {
    expect(message).toBe(
      `Cannot reach Postgres at 127.0.0.1:1 (connect ECONNREFUSED 127.0.0.1:1): ${ADVICE}`,
    );
  }
  // Several addresses, whose errors Node.js reports under an empty message.
  for (const message of await complaints('postgresql://me:secret@localhost:1/db')) {
    expect(message).toMatch(/at localhost:1 \(connect ECONNREFUSED .*\): check/);
  }
});

test('no such host', async () => {
  for (const message of await complaints('postgresql://me:secret@no-such-host.invalid/db')) {
    expect(message).toMatch(/at no-such-host\.invalid:5432 \(getaddrinfo E.*\): check/);
    expect(message).not.toContain('secret');
  }
});

test('the server does not let us in', async () => {
  const wrongDatabase = changed((url) => (url.pathname = '/nowhere'));
  for (const message of await complaints(wrongDatabase)) {
    expect(message).toContain(`(database "nowhere" does not exist): ${ADVICE}`);
  }
  const stranger = changed((url) => {
    url.username = 'stranger';
    url.password = 'not-the-secret';
  });
  for (const message of await complaints(stranger)) {
    // In the words of a server that asks for passwords, and of one that does not.
    expect(message).toMatch(/\((password authentication failed|role "stranger" does not exist)/);
    expect(message).not.toContain('not-the-secret');
  }
  const db = new Database({
    ...{ url: wrongDatabase, clock: new FakeTime(), log: silentLog, holder: 'us' },
  });
  expect((await failure(db.takeOver())).message).toContain(ADVICE);
  await db.close();
});

test('something else answers there, and hangs up', async () => {
  const { port, server } = await fakeServer((socket) => socket.end());
  for (const message of await complaints(`postgresql://me:secret@127.0.0.1:${port}/db`)) {
    expect(message).toMatch(/at 127\.0\.0\.1:\d+ \(Connection terminated.*\): check/);
  }
  server.close();
});

test('a host that stays silent is given up', async () => {
  const sockets: Socket[] = [];
  const { port, server } = await fakeServer((socket) => sockets.push(socket));
  const url = `postgresql://me:secret@127.0.0.1:${port}/db`;
  const target = { connectionString: url, connectionTimeoutMillis: 200 };
  const messages = [
    (await failure(migrate(target, { mode: 'auto' }))).message,
    (await readLease(url, 1_000)).message,
  ];
  for (const message of messages) {
    expect(message).toMatch(/^Cannot reach Postgres at 127\.0\.0\.1:\d+ \(.*timeout.*\): check/);
  }
  for (const socket of sockets) socket.destroy();
  server.close();
});

test('--migrate=off on an empty database: the schema is missing, and how to get it', async () => {
  await migrate(database.url, { mode: 'off' });
  const db = new Database({
    ...{ url: database.url, clock: new FakeTime(), log: silentLog, holder: 'us' },
  });
  const errors = [await readLease(database.url), await failure(db.takeOver())];
  await db.close();
  for (const error of errors) {
    expect(error).toBeInstanceOf(SchemaError);
    expect(error.message).toMatch(
      /^The database lacks the schema of this release \(.* does not exist\)\. Run `aurora-shim migrate`, or start with --migrate=auto\.$/,
    );
  }
});
