/**
 * SLA-aware updates from end to end (updates.md §5.1, §5.8): production jobs that lose one task at a time.
 */
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import { MSG_GATE_TIMEOUT } from '../../src/core/update/messages.js';
import { aConfig } from '../support/builders.js';
import type { World } from '../support/world.js';
import {
  ATTEMPTS,
  AWARE,
  CHECK,
  JOB,
  NEW,
  OLD,
  P,
  PASS,
  RETRY,
  SUCCESSES,
  SlaWorld,
  W,
  count,
} from './sla-world.js';

let sla: SlaWorld;
let world: World;
let key: JobUpdateKey;

afterEach(async () => {
  await world.close();
});

beforeEach(async () => {
  sla = await SlaWorld.create();
  ({ world } = sla);
});

describe('whole updates', () => {
  test('UPD-034 testSuccessfulSlaAwareUpdate: one at a time, though three are in the group', async () => {
    key = await sla.started();
    const replaced: number[] = [];
    for (let n = 0; n < 3; n++) {
      replaced.push(await sla.replaceNext());
      await world.advance(RETRY);
    }
    await world.advance(W);
    expect(replaced.sort()).toEqual([0, 1, 2]);
    const events = ['upd', `upd${CHECK}`, `upd${PASS}`, 'ok'];
    expect(await world.instanceEvents(key)).toEqual({ 0: events, 1: events, 2: events });
    expect((await world.updateEvents(key)).at(-1)).toBe('ROLLED_FORWARD(–/–)');
    expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'new', 2: 'new' });
    // Notes are no transitions.
    expect(world.counter('update_instance_transition_INSTANCE_UPDATING')).toBe(3);
  });

  test('UPD-035 testSuccessfulSlaAwareUpdateWithPause: no kill while paused, no second note after it', async () => {
    key = await sla.started();
    expect(await sla.replaceNext()).toBe(0);
    await world.change(key, 'pause');
    expect(sla.chains).toBe(0);
    await world.advance(10 * RETRY + W);
    expect(await sla.killing()).toEqual([]);
    expect(await world.view(key)).toBe('ROLL_FORWARD_PAUSED');
    await world.change(key, 'resume');
    for (const id of [1, 2]) {
      expect(await sla.replaceNext()).toBe(id);
      await world.advance(RETRY);
    }
    await world.advance(W);
    const events = ['upd', `upd${CHECK}`, `upd${PASS}`, 'ok'];
    expect(await world.instanceEvents(key)).toEqual({ 0: events, 1: events, 2: events });
    expect(await world.view(key)).toBe('ROLLED_FORWARD');
  });

  test('UPD-036 testSuccessfulSlaAwareUpdateWithRollback: back as carefully as forward', async () => {
    key = await sla.started({}, aConfig('old', count(2)));
    expect(await sla.replaceNext()).toBe(0);
    await world.advance(W);
    expect(await sla.killing()).toEqual([1]);
    await world.replace(JOB, 1);
    await world.change(key, 'rollback');
    const check = ['upd', `upd${CHECK}`];
    // Never killed, so it has nothing to go back to.
    expect(await world.instanceEvents(key)).toMatchObject({ 2: [...check, 'rb', 'rbok'] });
    expect(await sla.replaceNext()).toBe(1);
    await world.advance(RETRY);
    expect(await sla.replaceNext()).toBe(0);
    await world.advance(W);
    const back = ['rb', `rb${CHECK}`, `rb${PASS}`, 'rbok'];
    expect(await world.instanceEvents(key)).toEqual({
      0: [...check, `upd${PASS}`, 'ok', ...back],
      1: [...check, `upd${PASS}`, ...back],
      2: [...check, 'rb', 'rbok'],
    });
    expect(await world.view(key)).toBe('ROLLED_BACK');
    expect(await world.versions(JOB)).toEqual({ 0: 'old', 1: 'old', 2: 'old' });
  });

  test('a restart begins the chains anew, and notes nothing twice', async () => {
    key = await sla.waiting();
    await world.advance(RETRY);
    await world.restart();
    expect(sla.chains).toBe(1);
    await sla.letGo();
    await world.advance(RETRY);
    expect(await sla.killing()).toEqual([0]);
    expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', `upd${CHECK}`, `upd${PASS}`] });
  });

  test('a task that no agent has is killed without a check', async () => {
    await world.runningInstances(JOB, OLD, [0, 1]);
    const huge = aConfig('huge', { resources: [{ numCpus: 1e6 }, { ramMb: 64 }, { diskMb: 64 }] });
    await world.addInstances(JOB, { ...huge, production: true }, [2]);
    expect(await world.statuses(JOB)).toMatchObject({ 2: 'PENDING' });
    const onlyTheseInstances = [{ first: 2, last: 2 }];
    key = await world.startUpdate(JOB, NEW, 3, { ...AWARE, onlyTheseInstances });
    expect(await world.versions(JOB)).toEqual({ 0: 'old', 1: 'old', 2: 'new' });
    expect(await world.instanceEvents(key)).toEqual({ 2: ['upd', `upd${CHECK}`, `upd${PASS}`] });
  });

  test('the next generation of a task that waits has a chain of its own, without a second note', async () => {
    key = await sla.waiting();
    const chainOf = () => world.engine.updater.registry.ofJob(JOB)?.slaChains.get(0)?.taskId;
    const before = chainOf();
    await world.report(JOB, 0, 'finished');
    const next = await world.task(JOB, 0);
    expect(next?.taskId).not.toBe(before);
    expect(chainOf()).toBe(next?.taskId);
    expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', `upd${CHECK}`] });
    expect(world.counter(ATTEMPTS)).toBe(2);
    await sla.letGo();
    await world.advance(RETRY);
    expect(await sla.killing()).toEqual([0]);
    expect(world.counter(ATTEMPTS)).toBe(3);
  });

  test('a job with too few instances, or in another tier, has no SLA', async () => {
    key = await sla.started({}, aConfig('old'), aConfig('new', { ...count(2), production: false }));
    expect(await sla.killing()).toEqual([0, 1, 2]);
    const events = ['upd', `upd${CHECK}`, `upd${PASS}`];
    expect(await world.instanceEvents(key)).toEqual({ 0: events, 1: events, 2: events });
  });
});

describe('coordinated updates', () => {
  const BLOCKED = `ROLL_FORWARD_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`;

  /** Pulsed once, and about to be stale: the next retry comes exactly when it is. */
  async function lapsing(): Promise<void> {
    key = await sla.waiting({ pulseTimeoutMs: P });
    expect(sla.chains).toBe(0);
    await world.pulse(key);
    await world.advance(P - 2);
    expect(sla.chains).toBe(1);
    await sla.letGo();
    expect((await world.updateEvents(key)).length).toBe(2);
  }

  test('SH-10 a gate that lapses while a retry is pending: no kill; after a pulse a new chain, no second note', async () => {
    await lapsing();
    const attempts = world.counter(ATTEMPTS);
    await world.advance(1);
    expect(await sla.killing()).toEqual([]);
    expect(world.counter(ATTEMPTS)).toBe(attempts);
    expect(sla.chains).toBe(0);
    await world.advance(10 * RETRY);
    expect(await sla.killing()).toEqual([]);
    await world.pulse(key);
    expect(await sla.killing()).toEqual([0]);
    expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', `upd${CHECK}`, `upd${PASS}`] });
  });

  test('SH-19 the retry alone notices the lapse and records it; the pulse finishes the update', async () => {
    await lapsing();
    await world.advance(1);
    expect((await world.updateEvents(key)).slice(2)).toEqual([BLOCKED]);
    await world.pulse(key);
    expect((await world.updateEvents(key)).slice(2)).toEqual([BLOCKED, 'ROLLING_FORWARD(–/–)']);
    await world.replace(JOB, 0);
    await world.advance(W);
    expect(await world.view(key)).toBe('ROLLED_FORWARD');
    expect(await world.instanceEvents(key)).toEqual({
      0: ['upd', `upd${CHECK}`, `upd${PASS}`, 'ok'],
    });
  });

  test('G3 an attempt whose commit comes too late for the gate kills nothing, and is recorded', async () => {
    await lapsing();
    await world.pulse(key);
    // Everything is written, and then Postgres takes its time.
    world.db.once("x.status = 'RUNNING'", () => world.time.tick(P));
    await world.advance(RETRY);
    expect(await sla.killing()).toEqual([]);
    expect((await world.updateEvents(key)).slice(2)).toEqual([BLOCKED]);
    expect(world.counter(SUCCESSES)).toBe(0);
    await world.pulse(key);
    expect(await sla.killing()).toEqual([0]);
  });
});
