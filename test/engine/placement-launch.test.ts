/** Submits that the backend refuses (tasks.md §5.1 "launch"), and hosts that are kept for others. */
import { LAUNCH_FAILED } from '../../src/core/task/messages.js';
import { DEFAULT_SCHEDULING } from '../../src/engine/scheduling/settings.js';
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';

const JOB = aJob();
const ONE_CPU = aConfig('one');
const HOSTS = ['one', 'two'].map((host) => ({
  host,
  total: { cpus: 1, ramMb: 1_024, diskMb: 1_024 },
}));

let world: World;

beforeEach(async () => {
  world = await World.create({ hosts: HOSTS, settings: { scheduling: DEFAULT_SCHEDULING } });
});

afterEach(async () => {
  await world.close();
});

/** `STATUS message` of the task’s newest event. */
async function lastEvent(taskId: string | undefined): Promise<string> {
  const [event] = await world.sql<{ status: string; message: string | null }>(
    `SELECT status, message FROM task_events WHERE task_id = '${taskId}' ORDER BY id DESC LIMIT 1`,
  );
  return `${event?.status} ${event?.message ?? ''}`;
}
const commands = (): Promise<unknown[]> => world.sql('SELECT kind FROM backend_commands');
const generations = async (id: number): Promise<string[]> =>
  (await world.tasks(JOB)).filter((task) => task.instanceId === id).map((task) => task.status);

test('TASK-047 three tasks, two hosts, the launch of the first is refused: LOST, its group is not thrown after it, counter 1', async () => {
  world.cluster.script = ({ instanceId }) =>
    instanceId === 0 ? { submitRefused: 'no such image' } : { neverStarts: true };
  await world.addInstances(JOB, ONE_CPU, [0, 1, 2]);
  const [first] = await world.tasks(JOB);
  await world.advance(1);
  expect(await lastEvent(first?.taskId)).toBe(`LOST ${LAUNCH_FAILED}`);
  expect(world.counter('assigner_launch_failures')).toBe(1);
  // A host is free again, and two tasks want it: the third and what replaces the first.
  expect(await generations(0)).toEqual(['LOST', 'PENDING']);
  expect([await generations(1), await generations(2)]).toEqual([['ASSIGNED'], ['PENDING']]);
  await world.advance(1_400);
  expect([await generations(0), await generations(2)]).toEqual([['LOST', 'PENDING'], ['PENDING']]);
  await world.advance(2_000);
  expect(await generations(2)).toEqual(['ASSIGNED']);
  expect(await commands()).toEqual([]);
});

test('a submit that keeps failing is given up after five tries, and its task is LOST', async () => {
  let tries = 0;
  world.cluster.script = ({ instanceId }) => {
    if (instanceId !== 0) return { neverStarts: true };
    tries += 1;
    return { submitError: 'no space left' };
  };
  await world.addInstances(JOB, ONE_CPU, [0]);
  const [task] = await world.tasks(JOB);
  await world.advance(1 + 14_999);
  expect([tries, await lastEvent(task?.taskId)]).toEqual([4, 'ASSIGNED ']);
  await world.advance(1);
  expect([tries, await lastEvent(task?.taskId)]).toEqual([5, `LOST ${LAUNCH_FAILED}`]);
});

test('one that is being killed is not LOST by its launch, and its kill gets through', async () => {
  world.cluster.script = () => ({ submitError: 'never' });
  await world.addInstances(JOB, ONE_CPU, [0]);
  await world.advance(1);
  const [task] = await world.tasks(JOB);
  await world.engine.jobs.kill(JOB, undefined, 'u', undefined);
  await world.advance(15_000);
  expect(await lastEvent(task?.taskId)).toBe('LOST Unknown task.');
  expect(await generations(0)).toEqual(['LOST']);
  expect(world.counter('assigner_launch_failures')).toBe(0);
  expect(await commands()).toEqual([]);
});

test('a failed launch that cannot be written is written later, also by the next process', async () => {
  world.cluster.script = () => ({ submitRefused: 'never' });
  world.db.beforeCommit = (written) => {
    if (written.mentions('"LOST"')) throw new Error('no');
  };
  await world.addInstances(JOB, ONE_CPU, [0]);
  const [task] = await world.tasks(JOB);
  await world.advance(1);
  expect(await lastEvent(task?.taskId)).toBe('ASSIGNED ');
  await world.restart();
  expect(await lastEvent(task?.taskId)).toBe(`LOST ${LAUNCH_FAILED}`);
});
