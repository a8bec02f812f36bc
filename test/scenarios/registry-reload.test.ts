/**
 * What memory believes of an update against what is stored (updates.md G4, G11): somebody else has written
 * to the row and raised its revision, deleted it, or put it there. The next to act notices, writes nothing
 * on the strength of what is out of date, and goes on with what is true.
 */
import { MSG_GATE_TIMEOUT } from '../../src/core/update/messages.js';
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';
import { writeStoredUpdate } from './stored-update.js';

const JOB = aJob();
const OLD = aConfig('old');
const NEW = aConfig('new');
const P = 10_000;
const W = 2_000;

let world: World;
let key: JobUpdateKey;

beforeEach(async () => {
  world = await World.create();
  await world.runningJob(JOB, OLD, 2);
  await world.leap(60_000);
});

afterEach(async () => {
  await world.close();
});

async function rolling(pulseTimeoutMs = 0): Promise<void> {
  key = await world.startUpdate(JOB, NEW, 2, { pulseTimeoutMs });
  if (pulseTimeoutMs > 0) await world.pulse(key);
}

/** What an operator does with psql, by the book: event, state, revision. */
async function operatorMoves(to: string): Promise<void> {
  await world.sql(
    `WITH e AS (INSERT INTO job_update_events (update_id, status, happened_at, user_name)
                VALUES ($1, $2, shim_clock(), 'psql'))
     UPDATE job_updates SET state = $2, last_event_status = $2, revision = revision + 1
      WHERE update_id = $1`,
    [key.id, to],
  );
}

async function operatorTouches(): Promise<void> {
  await world.sql('UPDATE job_updates SET revision = revision + 1 WHERE update_id = $1', [key.id]);
}

async function expectFinishes(): Promise<void> {
  await world.report(JOB, 0, 'starting', 'running');
  await world.advance(W);
  await world.replace(JOB, 1);
  await world.advance(W);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd', 'ok'] });
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
}

test('G11 a pause written with psql holds: the next input finds it and does nothing', async () => {
  await rolling();
  await operatorMoves('ROLL_FORWARD_PAUSED');
  await world.report(JOB, 0, 'killed');
  expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');
  expect(await world.versions(JOB)).toEqual({ 1: 'old' });
  await world.change(key, 'resume');
  expect(await world.updateEvents(key)).toEqual([
    'ROLLING_FORWARD(user/message)',
    'ROLL_FORWARD_PAUSED(psql/–)',
    'ROLLING_FORWARD(user/–)',
  ]);
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
});

test('G11 an input that meets another revision is run once more, on what is stored', async () => {
  await rolling();
  await operatorTouches();
  await world.report(JOB, 0, 'killed');
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
  expect(world.counter('job_update_state_change_errors')).toBe(0);
  await expectFinishes();
});

test('G11 the event of a refused tick meets another revision: written once, on what is stored', async () => {
  await rolling(P);
  await world.advance(P);
  await operatorTouches();
  await world.report(JOB, 0, 'killed');
  expect((await world.updateEvents(key)).slice(2)).toEqual([
    `ROLL_FORWARD_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`,
  ]);
  await operatorTouches();
  await world.pulse(key);
  expect((await world.updateEvents(key)).at(-1)).toBe('ROLLING_FORWARD(–/–)');
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
});

test('G11 a verb that changes nothing but finds another revision leaves the update going', async () => {
  await rolling();
  await world.replace(JOB, 0);
  await operatorTouches();
  // The reload throws away the watch of 0, which was the only input there would have been.
  await world.change(key, 'resume');
  await world.advance(W);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd'] });
});

test('G11 a verb that finds another state is decided by that', async () => {
  await rolling();
  await operatorMoves('ABORTED');
  await expect(world.change(key, 'pause')).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  await world.change(key, 'abort');
  expect(await world.updateEvents(key)).toHaveLength(2);
  expect(await world.pulse(key)).toBe('FINISHED');
});

test('G11 a store that fails while a verb reloads: an error, and the update goes on', async () => {
  await rolling();
  await world.replace(JOB, 0);
  await operatorTouches();
  const { read } = world.db;
  world.db.read = () => Promise.reject(new Error('not now'));
  await expect(world.change(key, 'resume')).rejects.toThrow('not now');
  world.db.read = read;
  // Looked at again after a second, and watched from then on.
  await world.advance(1_000 + W);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd'] });
});

test('a row deleted under an active update: verbs know no such update, the job can be updated again', async () => {
  await rolling();
  await world.sql('SELECT shim_prune_updates(array_agg(update_id)) FROM job_updates');
  await expect(world.change(key, 'pause')).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  expect(await world.pulse(key)).toBe('UNKNOWN');
  expect(world.engine.updater.registry.size).toBe(0);
  await world.startUpdate(JOB, NEW, 2);
});

describe('G4: an active update that only the store knows', () => {
  const common = { job: JOB, from: OLD, to: NEW, instances: 2 };

  test('G4 a pulse for it is taken, and moves it', async () => {
    key = await writeStoredUpdate(world.db, world, {
      ...common,
      settings: { pulseTimeoutMs: P },
      events: ['ROLLING_FORWARD'],
    });
    expect(await world.pulse(key)).toBe('OK');
    expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
    const { statements } = world.db;
    expect(await world.pulse(key)).toBe('OK');
    expect(world.db.statements).toBe(statements);
  });

  test('G4 one that needs no pulses answers FINISHED and is driven from then on', async () => {
    key = await writeStoredUpdate(world.db, world, { ...common, events: ['ROLLING_FORWARD'] });
    expect(await world.pulse(key)).toBe('FINISHED');
    expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
  });

  test('G4 a verb finds it too', async () => {
    key = await writeStoredUpdate(world.db, world, { ...common, events: ['ROLLING_FORWARD'] });
    await world.change(key, 'pause');
    expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');
    await world.change(key, 'resume');
    expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
  });

  test('G4 one that has ended since is told so', async () => {
    key = await writeStoredUpdate(world.db, world, {
      ...common,
      events: ['ROLLING_FORWARD', 'ABORTED'],
    });
    expect(await world.pulse(key)).toBe('FINISHED');
    expect(world.engine.updater.registry.size).toBe(0);
  });
});
