/** Update history pruning on a running engine (updates.md §2.9): when it runs, and what it deletes. */
import type { JobKey } from '../../src/core/model/keys.js';
import { engineSettings, surroundings } from '../../src/settings.js';
import { parseConfig } from '../../src/config/parse.js';
import type { WorldOptions } from '../support/world.js';
import { World } from '../support/world.js';
import { aConfig, aJob } from '../support/builders.js';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const [JOB1, JOB2, GONE] = [aJob('job1'), aJob('job2'), aJob('gone')];

let world: World;

afterEach(async () => {
  await world.close();
});

async function start(
  limits: Partial<{ intervalMs: number; pruneThresholdMs: number; maxPerJob: number }> = {},
  options: WorldOptions = {},
): Promise<void> {
  const updatePruning = { intervalMs: MINUTE, pruneThresholdMs: DAY, maxPerJob: 10, ...limits };
  world = await World.create({ settings: { updatePruning }, ...options });
}

/** An update as it is stored, `agoMs` old, with an event of each kind. */
async function stored(id: string, job: JobKey, state: string, agoMs: number): Promise<void> {
  const at = new Date(world.time.wallNow() - agoMs);
  const { role, environment, name } = job;
  await world.sql('INSERT INTO jobs VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [
    ...[role, environment, name],
  ]);
  await world.sql(
    `INSERT INTO job_updates (update_id, role, environment, job_name, user_name, state, settings,
       created_at, last_modified_at, last_event_status, last_event_at)
     VALUES ($1, $2, $3, $4, 'u', $5, '{}', $6, $6, $5, $6)`,
    [id, role, environment, name, state, at],
  );
  await world.sql(
    'INSERT INTO job_update_events (update_id, status, happened_at) VALUES ($1, $2, $3)',
    [id, state, at],
  );
  await world.sql(
    `INSERT INTO job_instance_update_events (update_id, instance_id, action, happened_at)
     VALUES ($1, 0, 'INSTANCE_UPDATING', $2)`,
    [id, at],
  );
}

async function left(table = 'job_updates'): Promise<string[]> {
  const rows = await world.sql<{ id: string }>(
    `SELECT DISTINCT update_id AS id FROM ${table} ORDER BY 1`,
  );
  return rows.map((row) => row.id);
}

/** The jobs of UPD-090; `u1` and `u7` are active. */
async function fixture(): Promise<void> {
  for (const job of [JOB1, JOB2]) await world.addInstances(job, aConfig('a'), [0]);
  const age = (at: number): number => (200 - at) * 1_000;
  await stored('u1', JOB1, 'ROLL_BACK_PAUSED', age(123));
  await stored('u2', JOB1, 'ABORTED', age(124));
  await stored('u3', JOB1, 'ROLLED_BACK', age(125));
  await stored('u4', JOB1, 'FAILED', age(126));
  await stored('u5', JOB2, 'ERROR', age(123));
  await stored('u6', JOB2, 'FAILED', age(125));
  await stored('u7', JOB2, 'ROLL_FORWARD_PAUSED', age(126));
  await stored('u8', GONE, 'ERROR', age(124));
}

test.each([
  ['everything', 10, DAY, ['u1', 'u2', 'u3', 'u4', 'u5', 'u6', 'u7'], 1],
  ['the newest of each job', 1, DAY, ['u1', 'u4', 'u6', 'u7'], 4],
  ['nothing', 0, DAY, ['u1', 'u7'], 6],
  // A minute passes before the run: what was made at 125 is 135 s old by then.
  ['what is younger than the threshold', 10, 134_500, ['u1', 'u4', 'u7'], 5],
])('UPD-090, TASK-073 keeps %s', async (_, maxPerJob, pruneThresholdMs, kept, pruned) => {
  await start({ maxPerJob, pruneThresholdMs });
  await fixture();
  await world.advance(MINUTE);
  expect(await left()).toEqual(kept);
  expect(await left('job_update_events')).toEqual(kept);
  expect(await left('job_instance_update_events')).toEqual(kept);
  expect(world.counter('job_updates_pruned')).toBe(pruned);
});

test('the first run comes after one interval, the next ones after another each', async () => {
  await start({ intervalMs: 15 * MINUTE });
  expect(world.stats.snapshot()['job_updates_pruned']).toBe(0);
  await stored('a', GONE, 'ABORTED', 0);
  await world.advance(15 * MINUTE - 1);
  expect(await left()).toEqual(['a']);
  await world.advance(1);
  expect(await left()).toEqual([]);
  await stored('b', GONE, 'ABORTED', 0);
  await world.advance(15 * MINUTE);
  expect(await left()).toEqual([]);
  expect(world.counter('job_updates_pruned')).toBe(2);
});

test('a job whose only task was killed before it had a host has no task left', async () => {
  await start({}, { hosts: [] });
  await world.addInstances(GONE, aConfig('a'), [0]);
  await stored('a', GONE, 'ABORTED', 0);
  await world.advance(MINUTE);
  expect(await left()).toEqual(['a']);
  await world.engine.jobs.kill(GONE, undefined, 'u', undefined);
  await world.advance(MINUTE);
  expect(await left()).toEqual([]);
});

test('a run with nothing to do is one statement, and more to do are no more for each update', async () => {
  await start();
  await world.addInstances(JOB1, aConfig('a'), [0]);
  const before = world.db.statements;
  await world.advance(MINUTE);
  expect(world.db.statements - before).toBeLessThanOrEqual(2);
  const counted = async (updates: number): Promise<number> => {
    for (let n = 0; n < updates; n++) await stored(`x${n}`, GONE, 'ABORTED', 0);
    const from = world.db.statements;
    await world.advance(MINUTE);
    expect(await left()).toEqual([]);
    return world.db.statements - from;
  };
  expect(await counted(50)).toBeLessThanOrEqual((await counted(1)) + 1);
});

test('a run that fails is repeated an interval later; a stopped engine runs none', async () => {
  await start();
  await stored('a', GONE, 'ABORTED', 0);
  world.db.beforeCommit = () => {
    throw new Error('no');
  };
  await world.advance(MINUTE);
  expect(await left()).toEqual(['a']);
  expect(world.counter('job_updates_pruned')).toBe(0);
  world.db.beforeCommit = undefined;
  await world.advance(MINUTE);
  expect(await left()).toEqual([]);
  await stored('b', GONE, 'ABORTED', 0);
  await world.stop();
  world.time.tick(DAY);
  world.time.fireDue();
  expect(await left()).toEqual(['b']);
});

test('the flags say when and how much', async () => {
  await start();
  const flags = ['--job_update_history_pruning_interval=2mins'];
  flags.push('--job_update_history_pruning_threshold=3days');
  flags.push('--job_update_history_per_job_threshold=4');
  const parsed = parseConfig(flags, {}, () => '', surroundings());
  if ('errors' in parsed) throw new Error(parsed.errors.join('\n'));
  expect(engineSettings(parsed.config).updatePruning).toEqual({
    intervalMs: 2 * MINUTE,
    pruneThresholdMs: 3 * DAY,
    maxPerJob: 4,
  });
});
