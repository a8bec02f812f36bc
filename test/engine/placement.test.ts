/**
 * Tasks that wait for a host (tasks.md §5): why they wait, what ends it, that no host is given more than
 * it has, and what is left of a task that was killed while it waited.
 */
import type { Constraint, TaskConstraint } from '../../src/core/model/config.js';
import { killedBy } from '../../src/core/task/messages.js';
import { findActiveTasks, findTasks } from '../../src/store/tasks.js';
import { aConfig, aJob } from '../support/builders.js';
import type { WorldOptions } from '../support/world.js';
import { World } from '../support/world.js';

const JOB = aJob();
const ONE_CPU = aConfig('one');
const room = (cpus: number): { cpus: number; ramMb: number; diskMb: number } => ({
  ...{ cpus, ramMb: 4_096, diskMb: 4_096 },
});
const SMALL = [{ host: 'a', total: room(2) }];

let world: World;

async function start(options: WorldOptions = { hosts: SMALL }): Promise<void> {
  world = await World.create(options);
}

afterEach(async () => {
  await world.close();
});

async function hosts(): Promise<(string | null)[]> {
  const rows = await world.sql<{ host: string | null }>(`
    SELECT slave_host AS host FROM tasks WHERE status <> ALL ('{KILLED,FAILED,LOST}')
       AND removed_at IS NULL ORDER BY instance_id`);
  return rows.map((row) => row.host);
}

async function vetoes(instanceId: number): Promise<string[] | undefined> {
  const task = await world.task(JOB, instanceId);
  const found = world.engine.scheduling.vetoesOf(task?.taskId ?? '');
  return found?.map(({ kind, name }) => `${kind} ${name}`);
}

test('a task that does not fit stays PENDING and is placed when room appears', async () => {
  await start();
  await world.addInstances(JOB, ONE_CPU, [0, 1, 2]);
  expect(await world.statuses(JOB)).toEqual({ 0: 'ASSIGNED', 1: 'ASSIGNED', 2: 'PENDING' });
  expect(await vetoes(2)).toEqual(['resource CPU']);
  await world.leap(60_000);
  expect(await world.statuses(JOB)).toMatchObject({ 2: 'PENDING' });

  await world.engine.jobs.kill(JOB, [0], 'u', undefined);
  await world.settle();
  // It holds its place until it is dead.
  expect(await world.statuses(JOB)).toMatchObject({ 0: 'KILLING', 2: 'PENDING' });
  await world.report(JOB, 0, 'killed');
  expect(await world.statuses(JOB)).toMatchObject({ 0: 'KILLED', 2: 'ASSIGNED' });
  expect(await vetoes(2)).toBeUndefined();
});

test('so is one of another job, and one for which a host has to come', async () => {
  await start();
  const big = aConfig('big', { resources: [{ numCpus: 8 }, { ramMb: 64 }, { diskMb: 64 }] });
  await world.addInstances(JOB, ONE_CPU, [0, 1]);
  await world.addInstances(aJob('other'), ONE_CPU, [0]);
  await world.addInstances(aJob('third'), big, [0]);
  await world.report(JOB, 1, 'running');
  await world.engine.jobs.kill(JOB, [1], 'u', undefined);
  await world.settle();
  await world.report(JOB, 1, 'killed');
  expect(await world.statuses(aJob('other'))).toEqual({ 0: 'ASSIGNED' });
  expect(await world.statuses(aJob('third'))).toEqual({ 0: 'PENDING' });
  world.cluster.addHost({ host: 'b', total: room(8) });
  await world.settle();
  expect(await world.statuses(aJob('third'))).toEqual({ 0: 'ASSIGNED' });
});

test('constraints: by value, and so many of a job to a host', async () => {
  const constraint = (name: string, one: TaskConstraint): Constraint => ({ name, constraint: one });
  await start({
    hosts: ['a', 'b'].map((host) => ({ host, attributes: { rack: [`rack-${host}`] } })),
  });
  const spread = constraint('host', { limit: { limit: 1 } });
  await world.addInstances(JOB, aConfig('x', { constraints: [spread] }), [0, 1, 2]);
  expect(new Set(await hosts())).toEqual(new Set(['a', 'b', null]));
  expect(await vetoes(2)).toEqual(['limit host']);

  const pinned = constraint('rack', { value: { negated: false, values: ['rack-c'] } });
  const other = aJob('other');
  await world.addInstances(other, aConfig('y', { constraints: [pinned] }), [0]);
  expect(await world.statuses(other)).toEqual({ 0: 'PENDING' });
  world.cluster.addHost({ host: 'c', attributes: { rack: ['rack-c'] } });
  await world.settle();
  expect(await world.statuses(other)).toEqual({ 0: 'ASSIGNED' });
  expect(await world.statuses(JOB)).toMatchObject({ 2: 'ASSIGNED' });
});

test('a host that dies takes its tasks with it; they go elsewhere', async () => {
  await start({ hosts: [...SMALL, { host: 'b', total: room(2) }] });
  await world.addInstances(JOB, ONE_CPU, [0, 1, 2]);
  expect(await hosts()).toEqual(['a', 'b', 'a']);
  world.cluster.crashHost('a');
  await world.settle();
  expect(await hosts()).toEqual(expect.arrayContaining(['b', 'b', null]));
  world.cluster.restoreHost('a');
  await world.settle();
  expect((await hosts()).sort()).toEqual(['a', 'b', 'b']);
});

test('a restart knows what the hosts have left, and who waits', async () => {
  await start();
  await world.addInstances(JOB, ONE_CPU, [0, 1, 2]);
  await world.restart();
  expect(await world.statuses(JOB)).toEqual({ 0: 'ASSIGNED', 1: 'ASSIGNED', 2: 'PENDING' });
  await world.report(JOB, 0, 'running', 'finished');
  // Its next generation and instance 2 want the one place there is.
  expect(Object.values(await world.statuses(JOB)).sort()).toEqual([
    ...['ASSIGNED', 'ASSIGNED', 'PENDING'],
  ]);
});

test('a placement that cannot be written is tried again, and gives its place back meanwhile', async () => {
  await start();
  world.db.beforeCommit = (written) => {
    if (written.mentions('"submit"')) throw new Error('no');
  };
  await world.addInstances(JOB, ONE_CPU, [0, 1]);
  expect(await world.statuses(JOB)).toEqual({ 0: 'PENDING', 1: 'PENDING' });
  await world.advance(10_000);
  world.db.beforeCommit = undefined;
  await world.advance(1_000);
  expect(await world.statuses(JOB)).toEqual({ 0: 'ASSIGNED', 1: 'ASSIGNED' });
});

test('a task killed while it waits leaves a tombstone for auditors and nothing else', async () => {
  await start();
  await world.addInstances(JOB, ONE_CPU, [0, 1, 2]);
  const waiting = await world.task(JOB, 2);
  expect(await world.engine.jobs.kill(JOB, [2], 'mary', 'why')).toBe(1);
  await world.settle();
  expect(await world.statuses(JOB)).toEqual({ 0: 'ASSIGNED', 1: 'ASSIGNED' });
  const id = waiting?.taskId ?? '';
  expect(await world.db.read((tx) => findTasks(tx, [id]))).toEqual([]);
  expect(await world.db.read((tx) => findActiveTasks(tx, JOB, [2]))).toEqual([]);
  const [tombstone] = await world.sql(`
    SELECT status, removed_at IS NOT NULL AS removed, removed_reason FROM tasks
     WHERE task_id = '${id}'`);
  expect(tombstone).toEqual({
    ...{ status: 'PENDING', removed: true, removed_reason: killedBy('mary', 'why') },
  });
  expect(await world.sql(`SELECT status FROM instance_history WHERE instance_id = 2`)).toEqual([
    { status: 'PENDING' },
  ]);
  // Room appears, and is not for the dead.
  await world.report(JOB, 0, 'running');
  await world.engine.jobs.kill(JOB, [0], 'u', undefined);
  await world.settle();
  await world.report(JOB, 0, 'killed');
  expect(world.cluster.liveCount).toBe(1);
  await world.addInstances(JOB, ONE_CPU, [2]);
  expect(await world.statuses(JOB)).toMatchObject({ 2: 'ASSIGNED' });
});
