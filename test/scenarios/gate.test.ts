/**
 * The gate in front of every action (updates.md G1, G4 to G9, §5.8): what closes it, what a refused action
 * leaves behind, and how little it takes to open it again. Times in ms.
 */
import { TransientError } from '../../src/core/errors.js';
import { MSG_GATE_TIMEOUT, msgInstanceFailed } from '../../src/core/update/messages.js';
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import { Engine } from '../../src/engine/engine.js';
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';

const JOB = aJob();
const OLD = aConfig('old');
const NEW = aConfig('new');
const P = 10_000;
const W = 2_000;
const COORDINATED = { pulseTimeoutMs: P };
const BLOCKED = `ROLL_FORWARD_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`;
const UNBLOCKED = 'ROLLING_FORWARD(–/–)';

let world: World;
let key: JobUpdateKey;

beforeEach(async () => {
  world = await World.create();
});

afterEach(async () => {
  await world.close();
});

/** A job of OLD tasks, a minute old, with a coordinated update to NEW that got its first pulse. */
async function rolling(
  instances: number,
  settings: Parameters<World['startUpdate']>[3] = {},
): Promise<void> {
  await world.runningJob(JOB, OLD, instances);
  await world.leap(60_000);
  key = await world.startUpdate(JOB, NEW, instances, { ...COORDINATED, ...settings });
  await world.pulse(key);
}

async function replaceAndWatch(...instanceIds: number[]): Promise<void> {
  for (const id of instanceIds) await world.replace(JOB, id);
  await world.advance(W);
}

test('SH-1 ten thousand pulses of a rolling update cost no statement and keep one heartbeat', async () => {
  await rolling(1);
  const { statements } = world.db;
  const answers = new Set(Array.from({ length: 10_000 }, () => world.engine.updates.pulse(key)));
  await world.settle();
  expect([...answers]).toEqual(['OK']);
  expect(world.db.statements).toBe(statements);
  expect(world.engine.heartbeats.size).toBe(1);
});

test('SH-2 the first action follows the pulse, not a timer', async () => {
  await rolling(2);
  await world.leap(3_600_000);
  await world.report(JOB, 0, 'killed');
  expect(await world.tasks(JOB)).toHaveLength(2);
  await world.pulse(key);
  // No time has passed.
  expect(await world.tasks(JOB)).toHaveLength(3);
});

test('SH-3 any number of refused inputs leave one event, and unblocking another', async () => {
  await rolling(25, { strategy: { kind: 'queue', groupSize: 25 } });
  for (let id = 0; id < 25; id++) await world.replace(JOB, id);
  world.time.tick(P);
  // 25 timers, then 25 task changes.
  await world.advance(W);
  for (let id = 0; id < 25; id++) await world.report(JOB, id, 'failed');
  expect((await world.updateEvents(key)).slice(2)).toEqual([BLOCKED]);
  await world.pulse(key);
  await world.pulse(key);
  expect((await world.updateEvents(key)).slice(2)).toEqual([BLOCKED, UNBLOCKED]);
});

test('SH-7 a pulse before the registry is loaded is to be sent again', async () => {
  await rolling(1);
  await world.engine.stop();
  expect(() => world.engine.updates.pulse(key)).toThrow(TransientError);
  const next = new Engine(world.engine.options);
  expect(() => next.updates.pulse(key)).toThrow(TransientError);
  const started = next.start();
  expect(() => next.updates.pulse(key)).toThrow(TransientError);
  await started;
  expect(next.updates.pulse(key)).toBe('OK');
  world.engine = next;
  await world.settle();
  expect(await world.view(key)).toBe('ROLLING_FORWARD');
});

test('SH-11 a rollback begun by a failure stops at the next lapse, and goes on with the next pulse', async () => {
  await rolling(2);
  await replaceAndWatch(0);
  await world.replace(JOB, 1);
  await world.report(JOB, 1, 'failed');
  expect((await world.updateEvents(key)).at(-1)).toBe(`ROLLING_BACK(–/${msgInstanceFailed(1)})`);
  expect(await world.instanceEvents(key)).toMatchObject({ 1: ['upd', 'bad', 'rb'] });
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });

  await world.advance(P);
  expect(await world.view(key)).toBe('ROLL_BACK_AWAITING_PULSE');
  const tasks = await world.tasks(JOB);
  await world.report(JOB, 1, 'starting', 'running');
  await world.advance(P);
  expect((await world.updateEvents(key)).at(-1)).toBe(
    `ROLL_BACK_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`,
  );
  expect(await world.tasks(JOB)).toHaveLength(tasks.length);
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });

  await world.pulse(key);
  expect((await world.updateEvents(key)).at(-1)).toBe('ROLLING_BACK(–/–)');
  await replaceAndWatch(0);
  expect(await world.view(key)).toBe('ROLLED_BACK');
  expect(await world.versions(JOB)).toEqual({ 0: 'old', 1: 'old' });
});

test('SH-13 the first group of a start, a resume and a rollback is acted on inside the call', async () => {
  await world.runningInstances(JOB, OLD, [0, 1, 2]);
  const { updates } = world.engine;
  const result = await updates.start({
    ...{ job: JOB, config: NEW, instanceCount: 3, metadata: [], user: 'u' },
    checkAfterDiff: () => undefined,
    settings: {
      ...{ strategy: { kind: 'queue', groupSize: 1 }, updateGroupSize: 1, slaAware: false },
      ...{ waitForBatchCompletion: false, maxPerInstanceFailures: 0, maxFailedInstances: 0 },
      ...{ minWaitInRunningMs: W, rollbackOnFailure: true, onlyTheseInstances: [] },
      pulseTimeoutMs: 0,
    },
  });
  if (result.kind !== 'started') throw new Error('not started');
  key = result.key;
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
  await world.change(key, 'pause');
  await world.report(JOB, 0, 'killed');
  expect(await world.versions(JOB)).toEqual({ 1: 'old', 2: 'old' });
  await updates.change(key, 'resume', 'u');
  expect(await world.versions(JOB)).toMatchObject({ 0: 'new' });
  await updates.change(key, 'rollback', 'u');
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'rb'] });
});

test('SH-14 after a block a tolerated failure is neither tried again nor forgotten', async () => {
  await rolling(3, { maxFailedInstances: 1 });
  await world.replace(JOB, 0);
  await world.report(JOB, 0, 'failed');
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'bad'], 1: ['upd'] });
  await world.advance(P);
  await world.report(JOB, 1, 'killed');
  expect((await world.updateEvents(key)).at(-1)).toBe(BLOCKED);
  // Its next generation is well meanwhile; that would pass for success, were it looked at.
  await world.report(JOB, 0, 'starting', 'running');
  await world.advance(W);

  await world.pulse(key);
  await world.report(JOB, 1, 'starting', 'running', 'failed');
  expect(await world.instanceEvents(key)).toMatchObject({ 0: ['upd', 'bad'] });
  // The second failure is one too many.
  expect((await world.updateEvents(key)).at(-1)).toBe(`ROLLING_BACK(–/${msgInstanceFailed(1)})`);
});

test('SH-17 a step of the wall clock moves neither the gate, nor W, nor the order of events', async () => {
  await rolling(2);
  await world.replace(JOB, 0);
  await world.advance(1_000);
  world.time.stepWall(-3_600_000);
  await world.advance(999);
  expect(await world.view(key)).toBe('ROLLING_FORWARD');
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
  await world.advance(1);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd'] });

  await world.change(key, 'pause');
  // Fresh until P after the pulse, 2000 ago.
  await world.advance(P - W - 1);
  await world.change(key, 'resume');
  expect((await world.updateEvents(key)).at(-1)).toBe('ROLLING_FORWARD(user/–)');
  await world.advance(1);
  expect(await world.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
  // The next process has that clock too.
  await world.restart();
  await world.pulse(key);
  expect((await world.updateEvents(key)).at(-1)).toBe(UNBLOCKED);
  const disordered = await world.sql(`
    SELECT 1 FROM (SELECT happened_at < lag(happened_at) OVER (ORDER BY seq) AS back
                     FROM update_timeline) t WHERE back`);
  expect(disordered).toEqual([]);
});

test('SH-17 a step forward does not make a watch shorter', async () => {
  await rolling(2);
  await world.replace(JOB, 0);
  world.time.stepWall(3_600_000);
  // Something makes the instance be looked at again: it is as young as before.
  await world.change(key, 'pause');
  await world.change(key, 'resume');
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
  await world.advance(W);
  expect(await world.instanceEvents(key)).toMatchObject({ 0: ['upd', 'ok'] });
});

test('SH-24 a timer of an update that was aborted says nothing to the next one', async () => {
  await rolling(2);
  await world.replace(JOB, 0);
  const old = world.engine.updater.registry.ofJob(JOB);
  await world.change(key, 'abort');
  expect(old?.watches.size).toBe(0);
  await world.leap(60_000);
  const next = await world.startUpdate(JOB, aConfig('newer'), 2);
  const before = await world.tasks(JOB);
  if (old === undefined) throw new Error('there was no update');
  // As if it had been under way already when the abort came.
  await world.engine.updater.enqueueTick(old, { kind: 'timer', instanceId: 0, eventId: '1' });
  await world.settle();
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
  expect(await world.instanceEvents(next)).toEqual({ 0: ['upd'] });
  expect(await world.tasks(JOB)).toEqual(before);
});

test('SH-25 a batch keeps its shape across a block, its failed instance included', async () => {
  const strategy = { kind: 'batch', groupSize: 3, autopause: false } as const;
  await rolling(6, { strategy, maxFailedInstances: 1 });
  await world.advance(P - 1_000);
  for (const id of [0, 1, 2]) await world.replace(JOB, id);
  await world.report(JOB, 1, 'failed');
  await world.advance(W);
  await world.report(JOB, 0, 'failed');
  await world.report(JOB, 0, 'starting', 'running');
  await world.report(JOB, 1, 'starting', 'running');
  expect((await world.updateEvents(key)).at(-1)).toBe(BLOCKED);

  await world.pulse(key);
  // 2 has been up since before the block, 0 is young.
  expect(await world.instanceEvents(key)).toEqual({
    ...{ 0: ['upd'], 1: ['upd', 'bad'], 2: ['upd', 'ok'] },
  });
  await world.advance(W);
  expect(await world.instanceEvents(key)).toMatchObject({
    ...{ 0: ['upd', 'ok'], 3: ['upd'], 4: ['upd'], 5: ['upd'] },
  });
});

describe('G1: the sleep of a machine', () => {
  test('G1 a machine that slept has no fresh heartbeat, whatever the monotonic clock says', async () => {
    await rolling(2);
    await world.advance(1_000);
    world.time.sleep(60_000);
    expect(await world.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
    expect(world.engine.heartbeats.size).toBe(0);
    await world.report(JOB, 0, 'killed');
    expect(await world.tasks(JOB)).toHaveLength(2);
    await world.pulse(key);
    expect(await world.tasks(JOB)).toHaveLength(3);
  });

  test('G1 the slow timer notices it when nobody asks; a drift of a second is no sleep', async () => {
    await rolling(1);
    world.time.sleep(1_000);
    await world.advance(5_000);
    expect(world.engine.heartbeats.size).toBe(1);
    world.time.sleep(1_001);
    await world.advance(5_000);
    expect(world.engine.heartbeats.size).toBe(0);
    // The new drift is the measure from now on.
    await world.pulse(key);
    await world.advance(5_000);
    expect(world.engine.heartbeats.size).toBe(1);
  });
});

test('G9 a pulse whose tick comes behind a pause does nothing', async () => {
  await rolling(2);
  await world.advance(P);
  await world.report(JOB, 0, 'killed');
  const { updates } = world.engine;
  const paused = updates.change(key, 'pause', 'u');
  // The pause is being written; the update is still blocked in memory, so this enqueues a tick.
  expect(updates.pulse(key)).toBe('OK');
  await paused;
  await world.settle();
  expect((await world.updateEvents(key)).slice(2)).toEqual([BLOCKED, 'ROLL_FORWARD_PAUSED(u/–)']);
  expect(await world.tasks(JOB)).toHaveLength(2);
});
