/**
 * Pausing between batches (updates.md §3.8): before each batch but the first, once for each, whatever
 * happens to the process in between, and never on the way back.
 */
import { MSG_AUTO_PAUSED, msgInstanceFailed } from '../../src/core/update/messages.js';
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';

const JOB = aJob();
const OLD = aConfig('old');
const NEW = aConfig('new');
const P = 10_000;
const W = 2_000;
const BATCHES = { strategy: { kind: 'batch', groupSize: 2, autopause: true } as const };
const AUTO_PAUSED = `ROLL_FORWARD_PAUSED(–/${MSG_AUTO_PAUSED})`;

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

/** How many times the update paused by itself. */
async function pauses(key: JobUpdateKey): Promise<number> {
  return (await world.updateEvents(key)).filter((event) => event === AUTO_PAUSED).length;
}

test('UPD-037 testSuccessfulBatchUpdateAutoPause: after the first batch, not after the last', async () => {
  await world.runningJob(JOB, OLD, 3);
  const key = await world.startUpdate(JOB, NEW, 3, BATCHES);
  await replaceAndWatch(0, 1);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd', 'ok'] });
  expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');
  expect((await world.updateEvents(key)).at(-1)).toBe(AUTO_PAUSED);

  await world.change(key, 'resume');
  expect(await world.instanceEvents(key)).toMatchObject({ 2: ['upd'] });
  expect(await world.view(key)).toBe('ROLLING_FORWARD');
  await replaceAndWatch(2);
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
  expect(await pauses(key)).toBe(1);
});

test('UPD-038 testSuccessfulVarBatchUpdateAutoPause: between batches of growing size', async () => {
  await world.runningJob(JOB, OLD, 6);
  const strategy = { kind: 'variable', groupSizes: [1, 2, 3], autopause: true } as const;
  const key = await world.startUpdate(JOB, NEW, 6, { strategy });
  await replaceAndWatch(0);
  expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');

  await world.change(key, 'resume');
  await replaceAndWatch(2);
  expect(await world.view(key)).toBe('ROLLING_FORWARD');
  await replaceAndWatch(1);
  expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');
  expect(Object.keys(await world.instanceEvents(key))).toEqual(['0', '1', '2']);

  await world.change(key, 'resume');
  await replaceAndWatch(3, 4, 5);
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
  expect(await pauses(key)).toBe(2);
});

test('UPD-039 testSuccessfulVarBatchUpdateAutoPauseWithRollback: no pause on the way back', async () => {
  await world.runningInstances(JOB, OLD, [0, 1]);
  const strategy = { kind: 'variable', groupSizes: [1, 2], autopause: true } as const;
  const key = await world.startUpdate(JOB, NEW, 3, { strategy });
  await world.report(JOB, 2, 'running');
  await world.advance(W);
  expect(await world.instanceEvents(key)).toEqual({ 2: ['upd', 'ok'] });
  expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');

  await world.change(key, 'resume');
  expect(await world.instanceEvents(key)).toMatchObject({ 0: ['upd'], 1: ['upd'] });
  await replaceAndWatch(0);
  await world.replace(JOB, 1);
  await world.report(JOB, 1, 'failed');
  expect((await world.updateEvents(key)).at(-1)).toBe(`ROLLING_BACK(–/${msgInstanceFailed(1)})`);
  expect(await world.instanceEvents(key)).toEqual({
    ...{ 0: ['upd', 'ok', 'rb'], 1: ['upd', 'bad', 'rb'], 2: ['upd', 'ok'] },
  });
  // The killed PENDING replacement of 1 left at once; 0 has to be told.
  await world.report(JOB, 0, 'killed');
  for (const id of [0, 1]) await world.report(JOB, id, 'starting', 'running');
  await world.advance(W);
  expect(await world.view(key)).toBe('ROLLING_BACK');
  await world.report(JOB, 2, 'killed');
  expect(await world.view(key)).toBe('ROLLED_BACK');
  expect(await world.versions(JOB)).toEqual({ 0: 'old', 1: 'old' });
  expect(await pauses(key)).toBe(1);
});

test('SH-16 a block and a restart at the barrier neither skip the pause nor add one', async () => {
  await world.runningJob(JOB, OLD, 6);
  const key = await world.startUpdate(JOB, NEW, 6, { ...BATCHES, pulseTimeoutMs: P });
  await world.pulse(key);
  await world.replace(JOB, 0);
  await world.replace(JOB, 1);
  // The watches end behind a closed gate: the barrier is reached only after a restart.
  world.time.tick(P);
  await world.advance(W);
  expect(await world.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
  expect(await pauses(key)).toBe(0);
  await world.restart();
  await world.pulse(key);
  expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd', 'ok'] });

  // Resumed behind a closed gate, restarted, pulsed: this barrier has had its pause.
  await world.restart();
  await world.change(key, 'resume');
  await world.restart();
  await world.pulse(key);
  expect(await pauses(key)).toBe(1);
  expect(await world.instanceEvents(key)).toMatchObject({ 2: ['upd'], 3: ['upd'] });
  await replaceAndWatch(2, 3);
  expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');
  await world.change(key, 'resume');
  await replaceAndWatch(4, 5);
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
  expect(await pauses(key)).toBe(2);
});
