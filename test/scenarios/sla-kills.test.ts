/**
 * One SLA-aware kill at a time (updates.md §3.10, §5.6): when it is noted, attempted, repeated and given up,
 * and what that costs.
 */
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import type { SlaKillSettings } from '../../src/engine/sla-kills.js';
import { SlaKills } from '../../src/engine/sla-kills.js';
import { aConfig } from '../support/builders.js';
import type { World, WorldOptions } from '../support/world.js';
import {
  ATTEMPTS,
  AWARE,
  CHECK,
  JOB,
  JOB_TEXT,
  OLD,
  P,
  PASS,
  RETRY,
  SLA,
  SUCCESSES,
  count,
  SlaWorld,
} from './sla-world.js';

/** BEGIN with the fence (counted as two), the update's row, the tasks, the job's activity, COMMIT. */
const STATEMENTS_OF_A_TICK = 6;

let sla: SlaWorld;
let world: World;
let key: JobUpdateKey;

afterEach(async () => {
  await world.close();
});

async function created(more: Partial<SlaKillSettings> = {}, options?: WorldOptions): Promise<void> {
  sla = await SlaWorld.create(more, options);
  ({ world } = sla);
}

describe('kills', () => {
  test('UPD-079 testInstanceKillSlaAware: 0 % lets all go at once; only the check kills', async () => {
    await created();
    const slaPolicy = { percentageSlaPolicy: { percentage: 0, durationSecs: 0 } };
    await world.runningInstances(JOB, OLD, [0, 1, 2]);
    const stored: number[][] = [];
    world.db.beforeCommit = async ({ mentions }) => {
      if (mentions('job_updates')) stored.push(await sla.killing());
    };
    const next = aConfig('new', { production: true, slaPolicy });
    key = await world.startUpdate(JOB, next, 3, AWARE);
    // Before the start is committed, and before the attempts that follow it.
    expect(stored.slice(0, 2)).toEqual([[], []]);
    expect(await sla.killing()).toEqual([0, 1, 2]);
  });

  test('UPD-079 testInstanceKillSlaAwareRollback: going back, 95 % of an hour holds everyone', async () => {
    await created();
    const strict = { percentageSlaPolicy: { percentage: 95, durationSecs: 3600 } };
    const loose = { percentageSlaPolicy: { percentage: 0, durationSecs: 0 } };
    await world.runningInstances(JOB, aConfig('old', { production: true, slaPolicy: strict }), [
      ...[0, 1, 2],
    ]);
    const next = aConfig('new', { production: true, slaPolicy: loose });
    key = await world.startUpdate(JOB, next, 3, AWARE);
    for (const id of [0, 1, 2]) await world.replace(JOB, id);
    await world.change(key, 'rollback');
    await world.advance(3 * RETRY);
    expect(await sla.killing()).toEqual([]);
    expect(sla.chains).toBe(3);
    await world.leap(3_600_000);
    expect(await sla.killing()).toEqual([2]);
  });

  test('UPD-080 testInstanceKillSlaAwareKillCommand: what passes is killed, and keeps its agent', async () => {
    const updateAffinity = { enabled: true, holdMs: 180_000 };
    await created({}, { settings: { updateAffinity } });
    key = await sla.waiting();
    const { affinity } = world.engine;
    expect(affinity.agentOf(`${JOB_TEXT}/0`)).toBeUndefined();
    await sla.letGo();
    await world.advance(RETRY);
    expect(await sla.killing()).toEqual([0]);
    const [row] = await world.sql<{ slave_id: string }>(
      "SELECT slave_id FROM tasks WHERE status = 'KILLING'",
    );
    expect(row?.slave_id).toBeTruthy();
    expect(affinity.agentOf(`${JOB_TEXT}/0`)).toBe(row?.slave_id);
    const [event] = await world.sql<{ message: string }>(
      "SELECT message FROM task_events WHERE status = 'KILLING'",
    );
    expect(event?.message).toContain(key.id);
  });

  test('UPD-081 testInstanceKillSlaAwareMissingSlaPolicy: SLA-aware without a policy kills at once', async () => {
    await created();
    key = await sla.started({}, OLD, aConfig('new', { production: true }));
    expect(await sla.killing()).toEqual([0, 1, 2]);
    expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'], 1: ['upd'], 2: ['upd'] });
    expect(sla.chains).toBe(0);
  });

  test('UPD-083 testSlaKill: the check is noted first, the pass with the kill, and the next attempt is set', async () => {
    await created({ retry: { initialMs: 0, maxMs: 0 } });
    key = await sla.started({ strategy: { kind: 'queue', groupSize: 1 } });
    expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', `upd${CHECK}`, `upd${PASS}`] });
    expect(await sla.killing()).toEqual([0]);
    expect(sla.chains).toBe(1);
    await world.advance(0);
    expect(sla.chains).toBe(0);
    expect(world.counter(ATTEMPTS)).toBe(1);
  });

  test('UPD-083 testSlaKillRollingBack', async () => {
    await created({ retry: { initialMs: 0, maxMs: 0 } });
    key = await sla.started(
      { strategy: { kind: 'queue', groupSize: 1 } },
      aConfig('old', count(2)),
    );
    await world.replace(JOB, 0);
    await world.advance(1);
    await world.change(key, 'rollback');
    const forward = ['upd', `upd${CHECK}`, `upd${PASS}`];
    expect(await world.instanceEvents(key)).toEqual({
      0: [...forward, 'rb', `rb${CHECK}`, `rb${PASS}`],
    });
    expect(await sla.killing()).toEqual([0]);
  });

  test('UPD-084 testSlaKillRetry: later and later, until the task cannot be killed any more', async () => {
    // The world's randomness is 0.5: 42, then 63, then 84 at most.
    await created({ retry: { initialMs: 28, maxMs: 84 } });
    key = await sla.waiting();
    expect([world.counter(ATTEMPTS), world.counter(SUCCESSES)]).toEqual([1, 0]);
    await sla.letGo();
    await world.advance(40);
    expect(world.counter(ATTEMPTS)).toBe(1);
    await world.advance(1);
    expect([world.counter(ATTEMPTS), world.counter(SUCCESSES)]).toEqual([2, 1]);
    expect(await sla.killing()).toEqual([0]);
    await world.advance(62);
    expect(sla.chains).toBe(1);
    const timers = world.time.pendingTimers;
    await world.advance(1);
    expect([world.counter(ATTEMPTS), world.counter(SUCCESSES)]).toEqual([2, 1]);
    expect(sla.chains).toBe(0);
    expect(world.time.pendingTimers).toBe(timers - 1);
  });

  test('UPD-084 the wait has a bound', async () => {
    await created({ retry: { initialMs: 28, maxMs: 84 } });
    key = await sla.waiting();
    await world.advance(42 + 63 + 84 + 84);
    expect(world.counter(ATTEMPTS)).toBe(5);
  });

  test('UPD-085 testSlaKillFailOnPause: paused before the first attempt, nothing is attempted', async () => {
    await created();
    key = await sla.started({ pulseTimeoutMs: P });
    const { updates } = world.engine;
    // The tick that asks for the kills is under way when the pause comes, and their first attempts come behind it.
    expect(updates.pulse(key)).toBe('OK');
    await updates.change(key, 'pause', 'u');
    await world.settle();
    expect((await world.updateEvents(key)).slice(1)).toEqual([
      'ROLLING_FORWARD(–/–)',
      'ROLL_FORWARD_PAUSED(u/–)',
    ]);
    const check = ['upd', `upd${CHECK}`];
    expect(await world.instanceEvents(key)).toEqual({ 0: check, 1: check, 2: check });
    await world.advance(5 * RETRY);
    expect(world.counter(ATTEMPTS)).toBe(0);
    expect(await sla.killing()).toEqual([]);
    expect(sla.chains).toBe(0);
  });

  test('UPD-086 testSlaKillNoDuplicateEvents: a check that is noted is not noted again', async () => {
    await created();
    key = await sla.waiting();
    for (let n = 0; n < 3; n++) {
      await world.change(key, 'pause');
      await world.change(key, 'resume');
    }
    expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', `upd${CHECK}`] });
    expect(sla.chains).toBe(1);
    // Whatever makes the updater ask again while a chain is under way changes nothing, either.
    const entry = world.engine.updater.registry.ofJob(JOB);
    const task = await world.task(JOB, 0);
    if (entry === undefined || task === undefined) throw new Error('nothing is waiting');
    const { taskId, status } = task;
    await world.engine.updater.enqueueTick(entry, { kind: 'task', taskId, instanceId: 0, status });
    await world.settle();
    expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', `upd${CHECK}`] });
    expect(sla.chains).toBe(1);
  });

  test('UPD-086 testSlaKillInvalidStatus: a paused update cannot ask for a kill', async () => {
    await created();
    key = await sla.waiting();
    await world.change(key, 'pause');
    const { tasks, configs, options } = world.engine;
    const { timers, random, stats, log } = options;
    const slaKills = new SlaKills({
      ...{ tasks, configs, timers, random, stats, log, settings: SLA },
      askCoordinator: (_question, act) => act(false),
    });
    const entry = world.engine.updater.registry.ofJob(JOB);
    if (entry === undefined) throw new Error('the update is gone');
    const policy = { countSlaPolicy: { count: 2, durationSecs: 0 } };
    const kill = { instanceId: 0, taskId: 'task', reserve: false, policy };
    await expect(
      world.db.write({}, (tx) => slaKills.request(tx, entry, entry.state, [kill], 0)),
    ).rejects.toThrow('an SLA-aware kill was requested in ROLL_FORWARD_PAUSED');
  });
});

test('G12 an attempt that fails is made again by a new chain, and nothing is noted twice', async () => {
  await created();
  key = await sla.waiting();
  await sla.letGo();
  world.db.once("x.status = 'RUNNING'", () => {
    throw new Error('the store is away');
  });
  await world.advance(RETRY);
  expect(await sla.killing()).toEqual([]);
  expect(sla.chains).toBe(0);
  await world.advance(1_000);
  expect(await sla.killing()).toEqual([0]);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', `upd${CHECK}`, `upd${PASS}`] });
  // The attempt that was rolled back does not count.
  expect([world.counter(ATTEMPTS), world.counter(SUCCESSES)]).toEqual([2, 1]);
});

describe('cost', () => {
  /** Nobody may go: one instance beside those of the update is not up, and all the others are needed. */
  async function heldBack(instances: number, more: Partial<SlaKillSettings> = {}): Promise<void> {
    await created(more);
    const ids = Array.from({ length: instances }, (_, id) => id);
    await world.runningInstances(JOB, OLD, ids);
    await world.addInstances(JOB, OLD, [instances]);
    key = await world.startUpdate(JOB, aConfig('new', count(instances)), instances + 1, {
      ...AWARE,
      strategy: { kind: 'queue', groupSize: instances },
      onlyTheseInstances: [{ first: 0, last: instances - 1 }],
    });
  }

  test.each([3, 12])('%i attempts at once cost as many statements as two', async (instances) => {
    await heldBack(instances);
    const { statements } = world.db;
    await world.advance(RETRY);
    expect(world.counter(ATTEMPTS)).toBe(2 * instances);
    // The tick of the first timer begins at once, all the others share the next one.
    expect(world.db.statements - statements).toBe(2 * STATEMENTS_OF_A_TICK);
  });

  test.each([
    [300, 2],
    [2, 3],
    [1, 5],
  ])('at most %i attempts in one tick: %i ticks for five', async (maxBatchSize, ticks) => {
    await heldBack(5, { maxBatchSize });
    let looks = 0;
    world.db.beforeCommit = ({ mentions }) => {
      if (mentions("x.status = 'RUNNING'")) looks += 1;
    };
    await world.advance(RETRY);
    expect(looks).toBe(ticks);
    expect(world.counter(ATTEMPTS)).toBe(10);
  });
});
