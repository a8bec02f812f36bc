/**
 * Update affinity (updates.md §3.11): reservations by themselves, then on a cluster of two hosts, where an
 * instance that is updated goes back to the host it was on.
 */
import type { TaskConfig } from '../../src/core/model/config.js';
import { NO_AFFINITY, Reservations, createAffinity } from '../../src/engine/affinity.js';
import { parseConfig } from '../../src/config/parse.js';
import { Stats } from '../../src/observe/stats.js';
import { engineSettings, surroundings, unsupported } from '../../src/settings.js';
import { aConfig, aJob } from '../support/builders.js';
import { FakeTime } from '../support/fake-time.js';
import { World } from '../support/world.js';

const MINUTE = 60_000;
const HOLD = 3 * MINUTE;

describe('reservations', () => {
  let time: FakeTime;
  let stats: Stats;
  let reservations: Reservations;
  let freed: number;

  beforeEach(() => {
    [time, stats, freed] = [new FakeTime(), new Stats(), 0];
    reservations = new Reservations(HOLD, time, stats);
    reservations.onFreed(() => (freed += 1));
  });

  /** size, all removals, expired ones, explicit ones */
  function cache(): unknown[] {
    const name = (part: string): unknown => stats.snapshot()[`update_affinity_cache_${part}`];
    return ['size', 'removals', 'expiration_removals', 'explicit_removals'].map(name);
  }

  test('UPD-087 testReserve, testRelease, testIsReserved: an agent is reserved as long as any instance maps to it', () => {
    expect(reservations.isReserved('agent')).toBe(false);
    reservations.reserve('agent', 'job/0');
    reservations.reserve('agent', 'job/1');
    expect([reservations.agentOf('job/0'), reservations.agentOf('job/2')]).toEqual([
      ...['agent', undefined],
    ]);
    reservations.release('agent', 'job/0');
    expect(reservations.agentOf('job/0')).toBeUndefined();
    expect(reservations.isReserved('agent')).toBe(true);
    reservations.release('agent', 'job/1');
    expect(reservations.isReserved('agent')).toBe(false);
    expect(freed).toBe(2);
    expect(cache()).toEqual([0, 2, 0, 2]);
  });

  test('a release of something else changes nothing', () => {
    reservations.reserve('agent', 'job/0');
    reservations.release('other', 'job/0');
    reservations.release('agent', 'job/1');
    expect(reservations.isReserved('agent')).toBe(true);
    expect([freed, ...cache()]).toEqual([0, 1, 0, 0, 0]);
  });

  test('a reservation expires after its hold time, and somebody hears of it', () => {
    reservations.reserve('agent', 'job/0');
    time.tick(HOLD - 1);
    time.fireDue();
    expect(reservations.isReserved('agent')).toBe(true);
    time.tick(1);
    time.fireDue();
    expect(reservations.isReserved('agent')).toBe(false);
    expect([freed, ...cache()]).toEqual([1, 0, 1, 1, 0]);
  });

  test('a second one of the same instance takes the place of the first and its time', () => {
    reservations.reserve('agent', 'job/0');
    time.tick(HOLD - 1);
    reservations.reserve('other', 'job/0');
    expect([reservations.isReserved('agent'), reservations.agentOf('job/0')]).toEqual([
      ...[false, 'other'],
    ]);
    time.tick(1);
    time.fireDue();
    expect(reservations.agentOf('job/0')).toBe('other');
    expect(cache()).toEqual([1, 1, 0, 0]);
  });

  test('a stop leaves no timer', () => {
    reservations.reserve('agent', 'job/0');
    reservations.stop();
    expect(time.pendingTimers).toBe(0);
  });

  test('UPD-087 testNullReserver: switched off, nothing is ever reserved and no metric is shown', () => {
    const none = createAffinity({ enabled: false, holdMs: HOLD }, time, new Stats());
    expect(none).toBe(NO_AFFINITY);
    none.reserve('agent', 'job/0');
    none.release('agent', 'job/0');
    expect([none.isReserved('agent'), none.agentOf('job/0')]).toEqual([false, undefined]);
    expect(time.pendingTimers).toBe(0);
  });
});

describe('on two hosts', () => {
  const [JOB, OTHER] = [aJob('job1'), aJob('other')];
  /** Each host has room for two such tasks. */
  const total = { cpus: 2, ramMb: 1_024, diskMb: 1_024 };
  const HOSTS = ['one', 'two'].map((host) => ({ host, total }));
  let world: World;

  afterEach(async () => {
    await world.close();
  });

  async function start(enabled: boolean): Promise<void> {
    world = await World.create({
      hosts: HOSTS,
      settings: { updateAffinity: { enabled, holdMs: HOLD } },
    });
  }

  /** Instance → host of its newest task. */
  async function hosts(job = JOB): Promise<Record<number, string | null>> {
    const rows = await world.sql<{ id: number; host: string | null }>(
      `SELECT DISTINCT ON (instance_id) instance_id AS id, slave_host AS host FROM tasks
        WHERE job_name = $1 ORDER BY instance_id, created_at DESC,
          (SELECT min(e.id) FROM task_events e WHERE e.task_id = tasks.task_id) DESC`,
      [job.name],
    );
    return Object.fromEntries(rows.map((row) => [row.id, row.host]));
  }

  const agents = (): string[] =>
    ['agent-one', 'agent-two'].filter((agent) => world.engine.affinity.isReserved(agent));

  /** Three instances: two fill the first host, the third is on the second. */
  async function threeInstances(): Promise<void> {
    // One after the other: together they would be spread.
    for (const id of [0, 1, 2]) {
      await world.addInstances(JOB, aConfig('old'), [id]);
      await world.report(JOB, id, 'running');
    }
    expect(await hosts()).toEqual({ 0: 'one', 1: 'one', 2: 'two' });
  }

  test('UPD-078 testKillForUpdateReservesAgentForInstance: the kill reserves, use releases, the instance stays where it was', async () => {
    await start(true);
    await threeInstances();
    await world.startUpdate(JOB, aConfig('new'), 3);
    expect(await world.statuses(JOB)).toMatchObject({ 0: 'KILLING' });
    expect(agents()).toEqual(['agent-one']);
    // Somebody else wants what is left of the second host, then waits: the first one is reserved.
    await world.addInstances(OTHER, aConfig('x'), [0, 1]);
    await world.report(JOB, 0, 'killed');
    expect(await hosts()).toEqual({ 0: 'one', 1: 'one', 2: 'two' });
    expect(await hosts(OTHER)).toEqual({ 0: 'two', 1: null });
    expect(agents()).toEqual([]);
    expect(world.counter('update_affinity_cache_explicit_removals')).toBe(1);
  });

  test('what it may save: without affinity the place is lost to whoever comes first', async () => {
    await start(false);
    await threeInstances();
    await world.addInstances(OTHER, aConfig('x'), [0, 1]);
    await world.startUpdate(JOB, aConfig('new'), 3);
    await world.report(JOB, 0, 'killed');
    expect(agents()).toEqual([]);
    expect(await hosts(OTHER)).toEqual({ 0: 'two', 1: 'one' });
    expect(await hosts()).toMatchObject({ 0: null });
  });

  test('an instance waits for its agent, and goes elsewhere once the time is over', async () => {
    await start(true);
    await world.runningJob(JOB, aConfig('old'), 2);
    await world.startUpdate(JOB, aConfig('new'), 2);
    world.cluster.crashHost('one');
    await world.settle();
    // The other instance is not being updated, so nothing is reserved for it.
    expect(await hosts()).toEqual({ 0: null, 1: 'two' });
    await world.advance(HOLD - 1);
    expect(await hosts()).toMatchObject({ 0: null });
    await world.advance(1);
    expect(await hosts()).toEqual({ 0: 'two', 1: 'two' });
    expect(world.counter('update_affinity_cache_expiration_removals')).toBe(1);
  });

  test('others get a reserved agent once the time is over', async () => {
    await start(true);
    await threeInstances();
    await world.startUpdate(JOB, aConfig('new'), 3);
    await world.addInstances(OTHER, aConfig('x'), [0, 1]);
    // The old task takes its time to die, longer than the reservation lasts.
    await world.advance(HOLD);
    expect(agents()).toEqual([]);
    expect(await hosts(OTHER)).toEqual({ 0: 'two', 1: null });
    await world.report(JOB, 0, 'killed');
    expect([(await hosts(OTHER))[1], (await hosts())[0]]).toContain('one');
  });

  test.each<[string, Partial<TaskConfig>]>([
    ['that needs more', { resources: [{ numCpus: 1.5 }, { ramMb: 64 }, { diskMb: 64 }] }],
    [
      'with other constraints',
      { constraints: [{ name: 'host', constraint: { limit: { limit: 5 } } }] },
    ],
  ])('a config %s reserves nothing', async (_, more) => {
    await start(true);
    await threeInstances();
    await world.startUpdate(JOB, aConfig('new', more), 3);
    expect(await world.statuses(JOB)).toMatchObject({ 0: 'KILLING' });
    expect(agents()).toEqual([]);
  });

  test('a kill that is not committed reserves nothing, a task without a host neither', async () => {
    await start(true);
    await threeInstances();
    world.db.once('backend_commands', () => {
      throw new Error('no');
    });
    await expect(world.startUpdate(JOB, aConfig('new'), 3)).rejects.toThrow('no');
    expect(agents()).toEqual([]);

    const none = aConfig('x', { resources: [{ numCpus: 50 }, { ramMb: 64 }, { diskMb: 64 }] });
    await world.addInstances(OTHER, none, [0]);
    await world.startUpdate(OTHER, aConfig('y'), 1);
    expect(agents()).toEqual([]);
    expect(await hosts(OTHER)).toEqual({ 0: 'two' });
  });

  test('killed by hand or ended by itself, a task leaves no agent reserved', async () => {
    await start(true);
    await threeInstances();
    await world.engine.jobs.kill(JOB, [0], 'u', undefined);
    await world.report(JOB, 1, 'failed');
    expect(agents()).toEqual([]);
  });
});

test('the flags: off by default, hold times in whole minutes', () => {
  const settingsOf = (...flags: string[]): unknown => {
    const parsed = parseConfig(flags, {}, () => '', surroundings());
    if ('errors' in parsed) throw new Error(parsed.errors.join('\n'));
    expect(unsupported(parsed.config)).toEqual([]);
    return engineSettings(parsed.config).updateAffinity;
  };
  expect(settingsOf()).toEqual({ enabled: false, holdMs: HOLD });
  const on = '--enable_update_affinity=true';
  expect(settingsOf(on, '--update_affinity_reservation_hold_time=119secs')).toEqual({
    enabled: true,
    holdMs: MINUTE,
  });
});
