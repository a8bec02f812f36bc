/** Cron jobs on a fake clock: when they run, and collisions with the former run (tasks.md §7). */
import type { CollisionPolicy } from '../../src/store/cron.js';
import { TransientError } from '../../src/core/errors.js';
import type { CronSchedule } from '../../src/core/cron/crontab.js';
import { parseCrontab } from '../../src/core/cron/crontab.js';
import { zoneOffset } from '../../src/time.js';
import { DEFAULT_ENGINE_SETTINGS } from '../../src/engine/engine.js';
import { aTask } from '../core/validate/fixtures.js';
import type { WorldOptions } from '../support/world.js';
import { World } from '../support/world.js';

const JOB = { role: 'role', environment: 'devel', name: 'cron' };
const MINUTE_MS = 60_000;

let world: World;

async function open(options: WorldOptions = {}): Promise<void> {
  world = await World.create(options);
}

afterEach(async () => {
  await world.close();
});

interface Template {
  readonly schedule?: string;
  readonly policy?: CollisionPolicy;
  readonly data?: string;
  readonly instances?: number;
}

async function store(template: Template = {}, mode: 'schedule' | 'replace' = 'schedule') {
  const { schedule = '*/5 * * * *', policy, data = 'a', instances = 2 } = template;
  await world.engine.cronJobs.store(
    {
      job: JOB,
      config: aTask({ job: JOB, executorConfig: { name: 'AuroraExecutor', data } }),
      instanceCount: instances,
      schedule,
      ...(policy === undefined ? {} : { collisionPolicy: policy }),
      user: 'user',
      checkLimits: () => undefined,
      checkSchedule: () => parseCrontab(schedule).ok as CronSchedule,
    },
    mode,
  );
}

async function startNow(): Promise<void> {
  world.engine.cronJobs.startNow(JOB);
  await world.settle();
}

/** Statuses of all tasks, oldest generation first within an instance. */
const all = async (): Promise<string[]> => (await world.tasks(JOB)).map((task) => task.status);
const active = async (): Promise<Record<number, string>> => world.versions(JOB);
const count = (name: string): number => world.counter(`cron_job_${name}`);
const followUps = () => world.sql('SELECT waits_for FROM cron_follow_ups');

async function finish(): Promise<void> {
  for (const id of [0, 1]) await world.report(JOB, id, 'running', 'finished');
}

describe('runs', () => {
  test.each([undefined, 'KILL_EXISTING', 'CANCEL_NEW', 'RUN_OVERLAP'] as const)(
    'TASK-077 without active tasks all instances start, with the policy %s',
    async (policy) => {
      await open();
      await store(policy === undefined ? {} : { policy });
      await world.advance(5 * MINUTE_MS - 1);
      expect(await all()).toEqual([]);
      await world.advance(1);
      expect(await active()).toEqual({ 0: 'a', 1: 'a' });
      expect([count('triggers'), count('collisions')]).toEqual([1, 0]);
    },
  );

  test('each time it is due, as long as the former run has ended', async () => {
    await open();
    await store();
    for (let run = 1; run <= 3; run++) {
      await world.advance(5 * MINUTE_MS);
      expect(await all()).toHaveLength(2 * run);
      await finish();
    }
    expect(count('triggers')).toBe(3);
  });

  test('TASK-077 a template that is gone from the store: nothing, and no more runs', async () => {
    await open();
    await store();
    await world.sql('DELETE FROM cron_jobs');
    await world.advance(20 * MINUTE_MS);
    expect(await all()).toEqual([]);
    expect(count('misfires')).toBe(1);
  });

  test('a stored schedule that is none: nothing but a count', async () => {
    await open();
    await store();
    await world.sql(`UPDATE cron_jobs SET schedule = 'often'`);
    await world.advance(5 * MINUTE_MS);
    expect(await all()).toEqual([]);
    expect(count('parse_failures')).toBe(1);
    await world.restart();
    await world.advance(20 * MINUTE_MS);
    await startNow();
    expect(await all()).toEqual([]);
    expect(count('parse_failures')).toBe(3);
  });

  test.each(['CANCEL_NEW', 'RUN_OVERLAP'] as const)(
    'TASK-077 %s does nothing while a task of the former run is active',
    async (policy) => {
      await open();
      await store({ policy });
      await world.advance(5 * MINUTE_MS);
      await world.report(JOB, 1, 'running');
      await world.report(JOB, 0, 'running', 'finished');
      await world.advance(5 * MINUTE_MS);
      expect(await all()).toHaveLength(2);
      expect([count('triggers'), count('collisions')]).toEqual([1, 1]);
    },
  );

  test('a replaced template holds from the next run on, on its own schedule', async () => {
    await open();
    await store();
    await world.advance(5 * MINUTE_MS);
    await finish();
    await store({ schedule: '7 * * * *', data: 'b', instances: 1 }, 'replace');
    await world.advance(MINUTE_MS);
    expect(await active()).toEqual({});
    await world.advance(MINUTE_MS);
    expect(await active()).toEqual({ 0: 'b' });
  });

  test('in the zone of -cron_timezone', async () => {
    const cron = { ...DEFAULT_ENGINE_SETTINGS.cron, offsetAt: zoneOffset('Asia/Kolkata') };
    await open({ settings: { cron } });
    // Half past five in the morning is midnight in GMT, when the clock starts.
    await store({ schedule: '31 5 * * *' });
    await world.advance(MINUTE_MS);
    expect(await active()).toEqual({ 0: 'a', 1: 'a' });
  });

  test('a run that could not be written for a moment is tried again within its minute', async () => {
    await open();
    await store();
    world.db.once('cron_follow_ups', () => {
      throw new TransientError('away');
    });
    await world.advance(5 * MINUTE_MS);
    expect(await all()).toEqual([]);
    await world.advance(5_000);
    expect(await active()).toEqual({ 0: 'a', 1: 'a' });
    expect([count('triggers'), count('launch_failures')]).toEqual([1, 0]);
  });

  test('one that cannot be written for a minute is given up', async () => {
    await open();
    await store();
    world.db.beforeCommit = (written) => {
      if (written.mentions('cron_follow_ups')) throw new TransientError('away');
    };
    await world.advance(6 * MINUTE_MS);
    world.db.beforeCommit = undefined;
    await world.advance(3 * MINUTE_MS);
    expect(await all()).toEqual([]);
    expect(count('launch_failures')).toBe(1);
    await world.advance(MINUTE_MS);
    expect(await active()).toEqual({ 0: 'a', 1: 'a' });
  });

  test('a run that fails is counted, and the next one comes all the same', async () => {
    await open();
    await store();
    await world.sql('ALTER TABLE cron_follow_ups RENAME TO away');
    await world.advance(5 * MINUTE_MS);
    expect(count('launch_failures')).toBe(1);
    await world.sql('ALTER TABLE away RENAME TO cron_follow_ups');
    await world.advance(5 * MINUTE_MS);
    expect(await active()).toEqual({ 0: 'a', 1: 'a' });
  });
});

describe('the clock', () => {
  test('a run that is missed by more than a minute is not made up', async () => {
    await open();
    await store();
    await world.leap(6 * MINUTE_MS + 1);
    expect(await all()).toEqual([]);
    await world.advance(4 * MINUTE_MS);
    expect(await active()).toEqual({ 0: 'a', 1: 'a' });
  });

  test('set back a little, no run comes twice; set back far, the schedule goes on from there', async () => {
    await open();
    await store({ policy: 'CANCEL_NEW' });
    await world.advance(5 * MINUTE_MS);
    world.time.stepWall(-1_000);
    await world.advance(MINUTE_MS);
    expect(count('collisions')).toBe(0);
    await finish();
    world.time.stepWall(-86_400_000);
    await world.advance(5 * MINUTE_MS);
    expect(await active()).toEqual({ 0: 'a', 1: 'a' });
  });
});

describe('KILL_EXISTING', () => {
  test('TASK-078 kills, waits, ignores triggers meanwhile, starts, and runs again', async () => {
    await open();
    await store();
    await startNow();
    for (const id of [0, 1]) await world.report(JOB, id, 'running');
    await store({ data: 'b' });
    await startNow();
    expect(await all()).toEqual(['KILLING', 'KILLING']);
    const messages = await world.sql<{ message: string }>(
      `SELECT message FROM task_events WHERE status = 'KILLING'`,
    );
    expect(messages).toEqual(Array(2).fill({ message: 'Killed by cronScheduler' }));
    expect(count('collisions')).toBe(1);
    // The run that waits has the config it was triggered with.
    await store({ data: 'c' });
    await startNow();
    expect(count('concurrent_runs')).toBe(1);
    await world.report(JOB, 0, 'killed');
    await world.advance(60_000);
    expect(await all()).toEqual(['KILLED', 'KILLING']);
    await world.report(JOB, 1, 'killed');
    await world.advance(60_000);
    expect(await active()).toEqual({ 0: 'b', 1: 'b' });
    expect(await followUps()).toEqual([]);
    await startNow();
    expect([count('collisions'), count('concurrent_runs')]).toEqual([2, 1]);
  });

  test('looks first after 5 s and a random part of it, then ever more rarely', async () => {
    await open();
    await store();
    await startNow();
    for (const id of [0, 1]) await world.report(JOB, id, 'running');
    await startNow();
    for (const id of [0, 1]) await world.report(JOB, id, 'killed');
    // The world's random number is 0.5.
    await world.advance(7_499);
    expect(await all()).toEqual(['KILLED', 'KILLED']);
    await world.advance(1);
    expect(await active()).toEqual({ 0: 'a', 1: 'a' });
  });

  test('tasks without a host are gone at once, and the run starts at once', async () => {
    await open({ hosts: [] });
    await store();
    await startNow();
    expect(await all()).toEqual(['PENDING', 'PENDING']);
    await store({ data: 'b' });
    await startNow();
    expect(await active()).toEqual({ 0: 'b', 1: 'b' });
    expect(await followUps()).toEqual([]);
  });

  test('TASK-080 of two manual starts the second begins when the first has ended', async () => {
    await open();
    await store();
    world.engine.cronJobs.startNow(JOB);
    world.engine.cronJobs.startNow(JOB);
    await world.settle();
    expect([count('triggers'), count('collisions')]).toEqual([1, 1]);
  });

  test('a run waits on over a restart, and over the end of its schedule', async () => {
    await open();
    await store();
    await startNow();
    for (const id of [0, 1]) await world.report(JOB, id, 'running');
    await startNow();
    await world.engine.cronJobs.deschedule(JOB);
    await world.restart();
    expect(await all()).toEqual(['KILLING', 'KILLING']);
    await world.advance(10_000);
    for (const id of [0, 1]) await world.report(JOB, id, 'killed');
    await world.advance(60_000);
    expect(await active()).toEqual({ 0: 'a', 1: 'a' });
  });

  test('a run that waited is given up when the key has been used for another job', async () => {
    await open();
    await store();
    await startNow();
    for (const id of [0, 1]) await world.report(JOB, id, 'running');
    await startNow();
    await world.engine.cronJobs.deschedule(JOB);
    for (const id of [0, 1]) await world.report(JOB, id, 'killed');
    await world.engine.jobs.create(JOB, aTask({ job: JOB }), 1, () => undefined);
    await world.advance(60_000);
    expect(await active()).toEqual({ 0: '{}' });
    expect(await followUps()).toEqual([]);
    expect(count('launch_failures')).toBe(1);
  });
});

describe('restart', () => {
  test('templates are loaded and their timers armed; what was due meanwhile is not made up', async () => {
    await open();
    await store({ schedule: '5,20 * * * *' });
    await world.stop();
    world.time.tick(10 * MINUTE_MS);
    await world.start();
    await world.settle();
    expect(world.engine.cron.has(JOB)).toBe(true);
    await world.advance(10 * MINUTE_MS - 1);
    expect(await all()).toEqual([]);
    await world.advance(1);
    expect(await active()).toEqual({ 0: 'a', 1: 'a' });
  });

  test('a stopped scheduler runs nothing', async () => {
    await open();
    await store();
    await world.stop();
    world.time.tick(5 * MINUTE_MS);
    world.time.fireDue();
    await world.start();
    expect(await all()).toEqual([]);
  });
});
