/**
 * Two schedulers on one store (design D9, invariant 5): a takeover raises the epoch, and from then on the
 * earlier scheduler writes nothing, whatever it tries.
 */
import { TransientError } from '../../src/core/errors.js';
import { silentLog } from '../../src/observe/log.js';
import { Database, FencedError } from '../../src/store/database.js';
import { aConfig, aJob } from '../support/builders.js';
import { HookedDatabase } from '../support/hooked-database.js';
import { World } from '../support/world.js';

const JOB = aJob();
const OLD = aConfig('old');
const NEW = aConfig('new');

let world: World;
let other: HookedDatabase;
let fenced: number;

beforeEach(async () => {
  fenced = 0;
  world = await World.create({ database: { onFenced: () => (fenced += 1) } });
  other = new HookedDatabase({
    ...{ url: world.database.url, clock: world.time, log: silentLog, holder: 'other' },
  });
  await world.runningJob(JOB, OLD, 2);
});

afterEach(async () => {
  await other.close();
  await world.close();
});

/** Every row of the tables the engine writes to, receipts aside. */
async function everything(): Promise<unknown> {
  const tables = ['jobs', 'tasks', 'task_events', 'job_updates', 'job_update_events'];
  tables.push('job_instance_update_events', 'backend_commands');
  const rows: Record<string, unknown> = {};
  for (const table of tables) rows[table] = await world.sql(`SELECT * FROM ${table} ORDER BY 1`);
  return rows;
}

test('after a takeover the earlier scheduler writes nothing and answers that one may ask again', async () => {
  const key = await world.startUpdate(JOB, NEW, 2, { pulseTimeoutMs: 10_000 });
  const before = await everything();
  expect(await other.takeOver()).toBe((world.db.currentEpoch ?? 0) + 1);

  const { engine } = world;
  const tries = [
    engine.updates.change(key, 'pause', 'u'),
    engine.updates.change(key, 'rollback', 'u'),
    world.tryStart(aJob('job2'), NEW, 1),
    engine.jobs.create(aJob('job3'), OLD, 1, () => undefined),
    world.addInstances(JOB, OLD, [7]),
  ];
  for (const result of await Promise.allSettled(tries)) {
    expect(result).toMatchObject({ status: 'rejected', reason: expect.any(TransientError) });
  }
  const [task] = await world.tasks(JOB);
  world.cluster.report(task?.taskId ?? '', 'failed');
  await world.settle();
  await world.pulse(key);
  await world.advance(60_000);
  expect(await everything()).toEqual(before);
  expect(fenced).toBeGreaterThanOrEqual(tries.length);
});

test('a takeover waits for a transaction under way, and what that wrote counts', async () => {
  let tookOver: Promise<unknown> | undefined;
  const order: string[] = [];
  world.db.once('task_events', async () => {
    tookOver = other.takeOver().then(() => order.push('took over'));
    // The takeover is at the lock when Postgres says so.
    const waiting = `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`;
    while ((await world.sql(waiting)).length === 0);
    order.push('committing');
  });
  await world.addInstances(JOB, OLD, [2]);
  await tookOver;
  expect(order).toEqual(['committing', 'took over']);
  expect(await world.statuses(JOB)).toMatchObject({ 2: 'PENDING' });
});

test('a scheduler that never took over writes nothing', async () => {
  const idle = new Database({
    ...{ url: world.database.url, clock: world.time, log: silentLog, holder: 'idle' },
  });
  await expect(idle.write({}, () => Promise.resolve())).rejects.toBeInstanceOf(TransientError);
  await idle.close();
});

test('the fence is told from other refusals, also by whoever asks late', async () => {
  await other.takeOver();
  const late = world.db.write({}, () => Promise.resolve());
  await expect(late).rejects.toBeInstanceOf(FencedError);
  expect(fenced).toBe(1);
});
