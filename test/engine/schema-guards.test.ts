/**
 * What the schema itself refuses (design D12): history that is rewritten, a job with two active updates,
 * an instance with two active tasks, states that only readers may see.
 */
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';

const JOB = aJob();
const OLD = aConfig('old');
const NEW = aConfig('new');

let world: World;

beforeEach(async () => {
  world = await World.create();
  await world.runningJob(JOB, OLD, 2);
  await world.startUpdate(JOB, NEW, 2);
});

afterEach(async () => {
  await world.close();
});

describe.each(['task_events', 'job_update_events', 'job_instance_update_events'])('%s', (table) => {
  test.each([
    ['changed', `UPDATE ${table} SET message = 'rewritten'`],
    ['deleted', `DELETE FROM ${table}`],
    ['truncated', `TRUNCATE ${table}`],
  ])('events cannot be %s', async (_, statement) => {
    const before = await world.sql(`SELECT * FROM ${table} ORDER BY id`);
    expect(before.length).toBeGreaterThan(0);
    await expect(world.sql(statement)).rejects.toMatchObject({ code: 'SHF02' });
    expect(await world.sql(`SELECT * FROM ${table} ORDER BY id`)).toEqual(before);
  });
});

test.each(['DELETE FROM job_updates', 'DELETE FROM tasks', 'TRUNCATE tasks, job_updates CASCADE'])(
  'history does not go with what it is about: %s',
  async (statement) => {
    await expect(world.sql(statement)).rejects.toMatchObject({ code: 'SHF02' });
  },
);

test('the pruning functions may, and leave the guard up behind them', async () => {
  await world.sql('SELECT shim_prune_updates(array_agg(update_id)) FROM job_updates');
  expect(await world.sql('SELECT 1 FROM job_update_events')).toEqual([]);
  await world.sql('SELECT shim_prune_tasks(array_agg(task_id)) FROM tasks');
  expect(await world.sql('SELECT 1 FROM task_events')).toEqual([]);
  await expect(world.sql('DELETE FROM task_events')).rejects.toMatchObject({ code: 'SHF02' });
});

const UNIQUE_VIOLATION = { code: '23505' };

test('an instance never has two active tasks, history and tombstones aside', async () => {
  const copy = (status: string, removed: string): string => `
    INSERT INTO tasks (task_id, role, environment, job_name, instance_id, config_hash, status, removed_at)
    SELECT '${status}' || clock_timestamp(), role, environment, job_name, instance_id, config_hash,
           '${status}', ${removed} FROM tasks WHERE instance_id = 1`;
  await expect(world.sql(copy('PENDING', 'NULL'))).rejects.toMatchObject({
    ...UNIQUE_VIOLATION,
    constraint: 'tasks_one_active_per_instance',
  });
  await world.sql(copy('FAILED', 'NULL'));
  await world.sql(copy('PENDING', 'now()'));
});

test('a job never has two active updates', async () => {
  const copy = (state: string): string => `
    INSERT INTO job_updates SELECT (jsonb_populate_record(u, jsonb_build_object(
      'update_id', 'copy ${state}', 'state', '${state}'))).* FROM job_updates u LIMIT 1`;
  for (const state of [
    'ROLLING_FORWARD',
    'ROLLING_BACK',
    'ROLL_FORWARD_PAUSED',
    'ROLL_BACK_PAUSED',
  ])
    await expect(world.sql(copy(state))).rejects.toMatchObject({
      ...UNIQUE_VIOLATION,
      constraint: 'job_updates_one_active_per_job',
    });
  await world.sql(copy('ABORTED'));
});

test.each(['ROLL_FORWARD_AWAITING_PULSE', 'ROLL_BACK_AWAITING_PULSE', 'NONSENSE'])(
  'the state %s is never stored',
  async (state) => {
    const stored = world.sql(`UPDATE job_updates SET state = '${state}'`);
    await expect(stored).rejects.toMatchObject({ code: '23514' });
  },
);

test('each of the six actions is stored once for an instance of an update, notes beside it as often as they come', async () => {
  const again = (message: string): string => `
    INSERT INTO job_instance_update_events (update_id, instance_id, action, happened_at, message)
    SELECT update_id, instance_id, action, happened_at, ${message}
      FROM job_instance_update_events WHERE message IS NULL LIMIT 1`;
  await expect(world.sql(again('NULL'))).rejects.toMatchObject(UNIQUE_VIOLATION);
  await world.sql(again("'note'"));
  await world.sql(again("'note'"));
});
