/** Task history pruning on a running engine (tasks.md §6): which ended tasks go, when, and at what price. */
import { parseConfig } from '../../src/config/parse.js';
import type { JobKey } from '../../src/core/model/keys.js';
import type { TaskChange } from '../../src/engine/tasks.js';
import { engineSettings, surroundings } from '../../src/settings.js';
import type { WorldOptions } from '../support/world.js';
import { World } from '../support/world.js';
import { aConfig, aJob } from '../support/builders.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** The limits of the rows: threshold 1 d, minimum 1 min, goal 2. */
const LIMITS = { pruneThresholdMs: DAY, minRetentionMs: MINUTE, maxPerJob: 2 };
/** Ends within this time are looked at together. */
const GATHER = 1_000;
const [JOB, OTHER] = [aJob('job1'), aJob('job2')];

let world: World;

afterEach(async () => {
  await world.close();
});

async function start(limits: Partial<typeof LIMITS> = {}, options: WorldOptions = {}) {
  world = await World.create({ settings: { taskHistory: { ...LIMITS, ...limits } }, ...options });
}

/** Tasks that ended so long ago, as they are stored; written past the engine. */
async function ended(ages: Readonly<Record<string, number>>, job: JobKey = JOB): Promise<void> {
  const config = world.engine.configs.identify(aConfig('old'));
  await world.db.write({}, (tx) => world.engine.configs.save(tx, [config]));
  const { role, environment, name } = job;
  await world.sql('INSERT INTO jobs VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [
    ...[role, environment, name],
  ]);
  await world.sql(
    `WITH a AS (SELECT key AS id, to_timestamp(($1::float8 - value::float8) / 1000) AS at
                  FROM jsonb_each_text($2::jsonb)),
     t AS (INSERT INTO tasks (task_id, role, environment, job_name, instance_id, config_hash, status,
                              ended_at)
           SELECT id, $3, $4, $5, 0, $6, 'FINISHED', at FROM a)
     INSERT INTO task_events (task_id, status, happened_at, recorded_at)
     SELECT id, unnest(ARRAY['PENDING', 'FINISHED']), at, at FROM a`,
    [world.time.wallNow(), JSON.stringify(ages), role, environment, name, config.hash],
  );
}

async function left(): Promise<string[]> {
  const rows = await world.sql<{ id: string }>('SELECT task_id AS id FROM tasks ORDER BY 1');
  return rows.map((row) => row.id);
}

/** Runs instance 0 of the job to its end, as a task of its own. */
async function endsNow(job: JobKey = JOB): Promise<string> {
  await world.addInstances(job, aConfig('old', { isService: false, job }), [0]);
  const { taskId } = (await world.task(job, 0))!;
  await world.report(job, 0, 'starting', 'running', 'finished');
  return taskId;
}

const pruned = (): number => world.counter('tasks_pruned');

describe('by age', () => {
  test('TASK-068 tasks found at start go when they are as old as the threshold, none at once', async () => {
    await start();
    await ended({ a: DAY - HOUR, b: DAY - 2 * HOUR });
    await world.restart();
    expect(await left()).toEqual(['a', 'b']);
    await world.leap(HOUR - 1);
    expect(await left()).toEqual(['a', 'b']);
    await world.advance(1);
    expect(await left()).toEqual(['b']);
    await world.leap(HOUR - 1);
    expect(await left()).toEqual(['b']);
    await world.advance(1);
    expect(await left()).toEqual([]);
    expect(pruned()).toBe(2);
  });

  test('TASK-068 a task that ends now goes a day later, whatever it went through before', async () => {
    await start();
    const told: TaskChange[] = [];
    world.engine.tasks.subscribe((change) => told.push(change));
    await world.runningInstances(JOB, aConfig('old'), [0]);
    await world.leap(2 * DAY);
    await world.engine.jobs.kill(JOB, undefined, 'u', undefined);
    await world.settle();
    await world.report(JOB, 0, 'killed');
    const [task] = await world.tasks(JOB);
    await world.addInstances(JOB, aConfig('old'), [1]);
    await world.report(JOB, 1, 'running');
    await world.leap(DAY - 1);
    expect(await left()).toContain(task?.taskId);
    told.length = 0;
    await world.advance(1);
    expect(await world.statuses(JOB)).toEqual({ 1: 'RUNNING' });
    expect(pruned()).toBe(1);
    expect(told).toMatchObject([
      { kind: 'deleted', task: { taskId: task?.taskId, status: 'KILLED' } },
    ]);
    const events = await world.sql('SELECT 1 FROM task_events WHERE task_id = $1', [task?.taskId]);
    expect(events).toEqual([]);
  });

  test('whatever their age, tasks found at start are kept for the minimum retention', async () => {
    await start({ minRetentionMs: HOUR });
    await ended({ a: 30 * DAY, b: DAY });
    await world.restart();
    await world.leap(HOUR - 1);
    expect(await left()).toEqual(['a', 'b']);
    await world.advance(1);
    expect(await left()).toEqual([]);
  });

  test('a minimum above the threshold counts', async () => {
    await start({ minRetentionMs: 2 * DAY });
    const task = await endsNow();
    await world.leap(2 * DAY - 1);
    expect(await left()).toEqual([task]);
    await world.leap(1);
    expect(await left()).toEqual([]);
  });

  test('tombstones go as well, and are not counted', async () => {
    await start({}, { hosts: [] });
    await world.addInstances(JOB, aConfig('old'), [0]);
    await world.engine.jobs.kill(JOB, undefined, 'u', undefined);
    await world.leap(DAY - 1);
    expect(await left()).toHaveLength(1);
    await world.advance(1);
    expect(await left()).toEqual([]);
    expect(pruned()).toBe(0);
  });

  test('a clock of Postgres that was set ahead is noticed within the hour', async () => {
    await start();
    await endsNow();
    await world.advance(MINUTE);
    world.time.stepWall(2 * DAY);
    await world.advance(HOUR);
    expect(await left()).toEqual([]);
  });
});

describe('by number', () => {
  test('TASK-069 what a job has beyond the goal goes at start, the oldest first, and only of that job', async () => {
    await start();
    const [a, b, c, d] = [10, 9, 8, 7].map((minutes) => minutes * MINUTE) as [
      ...[number, number, number, number],
    ];
    await ended({ a, b, c, d });
    await ended({ e: a }, OTHER);
    await world.restart();
    expect(await left()).toEqual(['c', 'd', 'e']);
    expect(pruned()).toBe(2);
  });

  test('TASK-069 each end beyond the goal pushes the oldest out', async () => {
    await start();
    const ids: string[] = [];
    for (let n = 0; n < 4; n++) {
      ids.push(await endsNow());
      await world.advance(MINUTE);
      expect(await left()).toEqual(ids.slice(-2).sort());
    }
    expect(pruned()).toBe(2);
  });

  test('TASK-070 nothing is deleted while all are younger than the minimum', async () => {
    await start();
    await ended({ a: 3_000, b: 2_000, c: 1_000 });
    const writes = jest.spyOn(world.engine.tasks, 'prune');
    const task = await endsNow();
    await world.advance(GATHER);
    expect(await left()).toEqual(['a', 'b', 'c', task].sort());
    expect(writes).not.toHaveBeenCalled();
  });

  test('TASK-071 of two killed and two lost an hour ago the two oldest go when another ends', async () => {
    await start({ maxPerJob: 3 });
    await ended({ k1: HOUR + 4, k2: HOUR + 3, l1: HOUR + 2, l2: HOUR + 1 });
    await world.sql(
      `UPDATE tasks SET status = CASE WHEN task_id LIKE 'k%' THEN 'KILLED' ELSE 'LOST' END`,
    );
    const task = await endsNow();
    expect(await left()).toHaveLength(5);
    await world.advance(GATHER);
    expect(await left()).toEqual(['l1', 'l2', task].sort());
    expect(pruned()).toBe(2);
  });

  test('a goal of none leaves only what is young', async () => {
    await start({ maxPerJob: 0 });
    await ended({ old: MINUTE, young: MINUTE - 1 });
    await world.restart();
    expect(await left()).toEqual(['young']);
  });

  test('active tasks and tombstones are not counted', async () => {
    await start();
    await ended({ a: 3 * MINUTE, b: 2 * MINUTE });
    await world.addInstances(JOB, aConfig('old'), [0, 1, 2]);
    await world.sql('UPDATE tasks SET removed_at = now() WHERE instance_id = 2');
    await world.restart();
    expect(await left()).toHaveLength(5);
  });
});

describe('a prune that fails', () => {
  test('TASK-072 is counted and tried again, and the scheduler lives', async () => {
    await start();
    await ended({ a: DAY, b: HOUR });
    await world.restart();
    world.db.beforeCommit = (written) => {
      if (written.mentions('shim_prune_tasks')) throw new Error('no');
    };
    await world.advance(2 * MINUTE);
    expect(pruned()).toBe(0);
    expect(world.counter('task_prune_failures')).toBe(2);
    expect(await left()).toEqual(['a', 'b']);
    await world.runningJob(OTHER, aConfig('new'), 1);
    world.db.beforeCommit = undefined;
    await world.advance(MINUTE);
    expect((await left()).filter((id) => id.length === 1)).toEqual(['b']);
    expect(pruned()).toBe(1);
  });

  test('the jobs it was about are looked at again', async () => {
    await start();
    await ended({ a: 5 * MINUTE, b: 4 * MINUTE });
    const read = jest.spyOn(world.db, 'read');
    const task = await endsNow();
    read.mockRejectedValueOnce(new Error('no'));
    await world.advance(GATHER);
    expect(await left()).toHaveLength(3);
    await world.advance(MINUTE);
    expect(await left()).toEqual(['b', task].sort());
  });
});

test('thousands go at start; afterwards a second in which tasks end costs one look, and no end a timer', async () => {
  await start({ maxPerJob: 100 });
  const many = Object.fromEntries(
    Array.from({ length: 2_500 }, (_, n) => [`t${n}`, 2 * MINUTE + n]),
  );
  await ended(many);
  await ended({ other: MINUTE }, OTHER);
  await world.stop();
  await world.start();
  expect(await left()).toHaveLength(101);
  expect(pruned()).toBe(2_400);
  await world.advance(2 * MINUTE);
  const sleeping = world.time.pendingTimers;
  for (let n = 0; n < 3; n++) await endsNow(OTHER);
  const after = world.db.statements;
  await world.advance(GATHER);
  // One look at the jobs of all that ended.
  expect(world.db.statements - after).toBe(1);
  await world.advance(2 * MINUTE);
  expect(world.time.pendingTimers).toBe(sleeping);
});

test('Postgres finds what it prunes by an index', async () => {
  await start();
  await world.sql('SET enable_seqscan = off');
  await world.sql('SET enable_sort = off');
  const plan = async (statement: string): Promise<string> => {
    const rows = await world.sql(`EXPLAIN ${statement}`);
    return rows.map((row) => Object.values(row).join()).join('\n');
  };
  const byAge = `SELECT task_id FROM tasks t WHERE t.ended_at <= (SELECT shim_clock()) ORDER BY ended_at`;
  expect(await plan(byAge)).toMatch(/Index Scan using tasks_ended on tasks/);
  const byJob = `SELECT task_id FROM tasks t WHERE role = 'r' AND environment = 'e' AND job_name = 'n'
    AND ended_at IS NOT NULL AND removed_at IS NULL ORDER BY ended_at DESC, task_id DESC OFFSET 100 LIMIT 1`;
  expect(await plan(byJob)).toMatch(/Index (Only )?Scan Backward using tasks_ended_of_job/);
});

test('the end of a task is in its row, whoever wrote it', async () => {
  await start();
  await world.addInstances(JOB, aConfig('old'), [0, 1]);
  const ends = () =>
    world.sql<{ end: number | null }>(
      `SELECT (extract(epoch FROM ended_at) * 1000)::float8 AS end FROM tasks ORDER BY instance_id`,
    );
  expect(await ends()).toEqual([{ end: null }, { end: null }]);
  await world.report(JOB, 0, 'failed');
  const endedAt = world.time.wallNow();
  await world.advance(1_000);
  await world.sql("UPDATE tasks SET status = 'LOST' WHERE instance_id = 1");
  const rows = (await ends()).map((row) => row.end);
  expect(rows.filter((end) => end !== null)).toEqual([endedAt, endedAt + 1_000]);
});

test('a stopped engine prunes nothing', async () => {
  await start();
  await endsNow();
  await world.stop();
  const { statements } = world.db;
  world.time.tick(3 * DAY);
  world.time.fireDue();
  expect(world.db.statements).toBe(statements);
  expect(world.time.pendingTimers).toBe(0);
});

test('the flags say how long and how many', async () => {
  await start();
  const flags = ['--history_prune_threshold=3days', '--history_min_retention_threshold=2hrs'];
  flags.push('--history_max_per_job_threshold=4');
  const parsed = parseConfig(flags, {}, () => '', surroundings());
  if ('errors' in parsed) throw new Error(parsed.errors.join('\n'));
  expect(engineSettings(parsed.config).taskHistory).toEqual({
    pruneThresholdMs: 3 * DAY,
    minRetentionMs: 2 * HOUR,
    maxPerJob: 4,
  });
});
