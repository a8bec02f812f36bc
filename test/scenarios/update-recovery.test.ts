/**
 * A process that starts on what another one left (updates.md §2.10, §5.1): which updates go on by
 * themselves, which wait for a pulse, and what becomes of one whose instructions no longer hold.
 */
import { MSG_GATE_TIMEOUT, msgInstanceFailed } from '../../src/core/update/messages.js';
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import type { UpdateStatus } from '../../src/core/model/statuses.js';
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';
import { storeUpdate } from './stored-update.js';

const JOB = aJob();
const OLD = aConfig('old');
const NEW = aConfig('new');
const P = 10_000;
const W = 2_000;
const BLOCKED = `ROLL_FORWARD_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`;

let world: World;

beforeEach(async () => {
  world = await World.create();
});

afterEach(async () => {
  await world.close();
});

/** A new process finds a job of OLD tasks and an update to NEW with these events. */
async function boot(
  instances: number,
  pulseTimeoutMs: number,
  ...events: UpdateStatus[]
): Promise<JobUpdateKey> {
  await world.runningJob(JOB, OLD, instances);
  await world.leap(60_000);
  await world.stop();
  const settings = { pulseTimeoutMs };
  const key = await storeUpdate(world, {
    ...{ job: JOB, from: OLD, to: NEW, instances, settings, events },
  });
  await world.start();
  return key;
}

async function replaceAndWatch(instanceId: number): Promise<void> {
  await world.replace(JOB, instanceId);
  await world.advance(W);
}

async function expectRolledForward(key: JobUpdateKey, instances: number): Promise<void> {
  const done = Array.from({ length: instances }, (_, id) => [id, ['upd', 'ok']]);
  expect(await world.instanceEvents(key)).toEqual(Object.fromEntries(done));
  expect((await world.updateEvents(key)).at(-1)).toBe('ROLLED_FORWARD(–/–)');
  expect(await world.pulse(key)).toBe('FINISHED');
}

test('UPD-003 testRecoverCoordinatedUpdateFromStorage: nothing happens until a pulse comes', async () => {
  const key = await boot(2, P, 'ROLLING_FORWARD');
  expect(await world.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
  expect(await world.updateEvents(key)).toEqual(['ROLLING_FORWARD(–/–)', BLOCKED]);
  expect(await world.instanceEvents(key)).toEqual({});

  expect(await world.pulse(key)).toBe('OK');
  await replaceAndWatch(0);
  await replaceAndWatch(1);
  await expectRolledForward(key, 2);
});

test('UPD-004 testRecoverLongPulseTimeoutCoordinatedUpdateFromStorage: no pulse is inferred from a young event', async () => {
  const key = await boot(1, 3_600_000, 'ROLL_FORWARD_AWAITING_PULSE', 'ROLLING_FORWARD');
  expect(await world.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
  expect((await world.updateEvents(key)).slice(2)).toEqual([BLOCKED]);
  expect(await world.instanceEvents(key)).toEqual({});

  expect(await world.pulse(key)).toBe('OK');
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
  await replaceAndWatch(0);
  await expectRolledForward(key, 1);
});

test('UPD-005 testRecoverAwaitingPulseFromStorage: an open episode is not recorded again', async () => {
  const key = await boot(1, P, 'ROLL_FORWARD_AWAITING_PULSE');
  expect(await world.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
  expect(await world.updateEvents(key)).toHaveLength(1);

  expect(await world.pulse(key)).toBe('OK');
  await replaceAndWatch(0);
  await expectRolledForward(key, 1);
});

test('UPD-006 testRecoverCoordinatedPausedFromStorage: an explicit pause outlasts the process and pulses', async () => {
  const key = await boot(1, P, 'ROLLING_FORWARD', 'ROLL_FORWARD_PAUSED');
  expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');
  expect(await world.pulse(key)).toBe('OK');
  expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');
  expect(await world.updateEvents(key)).toHaveLength(2);

  await world.change(key, 'resume');
  expect((await world.updateEvents(key)).slice(2)).toEqual(['ROLLING_FORWARD(user/–)']);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
  await replaceAndWatch(0);
  await expectRolledForward(key, 1);
});

test('UPD-021 testRecoverFromStorage: an update without heartbeats goes on at once, and says nothing', async () => {
  const key = await boot(2, 0, 'ROLLING_FORWARD');
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
  await replaceAndWatch(0);
  await replaceAndWatch(1);
  await expectRolledForward(key, 2);
  expect(await world.updateEvents(key)).toHaveLength(2);
});

test('UPD-020 testConfigurationPolicyChange: a rollback that cannot be built ends in ERROR', async () => {
  await world.runningJob(JOB, OLD, 2);
  const key = await world.startUpdate(JOB, NEW, 2);
  await world.sql(`
    UPDATE job_updates SET settings = jsonb_set(settings, '{strategy}', '{"kind":"queue","groupSize":0}')`);
  await replaceAndWatch(0);
  await world.replace(JOB, 1);
  await world.report(JOB, 1, 'failed');
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd', 'bad'] });
  const [, back, end] = await world.updateEvents(key);
  expect(back).toBe(`ROLLING_BACK(–/${msgInstanceFailed(1)})`);
  expect(end).toMatch(/^ERROR\(–\/.*group size 0/);
  expect(await world.view(key)).toBe('ERROR');
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'new' });
});

test('UPD-020 the same at a resume: the verb answers OK, the update is in ERROR', async () => {
  await world.runningJob(JOB, OLD, 1);
  const key = await world.startUpdate(JOB, NEW, 1);
  await world.change(key, 'pause');
  await world.sql(`
    UPDATE job_updates SET settings = jsonb_set(settings, '{minWaitInRunningMs}', '-1')`);
  await world.change(key, 'resume');
  const events = await world.updateEvents(key);
  expect(events.slice(1, 3)).toEqual(['ROLL_FORWARD_PAUSED(user/–)', 'ROLLING_FORWARD(user/–)']);
  expect(events[3]).toMatch(/^ERROR\(–\/.*negative/);
  await expect(world.change(key, 'abort')).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
});

describe('UPD-089 testSchedulerStartup, testHandlesExceptions', () => {
  const OTHER = aJob('job2');

  test('UPD-089 an update that cannot be recovered is counted, repeated, and does not stop the others', async () => {
    await world.runningJob(JOB, OLD, 1);
    await world.runningJob(OTHER, OLD, 1);
    await world.stop();
    const common = { from: OLD, to: NEW, instances: 1, events: ['ROLLING_FORWARD'] } as const;
    const bad = await storeUpdate(world, { job: JOB, ...common });
    const good = await storeUpdate(world, { job: OTHER, ...common });
    await world.sql(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
      CREATE TRIGGER refuse BEFORE INSERT ON job_instance_update_events FOR EACH ROW
        WHEN (NEW.update_id = '${bad.id}') EXECUTE FUNCTION refuse()`);
    await world.start();
    expect(world.counter('job_update_recovery_errors')).toBe(1);
    expect(await world.instanceEvents(bad)).toEqual({});
    expect(await world.instanceEvents(good)).toEqual({ 0: ['upd'] });

    await world.sql('DROP TRIGGER refuse ON job_instance_update_events');
    await world.advance(1_000);
    expect(await world.instanceEvents(bad)).toEqual({ 0: ['upd'] });
  });

  test('UPD-027 testBadPubsubUpdate: a malformed task change is counted and hurts nobody', async () => {
    const { tasks } = world.engine;
    for (const kind of ['changed', 'deleted'] as const) {
      tasks.announce({ kind, task: { taskId: 'x', status: 'FAILED' } } as never);
    }
    expect(world.counter('job_update_state_change_errors')).toBeGreaterThan(0);
    expect(world.counter('job_update_delete_errors')).toBeGreaterThan(0);
    await world.runningJob(JOB, OLD, 1);
  });
});
