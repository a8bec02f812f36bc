/** What a start costs, and what it makes of the tasks it finds (tasks.md §11.3). */
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';

const job = (n: number) => aJob(`job${n}`);

let world: World;

beforeEach(async () => {
  world = await World.create();
});

afterEach(async () => {
  await world.close();
});

async function jobs(count: number, first = 0): Promise<void> {
  for (let n = first; n < first + count; n++) {
    await world.runningJob(job(n), aConfig('x', { job: job(n) }), 2);
  }
}

/** Statements of the next process until it has settled; each has a database of its own. */
async function restart(): Promise<number> {
  await world.restart();
  return world.db.statements;
}

test('tasks that run as stored cost a start no statement of their own', async () => {
  await jobs(2);
  const few = await restart();
  await jobs(10, 2);
  expect(await restart()).toBe(few);
  for (let n = 0; n < 12; n++)
    expect(await world.statuses(job(n))).toEqual({ 0: 'RUNNING', 1: 'RUNNING' });
});

test('what happened while nobody led is learnt at the start', async () => {
  await jobs(3);
  const ended = (await world.task(job(0), 0))!;
  const gone = (await world.task(job(1), 1))!;
  await world.stop();
  world.cluster.report(ended.taskId, 'finished');
  world.cluster.forget(gone.taskId);
  await world.start();
  const rows = await world.sql<{ task_id: string; status: string }>(
    'SELECT task_id, status FROM tasks WHERE task_id = ANY ($1)',
    [[ended.taskId, gone.taskId]],
  );
  expect(Object.fromEntries(rows.map((row) => [row.task_id, row.status]))).toEqual({
    [ended.taskId]: 'FINISHED',
    [gone.taskId]: 'LOST',
  });
  expect(await world.statuses(job(2))).toEqual({ 0: 'RUNNING', 1: 'RUNNING' });
});

test('a report of RUNNING counts again once the start is over', async () => {
  await jobs(1);
  await world.restart();
  await world.engine.jobs.restart(job(0), new Set([0]), 'user');
  await world.settle();
  await world.report(job(0), 0, 'killed');
  await world.report(job(0), 0, 'running');
  expect(await world.statuses(job(0))).toEqual({ 0: 'RUNNING', 1: 'RUNNING' });
});

test('more updates than are looked at at once: each is blocked until its own pulse comes', async () => {
  const keys = [];
  for (let n = 0; n < 40; n++) {
    await world.runningJob(job(n), aConfig('old', { job: job(n) }), 1);
    const config = aConfig('new', { job: job(n) });
    keys.push(await world.startUpdate(job(n), config, 1, { pulseTimeoutMs: 10_000 }));
  }
  await world.restart();
  for (const key of keys) expect(await world.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
  await world.pulse(keys[39]!);
  await world.settle();
  expect(await world.view(keys[39]!)).toBe('ROLLING_FORWARD');
  expect(await world.view(keys[38]!)).toBe('ROLL_FORWARD_AWAITING_PULSE');
});
