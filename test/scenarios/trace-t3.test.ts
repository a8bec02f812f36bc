/** Trace T3 of updates.md §4, second by second on the real engine: a batch, a lapse, a failure during it. */
import { MSG_GATE_TIMEOUT } from '../../src/core/update/messages.js';
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';

const JOB = aJob();
const SECOND = 1_000;

let world: World;
let key: JobUpdateKey;
/** Seconds since the update was started. */
let now: number;

afterEach(async () => {
  await world.close();
});

async function at(second: number): Promise<void> {
  await world.advance((second - now) * SECOND);
  now = second;
}

async function forEach(instanceIds: number[], ...states: ('killed' | 'running')[]): Promise<void> {
  for (const id of instanceIds) await world.report(JOB, id, ...states);
}

test('T3: six instances, batch(3), W 20 s, P 30 s', async () => {
  world = await World.create();
  await world.runningJob(JOB, aConfig('old'), 6);
  await world.leap(60 * SECOND);
  now = 0;
  key = await world.startUpdate(JOB, aConfig('new'), 6, {
    strategy: { kind: 'batch', groupSize: 3, autopause: false },
    minWaitInRunningMs: 20 * SECOND,
    pulseTimeoutMs: 30 * SECOND,
  });
  await at(5);
  await world.pulse(key);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'], 1: ['upd'], 2: ['upd'] });
  await at(7);
  await forEach([0, 1, 2], 'killed');
  await at(12);
  await forEach([0, 1], 'running');
  await at(22);
  await forEach([2], 'running');
  await at(32);
  const atLapse = { 0: ['upd', 'ok'], 1: ['upd', 'ok'], 2: ['upd'] };
  expect(await world.instanceEvents(key)).toEqual(atLapse);
  expect(await world.view(key)).toBe('ROLLING_FORWARD');
  await at(35);
  expect(await world.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
  expect(await world.updateEvents(key)).toHaveLength(2);
  await at(42);
  expect((await world.updateEvents(key)).at(-1)).toBe(
    `ROLL_FORWARD_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`,
  );
  await at(45);
  await world.report(JOB, 1, 'failed', 'running');
  expect(await world.instanceEvents(key)).toEqual(atLapse);
  expect(await world.updateEvents(key)).toHaveLength(3);
  // 1 came up again, and is young when the pulse comes.
  await at(60);
  await world.pulse(key);
  const unblocked = { 0: ['upd', 'ok'], 1: ['upd', 'ok'], 2: ['upd', 'ok'] };
  expect(await world.instanceEvents(key)).toEqual(unblocked);
  await at(70);
  await world.pulse(key);
  await at(79);
  expect(await world.instanceEvents(key)).toEqual(unblocked);
  await at(80);
  expect(await world.instanceEvents(key)).toEqual({
    ...{ ...unblocked, 3: ['upd'], 4: ['upd'], 5: ['upd'] },
  });
  await at(82);
  await forEach([3, 4, 5], 'killed', 'running');
  await at(90);
  await world.pulse(key);
  await at(102);
  expect((await world.updateEvents(key)).map((event) => event.replace(/\(.*/, ''))).toEqual([
    'ROLL_FORWARD_AWAITING_PULSE',
    'ROLLING_FORWARD',
    'ROLL_FORWARD_AWAITING_PULSE',
    'ROLLING_FORWARD',
    'ROLLED_FORWARD',
  ]);
  await at(103);
  expect(await world.pulse(key)).toBe('FINISHED');
});
