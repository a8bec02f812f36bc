/**
 * Ticks that fail for any other reason than a closed gate (updates.md G12): they are repeated, later and
 * later, until one commits, and nothing is lost or done twice.
 */
import { MSG_GATE_TIMEOUT } from '../../src/core/update/messages.js';
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import { aConfig, aJob } from '../support/builders.js';
import { FlakyPostgres } from '../support/flaky-postgres.js';
import { World } from '../support/world.js';

const JOB = aJob();
const OLD = aConfig('old');
const NEW = aConfig('new');
const P = 10_000;
const W = 2_000;

let world: World;
let key: JobUpdateKey;

afterEach(async () => {
  await world.close();
});

async function rolling(instances: number, pulseTimeoutMs = 0): Promise<void> {
  world = await World.create();
  await world.runningJob(JOB, OLD, instances);
  await world.leap(60_000);
  key = await world.startUpdate(JOB, NEW, instances, { pulseTimeoutMs });
  if (pulseTimeoutMs > 0) await world.pulse(key);
}

/** Every transaction that locks the update fails from now on; returns the times of the attempts. */
function failTicks(): number[] {
  const attempts: number[] = [];
  world.db.beforeCommit = (written) => {
    if (!written.mentions('job_updates')) return;
    attempts.push(world.time.monoNow());
    throw new Error('the store is out of order');
  };
  return attempts;
}

test.each([0, P])(
  'SH-21 the tick of the last input fails once (P %i): the update still finishes, nothing is done twice',
  async (pulseTimeoutMs) => {
    await rolling(1, pulseTimeoutMs);
    await world.replace(JOB, 0);
    // The end of the watch is the last input there will be.
    world.db.once('job_updates', () => {
      throw new Error('once');
    });
    await world.advance(W);
    expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
    await world.advance(1_000);
    expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'] });
    expect(await world.view(key)).toBe('ROLLED_FORWARD');
    expect(await world.tasks(JOB)).toHaveLength(2);
  },
);

test('G12 the delay grows from a second to a minute and starts anew after a success', async () => {
  await rolling(2);
  const attempts = failTicks();
  await world.report(JOB, 0, 'killed');
  await world.advance(250_000);
  const delays = attempts.slice(1).map((at, n) => at - (attempts[n] ?? 0));
  expect(delays).toEqual([...[1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]]);
  world.db.beforeCommit = undefined;
  await world.advance(60_000);
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });

  const again = failTicks();
  await world.report(JOB, 0, 'failed');
  await world.advance(1_000);
  expect(again).toHaveLength(2);
});

test('G12 with the gate closed meanwhile, the retry is refused and pulses take over', async () => {
  await rolling(2, P);
  await world.advance(P - 500);
  const attempts = failTicks();
  await world.report(JOB, 0, 'killed');
  expect(attempts).toHaveLength(1);
  world.db.beforeCommit = undefined;
  await world.advance(1_000);
  expect((await world.updateEvents(key)).at(-1)).toBe(
    `ROLL_FORWARD_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`,
  );
  expect(await world.versions(JOB)).toEqual({ 1: 'old' });
  await world.pulse(key);
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
});

test('G12 the event of a refused tick that cannot be written: a pulse still moves the update', async () => {
  await rolling(2, P);
  await world.advance(P);
  failTicks();
  await world.report(JOB, 0, 'killed');
  world.db.beforeCommit = undefined;
  await world.pulse(key);
  expect(await world.updateEvents(key)).toHaveLength(2);
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
});

test('G12 a failed verb answers its error, and the update it found rolling goes on', async () => {
  await rolling(2);
  await world.report(JOB, 0, 'killed');
  failTicks();
  await world.report(JOB, 0, 'starting', 'running');
  await expect(world.change(key, 'rollback')).rejects.toThrow('out of order');
  world.db.beforeCommit = undefined;
  expect(await world.view(key)).toBe('ROLLING_FORWARD');
  await world.advance(W + 1_000);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd'] });
});

test('G12 a pause ends the retries', async () => {
  await rolling(2);
  const attempts = failTicks();
  await world.report(JOB, 0, 'killed');
  world.db.beforeCommit = undefined;
  await world.change(key, 'pause');
  await world.advance(120_000);
  expect(attempts).toHaveLength(1);
  expect(await world.versions(JOB)).toEqual({ 1: 'old' });
});

test('G12 Postgres away for minutes: reports are repeated, ticks too, and the update finishes', async () => {
  const proxy = await FlakyPostgres.listen();
  world = await World.create({ through: proxy });
  await world.runningJob(JOB, OLD, 1);
  key = await world.startUpdate(JOB, NEW, 1);
  const [task] = await world.tasks(JOB);
  proxy.goAway();
  world.cluster.report(task?.taskId ?? '', 'killed');
  await world.advance(120_000);
  expect(await world.statuses(JOB)).toEqual({ 0: 'KILLING' });
  await expect(world.change(key, 'pause')).rejects.toMatchObject({ name: 'TransientError' });

  proxy.comeBack();
  await world.advance(60_000);
  expect(await world.statuses(JOB)).toEqual({ 0: 'ASSIGNED' });
  await world.report(JOB, 0, 'starting', 'running');
  await world.advance(W);
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
});
