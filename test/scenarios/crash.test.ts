/**
 * A process that ends without a word, or believes it still leads (design, invariants 2 and 5): what was
 * answered holds, what was begun goes on, and the old one changes nothing any more. The old process is not
 * stopped here: it lives on with all its timers.
 */
import { TransientError } from '../../src/core/errors.js';
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import { MSG_GATE_TIMEOUT } from '../../src/core/update/messages.js';
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';

const JOB = aJob();
const OLD = aConfig('old');
const NEW = aConfig('new');
const P = 10_000;
const W = 2_000;

let world: World;

beforeEach(async () => {
  world = await World.create();
  await world.runningJob(JOB, OLD, 2);
  await world.leap(60_000);
});

afterEach(async () => {
  await world.close();
});

/** A started update that kills task 0; coordinated ones have had their first pulse. */
async function rolling(pulseTimeoutMs: number): Promise<JobUpdateKey> {
  const key = await world.startUpdate(JOB, NEW, 2, { pulseTimeoutMs });
  if (pulseTimeoutMs > 0) await world.pulse(key);
  return key;
}

test.each([
  ['pause', 'ROLL_FORWARD_PAUSED'],
  ['abort', 'ABORTED'],
  ['rollback', 'ROLLING_BACK'],
] as const)('a %s that was answered holds in the next process', async (verb, state) => {
  const key = await rolling(0);
  await world.engine.updates.change(key, verb, 'u', 'm');
  // The reply is sent; the process dies before anything else.
  await world.depose();
  expect(await world.view(key)).toBe(state);
  expect((await world.updateEvents(key)).at(-1)).toBe(`${state}(u/m)`);
});

test('a start that was answered is there, and goes on in the next process', async () => {
  const { updates } = world.engine;
  const key = await rolling(0);
  await world.depose();
  await world.replace(JOB, 0);
  await world.advance(W);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd'] });
  await expect(updates.change(key, 'abort', 'u')).rejects.toBeInstanceOf(TransientError);
  expect(await world.view(key)).toBe('ROLLING_FORWARD');
});

test('the watches, retries and kills of the old process come to nothing', async () => {
  const key = await rolling(0);
  await world.replace(JOB, 0);
  // The old process watches 0 until W; the new one starts its watch half-way.
  await world.advance(W / 2);
  const old = await world.depose();
  const statements = old.db.statements;
  await world.advance(W / 2);
  expect(old.db.statements).toBeGreaterThan(statements);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
  await world.advance(W / 2);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd'] });
  await world.advance(120_000);
  const events = await world.sql(`
    SELECT count(*)::int AS n FROM task_events JOIN tasks USING (task_id) WHERE instance_id = 1
       AND task_events.status = 'KILLING'`);
  expect(events).toEqual([{ n: 1 }]);
});

test('a pulse the old process still answers opens no gate in the new one', async () => {
  const key = await rolling(P);
  const old = await world.depose();
  expect(await world.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
  expect(old.engine.updates.pulse(key)).toBe('OK');
  await old.engine.lanes.idle();
  await world.report(JOB, 0, 'killed');
  expect(await world.versions(JOB)).toEqual({ 1: 'old' });
  expect((await world.updateEvents(key)).slice(2)).toEqual([
    `ROLL_FORWARD_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`,
  ]);
  await world.pulse(key);
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
});

test('a tick of the old process that is being written when the new one takes over counts, once', async () => {
  const key = await rolling(0);
  let taken: Promise<unknown> | undefined;
  world.db.once('job_updates', async () => {
    taken = world.depose();
    const waiting = `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`;
    while ((await world.sql(waiting)).length === 0);
  });
  const [task] = await world.tasks(JOB);
  const { lanes } = world.engine;
  world.cluster.report(task?.taskId ?? '', 'killed');
  await world.backend.idle();
  await lanes.idle();
  await taken;
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
  await world.report(JOB, 0, 'starting', 'running');
  await world.advance(W);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd'] });
});

test('a chain of processes that each die at once loses and repeats nothing', async () => {
  const key = await rolling(0);
  for (let n = 0; n < 4; n++) await world.depose();
  await world.replace(JOB, 0);
  await world.depose();
  await world.advance(W);
  await world.depose();
  await world.replace(JOB, 1);
  await world.depose();
  await world.advance(W);
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
  expect(await world.tasks(JOB)).toHaveLength(4);
  expect(await world.updateEvents(key)).toHaveLength(2);
});
