/**
 * What a backend reports (tasks.md §11.2): written in batches, acknowledged by the commit, repeated until
 * then, and answered with a kill where a workload lives that should not.
 */
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';

const JOB = aJob();
const OLD = aConfig('old');

let world: World;

beforeEach(async () => {
  world = await World.create();
});

afterEach(async () => {
  await world.close();
});

async function events(): Promise<string[]> {
  const rows = await world.sql<{ status: string }>('SELECT status FROM task_events ORDER BY id');
  return rows.map((row) => row.status);
}

test('reports that come together are written together: statements do not grow with their number', async () => {
  const statementsFor = async (instances: number): Promise<number> => {
    const job = aJob(`job${instances}`);
    await world.engine.jobs.create(job, OLD, instances, () => undefined);
    await world.settle();
    const ids = (await world.tasks(job)).map((task) => task.taskId);
    const before = world.db.statements;
    for (const id of ids) world.cluster.report(id, 'running');
    await world.settle();
    expect(new Set(Object.values(await world.statuses(job)))).toEqual(new Set(['RUNNING']));
    return world.db.statements - before;
  };
  expect(await statementsFor(400)).toBe(await statementsFor(4));
});

test('BACKEND-007 a report said twice is stored once', async () => {
  await world.runningJob(JOB, OLD, 1);
  const before = await events();
  await world.report(JOB, 0, 'running');
  expect(await events()).toEqual(before);
});

test('BACKEND-004 a workload nobody knows is killed', async () => {
  const kills: string[] = [];
  const { kill } = world.backend;
  world.backend.kill = (taskId) => {
    kills.push(taskId);
    return kill.call(world.backend, taskId);
  };
  world.cluster.report('stray', 'running');
  await world.settle();
  expect(kills).toEqual(['stray']);
  expect(await events()).toEqual([]);
});

test('a workload that lives on after its task has ended is killed', async () => {
  await world.runningJob(JOB, OLD, 1);
  await world.engine.jobs.kill(JOB, undefined, 'u', undefined);
  await world.settle();
  await world.advance(300_000);
  expect(await world.statuses(JOB)).toEqual({ 0: 'LOST' });
  const [task] = await world.tasks(JOB);
  const kill = jest.spyOn(world.backend, 'kill');
  await world.backend.reconcile('all');
  await world.settle();
  expect(kill).toHaveBeenCalledWith(task?.taskId, expect.any(Number));
  expect(world.counter('scheduler_illegal_task_state_transitions')).toBeGreaterThan(0);
});

test('a report that could not be written is said again, and later ones of its task wait for it', async () => {
  await world.addInstances(JOB, OLD, [0]);
  world.db.once('task_events', () => {
    throw new Error('no');
  });
  const [task] = await world.tasks(JOB);
  world.cluster.report(task?.taskId ?? '', 'starting');
  world.cluster.report(task?.taskId ?? '', 'running');
  await world.settle();
  expect(await world.statuses(JOB)).toEqual({ 0: 'ASSIGNED' });
  await world.advance(200);
  expect(await events()).toEqual(['PENDING', 'ASSIGNED', 'STARTING', 'RUNNING']);
});

test('a report that cannot be written at all keeps no other of its job from being written', async () => {
  await world.addInstances(JOB, OLD, [0, 1, 2]);
  await world.sql(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
    CREATE TRIGGER refuse BEFORE UPDATE ON tasks FOR EACH ROW
      WHEN (NEW.instance_id = 1) EXECUTE FUNCTION refuse()`);
  for (const { taskId } of await world.tasks(JOB)) world.cluster.report(taskId, 'running');
  await world.settle();
  expect(await world.statuses(JOB)).toEqual({ 0: 'RUNNING', 1: 'ASSIGNED', 2: 'RUNNING' });
  await world.sql('DROP TRIGGER refuse ON tasks');
  await world.advance(30_000);
  expect(await world.statuses(JOB)).toEqual({ 0: 'RUNNING', 1: 'RUNNING', 2: 'RUNNING' });
});

test('what happened while no scheduler ran is told at the next start', async () => {
  await world.runningJob(JOB, OLD, 2);
  const [first, second] = await world.tasks(JOB);
  await world.stop();
  world.cluster.report(first?.taskId ?? '', 'failed');
  world.cluster.forget(second?.taskId ?? '');
  await world.start();
  const tasks = await world.tasks(JOB);
  expect(tasks.map((task) => task.status)).toEqual(['FAILED', 'ASSIGNED', 'LOST', 'ASSIGNED']);
});
