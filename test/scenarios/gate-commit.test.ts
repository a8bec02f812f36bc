/**
 * Between the verdict and the COMMIT (updates.md G3, G5, G7, G8; design, invariant 1): transactions that
 * take long, and pulses that land while one is being written. Slowness is fake time passing before the
 * COMMIT; only the cut-off by the server happens in real time.
 */
import { MSG_GATE_TIMEOUT } from '../../src/core/update/messages.js';
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import { aConfig, aJob } from '../support/builders.js';
import { FlakyPostgres } from '../support/flaky-postgres.js';
import type { WorldOptions } from '../support/world.js';
import { World } from '../support/world.js';

const JOB = aJob();
const OLD = aConfig('old');
const NEW = aConfig('new');
const P = 10_000;
const D = 1_000;
const W = 2_000;
const BLOCKED = `ROLL_FORWARD_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`;
const UNBLOCKED = 'ROLLING_FORWARD(–/–)';

let world: World;
let key: JobUpdateKey;
/** Update events so far; `newEvents` tells those after. */
let told: number;

afterEach(async () => {
  await world.close();
});

/** A job of two OLD tasks with a coordinated update to NEW that got its first pulse and kills task 0. */
async function rolling(options: WorldOptions = {}, pulseTimeoutMs = P): Promise<void> {
  world = await World.create(options);
  await world.runningJob(JOB, OLD, 2);
  await world.leap(60_000);
  key = await world.startUpdate(JOB, NEW, 2, { pulseTimeoutMs });
  await world.pulse(key);
  told = (await world.updateEvents(key)).length;
}

async function newEvents(): Promise<string[]> {
  return (await world.updateEvents(key)).slice(told);
}

/** The next transaction that writes to an update takes this long. */
function slowly(ms: number): void {
  world.db.once('job_updates', () => world.time.tick(ms));
}

describe('a pulse that lands while something is being written', () => {
  test('SH-4 during the event of a refused tick: the update goes on without another pulse', async () => {
    await rolling();
    await world.advance(P);
    world.db.once('job_update_events', () => {
      expect(world.engine.updates.pulse(key)).toBe('OK');
    });
    await world.report(JOB, 0, 'killed');
    expect(await newEvents()).toEqual([BLOCKED, UNBLOCKED]);
    expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
  });

  test('SH-18 during a resume behind a closed gate: the same', async () => {
    await rolling();
    await world.change(key, 'pause');
    await world.report(JOB, 0, 'killed');
    await world.advance(P);
    told += 1;
    world.db.once('job_update_events', () => {
      expect(world.engine.updates.pulse(key)).toBe('OK');
    });
    await world.change(key, 'resume', 'u2');
    expect(await newEvents()).toEqual(['ROLL_FORWARD_AWAITING_PULSE(u2/–)', UNBLOCKED]);
    expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
  });

  test('G7 during a rollback behind a closed gate that nobody had noticed: the same', async () => {
    await rolling();
    await world.advance(P);
    world.db.once('job_update_events', () => {
      expect(world.engine.updates.pulse(key)).toBe('OK');
    });
    await world.change(key, 'rollback', 'u2');
    expect(await newEvents()).toEqual([
      'ROLLING_BACK(u2/–)',
      `ROLL_BACK_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`,
      'ROLLING_BACK(–/–)',
    ]);
    expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'rb'] });
  });
});

test('SH-5 pulses that are stale long before anything is written still move the update, one tick each', async () => {
  const runs = { startDelayMs: 10, runDelayMs: 10 };
  await rolling({ script: () => runs }, 30);
  world.db.beforeCommit = () => world.time.tick(100);
  for (let n = 0; n < 10 && (await world.view(key)) !== 'ROLLED_FORWARD'; n++) {
    await world.advance(3_000);
    await world.pulse(key);
  }
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd', 'ok'] });
});

test('G5 on an idle lane the verdict is taken in the turn of the pulse itself', async () => {
  const short = D / 2;
  await rolling({}, short);
  await world.advance(short);
  await world.report(JOB, 0, 'killed');
  expect(world.engine.updates.pulse(key)).toBe('OK');
  // Nothing has been awaited since; a verdict taken any later would be one behind a closed gate.
  world.time.tick(short);
  await world.settle();
  // The task it inserted is an input that comes too late.
  expect(await newEvents()).toEqual([BLOCKED, UNBLOCKED, BLOCKED]);
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
});

describe('G3: the second verdict', () => {
  test('G3 a tick that missed the deadline behind a gate that closed is rolled back and counts as refused', async () => {
    await rolling();
    await world.advance(P - 1);
    slowly(D);
    await world.report(JOB, 0, 'killed');
    expect(await newEvents()).toEqual([BLOCKED]);
    expect(await world.versions(JOB)).toEqual({ 1: 'old' });
    await world.pulse(key);
    expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
  });

  test('G3 one that missed it behind a gate still open is committed', async () => {
    await rolling();
    slowly(P - 1);
    await world.report(JOB, 0, 'killed');
    expect(await newEvents()).toEqual([]);
    expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
  });

  test('G3 one within the deadline is committed on its first verdict: D after P at the latest', async () => {
    await rolling();
    await world.advance(P - 1);
    slowly(D - 1);
    await world.report(JOB, 0, 'killed');
    expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
    expect(await world.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
  });

  test('G3 an update without heartbeats knows no deadline', async () => {
    await rolling({}, 0);
    slowly(60_000);
    await world.report(JOB, 0, 'killed');
    expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
  });

  test('G1, G3 a machine that slept between verdict and COMMIT acts on nothing', async () => {
    await rolling();
    world.db.once('job_updates', () => world.time.sleep(3_600_000));
    await world.report(JOB, 0, 'killed');
    expect(await newEvents()).toEqual([BLOCKED]);
    expect(await world.versions(JOB)).toEqual({ 1: 'old' });
  });

  test('SH-20 a resume that missed the deadline is written again as behind a closed gate, and is answered OK', async () => {
    await rolling();
    await world.change(key, 'pause');
    await world.report(JOB, 0, 'killed');
    told += 1;
    slowly(P + D);
    await world.change(key, 'resume', 'u2');
    expect(await newEvents()).toEqual(['ROLL_FORWARD_AWAITING_PULSE(u2/–)']);
    expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
    expect(await world.versions(JOB)).toEqual({ 1: 'old' });
  });

  test('SH-20 so is a rollback', async () => {
    await rolling();
    slowly(P + D);
    await world.change(key, 'rollback', 'u2');
    expect(await newEvents()).toEqual([
      'ROLLING_BACK(u2/–)',
      `ROLL_BACK_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`,
    ]);
    expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
  });
});

test('G3 a COMMIT held up on its way is cut off by the server after D, and the tick repeated', async () => {
  const proxy = await FlakyPostgres.listen();
  await rolling({ through: proxy, settings: { gateCommitDeadlineMs: 150 } });
  world.db.once('job_updates', () => {
    proxy.nextCommit = 'hold';
  });
  await world.report(JOB, 0, 'killed');
  // Settled: the server has ended the session, so that what was held can do no harm any more.
  proxy.letGo();
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
  expect(await world.versions(JOB)).toEqual({ 1: 'old' });
  expect(world.counter('job_update_state_change_errors')).toBe(1);
  await world.advance(1_000);
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
});

test('G3 once committed, an action is carried out whatever the gate says', async () => {
  await rolling();
  world.cluster.script = () => ({});
  const { submit } = world.backend;
  world.backend.submit = async (request) => {
    world.time.tick(P);
    await submit.call(world.backend, request);
  };
  await world.report(JOB, 0, 'killed');
  expect(await world.statuses(JOB)).toEqual({ 0: 'RUNNING', 1: 'RUNNING' });
  await world.advance(W);
  expect(await newEvents()).toEqual([BLOCKED]);
});
