/**
 * COMMITs whose answer is lost (updates.md G11, operations.md §2.5): Postgres is asked what became of
 * them, and memory follows; nothing is repeated blindly and nothing is forgotten. The connection is cut by
 * a proxy in front of the real server.
 */
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import { aConfig, aJob } from '../support/builders.js';
import type { CommitFate } from '../support/flaky-postgres.js';
import { FlakyPostgres } from '../support/flaky-postgres.js';
import type { WorldOptions } from '../support/world.js';
import { World } from '../support/world.js';

const JOB = aJob();
const OLD = aConfig('old');
const NEW = aConfig('new');
const W = 2_000;

let world: World;
let proxy: FlakyPostgres;
let key: JobUpdateKey;

afterEach(async () => {
  await world.close();
});

/** A job of two OLD tasks behind the proxy. */
async function running(options: WorldOptions = {}): Promise<void> {
  proxy = await FlakyPostgres.listen();
  world = await World.create({ through: proxy, ...options });
  await world.runningJob(JOB, OLD, 2);
  await world.leap(60_000);
}

/** The same with an update to NEW that kills task 0. */
async function rolling(options: WorldOptions = {}): Promise<void> {
  await running(options);
  key = await world.startUpdate(JOB, NEW, 2);
}

/** What becomes of the COMMIT of the next transaction that mentions the table. */
function next(table: string, fate: CommitFate): void {
  world.db.once(table, () => {
    proxy.nextCommit = fate;
  });
}

async function finish(): Promise<void> {
  await world.report(JOB, 0, 'starting', 'running');
  await world.advance(W);
  await world.replace(JOB, 1);
  await world.advance(W);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd', 'ok'] });
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
  expect(await world.tasks(JOB)).toHaveLength(4);
}

describe('SH-22 the connection is cut during the COMMIT of a pause', () => {
  test('SH-22 committed: the pause is answered OK and holds', async () => {
    await rolling();
    next('job_updates', 'cut');
    await world.change(key, 'pause', 'u', 'stop');
    expect((await world.updateEvents(key)).at(-1)).toBe('ROLL_FORWARD_PAUSED(u/stop)');
    expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');
    await world.report(JOB, 0, 'killed');
    await world.advance(60_000);
    expect(await world.versions(JOB)).toEqual({ 1: 'old' });
  });

  test('SH-22 not committed: the pause is answered with an error and the update goes on', async () => {
    await rolling();
    next('job_updates', 'lose');
    await expect(world.change(key, 'pause')).rejects.toMatchObject({ name: 'TransientError' });
    expect(await world.updateEvents(key)).toHaveLength(1);
    await world.report(JOB, 0, 'killed');
    await finish();
  });
});

test('G11 a tick that was committed though nobody heard of it is not written again', async () => {
  await rolling();
  next('job_updates', 'cut');
  await world.report(JOB, 0, 'killed');
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
  expect(world.counter('job_update_state_change_errors')).toBe(0);
  await finish();
});

test('G11 a tick whose COMMIT never arrived is repeated', async () => {
  await rolling();
  next('job_updates', 'lose');
  await world.report(JOB, 0, 'killed');
  expect(await world.versions(JOB)).toEqual({ 1: 'old' });
  await world.advance(1_000);
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
  await finish();
});

test('G11 a start is known whatever became of its answer', async () => {
  await running();
  next('job_updates', 'lose');
  await expect(world.startUpdate(JOB, NEW, 2)).rejects.toMatchObject({ name: 'TransientError' });
  expect(await world.sql('SELECT 1 FROM job_updates')).toEqual([]);
  next('job_updates', 'cut');
  key = await world.startUpdate(JOB, NEW, 2);
  await world.report(JOB, 0, 'killed');
  await finish();
});

test('G11 what a backend reported reaches the update though the answer to its COMMIT was lost', async () => {
  await rolling();
  next('task_events', 'cut');
  await world.report(JOB, 0, 'killed');
  await finish();
});

test('G11 so do commands: a placement that was committed unheard is carried out', async () => {
  await running();
  next('backend_commands', 'cut');
  await world.addInstances(JOB, OLD, [2]);
  const added = await world.task(JOB, 2);
  expect(added?.status).toBe('ASSIGNED');
  expect(world.cluster.task(added?.taskId ?? '')).toBeDefined();
  await world.report(JOB, 2, 'running');
});

test('G11 a COMMIT that is not answered in time is given up with its connection, and rolled back', async () => {
  await rolling({ database: { answerMs: 100 } });
  next('job_updates', 'swallow');
  await expect(world.change(key, 'pause')).rejects.toMatchObject({ name: 'TransientError' });
  await world.change(key, 'pause');
  expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');
});

test('G11 the outcome is found with a pool of one: the lost connection does not hold its place', async () => {
  await rolling({ database: { poolSize: 1 } });
  next('job_updates', 'cut');
  await world.change(key, 'pause');
  expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');
});

test('G11 while Postgres is away the lane waits for the outcome, however long that takes', async () => {
  await rolling({ database: { outcomeMs: 50 } });
  next('job_updates', 'cut');
  proxy.onFate = () => proxy.goAway();
  const paused = world.engine.updates.change(key, 'pause', 'u');
  let answered = false;
  void paused.finally(() => {
    answered = true;
  });
  await eventually(() => proxy.refused > 0);
  world.time.tick(60_000);
  const { refused } = proxy;
  await eventually(() => proxy.refused > refused + 1);
  expect(answered).toBe(false);
  proxy.comeBack();
  await paused;
  await world.settle();
  expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');
});

test('a statement that is never answered is given up with its connection: the lane lives', async () => {
  await rolling({ database: { answerMs: 100, poolSize: 1 } });
  proxy.silence();
  await expect(world.change(key, 'pause')).rejects.toMatchObject({ name: 'TransientError' });
  await world.change(key, 'pause');
  expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');
});

/** Until it is so; for what happens in real time. */
async function eventually(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}
