/** Two real processes and one database (operations.md §2.3, §2.5): who leads, and how soon after whom. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { until } from '../backend/support/wait';
import type { TestDatabase } from '../support/database';
import { createTestDatabase } from '../support/database';
import { ServerProcess, lives } from '../support/server-process';

const TTL_MS = 3_000;
const KEY = { job: { role: 'r', environment: 'e', name: 'n' }, id: 'none' };

let database: TestDatabase;
let servers: ServerProcess[];
let admin: Client;

beforeEach(async () => {
  database = await createTestDatabase();
  servers = [];
  admin = new Client({ connectionString: database.url });
  await admin.connect();
});

afterEach(async () => {
  for (const server of servers) await server.close();
  await admin.end();
  await database.drop();
}, 60_000);

function server(): ServerProcess {
  const made = new ServerProcess({
    databaseUrl: database.url,
    flags: ['--backend=simulated', `--lease_ttl=${TTL_MS}ms`],
  });
  servers.push(made);
  return made;
}

/** Starts it, and says how long that took, ms. */
async function start(made: ServerProcess): Promise<number> {
  const before = performance.now();
  await made.start();
  return performance.now() - before;
}

async function lease(): Promise<Record<string, unknown>> {
  return (await admin.query('SELECT * FROM scheduler_lease')).rows[0] as Record<string, unknown>;
}

test('a lease given back or fallen with its process is taken without waiting for the ttl', async () => {
  const first = server();
  const usual = await start(first);
  expect(await lease()).toMatchObject({ epoch: '1', advertised: true, released: false });
  expect((await lease())['port']).toBe(Number(new URL(first.url).port));

  expect((await first.terminate()).exitCode).toBe(0);
  expect(await lease()).toMatchObject({ epoch: '1', released: true });
  expect(await start(first)).toBeLessThan(usual + TTL_MS / 2);

  await first.kill9();
  expect(await lease()).toMatchObject({ epoch: '2', released: false });
  expect(await start(first)).toBeLessThan(usual + TTL_MS / 2);
  expect(await lease()).toMatchObject({ epoch: '3', released: false });
}, 90_000);

test('a leader that stands still is replaced after its ttl, and ends when it wakes', async () => {
  const first = server();
  await first.start();
  const { pid } = first;
  const client = first.client();
  process.kill(pid, 'SIGSTOP');
  const second = server();
  const took = await start(second);
  expect(took).toBeGreaterThan(TTL_MS);
  // Sent to the one that sleeps; answered, if at all, by a process that knows it does not lead.
  const late = client.call('pulseJobUpdate', { key: KEY }).then(
    ({ responseCode }) => responseCode,
    () => 'no answer',
  );
  await sleep(100);
  process.kill(pid, 'SIGCONT');
  expect(['ERROR_TRANSIENT', 'no answer']).toContain(await late);
  await until('the first one has ended', () => !lives(pid));
  const { responseCode } = await second.client().call('getJobs', { ownerRole: 'r' });
  expect(responseCode).toBe('OK');
  expect(await lease()).toMatchObject({ epoch: '2', released: false });
}, 90_000);
