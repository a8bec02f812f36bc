/**
 * The case studies of updates.md §1.5 once more, heard by heartbeatJobUpdate: the same effects, found by the
 * update's id alone, in the words of the design document (PAUSED where somebody paused).
 */
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import { MSG_GATE_TIMEOUT } from '../../src/core/update/messages.js';
import { RpcWorld } from '../rpc/support.js';
import { aConfig, aJob } from '../support/builders.js';
import type { World } from '../support/world.js';

const JOB = aJob();
const P = 10_000;
const BLOCKED = `ROLL_FORWARD_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`;

let rpc: RpcWorld;
let world: World;
let key: JobUpdateKey;

beforeEach(async () => {
  rpc = await RpcWorld.create();
  world = rpc.world;
  await world.runningJob(JOB, aConfig('old'), 2);
  await world.advance(60_000);
});

afterEach(() => rpc.close());

async function start(): Promise<void> {
  const audit = { user: 'u', message: 'm' };
  key = await world.startUpdate(JOB, aConfig('new'), 2, { pulseTimeoutMs: P }, audit);
}

/** One heartbeat of a monitor that knows nothing but the id; settled when it returns. */
async function heartbeat(updateId = key.id): Promise<string> {
  const { status } = (await rpc.ok('heartbeatJobUpdate', { updateId })) as { status: string };
  await world.settle();
  return status;
}

/** A heartbeat that must not ask Postgres anything. */
async function freeHeartbeat(): Promise<string> {
  const before = world.db.statements;
  const status = await heartbeat();
  expect(world.db.statements).toBe(before);
  return status;
}

async function startAndHear(): Promise<void> {
  await start();
  await world.advance(60_000);
  expect(await heartbeat()).toBe('OK');
}

async function pauseAndHear(): Promise<void> {
  await world.advance(1_000);
  await world.change(key, 'pause', 'mon', 'unhealthy');
  await world.report(JOB, 0, 'killed');
  await world.advance(15_000);
  expect(await freeHeartbeat()).toBe('PAUSED');
}

async function expectFinished(): Promise<void> {
  expect((await world.updateEvents(key)).at(-1)).toBe('ROLLED_FORWARD(–/–)');
  expect(await heartbeat()).toBe('FINISHED');
}

test('HB-1 by heartbeatJobUpdate: the first one starts it, and the next cost no SQL', async () => {
  await startAndHear();
  expect((await world.updateEvents(key)).slice(1)).toEqual(['ROLLING_FORWARD(–/–)']);
  expect(await world.statuses(JOB)).toEqual({ 0: 'KILLING', 1: 'RUNNING' });
  await world.replace(JOB, 0);
  await world.advance(2_000);
  expect(await freeHeartbeat()).toBe('OK');
  await world.replace(JOB, 1);
  await world.advance(2_000);
  await expectFinished();
});

test('HB-2 by heartbeatJobUpdate: a paused update says so, takes the heartbeat and stays paused', async () => {
  await startAndHear();
  await pauseAndHear();
  expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');
  expect((await world.updateEvents(key)).at(-1)).toBe('ROLL_FORWARD_PAUSED(mon/unhealthy)');
  expect(await world.tasks(JOB)).toHaveLength(2);
});

test('HB-3 by heartbeatJobUpdate (a): resumed while stale, it waits for the next one', async () => {
  await startAndHear();
  await pauseAndHear();
  await world.advance(14_000);
  await world.change(key, 'resume', 'u2');
  expect((await world.updateEvents(key)).at(-1)).toBe('ROLL_FORWARD_AWAITING_PULSE(u2/–)');
  await world.advance(1_000);
  expect(await heartbeat()).toBe('OK');
  expect((await world.updateEvents(key)).at(-1)).toBe('ROLLING_FORWARD(–/–)');
  expect(await world.tasks(JOB)).toHaveLength(3);
});

test('HB-3 by heartbeatJobUpdate (b): one sent during the pause counts when it is resumed', async () => {
  await startAndHear();
  await pauseAndHear();
  await world.advance(4_000);
  await world.engine.updates.change(key, 'resume', 'u2');
  expect((await world.updateEvents(key)).at(-1)).toBe('ROLLING_FORWARD(u2/–)');
  expect(await world.tasks(JOB)).toHaveLength(3);
});

test('HB-4 by heartbeatJobUpdate: a missed one blocks, a late one goes on by itself', async () => {
  await startAndHear();
  await world.advance(12_000);
  await world.report(JOB, 0, 'killed');
  expect((await world.updateEvents(key)).slice(2)).toEqual([BLOCKED]);
  expect(await world.tasks(JOB)).toHaveLength(2);
  expect(await heartbeat()).toBe('OK');
  expect((await world.updateEvents(key)).slice(3)).toEqual(['ROLLING_FORWARD(–/–)']);
  await world.report(JOB, 0, 'starting', 'running');
  await world.advance(2_000);
  await world.replace(JOB, 1);
  await world.advance(2_000);
  await expectFinished();
});

test('HB-5 by heartbeatJobUpdate: after a restart the id is known again, and nothing moves before', async () => {
  await startAndHear();
  await world.replace(JOB, 0);
  await world.advance(2_000);
  await world.restart();
  expect((await world.updateEvents(key)).slice(2)).toEqual([BLOCKED]);
  expect(await heartbeat()).toBe('OK');
  expect((await world.updateEvents(key)).at(-1)).toBe('ROLLING_FORWARD(–/–)');
  await world.replace(JOB, 1);
  await world.advance(2_000);
  await expectFinished();
});

test.each(['abort', 'end'])(
  'HB-6 by heartbeatJobUpdate: FINISHED after %s, writing nothing',
  async (how) => {
    await startAndHear();
    if (how === 'abort') await world.change(key, 'abort', 'u3');
    else {
      await world.sql(`UPDATE job_updates SET state = 'FAILED', revision = revision + 1`);
      await world.report(JOB, 0, 'killed');
    }
    const row = await world.updateRow(key);
    expect(await heartbeat()).toBe('FINISHED');
    expect(await world.updateRow(key)).toEqual(row);
    expect(world.engine.heartbeats.size).toBe(0);
  },
);

test('HB-7 by heartbeatJobUpdate: an id of no update is INVALID_REQUEST without a result', async () => {
  const unknown = await rpc.call('heartbeatJobUpdate', { updateId: 'no-such-update' });
  expect(unknown).toEqual({
    code: 'INVALID_REQUEST',
    details: ['There is no update no-such-update.'],
    result: undefined,
  });
  expect(await rpc.verdict('heartbeatJobUpdate', { updateId: '  ' })).toMatch(/^ERROR: .*blank/);
  expect(await rpc.verdict('heartbeatJobUpdate')).toBe('ERROR: updateId must be set');
});

test('an update that was never coordinated needs no heartbeats, paused or not', async () => {
  key = await world.startUpdate(JOB, aConfig('new'), 2);
  expect(await freeHeartbeat()).toBe('FINISHED');
  await world.change(key, 'pause');
  expect(await freeHeartbeat()).toBe('FINISHED');
});

test('an update that is active in the store alone is taken in and heard, paused or not', async () => {
  await startAndHear();
  const { registry } = world.engine.updater;
  registry.remove(registry.withId(key.id)!);
  expect(await heartbeat()).toBe('OK');
  expect(registry.withId(key.id)?.key).toEqual(key);
  await world.change(key, 'pause');
  registry.remove(registry.withId(key.id)!);
  expect(await heartbeat()).toBe('PAUSED');
});

test('before the registry is loaded a heartbeat may be sent again', async () => {
  world.engine.updater.registry.loaded = false;
  expect((await rpc.call('heartbeatJobUpdate', { updateId: 'x' })).code).toBe('ERROR_TRANSIENT');
  world.engine.updater.registry.loaded = true;
});
