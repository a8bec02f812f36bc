/**
 * Timers that move tasks on (tasks.md §3, §4): flapping penalties, transient states, kill retries; what a
 * restart makes of them, and what a stop. Randomness is 0.5 in this world: a delay grows by half of itself.
 */
import { Engine } from '../../src/engine/engine.js';
import { TASK_TIMED_OUT, rescheduledWithPenalty } from '../../src/core/task/messages.js';
import { aConfig, aJob } from '../support/builders.js';
import type { WorldOptions } from '../support/world.js';
import { World } from '../support/world.js';

const JOB = aJob();
const OLD = aConfig('old');
const MINUTE = 60_000;
/** The first draw from [30 s, 60 s), and the one after it. */
const FIRST_PENALTY = 45_000;
const SECOND_PENALTY = 67_500;

let world: World;

async function start(options: WorldOptions = {}): Promise<void> {
  world = await World.create(options);
}

afterEach(async () => {
  await world.close();
});

async function statuses(): Promise<string[]> {
  return (await world.tasks(JOB)).map((task) => task.status);
}

async function lastMessages(): Promise<(string | null)[]> {
  const rows = await world.sql<{ message: string | null }>(`
    SELECT DISTINCT ON (task_id) message FROM task_events ORDER BY task_id, id DESC`);
  return rows.map((row) => row.message);
}

describe('flapping', () => {
  const CRASHES = { exitAfterMs: 1_000, exitState: 'failed' } as const;

  test('a service that keeps crashing is THROTTLED from its third generation on, longer each time, and woken', async () => {
    await start({ script: () => CRASHES });
    await world.addInstances(JOB, OLD, [0]);
    await world.advance(1_000);
    expect(await statuses()).toEqual(['FAILED', 'RUNNING']);
    await world.advance(1_000);
    expect(await statuses()).toEqual(['FAILED', 'FAILED', 'THROTTLED']);
    const [third] = await world.sql<{ message: string }>(
      "SELECT message FROM task_events WHERE status = 'THROTTLED'",
    );
    // The message counts one generation less than the wait does.
    expect(third?.message).toBe(rescheduledWithPenalty(FIRST_PENALTY));
    await world.advance(SECOND_PENALTY - 1);
    expect((await statuses())[2]).toBe('THROTTLED');
    await world.advance(1);
    expect((await statuses())[2]).toBe('RUNNING');
    await world.advance(1_000);
    expect((await statuses())[3]).toBe('THROTTLED');
    // In the end the penalty no longer grows.
    await world.advance(60 * MINUTE);
    const waits = await world.sql<{ wait: number }>(`
      SELECT extract(epoch FROM p.happened_at - t.happened_at)::float8 AS wait
        FROM task_events t JOIN task_events p ON p.task_id = t.task_id AND p.status = 'PENDING'
       WHERE t.status = 'THROTTLED' ORDER BY t.id`);
    expect(Math.max(...waits.map((row) => row.wait))).toBe(300);
  });

  test('one that ran for a while before it ended is replaced at once', async () => {
    await start({ script: () => ({ exitAfterMs: 5 * MINUTE, exitState: 'failed' }) });
    await world.addInstances(JOB, OLD, [0]);
    await world.advance(15 * MINUTE);
    expect(await statuses()).toEqual(['FAILED', 'FAILED', 'FAILED', 'RUNNING']);
  });

  test('a restart leaves what is left of the wait', async () => {
    await start({ script: () => CRASHES });
    await world.addInstances(JOB, OLD, [0]);
    await world.advance(2_000);
    await world.advance(30_000);
    await world.restart();
    await world.advance(SECOND_PENALTY - 30_000 - 1);
    expect((await statuses())[2]).toBe('THROTTLED');
    await world.advance(1);
    expect((await statuses())[2]).toBe('RUNNING');
  });

  test('a wall clock that stepped back before the restart makes nobody wait longer than the penalty', async () => {
    await start({ script: () => CRASHES });
    await world.addInstances(JOB, OLD, [0]);
    await world.advance(2_000);
    world.time.stepWall(-60 * MINUTE);
    await world.restart();
    await world.advance(SECOND_PENALTY);
    expect((await statuses())[2]).toBe('RUNNING');
  });

  test('a THROTTLED task that is killed is gone, and its timer with it', async () => {
    await start({ script: () => CRASHES });
    await world.addInstances(JOB, OLD, [0]);
    await world.advance(2_000);
    expect(await world.engine.jobs.kill(JOB, undefined, 'u', undefined)).toBe(1);
    await world.advance(10 * MINUTE);
    expect(await statuses()).toEqual(['FAILED', 'FAILED']);
  });
});

describe('transient states', () => {
  test('TASK-035 a task that stays ASSIGNED is LOST after five minutes, its workload killed and replaced', async () => {
    await start();
    await world.addInstances(JOB, OLD, [0]);
    const [task] = await world.tasks(JOB);
    await world.advance(5 * MINUTE - 1);
    expect(await statuses()).toEqual(['ASSIGNED']);
    await world.advance(1);
    expect(await statuses()).toEqual(['LOST', 'ASSIGNED']);
    expect(await lastMessages()).toContain(TASK_TIMED_OUT);
    expect(world.cluster.task(task?.taskId ?? '')).toMatchObject({ killing: true });
    expect(world.counter('timed_out_tasks')).toBe(1);
  });

  test('STARTING and RUNNING last as long as they like', async () => {
    await start();
    await world.addInstances(JOB, OLD, [0, 1]);
    await world.report(JOB, 0, 'starting');
    await world.report(JOB, 1, 'starting', 'running');
    await world.leap(600 * MINUTE);
    expect(await statuses()).toEqual(['STARTING', 'RUNNING']);
  });

  test('a restart gives the whole time again', async () => {
    await start();
    await world.addInstances(JOB, OLD, [0]);
    await world.advance(4 * MINUTE);
    await world.restart();
    await world.advance(5 * MINUTE - 1);
    expect(await statuses()).toEqual(['ASSIGNED']);
    await world.advance(1);
    expect(await statuses()).toEqual(['LOST', 'ASSIGNED']);
  });

  test('TASK-036 a restart gives tasks of any age the whole time again', async () => {
    await start({ settings: { transientTimeoutMs: MINUTE, initialKillRetryMs: MINUTE } });
    await world.addInstances(JOB, OLD, [0]);
    await world.runningInstances(JOB, OLD, [1, 2]);
    await world.addInstances(JOB, OLD, [3]);
    await world.advance(20_000);
    await world.engine.jobs.kill(JOB, [1], 'u', undefined);
    await world.advance(20_000);
    await world.report(JOB, 2, 'preempting');
    const before = await world.statuses(JOB);
    expect(before).toMatchObject({ 1: 'KILLING', 2: 'PREEMPTING', 3: 'ASSIGNED' });
    await world.restart();
    await world.advance(MINUTE - 1);
    expect(await world.statuses(JOB)).toEqual(before);
    const timedOut = world.counter('timed_out_tasks');
    await world.advance(1);
    const lost = (await world.tasks(JOB)).filter((task) => task.status === 'LOST');
    expect(lost.map((task) => task.instanceId)).toEqual(expect.arrayContaining([1, 2, 3]));
    expect(world.counter('timed_out_tasks')).toBeGreaterThanOrEqual(timedOut + 3);
  });

  test('TASK-034 a timer whose task has moved on, or is deleted, does nothing', async () => {
    await start();
    await world.addInstances(JOB, OLD, [0, 1]);
    await world.advance(4 * MINUTE);
    await world.engine.jobs.kill(JOB, [0], 'u', undefined);
    const deleted = (await world.task(JOB, 1))!;
    await world.db.write({}, (tx) => world.engine.tasks.prune(tx, [deleted.taskId]));
    await world.advance(5 * MINUTE - 1);
    expect(await statuses()).toEqual(['KILLING']);
    expect(world.counter('timed_out_tasks')).toBe(0);
    await world.advance(1);
    expect(await statuses()).toEqual(['LOST']);
  });

  test('TASK-037 before the start is complete no task is taken for stuck; it is looked at every 5 s', async () => {
    await start({ settings: { transientTimeoutMs: 1_000 } });
    await world.addInstances(JOB, OLD, [0]);
    await world.engine.stop();
    const next = new Engine(world.engine.options);
    let complete: () => void = () => undefined;
    next.cron.start = () => new Promise((resolve) => (complete = resolve));
    world.engine = next;
    const started = next.start();
    // Until the timers of what was found are armed.
    for (let n = 0; n < 500 && !next.updater.registry.loaded; n++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await world.advance(1_000);
    expect(await statuses()).toEqual(['ASSIGNED']);
    await world.advance(5_000);
    expect(await statuses()).toEqual(['ASSIGNED']);
    expect(world.counter('timed_out_tasks')).toBe(0);
    for (let n = 0; n < 500; n++) {
      complete();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await started;
    await world.advance(4_999);
    expect(await statuses()).toEqual(['ASSIGNED']);
    await world.advance(1);
    expect((await statuses())[0]).toBe('LOST');
  });

  test('a change that cannot be written is tried again', async () => {
    await start();
    await world.addInstances(JOB, OLD, [0]);
    world.db.beforeCommit = () => {
      throw new Error('no');
    };
    await world.advance(5 * MINUTE);
    expect(await statuses()).toEqual(['ASSIGNED']);
    world.db.beforeCommit = undefined;
    await world.advance(5_000);
    expect(await statuses()).toEqual(['LOST', 'ASSIGNED']);
  });
});

describe('kills that are not heard', () => {
  test('TASK-038 a kill is repeated while the task is KILLING, and not once it is gone', async () => {
    await start({ settings: { initialKillRetryMs: 100 } });
    await world.runningJob(JOB, OLD, 1);
    const begin = world.time.monoNow();
    const kills: number[] = [];
    world.backend.kill = () => {
      kills.push(world.time.monoNow() - begin);
      return Promise.resolve();
    };
    await world.engine.jobs.kill(JOB, undefined, 'u', undefined);
    await world.settle();
    await world.advance(400);
    // 0 is the kill itself; the delays of this world are 150, 225, 338 ...
    expect(kills).toEqual([0, 150, 375]);
    expect(world.counter('task_kill_retries')).toBe(2);
    await world.report(JOB, 0, 'killed');
    await world.advance(60 * MINUTE);
    expect(kills).toHaveLength(3);
    expect(world.counter('task_kill_retries')).toBe(2);
  });

  test('a kill is repeated after growing delays; a task that outlives them all is LOST and not replaced', async () => {
    await start();
    await world.runningJob(JOB, OLD, 1);
    const kills: number[] = [];
    world.backend.kill = () => {
      kills.push(world.time.monoNow());
      return Promise.resolve();
    };
    await world.engine.jobs.kill(JOB, undefined, 'u', undefined);
    await world.settle();
    await world.advance(60 * MINUTE);
    const delays = kills.slice(1).map((at, n) => at - (kills[n] ?? 0));
    expect(delays.slice(0, 3)).toEqual([22_500, 33_750, 50_625]);
    expect(await statuses()).toEqual(['LOST']);
    expect(world.counter('task_kill_retries')).toBe(delays.length);
    expect((kills.at(-1) ?? 0) - (kills[0] ?? 0)).toBeLessThan(5 * MINUTE);
  });

  test('TASK-038 one that ends before the first repetition is not killed again', async () => {
    await start();
    await world.runningJob(JOB, OLD, 1);
    await world.engine.jobs.kill(JOB, undefined, 'u', undefined);
    await world.settle();
    await world.report(JOB, 0, 'killed');
    await world.advance(60 * MINUTE);
    expect(world.counter('task_kill_retries')).toBe(0);
  });

  test('nor is one that ends while a starting process arms its timers', async () => {
    await start();
    await world.runningJob(JOB, OLD, 1);
    await world.engine.jobs.kill(JOB, undefined, 'u', undefined);
    await world.settle();
    const [task] = await world.tasks(JOB);
    await world.engine.stop();

    const next = new Engine(world.engine.options);
    world.engine = next;
    let adopted = false;
    const backendStart = world.backend.start.bind(world.backend);
    world.backend.start = async (...args) => {
      await backendStart(...args);
      adopted = true;
    };
    const read = world.db.read.bind(world.db);
    // The first read after that finds the task KILLING, and is out of date when its result is used.
    world.db.read = async (work) => {
      const found = await read(work);
      if (adopted && (await statuses())[0] === 'KILLING') {
        world.cluster.report(task?.taskId ?? '', 'killed');
        await world.backend.idle();
      }
      return found;
    };
    await next.start();
    world.db.read = read;
    await world.settle();
    expect(await statuses()).toEqual(['KILLED']);
    await world.advance(60 * MINUTE);
    expect(world.counter('task_kill_retries')).toBe(0);
  });
});

describe('partitions', () => {
  const POLICY = { partitionPolicy: { reschedule: true, delaySecs: 10 } };

  async function partitioned(): Promise<void> {
    await start({ settings: { partitionAware: true } });
    await world.runningJob(JOB, aConfig('old', POLICY), 1);
    await world.report(JOB, 0, 'unreachable');
    expect(await statuses()).toEqual(['PARTITIONED']);
  }

  test('TASK-042 a task that stays PARTITIONED is LOST in the end, and says why', async () => {
    await partitioned();
    await world.advance(9_999);
    expect(await statuses()).toEqual(['PARTITIONED']);
    await world.advance(1);
    expect(await statuses()).toEqual(['LOST', 'ASSIGNED']);
    expect(await lastMessages()).toContain('Task partitioned for too long.');
  });

  test('TASK-042 one that runs again meanwhile is left alone, and its next partition has its own time', async () => {
    await partitioned();
    await world.advance(8_000);
    await world.report(JOB, 0, 'running');
    await world.advance(1_000);
    await world.report(JOB, 0, 'unreachable');
    await world.advance(9_999);
    expect(await statuses()).toEqual(['PARTITIONED']);
    await world.report(JOB, 0, 'running');
    await world.advance(60 * MINUTE);
    expect(await statuses()).toEqual(['RUNNING']);
  });
});

test('TASK-031 nothing but THROTTLED is throttled', async () => {
  await start({ hosts: [] });
  const penaltyOf = jest.spyOn(world.engine.tasks, 'penaltyOf');
  await world.addInstances(JOB, OLD, [0]);
  expect(await statuses()).toEqual(['PENDING']);
  const { pendingTimers } = world.time;
  world.cluster.addHost({ host: 'localhost' });
  await world.settle();
  await world.report(JOB, 0, 'running');
  expect(await statuses()).toEqual(['RUNNING']);
  expect(world.time.pendingTimers).toBeLessThanOrEqual(pendingTimers);
  expect(penaltyOf).not.toHaveBeenCalled();
});

test('after a stop no timer does anything', async () => {
  await start({
    script: ({ instanceId }) => (instanceId === 0 ? { submitError: 'no' } : undefined),
  });
  await world.addInstances(JOB, OLD, [0, 1, 2]);
  await world.startUpdate(JOB, aConfig('new'), 3, { pulseTimeoutMs: 10_000 });
  const { db, engine } = world;
  await world.stop();
  const { statements } = db;
  const write = jest.spyOn(db, 'write');
  const read = jest.spyOn(db, 'read');
  world.time.tick(60 * MINUTE);
  world.time.fireDue();
  await engine.idle();
  expect(db.statements).toBe(statements);
  expect(write).not.toHaveBeenCalled();
  expect(read).not.toHaveBeenCalled();
  expect(world.time.pendingTimers).toBe(0);
});
