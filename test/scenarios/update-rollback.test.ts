/**
 * Rolling back, asked for or forced by failures (updates.md §5.1), and giving up. Fixture of that section:
 * queue(1) unless a test says otherwise, W 2000 ms, limits 0, rollback on.
 */
import { MSG_GATE_TIMEOUT, msgInstanceFailed } from '../../src/core/update/messages.js';
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';

const JOB = aJob();
const OLD = aConfig('old');
const NEW = aConfig('new');
const W = 2_000;

let world: World;

beforeEach(async () => {
  world = await World.create();
});

afterEach(async () => {
  await world.close();
});

async function replaceAndWatch(...instanceIds: number[]): Promise<void> {
  for (const id of instanceIds) await world.replace(JOB, id);
  await world.advance(W);
}

async function comeUpAndWatch(instanceId: number): Promise<void> {
  await world.report(JOB, instanceId, 'starting', 'running');
  await world.advance(W);
}

/** 0, 2 and 3 OLD, 1 absent; desired 0 to 2: up to the failure of 2, the last that gets the new config. */
async function failAtTwo(rollbackOnFailure: boolean): ReturnType<World['startUpdate']> {
  await world.runningInstances(JOB, OLD, [0, 2, 3]);
  const key = await world.startUpdate(JOB, NEW, 3, { rollbackOnFailure });
  await comeUpAndWatch(1);
  await replaceAndWatch(0);
  await world.replace(JOB, 2);
  await world.report(JOB, 2, 'failed');
  return key;
}

test('UPD-015 testRollback: back in reverse order, created instances last; untouched ones are not mentioned', async () => {
  const key = await failAtTwo(true);
  expect(await world.updateEvents(key)).toEqual([
    'ROLLING_FORWARD(user/message)',
    `ROLLING_BACK(–/${msgInstanceFailed(2)})`,
  ]);
  expect(await world.instanceEvents(key)).toEqual({
    ...{ 0: ['upd', 'ok'], 1: ['upd', 'ok'], 2: ['upd', 'bad', 'rb'] },
  });
  await comeUpAndWatch(2);
  await world.change(key, 'pause');
  expect(await world.view(key)).toBe('ROLL_BACK_PAUSED');
  // Not a day: instance 0 is KILLING, and would be LOST after five minutes.
  await world.leap(240_000);
  await world.change(key, 'resume');
  expect(await world.view(key)).toBe('ROLLING_BACK');
  await replaceAndWatch(0);
  await world.report(JOB, 1, 'killed');
  expect(await world.instanceEvents(key)).toEqual({
    0: ['upd', 'ok', 'rb', 'rbok'],
    1: ['upd', 'ok', 'rb', 'rbok'],
    2: ['upd', 'bad', 'rb', 'rbok'],
  });
  expect(await world.view(key)).toBe('ROLLED_BACK');
  expect(await world.versions(JOB)).toEqual({ 0: 'old', 2: 'old', 3: 'old' });
});

test('UPD-016 testRollbackDisabled: without rollback the update ends FAILED where it is', async () => {
  const key = await failAtTwo(false);
  expect(await world.instanceEvents(key)).toEqual({
    ...{ 0: ['upd', 'ok'], 1: ['upd', 'ok'], 2: ['upd', 'bad'] },
  });
  expect((await world.updateEvents(key)).at(-1)).toBe(`FAILED(–/${msgInstanceFailed(2)})`);
});

test('UPD-017 testAbort: what is done stays, what is not begun stays away', async () => {
  await world.runningInstances(JOB, OLD, [0, 2]);
  const nowhere = { name: 'host', constraint: { value: { negated: false, values: ['no-such'] } } };
  await world.addInstances(JOB, aConfig('old', { constraints: [nowhere] }), [1]);
  expect(await world.statuses(JOB)).toMatchObject({ 1: 'PENDING' });
  const key = await world.startUpdate(JOB, NEW, 3);
  await replaceAndWatch(0);
  await world.change(key, 'abort');
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd'] });
  expect(await world.view(key)).toBe('ABORTED');

  await comeUpAndWatch(1);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd'] });
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'new', 2: 'old' });
});

test('UPD-018 testRollbackFailed: a rollback that fails is not rolled back', async () => {
  await world.runningInstances(JOB, OLD, [0, 1, 2]);
  const key = await world.startUpdate(JOB, NEW, 3);
  await replaceAndWatch(0);
  await world.replace(JOB, 1);
  await world.report(JOB, 1, 'failed');
  await world.report(JOB, 1, 'running', 'failed');
  expect(await world.instanceEvents(key)).toEqual({
    ...{ 0: ['upd', 'ok'], 1: ['upd', 'bad', 'rb', 'rbbad'] },
  });
  expect((await world.updateEvents(key)).at(-1)).toBe(`FAILED(–/${msgInstanceFailed(1)})`);
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old', 2: 'old' });
});

test('UPD-029 testFailToRollbackCompletedUpdate: what has ended cannot be rolled back', async () => {
  await world.runningInstances(JOB, OLD, [0, 1, 2]);
  const strategy = { kind: 'batch', groupSize: 2, autopause: false } as const;
  const key = await world.startUpdate(JOB, NEW, 3, { strategy });
  await replaceAndWatch(0, 1);
  await replaceAndWatch(2);
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
  await expect(world.change(key, 'rollback')).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
});

test('UPD-030 testRollbackDuringUpgrade: the batch in flight goes back first, a dying old task is waited for', async () => {
  await world.runningInstances(JOB, OLD, [0, 1, 2]);
  const strategy = { kind: 'batch', groupSize: 2, autopause: false } as const;
  const key = await world.startUpdate(JOB, NEW, 3, { strategy });
  await replaceAndWatch(0, 1);
  expect(await world.instanceEvents(key)).toMatchObject({ 2: ['upd'] });

  await world.engine.updates.change(key, 'rollback', 'user', 'back');
  // Inside the call (C8): nothing is settled here.
  expect(await world.instanceEvents(key)).toEqual({
    ...{ 0: ['upd', 'ok'], 1: ['upd', 'ok', 'rb'], 2: ['upd', 'rb'] },
  });
  await world.settle();
  for (const id of [1, 2]) await world.report(JOB, id, 'killed');
  await world.advance(W);
  for (const id of [1, 2]) await world.report(JOB, id, 'starting', 'running');
  await world.advance(W);
  expect(await world.instanceEvents(key)).toEqual({
    0: ['upd', 'ok', 'rb'],
    1: ['upd', 'ok', 'rb', 'rbok'],
    2: ['upd', 'rb', 'rbok'],
  });
  await world.report(JOB, 0, 'killed');
  await world.advance(W);
  await comeUpAndWatch(0);
  expect(await world.instanceEvents(key)).toMatchObject({ 0: ['upd', 'ok', 'rb', 'rbok'] });
  expect((await world.updateEvents(key)).slice(1)).toEqual([
    'ROLLING_BACK(user/back)',
    'ROLLED_BACK(–/–)',
  ]);
  expect(await world.versions(JOB)).toEqual({ 0: 'old', 1: 'old', 2: 'old' });
});

test('UPD-031 testRollbackCoordinatedUpdate: a rollback nobody watches waits for a pulse too', async () => {
  await world.runningInstances(JOB, NEW, [0]);
  await world.runningInstances(JOB, OLD, [1, 2]);
  const key = await world.startUpdate(JOB, NEW, 3, { pulseTimeoutMs: 10_000 });
  await world.change(key, 'rollback', 'user', 'back');
  expect((await world.updateEvents(key)).slice(1)).toEqual([
    'ROLLING_BACK(user/back)',
    `ROLL_BACK_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`,
  ]);
  expect((await world.updateRow(key))?.state).toBe('ROLLING_BACK');
  expect(await world.view(key)).toBe('ROLL_BACK_AWAITING_PULSE');
  // Again: it is rolling back already.
  await world.change(key, 'rollback');
  expect(await world.updateEvents(key)).toHaveLength(3);

  expect(await world.pulse(key)).toBe('OK');
  expect((await world.updateEvents(key)).slice(3)).toEqual([
    'ROLLING_BACK(–/–)',
    'ROLLED_BACK(–/–)',
  ]);
  expect(await world.instanceEvents(key)).toEqual({});
});

test('UPD-032 testRollbackPausedForwardUpdate: from a pause straight back', async () => {
  await world.runningInstances(JOB, NEW, [0]);
  await world.runningInstances(JOB, OLD, [1, 2]);
  const key = await world.startUpdate(JOB, NEW, 3);
  await world.replace(JOB, 1);
  await world.change(key, 'pause');
  await world.change(key, 'rollback');
  expect((await world.updateEvents(key)).slice(1)).toEqual([
    'ROLL_FORWARD_PAUSED(user/–)',
    'ROLLING_BACK(user/–)',
  ]);
  await replaceAndWatch(1);
  expect(await world.instanceEvents(key)).toEqual({ 1: ['upd', 'rb', 'rbok'] });
  expect(await world.view(key)).toBe('ROLLED_BACK');
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old', 2: 'old' });
});

test('an instance that is young when the update turns back is watched for the whole of W', async () => {
  await world.runningInstances(JOB, OLD, [1]);
  const key = await world.startUpdate(JOB, NEW, 2);
  await world.report(JOB, 0, 'starting', 'running');
  await world.report(JOB, 1, 'failed');
  await world.report(JOB, 1, 'starting', 'running');
  await world.report(JOB, 0, 'failed');
  expect(await world.view(key)).toBe('ROLLING_BACK');
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'bad'], 1: ['rb'] });
  const rebuilds: number[] = [];
  world.db.beforeCommit = (written) => {
    if (written.mentions('settings')) rebuilds.push(written.statements);
  };
  await world.advance(W - 1);
  expect(await world.instanceEvents(key)).toMatchObject({ 1: ['rb'] });
  await world.advance(1);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'bad', 'rb'], 1: ['rb', 'rbok'] });
  // The tick that turned back built the updater; it is good for the ticks after it.
  expect(rebuilds).toEqual([]);
});
