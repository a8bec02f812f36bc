/**
 * Coordinated updates (updates.md §5.1): blocked until a pulse, blocked again when pulses stop, paused in
 * between, and cases in which unblocking goes wrong. Fixture of that section with P 10 s.
 */
import { MSG_GATE_TIMEOUT } from '../../src/core/update/messages.js';
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';

const JOB = aJob();
const OLD = aConfig('old');
const NEW = aConfig('new');
const P = 10_000;
const W = 2_000;
const COORDINATED = { pulseTimeoutMs: P };
const BLOCKED = `ROLL_FORWARD_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`;

let world: World;

beforeEach(async () => {
  world = await World.create();
});

afterEach(async () => {
  await world.close();
});

async function replaceAndWatch(instanceId: number): Promise<void> {
  await world.replace(JOB, instanceId);
  await world.advance(W);
}

test('UPD-002 testSuccessfulCoordinatedUpdate: a lapse stops it where it is', async () => {
  await world.runningInstances(JOB, NEW, [0]);
  await world.runningInstances(JOB, OLD, [1, 2]);
  const key = await world.startUpdate(JOB, NEW, 3, COORDINATED);
  expect(await world.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
  expect(await world.instanceEvents(key)).toEqual({});

  expect(await world.pulse(key)).toBe('OK');
  expect(await world.view(key)).toBe('ROLLING_FORWARD');
  expect(await world.instanceEvents(key)).toEqual({ 1: ['upd'] });
  await replaceAndWatch(1);
  await world.advance(P);
  await world.report(JOB, 2, 'killed');
  expect(await world.instanceEvents(key)).toEqual({ 1: ['upd', 'ok'], 2: ['upd'] });
  expect((await world.updateEvents(key)).at(-1)).toBe(BLOCKED);
  expect(await world.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');

  expect(await world.pulse(key)).toBe('OK');
  await world.report(JOB, 2, 'starting', 'running');
  await world.advance(W);
  expect(await world.instanceEvents(key)).toMatchObject({ 2: ['upd', 'ok'] });
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
  expect(await world.pulse(key)).toBe('FINISHED');
});

test('UPD-007 testResumeToAwaitingPulse: resuming does not stand in for a pulse', async () => {
  await world.runningJob(JOB, OLD, 2);
  await world.advance(60_000);
  const key = await world.startUpdate(JOB, NEW, 2, COORDINATED);
  await world.change(key, 'pause');
  expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');
  await world.change(key, 'resume');
  expect(await world.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
  expect(await world.updateEvents(key)).toEqual([
    'ROLL_FORWARD_AWAITING_PULSE(user/message)',
    'ROLL_FORWARD_PAUSED(user/–)',
    'ROLL_FORWARD_AWAITING_PULSE(user/–)',
  ]);
  expect(await world.pulse(key)).toBe('OK');
  await replaceAndWatch(0);
  await replaceAndWatch(1);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd', 'ok'] });
  expect(await world.pulse(key)).toBe('FINISHED');
});

test('UPD-008 testPulsePausedUpdate: pulses that came during a pause count', async () => {
  await world.runningInstances(JOB, NEW, [0]);
  await world.runningInstances(JOB, OLD, [1, 2]);
  const key = await world.startUpdate(JOB, NEW, 3, COORDINATED);
  await world.pulse(key);
  await replaceAndWatch(1);
  await world.advance(P);
  expect(await world.instanceEvents(key)).toEqual({ 1: ['upd', 'ok'], 2: ['upd'] });
  await world.change(key, 'pause');
  expect(await world.pulse(key)).toBe('OK');
  expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');
  await world.change(key, 'resume');
  expect((await world.updateEvents(key)).at(-1)).toBe('ROLLING_FORWARD(user/–)');
  await replaceAndWatch(2);
  expect(await world.instanceEvents(key)).toMatchObject({ 2: ['upd', 'ok'] });
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
  expect(await world.pulse(key)).toBe('FINISHED');
});

test('UPD-009 testUnblockDeletedUpdate: a row deleted under a blocked update is noticed by the tick', async () => {
  await world.runningJob(JOB, OLD, 1);
  const key = await world.startUpdate(JOB, NEW, 1, COORDINATED);
  await world.restart();
  expect(await world.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
  await world.sql('SELECT shim_prune_updates(array_agg(update_id)) FROM job_updates');
  expect(await world.pulse(key)).toBe('OK');
  expect(await world.pulse(key)).toBe('UNKNOWN');
  expect(world.engine.heartbeats.size).toBe(0);
  expect(await world.statuses(JOB)).toEqual({ 0: 'RUNNING' });
});

test('UPD-010 testPulseInvalidUpdateId: the id of no update is unknown, not finished', async () => {
  await world.runningJob(JOB, OLD, 1);
  const key = await world.startUpdate(JOB, NEW, 1, COORDINATED);
  expect(await world.pulse({ job: JOB, id: 'invalid' })).toBe('UNKNOWN');
  // Nor is it known under the name of another job.
  expect(await world.pulse({ job: aJob('other'), id: key.id })).toBe('UNKNOWN');
  expect(world.engine.heartbeats.size).toBe(0);
});

test('UPD-011 testShutdownOnFailedPulse: a failing unblocking tick is rolled back and repeated', async () => {
  await world.runningJob(JOB, OLD, 1);
  const key = await world.startUpdate(JOB, NEW, 1, COORDINATED);
  await world.sql(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
    CREATE TRIGGER refuse BEFORE UPDATE ON tasks FOR EACH ROW
      WHEN (NEW.status = 'KILLING') EXECUTE FUNCTION refuse()`);
  expect(await world.pulse(key)).toBe('OK');
  expect(await world.updateEvents(key)).toHaveLength(1);
  expect(await world.instanceEvents(key)).toEqual({});
  expect(world.counter('job_update_state_change_errors')).toBe(1);
  // A reader is told what the heartbeat says.
  expect(await world.view(key)).toBe('ROLLING_FORWARD');

  await world.sql('DROP TRIGGER refuse ON tasks');
  await world.advance(1_000);
  expect((await world.updateEvents(key)).slice(1)).toEqual(['ROLLING_FORWARD(–/–)']);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
  expect(await world.statuses(JOB)).toEqual({ 0: 'KILLING' });
});

test('verbs that come together take turns: each is decided on what the one before has left', async () => {
  await world.runningJob(JOB, OLD, 1);
  const key = await world.startUpdate(JOB, NEW, 1, COORDINATED);
  const verbs = ['pause', 'pause', 'resume', 'rollback', 'pause', 'abort', 'resume'] as const;
  const results = await Promise.allSettled(
    verbs.map((verb, n) => world.change(key, verb, `u${n}`)),
  );
  expect(results.map(({ status }) => status)).toEqual([
    ...Array.from({ length: 6 }, () => 'fulfilled'),
    'rejected',
  ]);
  expect((await world.updateEvents(key)).slice(1)).toEqual([
    'ROLL_FORWARD_PAUSED(u0/–)',
    'ROLL_FORWARD_AWAITING_PULSE(u2/–)',
    'ROLLING_BACK(u3/–)',
    `ROLL_BACK_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`,
    'ROLL_BACK_PAUSED(u4/–)',
    'ABORTED(u5/–)',
  ]);
});

test('SH-12 an active update that is not coordinated answers pulses with FINISHED and goes on', async () => {
  await world.runningJob(JOB, OLD, 1);
  const key = await world.startUpdate(JOB, NEW, 1);
  const { statements } = world.db;
  expect(await world.pulse(key)).toBe('FINISHED');
  expect(world.db.statements).toBe(statements);
  expect(world.engine.heartbeats.size).toBe(0);
  await replaceAndWatch(0);
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
});

test('SH-15 abort is idempotent, and only that', async () => {
  await world.runningJob(JOB, OLD, 1);
  const aborted = await world.startUpdate(JOB, NEW, 1, COORDINATED);
  await world.change(aborted, 'abort');
  const events = await world.updateEvents(aborted);
  await world.change(aborted, 'abort');
  expect(await world.updateEvents(aborted)).toEqual(events);
  for (const verb of ['pause', 'resume', 'rollback'] as const) {
    await expect(world.change(aborted, verb)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  }

  const failed = await world.startUpdate(JOB, NEW, 1, { rollbackOnFailure: false });
  await world.replace(JOB, 0);
  await world.report(JOB, 0, 'failed');
  expect(await world.view(failed)).toBe('FAILED');
  await expect(world.change(failed, 'abort')).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
});
