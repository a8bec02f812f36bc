/** The seven case studies of updates.md §1.5 on the real engine and Postgres; times in ms as there. */
import { MSG_GATE_TIMEOUT } from '../../src/core/update/messages.js';
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import { RefusedError } from '../../src/core/errors.js';
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';

const JOB = aJob();
const OLD = aConfig('old');
const NEW = aConfig('new');
const P = 10_000;
const BLOCKED = `ROLL_FORWARD_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`;

let world: World;
let key: JobUpdateKey;

beforeEach(async () => {
  world = await World.create();
  await world.runningJob(JOB, OLD, 2);
  await world.advance(60_000);
});

afterEach(async () => {
  await world.close();
});

async function start(): Promise<void> {
  key = await world.startUpdate(JOB, NEW, 2, { pulseTimeoutMs: P }, { user: 'u', message: 'm' });
}

/** HB-1 up to its first pulse, at 60000. */
async function startAndPulse(): Promise<void> {
  await start();
  await world.advance(60_000);
  expect(await world.pulse(key)).toBe('OK');
}

async function expectFinished(): Promise<void> {
  expect((await world.updateEvents(key)).at(-1)).toBe('ROLLED_FORWARD(–/–)');
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
  expect(await world.pulse(key)).toBe('FINISHED');
}

test('HB-1 success: nothing moves before the first pulse, then the update rolls to its end', async () => {
  await start();
  expect(await world.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
  expect(await world.updateEvents(key)).toEqual(['ROLL_FORWARD_AWAITING_PULSE(u/m)']);
  expect(await world.statuses(JOB)).toEqual({ 0: 'RUNNING', 1: 'RUNNING' });

  await world.advance(60_000);
  expect(await world.updateEvents(key)).toEqual(['ROLL_FORWARD_AWAITING_PULSE(u/m)']);
  expect(await world.instanceEvents(key)).toEqual({});
  expect(await world.statuses(JOB)).toEqual({ 0: 'RUNNING', 1: 'RUNNING' });

  expect(await world.pulse(key)).toBe('OK');
  expect((await world.updateEvents(key)).slice(1)).toEqual(['ROLLING_FORWARD(–/–)']);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
  expect(await world.statuses(JOB)).toEqual({ 0: 'KILLING', 1: 'RUNNING' });

  await world.advance(1_000);
  await world.report(JOB, 0, 'killed');
  await world.advance(1_000);
  await world.report(JOB, 0, 'starting', 'running');
  await world.advance(2_000);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd'] });
  expect(await world.statuses(JOB)).toEqual({ 0: 'RUNNING', 1: 'KILLING' });

  await world.report(JOB, 1, 'killed');
  await world.advance(1_000);
  const before = world.db.statements;
  expect(await world.pulse(key)).toBe('OK');
  expect(world.db.statements).toBe(before);

  await world.report(JOB, 1, 'starting', 'running');
  await world.advance(2_000);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd', 'ok'] });
  await world.advance(1_000);
  await expectFinished();
});

test('HB-2 paused: an explicit pause holds, stale or pulsed', async () => {
  await startAndPulse();
  await world.advance(1_000);
  await world.engine.updates.change(key, 'pause', 'mon', 'unhealthy');
  expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');
  const events = await world.updateEvents(key);
  expect(events.at(-1)).toBe('ROLL_FORWARD_PAUSED(mon/unhealthy)');

  await world.report(JOB, 0, 'killed');
  await world.advance(14_000);
  expect(await world.tasks(JOB)).toHaveLength(2);
  expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');

  await world.advance(1_000);
  expect(await world.pulse(key)).toBe('OK');
  expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');
  expect(await world.updateEvents(key)).toEqual(events);
  expect(await world.tasks(JOB)).toHaveLength(2);
});

describe('HB-3 resumed', () => {
  beforeEach(async () => {
    await startAndPulse();
    await world.advance(1_000);
    await world.engine.updates.change(key, 'pause', 'mon', 'unhealthy');
    await world.report(JOB, 0, 'killed');
    await world.advance(15_000);
    expect(await world.pulse(key)).toBe('OK');
  });

  test('HB-3 (a) stale: one audited event, then the next pulse moves it at once', async () => {
    await world.advance(14_000);
    const before = await world.updateEvents(key);
    await world.engine.updates.change(key, 'resume', 'u2');
    expect((await world.updateEvents(key)).slice(before.length)).toEqual([
      'ROLL_FORWARD_AWAITING_PULSE(u2/–)',
    ]);
    expect(await world.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
    expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
    expect(await world.tasks(JOB)).toHaveLength(2);

    await world.advance(1_000);
    expect(await world.pulse(key)).toBe('OK');
    expect((await world.updateEvents(key)).at(-1)).toBe('ROLLING_FORWARD(–/–)');
    expect(await world.tasks(JOB)).toHaveLength(3);
  });

  test('HB-3 (b) fresh: one audited event, evaluated inside the call', async () => {
    await world.advance(4_000);
    const before = await world.updateEvents(key);
    await world.engine.updates.change(key, 'resume', 'u2');
    // No settling: what the call did is all that is looked at.
    expect((await world.updateEvents(key)).slice(before.length)).toEqual(['ROLLING_FORWARD(u2/–)']);
    expect(await world.tasks(JOB)).toHaveLength(3);
  });
});

test('HB-4 missed: the first refused action is recorded, the next pulse goes on', async () => {
  await startAndPulse();
  await world.advance(10_000);
  expect(await world.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
  expect(await world.updateEvents(key)).toHaveLength(2);

  await world.advance(2_000);
  await world.report(JOB, 0, 'killed');
  expect((await world.updateEvents(key)).slice(2)).toEqual([BLOCKED]);
  expect(await world.tasks(JOB)).toHaveLength(2);
  await world.advance(1_000);
  await world.report(JOB, 1, 'failed');
  expect(await world.updateEvents(key)).toHaveLength(3);

  await world.advance(7_000);
  expect(await world.pulse(key)).toBe('OK');
  expect((await world.updateEvents(key)).slice(3)).toEqual(['ROLLING_FORWARD(–/–)']);
  await world.report(JOB, 0, 'starting', 'running');
  await world.advance(2_000);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd'] });
  await world.replace(JOB, 1);
  await world.pulse(key);
  await world.advance(2_000);
  await expectFinished();
});

test('HB-5 restart: the map is empty, nothing moves until a pulse', async () => {
  await startAndPulse();
  await world.report(JOB, 0, 'killed');
  await world.report(JOB, 0, 'starting', 'running');
  await world.advance(2_000);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd'] });
  const tasks = await world.tasks(JOB);

  await world.restart();
  expect(await world.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
  expect((await world.updateEvents(key)).slice(2)).toEqual([BLOCKED]);
  expect(await world.tasks(JOB)).toEqual(tasks);
  await world.restart();
  expect(await world.updateEvents(key)).toHaveLength(3);
  await world.report(JOB, 1, 'killed');
  expect(await world.tasks(JOB)).toHaveLength(3);

  expect(await world.pulse(key)).toBe('OK');
  expect((await world.updateEvents(key)).at(-1)).toBe('ROLLING_FORWARD(–/–)');
  await world.report(JOB, 1, 'starting', 'running');
  await world.advance(2_000);
  await expectFinished();
});

test('HB-6 not active: a pulse answers FINISHED and writes nothing', async () => {
  await startAndPulse();
  await world.engine.updates.change(key, 'abort', 'u3');
  const row = await world.updateRow(key);
  expect(await world.pulse(key)).toBe('FINISHED');
  expect(await world.updateRow(key)).toEqual(row);
  expect(world.engine.heartbeats.size).toBe(0);
});

test('HB-7 unknown: a pulse for no update is told so', async () => {
  const unknown = { job: JOB, id: 'no-such-update' };
  expect(await world.pulse(unknown)).toBe('UNKNOWN');
  await expect(world.engine.updates.change(unknown, 'pause', 'u')).rejects.toBeInstanceOf(
    RefusedError,
  );
});
