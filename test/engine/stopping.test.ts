/**
 * A stop while something is being written: that is finished and answered, nothing follows from it in this
 * process, and the next one finds everything it needs (design, invariant 2).
 */
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';

const JOB = aJob();
const NEW = aConfig('new');
const NOWHERE = { name: 'host', constraint: { value: { negated: false, values: ['nowhere'] } } };
const WAITING = aConfig('old', { constraints: [NOWHERE] });
const W = 2_000;

let world: World;
/** Settles when the stop that `stopDuring` asked for is complete. */
let stopped: Promise<void> | undefined;
let write: jest.SpyInstance | undefined;

beforeEach(async () => {
  stopped = undefined;
  write = undefined;
  world = await World.create();
});

afterEach(async () => {
  await world.close();
});

/** The engine is told to stop while the next transaction that mentions the table is being written. */
function stopDuring(table: string): void {
  world.db.once(table, () => {
    stopped = world.engine.stop();
    write = jest.spyOn(world.db, 'write');
  });
}

/** Nothing was written after the transaction during which the stop came, nor will be. */
async function expectQuiet(): Promise<void> {
  await stopped;
  expect(world.time.pendingTimers).toBe(0);
  await world.engine.idle();
  expect(write).not.toHaveBeenCalled();
}

test('during a start: it is stored and answered, and rolls on in the next process', async () => {
  // Killed on the spot, so that the start at once has something to follow it: the new one.
  await world.addInstances(JOB, WAITING, [0]);
  stopDuring('job_updates');
  const key = await world.startUpdate(JOB, NEW, 1);
  await expectQuiet();
  expect(await world.versions(JOB)).toEqual({});
  await world.restart();
  expect(await world.versions(JOB)).toEqual({ 0: 'new' });
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
});

test('during a verb: the same', async () => {
  await world.addInstances(JOB, WAITING, [0]);
  const key = await world.startUpdate(JOB, NEW, 1, { pulseTimeoutMs: 10_000 });
  await world.pulse(key);
  stopDuring('job_updates');
  await world.change(key, 'pause', 'u', 'm');
  await expectQuiet();
  await world.restart();
  expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');
  expect((await world.updateEvents(key)).at(-1)).toBe('ROLL_FORWARD_PAUSED(u/m)');
});

test('during a tick that sets a watch: no timer outlives the process', async () => {
  await world.addInstances(JOB, NEW, [1]);
  const key = await world.startUpdate(JOB, NEW, 2);
  stopDuring('job_updates');
  await world.report(JOB, 0, 'running');
  await expectQuiet();
  await world.restart();
  await world.advance(W);
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
});

test('during a report: what was reported is stored once', async () => {
  await world.addInstances(JOB, NEW, [0]);
  stopDuring('task_events');
  await world.report(JOB, 0, 'running');
  await expectQuiet();
  await world.restart();
  expect(await world.sql('SELECT status FROM task_events ORDER BY id')).toEqual(
    ['PENDING', 'ASSIGNED', 'RUNNING'].map((status) => ({ status })),
  );
});

test('during a placement: the command is sent by the next process', async () => {
  stopDuring('backend_commands');
  await world.addInstances(JOB, NEW, [0]);
  await expectQuiet();
  expect(world.cluster.liveCount).toBe(0);
  await world.restart();
  expect(world.cluster.liveCount).toBe(1);
  await world.report(JOB, 0, 'running');
});
