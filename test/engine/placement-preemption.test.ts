/** Tasks that displace others, and hosts kept for them or for updates (tasks.md §5.1, §5.4). */
import type { TaskConfig } from '../../src/core/model/config.js';
import type { JobKey } from '../../src/core/model/keys.js';
import { preemptedFor } from '../../src/core/task/messages.js';
import type { PreemptionSettings } from '../../src/engine/scheduling/settings.js';
import { DEFAULT_SCHEDULING } from '../../src/engine/scheduling/settings.js';
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';

const [LOW, HIGH, OTHER] = [aJob('low'), aJob('high'), aJob('other')];
const MINUTE = 60_000;
/** The longest wait between two attempts, and a moment. */
const RETRY = MINUTE + 10;
const total = { cpus: 1, ramMb: 1_024, diskMb: 1_024 };

const config = (data: string, priority: number, more: Partial<TaskConfig> = {}): TaskConfig =>
  aConfig(data, { priority, ...more });

let world: World;

async function start(
  hosts: readonly string[],
  preemption: Partial<PreemptionSettings> = {},
  affinity = false,
): Promise<void> {
  world = await World.create({
    hosts: hosts.map((host) => ({ host, total })),
    settings: {
      scheduling: {
        ...DEFAULT_SCHEDULING,
        preemption: { ...DEFAULT_SCHEDULING.preemption, ...preemption },
      },
      updateAffinity: { enabled: affinity, holdMs: 3 * MINUTE },
    },
  });
}

afterEach(async () => {
  await world.close();
});

async function add(job: JobKey, task: TaskConfig, ids: readonly number[]): Promise<void> {
  await world.addInstances(job, task, ids);
  await world.advance(1);
}

async function running(job: JobKey, task: TaskConfig, ids: readonly number[]): Promise<void> {
  await add(job, task, ids);
  for (const id of ids) await world.report(job, id, 'running');
}

const status = async (job: JobKey, id = 0) => (await world.task(job, id))?.status;
async function host(job: JobKey, id = 0): Promise<string | null | undefined> {
  const task = await world.task(job, id);
  const [row] = await world.sql<{ host: string | null }>(
    `SELECT slave_host AS host FROM tasks WHERE task_id = '${task?.taskId}'`,
  );
  return row?.host;
}

test('a task PENDING for 3 min displaces one of lower priority, which is told for whom', async () => {
  await start(['a']);
  await running(LOW, config('low', 1), [0]);
  await add(HIGH, config('high', 5), [0]);
  const pending = await world.task(HIGH, 0);
  await world.advance(3 * MINUTE - 10);
  expect(await status(LOW)).toBe('RUNNING');
  // The search of minute 4 is the first that finds it old enough.
  await world.advance(MINUTE + 20);
  expect(await status(LOW)).toBe('PREEMPTING');
  const victim = await world.task(LOW, 0);
  const [event] = await world.sql<{ message: string }>(
    `SELECT message FROM task_events WHERE task_id = '${victim?.taskId}' AND status = 'PREEMPTING'`,
  );
  expect(event?.message).toBe(preemptedFor(pending?.taskId ?? ''));
  await world.report(LOW, 0, 'killed');
  await world.advance(1);
  // Its replacement does not get the place it had.
  expect([await status(HIGH), await host(HIGH), await status(LOW)]).toEqual([
    ...['ASSIGNED', 'a', 'PENDING'],
  ]);
});

test('nobody is displaced by equals, by the switched off preemptor, or before the first search', async () => {
  await start(['a'], { enabled: false });
  await running(LOW, config('low', 1), [0]);
  await add(HIGH, config('high', 5), [0]);
  await world.advance(10 * MINUTE);
  expect(await status(LOW)).toBe('RUNNING');
  await world.close();

  await start(['a'], { searchInitialDelayMs: 8 * MINUTE, delayMs: 0 });
  await running(LOW, config('low', 5), [0]);
  await add(HIGH, config('high', 5), [0]);
  await world.advance(10 * MINUTE);
  expect(await status(LOW)).toBe('RUNNING');
  await add(OTHER, config('other', 6), [0]);
  await world.advance(MINUTE + RETRY);
  expect(await status(LOW)).toBe('PREEMPTING');
});

test('production displaces whatever is preemptible, of any role', async () => {
  await start(['a']);
  await running(LOW, config('low', 100, { job: { ...LOW, role: 'somebody' } }), [0]);
  await add(HIGH, config('high', -1000, { production: true, tier: 'preferred' }), [0]);
  await world.advance(4 * MINUTE + 10);
  expect(await status(LOW)).toBe('PREEMPTING');
});

test('one host is cleared for a group at a time, and its tasks may land elsewhere meanwhile', async () => {
  await start(['a']);
  await running(LOW, config('low', 1), [0]);
  await add(HIGH, config('high', 5), [0, 1]);
  await world.advance(4 * MINUTE + 10);
  expect(await status(LOW)).toBe('PREEMPTING');
  // One host for one task of the group at a time, though two wait.
  world.cluster.addHost({ host: 'b', total });
  await world.advance(1);
  expect([await host(HIGH, 0), await host(HIGH, 1)].sort()).toEqual(['b', null]);
});

test('TASK-048 the only host is reserved for another group: nothing; with an own reservation elsewhere: lands on the other host', async () => {
  await start(['a']);
  await running(LOW, config('low', 1), [0]);
  await add(HIGH, config('high', 5), [0]);
  await world.advance(4 * MINUTE + 10);
  expect(await status(LOW)).toBe('PREEMPTING');
  // The one it is for cannot have it now, and others must not.
  const waiting = await world.task(HIGH, 0);
  const hold = world.engine.scheduling;
  const small = config('small', 9, {
    resources: [{ numCpus: 0.1 }, { ramMb: 1 }, { diskMb: 1 }],
  });
  world.cluster.addHost({ host: 'a', total: { ...total, cpus: 1.5 } });
  await add(OTHER, small, [0]);
  expect([await status(OTHER), hold.vetoesOf(waiting?.taskId ?? '')?.length]).toEqual([
    ...['PENDING', 1],
  ]);
  // Its own reservation is on `a`; `b` is there first.
  world.cluster.addHost({ host: 'b', total: { ...total, cpus: 1 } });
  await world.advance(1);
  expect(await host(HIGH)).toBe('b');
  expect(await status(OTHER)).toBe('PENDING');
  // Three minutes after it was made it is given up.
  await world.advance(3 * MINUTE);
  expect([await status(OTHER), await host(OTHER)]).toEqual(['ASSIGNED', 'a']);
});

test('TASK-049 an instance whose agent is reserved: the host is not ready, nothing; ready, it is used and released', async () => {
  await start(['a'], {}, true);
  await running(LOW, config('old', 1), [0]);
  const update = await world.startUpdate(LOW, config('new', 1), 1);
  expect(await world.view(update)).toBe('ROLLING_FORWARD');
  expect(world.engine.affinity.isReserved('agent-a')).toBe(true);
  world.cluster.addHost({ host: 'b', total });
  // The old task dies with its host, which is not there for the new one.
  world.cluster.crashHost('a');
  await world.advance(RETRY);
  expect([await status(LOW), await host(LOW)]).toEqual(['PENDING', null]);
  world.cluster.restoreHost('a');
  await world.advance(1);
  expect([await status(LOW), await host(LOW)]).toEqual(['ASSIGNED', 'a']);
  expect(world.engine.affinity.isReserved('agent-a')).toBe(false);
});

test('a place found is forgotten after its time', async () => {
  await start(['a'], { slotHoldMs: 1 });
  await running(LOW, config('low', 1), [0]);
  await add(HIGH, config('high', 5), [0]);
  await world.advance(4 * MINUTE + 10);
  expect(await status(LOW)).toBe('RUNNING');
});

test('a victim that cannot be written is not lost: the next search tries again', async () => {
  await start(['a']);
  await running(LOW, config('low', 1), [0]);
  await add(HIGH, config('high', 5), [0]);
  world.db.beforeCommit = (written) => {
    if (written.mentions('"PREEMPTING"')) throw new Error('no');
  };
  await world.advance(4 * MINUTE + 10);
  expect(await status(LOW)).toBe('RUNNING');
  world.db.beforeCommit = undefined;
  await world.advance(2 * MINUTE);
  expect(await status(LOW)).toBe('PREEMPTING');
});
