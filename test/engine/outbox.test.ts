/**
 * Commands to the backend are rows (design D8, tasks.md §11.2 rule 1): whatever happens between the commit
 * and the call, the backend hears of them, in order for each task, until it has taken them.
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

async function outstanding(): Promise<string[]> {
  const rows = await world.sql<{ kind: string }>('SELECT kind FROM backend_commands ORDER BY id');
  return rows.map((row) => row.kind);
}

/** From now on the process commits, and dies before it tells the backend anything. */
function dieAfterCommit(): void {
  world.engine.commands.stop();
}

async function workload(instanceId: number): Promise<ReturnType<World['cluster']['task']>> {
  return world.cluster.task((await world.task(JOB, instanceId))?.taskId ?? '');
}

test('BACKEND-003 a kill that was committed and not sent is sent by the next process', async () => {
  await world.runningJob(JOB, OLD, 2);
  expect(await outstanding()).toEqual([]);
  dieAfterCommit();
  await world.engine.jobs.kill(JOB, [0], 'u', undefined);
  await world.settle();
  expect(await outstanding()).toEqual(['kill']);
  expect(await workload(0)).toMatchObject({ killing: false });

  await world.restart();
  expect(await workload(0)).toMatchObject({ killing: true });
  expect(await workload(1)).toMatchObject({ killing: false });
  expect(await outstanding()).toEqual([]);
  await world.report(JOB, 0, 'killed');
  expect(await world.statuses(JOB)).toEqual({ 0: 'KILLED', 1: 'RUNNING' });
});

test('a submit that was committed and not sent is sent by the next process; the task is not taken for lost', async () => {
  dieAfterCommit();
  await world.addInstances(JOB, OLD, [0]);
  expect(await world.statuses(JOB)).toEqual({ 0: 'ASSIGNED' });
  expect(await workload(0)).toBeUndefined();
  await world.restart();
  expect(await workload(0)).toMatchObject({ state: 'accepted' });
  expect(await world.statuses(JOB)).toEqual({ 0: 'ASSIGNED' });
  expect(await outstanding()).toEqual([]);
  await world.report(JOB, 0, 'running');
});

test('a submit and the kill after it are replayed in their order', async () => {
  dieAfterCommit();
  await world.addInstances(JOB, OLD, [0]);
  await world.engine.jobs.kill(JOB, undefined, 'u', undefined);
  await world.settle();
  expect(await outstanding()).toEqual(['submit', 'kill']);
  await world.restart();
  expect(await workload(0)).toMatchObject({ killing: true });
  expect(await outstanding()).toEqual([]);
});

test('a command that was taken but not struck off is sent again and does no harm', async () => {
  await world.runningJob(JOB, OLD, 1);
  const [task] = await world.tasks(JOB);
  await world.sql(
    `INSERT INTO backend_commands (task_id, kind) VALUES ('${task?.taskId}', 'submit')`,
  );
  await world.restart();
  expect(await world.statuses(JOB)).toEqual({ 0: 'RUNNING' });
  expect(world.cluster.liveCount).toBe(1);
  expect(await outstanding()).toEqual([]);
});

test('a submit the backend refuses is repeated after growing delays until it is taken', async () => {
  const attempts: number[] = [];
  world.cluster.script = () => {
    attempts.push(world.time.monoNow());
    return attempts.length < 4 ? { submitError: 'not now' } : {};
  };
  await world.addInstances(JOB, OLD, [0]);
  expect(await outstanding()).toEqual(['submit']);
  await world.advance(7_000);
  expect(attempts.map((at) => at - (attempts[0] ?? 0))).toEqual([0, 1_000, 3_000, 7_000]);
  expect(await world.statuses(JOB)).toEqual({ 0: 'RUNNING' });
  expect(await outstanding()).toEqual([]);
});

test('what the backend refuses for one task holds up no other', async () => {
  world.cluster.script = ({ instanceId }) => (instanceId === 0 ? { submitError: 'never' } : {});
  await world.addInstances(JOB, OLD, [0, 1, 2]);
  expect(await world.statuses(JOB)).toEqual({ 0: 'ASSIGNED', 1: 'RUNNING', 2: 'RUNNING' });
  expect(await outstanding()).toEqual(['submit']);
});

test('a kill behind a submit that is being repeated comes after it', async () => {
  let refuse = true;
  world.cluster.script = () => (refuse ? { submitError: 'not now' } : { killDelayMs: 10 });
  await world.addInstances(JOB, OLD, [0]);
  await world.engine.jobs.kill(JOB, undefined, 'u', undefined);
  await world.settle();
  expect(await outstanding()).toEqual(['submit', 'kill']);
  refuse = false;
  await world.advance(2_000);
  expect(await outstanding()).toEqual([]);
  expect(await world.statuses(JOB)).toEqual({ 0: 'KILLED' });
  expect(world.cluster.liveCount).toBe(0);
});

test('rows that cannot be struck off are struck off later', async () => {
  world.db.beforeCommit = (written) => {
    if (written.mentions('DELETE') || written.mentions('delete')) throw new Error('no');
  };
  await world.addInstances(JOB, OLD, [0, 1]);
  expect(await outstanding()).toEqual(['submit', 'submit']);
  world.db.beforeCommit = undefined;
  await world.advance(1_000);
  expect(await outstanding()).toEqual([]);
});
