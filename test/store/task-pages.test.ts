/** What is kept of tasks is what Postgres has, whatever happens meanwhile; and it stays within its bound. */
import type { StoredTask, TaskFilter } from '../../src/store/task-queries.js';
import { findStoredTasks } from '../../src/store/task-queries.js';
import { TaskPages } from '../../src/store/task-pages.js';
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';
import { seeded } from '../wire/random-records.js';

const A = aJob('a');
const B = aJob('b');

let world: World;
let pages: TaskPages;

beforeEach(async () => {
  world = await World.create();
  pages = new TaskPages();
});

afterEach(async () => {
  await world.close();
});

const ofJob = (jobName: string): TaskFilter => ({ jobName });
const find = (filter: TaskFilter = {}, from = pages): Promise<readonly StoredTask[]> =>
  world.db.snapshot((tx) => from.find(tx, filter));

/** Both ways to read, on one state. */
async function compare(filter: TaskFilter = {}, from = pages): Promise<number> {
  const [kept, fresh] = await world.db.snapshot(async (tx) => [
    await from.find(tx, filter),
    await findStoredTasks(tx, filter),
  ]);
  expect(kept).toEqual(fresh);
  return fresh.length;
}

async function statements(work: () => Promise<unknown>): Promise<number> {
  const before = world.db.statements;
  await work();
  return world.db.statements - before;
}

async function running(job = A, instances = 3): Promise<void> {
  await world.runningJob(job, aConfig('x', { job }), instances);
}

test('a task is the same object until it changes, and then another', async () => {
  await running();
  const first = await find();
  expect(await find()).toEqual(first);
  expect((await find()).map((task, index) => task === first[index])).toEqual([true, true, true]);
  await world.report(A, 1, 'finished');
  await compare();
  const second = await find();
  const changed = second.filter((task) => !first.includes(task));
  // The task that ended, and as a service's its replacement.
  expect(changed.map(({ instanceId, status }) => `${instanceId} ${status}`).sort()).toEqual([
    '1 ASSIGNED',
    '1 FINISHED',
  ]);
});

test('one statement where all is kept, one more for what is not', async () => {
  await running(A, 20);
  // BEGIN and COMMIT included.
  expect(await statements(() => find())).toBe(4);
  expect(await statements(() => find())).toBe(3);
  expect(await statements(() => find({ statuses: ['RUNNING'], instanceIds: [3, 4] }))).toBe(3);
  await world.report(A, 1, 'failed');
  await world.report(A, 2, 'failed');
  expect(await statements(() => find())).toBe(4);
});

test('whatever a row is changed by is seen: by us, by psql, or by its removal', async () => {
  await running();
  await compare();
  await world.sql(`UPDATE tasks SET slave_host = 'elsewhere' WHERE instance_id = 0`);
  await compare();
  expect((await find({ slaveHosts: ['elsewhere'] })).map((task) => task.instanceId)).toEqual([0]);
  await world.sql(`UPDATE tasks SET failure_count = 7 WHERE instance_id = 1`);
  await compare();
  await world.sql('UPDATE tasks SET removed_at = shim_clock() WHERE instance_id = 2');
  expect(await compare()).toBe(2);
  await world.sql(`SELECT shim_prune_tasks(array(SELECT task_id FROM tasks))`);
  expect(await compare()).toBe(0);
});

test('every event is written in a transaction that writes the row of its task', async () => {
  await running(A, 2);
  await world.report(A, 0, 'failed');
  await world.engine.jobs.restart(A, new Set([1]), 'user');
  await world.settle();
  await world.report(A, 1, 'killed');
  await world.engine.jobs.kill(A, [], 'user', undefined);
  await world.settle();
  const apart = await world.sql(`
    SELECT e.task_id, e.status FROM task_events e
      JOIN (SELECT task_id, max(id) AS id FROM task_events GROUP BY task_id) newest USING (id)
      JOIN tasks t ON t.task_id = e.task_id WHERE t.xmin <> e.xmin`);
  expect(apart).toEqual([]);
});

test('partitions that follow each other are shown as a fresh read shows them', async () => {
  await world.close();
  world = await World.create({ settings: { partitionAware: true } });
  await running(A, 1);
  for (let time = 0; time < 3; time++) await world.report(A, 0, 'unreachable', 'running');
  expect(await compare()).toBe(1);
  expect((await find())[0]!.events.map(({ status }) => status)).toContain('PARTITIONED');
});

test('an answer is in the order of a fresh read, cut where it cuts', async () => {
  for (const name of ['z', 'a', 'm']) {
    await running(aJob(name), 4);
    await world.advance(1_000);
  }
  for (const keep of [new TaskPages(), pages, pages]) {
    expect(await compare({}, keep)).toBe(12);
    for (const [offset, limit, count] of [
      [0, 5, 5],
      [5, 5, 5],
      [10, 5, 2],
      [7, 0, 5],
      [20, 1, 0],
    ] as const) {
      expect(await compare({ offset, limit }, keep)).toBe(count);
    }
  }
});

test('reads while tasks change never answer with what was', async () => {
  const random = seeded(7);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  await running(A, 6);
  await running(B, 6);
  const filters = [{}, ofJob('a'), ofJob('b'), { statuses: ['RUNNING'] }, { limit: 4 }];
  const small = new TaskPages({ mostBytes: 40_000 });
  for (let round = 0; round < 40; round++) {
    const reads = Array.from({ length: 4 }, () =>
      compare(pick(filters), random() < 0.3 ? small : pages),
    );
    const job = pick([A, B]);
    const instance = Math.floor(random() * 6);
    const states = pick([['running'], ['failed'], ['finished'], ['lost']] as const);
    const written =
      random() < 0.2
        ? world.engine.jobs.kill(job, [instance], 'user', undefined)
        : world.report(job, instance, ...states).catch(() => undefined);
    await Promise.all([...reads, written, compare(pick(filters))]);
    await world.settle();
  }
  await compare();
});

test('what is kept stays within the bound, and what is asked for stays longest', async () => {
  await running(A, 10);
  await running(B, 10);
  await find();
  const bytesOfTask = pages.keptBytes / pages.size;
  const bounded = new TaskPages({ mostBytes: bytesOfTask * 12 });
  for (let time = 0; time < 3; time++) {
    await find(ofJob('a'), bounded);
    await find(ofJob('a'), bounded);
    // Two at a time of the others push each other out.
    for (const instanceIds of [
      [0, 1],
      [2, 3],
      [4, 5],
    ]) {
      await find({ ...ofJob('b'), instanceIds }, bounded);
      await find(ofJob('a'), bounded);
    }
    expect(bounded.size).toBe(12);
    expect(bounded.keptBytes).toBeLessThanOrEqual(bytesOfTask * 12);
    expect(await statements(() => find(ofJob('a'), bounded))).toBe(3);
  }
  // More than there is room for: nothing is gained, nothing is wrong.
  for (let time = 0; time < 3; time++) await compare({}, bounded);
  expect(bounded.keptBytes).toBeLessThanOrEqual(bytesOfTask * 12);
  const none = new TaskPages({ mostBytes: 0 });
  expect(await compare({}, none)).toBe(20);
  expect([none.size, none.keptBytes]).toEqual([0, 0]);
});
