/** Comparing tasks with the backend (tasks.md §4 last paragraph, §6): when it is done, and what it mends. */
import { parseConfig } from '../../src/config/parse.js';
import { DEFAULT_RECONCILIATION } from '../../src/core/task/reconciliation.js';
import type { ReconciliationSettings } from '../../src/core/task/reconciliation.js';
import { engineSettings, surroundings } from '../../src/settings.js';
import { aConfig, aJob } from '../support/builders.js';
import type { WorldOptions } from '../support/world.js';
import { World } from '../support/world.js';

const MINUTE = 60_000;
const JOB = aJob();
const OLD = aConfig('old');

let world: World;
/** What the backend was asked, and how many ms after the start: ids, or 'all'. */
let asked: { at: number; what: readonly string[] | 'all' }[];

async function start(
  settings: Partial<ReconciliationSettings> = {},
  options: WorldOptions = {},
): Promise<void> {
  const reconciliation = { ...DEFAULT_RECONCILIATION, ...settings };
  world = await World.create({ settings: { reconciliation }, ...options });
  asked = [];
  const startedAt = world.time.monoNow();
  const { backend } = world;
  const reconcile = backend.reconcile.bind(backend);
  backend.reconcile = (scope) => {
    const what = scope === 'all' ? scope : scope.taskIds;
    asked.push({ at: world.time.monoNow() - startedAt, what });
    return reconcile(scope);
  };
}

afterEach(async () => {
  await world.close();
});

const runs = (): [number, number] => [
  world.counter('reconciliation_explicit_runs'),
  world.counter('reconciliation_implicit_runs'),
];
const ids = async (): Promise<string[]> => (await world.tasks(JOB)).map((task) => task.taskId);
/** `all`, or the number of tasks, at its time. */
const calls = () =>
  asked.map(({ at, what }) => [at, what === 'all' ? 'all' : what.length] as const);

describe('when', () => {
  test('TASK-039, RPC-130 runs come at fixed rates, one call for each batch', async () => {
    await start({
      initialDelayMs: 10 * MINUTE,
      explicitIntervalMs: 60 * MINUTE,
      implicitIntervalMs: 180 * MINUTE,
      scheduleSpreadMs: 30 * MINUTE,
      explicitBatchSize: 1,
      explicitBatchIntervalMs: 3_000,
    });
    expect(world.stats.snapshot()).toMatchObject({
      reconciliation_explicit_runs: 0,
      reconciliation_implicit_runs: 0,
    });
    await world.addInstances(JOB, OLD, [0, 1]);
    await world.report(JOB, 0, 'running');
    await world.report(JOB, 1, 'running');
    const [first, second] = (await ids()) as [string, string];
    await world.advance(10 * MINUTE);
    expect(runs()).toEqual([1, 0]);
    expect(asked).toEqual([{ at: 10 * MINUTE, what: [first] }]);
    await world.advance(3_000);
    expect(asked.slice(1)).toEqual([{ at: 10 * MINUTE + 3_000, what: [second] }]);
    await world.advance(30 * MINUTE - 3_000);
    expect(runs()).toEqual([1, 1]);
    await world.advance(60 * MINUTE);
    expect(runs()).toEqual([2, 1]);
    await world.advance(180 * MINUTE);
    expect(runs()).toEqual([5, 2]);
    const explicit = [10, 70, 130, 190, 250].flatMap((minute) => [
      [minute * MINUTE, 1],
      [minute * MINUTE + 3_000, 1],
    ]);
    const implicit = [40, 220].map((minute) => [minute * MINUTE, 'all']);
    expect(calls().filter(([, what]) => what !== 'all')).toEqual(explicit);
    expect(calls().filter(([, what]) => what === 'all')).toEqual(implicit);
    // All was as it should be.
    expect(await world.statuses(JOB)).toEqual({ 0: 'RUNNING', 1: 'RUNNING' });
  });

  test('delays count in whole minutes, and a restart begins anew', async () => {
    await start({
      initialDelayMs: 119_999,
      scheduleSpreadMs: 61_000,
      explicitIntervalMs: 179_000,
    });
    await world.addInstances(JOB, OLD, [0]);
    await world.advance(4 * MINUTE - 1);
    expect(calls()).toEqual([
      [MINUTE, 1],
      [2 * MINUTE, 'all'],
      [3 * MINUTE, 1],
    ]);
    await world.restart();
    await world.advance(MINUTE - 1);
    expect(runs()).toEqual([2, 1]);
    await world.advance(1);
    expect(runs()).toEqual([3, 1]);
  });

  test('after a standstill one run stands for all that were due', async () => {
    await start();
    await world.leap(10 * 60 * MINUTE);
    expect(runs()).toEqual([1, 1]);
    await world.advance(MINUTE);
    expect(runs()).toEqual([2, 1]);
  });

  test('a stopped engine asks no more, not even the rest of a run', async () => {
    await start({ explicitBatchSize: 1 });
    await world.addInstances(JOB, OLD, [0, 1]);
    await world.advance(MINUTE);
    expect(asked).toHaveLength(1);
    await world.stop();
    world.time.tick(10 * 60 * MINUTE);
    world.time.fireDue();
    expect(asked).toHaveLength(1);
    expect(world.time.pendingTimers).toBe(0);
  });

  test('nor does one whose lease is over', async () => {
    let leads = true;
    await start({}, { database: { mayAct: () => leads } });
    await world.addInstances(JOB, OLD, [0]);
    leads = false;
    await world.advance(40 * MINUTE);
    expect(asked).toEqual([]);
  });

  test('a run that fails leaves the next one to come', async () => {
    await start();
    await world.addInstances(JOB, OLD, [0]);
    jest.spyOn(world.backend, 'reconcile').mockRejectedValueOnce(new Error('no'));
    await world.advance(MINUTE);
    expect(asked).toEqual([]);
    await world.advance(60 * MINUTE - 1);
    jest.spyOn(world.db, 'read').mockRejectedValueOnce(new Error('no'));
    await world.advance(1);
    expect(calls().filter(([, what]) => what !== 'all')).toEqual([]);
    await world.advance(60 * MINUTE);
    expect(calls().filter(([, what]) => what !== 'all')).toEqual([[121 * MINUTE, 1]]);
  });
});

describe('what it mends', () => {
  test('a task the backend does not know is LOST and replaced', async () => {
    await start();
    await world.runningJob(JOB, OLD, 2);
    const [first] = await ids();
    world.cluster.forget(first ?? '');
    await world.advance(MINUTE);
    const tasks = await world.tasks(JOB);
    expect(tasks.map((task) => task.status)).toEqual(['LOST', 'ASSIGNED', 'RUNNING']);
  });

  test('an end that was never heard of is heard of now', async () => {
    await start();
    await world.runningJob(JOB, OLD, 1);
    const [taskId] = await ids();
    world.cluster.attach({ status: () => undefined, host: () => undefined });
    world.cluster.report(taskId ?? '', 'failed');
    await world.settle();
    expect(await world.statuses(JOB)).toEqual({ 0: 'RUNNING' });
    await world.advance(MINUTE);
    expect((await world.tasks(JOB))[0]?.status).toBe('FAILED');
  });

  test.each(['PREEMPTING', 'RESTARTING', 'DRAINING'] as const)(
    'a task that is %s and lives on is told to die again by either kind of run',
    async (status) => {
      await start({ explicitIntervalMs: 2 * MINUTE, scheduleSpreadMs: MINUTE });
      await world.runningJob(JOB, OLD, 1);
      const [taskId = ''] = await ids();
      const kills: number[] = [];
      const begin = world.time.monoNow();
      world.backend.kill = (id) => {
        expect(id).toBe(taskId);
        kills.push(world.time.monoNow() - begin);
        return Promise.resolve();
      };
      await world.db.write({}, (tx) => world.engine.tasks.change(tx, [{ taskId, target: status }]));
      await world.advance(4 * MINUTE);
      // Told once when it was asked for, by explicit runs at 1 and 3 minutes, by an implicit one at 2.
      expect(kills).toEqual([0, MINUTE, 2 * MINUTE, 3 * MINUTE]);
      expect(world.counter('task_kill_retries')).toBe(0);
      expect(await world.statuses(JOB)).toEqual({ 0: status });
      world.cluster.report(taskId, 'killed');
      await world.settle();
      expect((await world.tasks(JOB)).map((task) => task.status)).toEqual(['KILLED', 'ASSIGNED']);
    },
  );

  test('a workload that outlived its LOST task is killed by an implicit run', async () => {
    await start({ explicitIntervalMs: 600 * MINUTE, scheduleSpreadMs: 9 * MINUTE });
    await world.runningJob(JOB, OLD, 1);
    await world.engine.jobs.kill(JOB, undefined, 'u', undefined);
    await world.advance(5 * MINUTE);
    expect(await world.statuses(JOB)).toEqual({ 0: 'LOST' });
    const kill = jest.spyOn(world.backend, 'kill');
    await world.advance(5 * MINUTE - 1);
    expect(kill).not.toHaveBeenCalled();
    await world.advance(1);
    expect(kill).toHaveBeenCalledTimes(1);
    expect(kill).toHaveBeenCalledWith((await ids())[0], expect.any(Number));
  });

  test('a task whose submit is still outstanding is not asked about, nor is one without a host', async () => {
    await start();
    await world.runningJob(JOB, OLD, 2);
    const nowhere = { name: 'rack', constraint: { value: { negated: false, values: ['x'] } } };
    await world.addInstances(JOB, aConfig('old', { constraints: [nowhere] }), [2]);
    const [first, second] = (await ids()) as [string, string];
    // As between a commit and the backend's answer: it has not heard of the task.
    await world.sql("INSERT INTO backend_commands (task_id, kind) VALUES ($1, 'submit')", [first]);
    world.cluster.forget(first);
    await world.advance(MINUTE);
    expect(asked).toEqual([{ at: MINUTE, what: [second] }]);
    expect(await world.statuses(JOB)).toEqual({ 0: 'RUNNING', 1: 'RUNNING', 2: 'PENDING' });
  });
});

test('the flags say when, and an interval below a minute is refused', async () => {
  await start();
  const flags = ['initial_delay=2mins', 'schedule_spread=3mins', 'explicit_interval=4mins'];
  flags.push('implicit_interval=5mins', 'explicit_batch_size=6', 'explicit_batch_interval=7secs');
  const parse = (argv: string[]) => parseConfig(argv, {}, () => '', surroundings());
  const parsed = parse(flags.map((flag) => `--reconciliation_${flag}`));
  if ('errors' in parsed) throw new Error(parsed.errors.join('\n'));
  expect(engineSettings(parsed.config).reconciliation).toEqual({
    initialDelayMs: 2 * MINUTE,
    scheduleSpreadMs: 3 * MINUTE,
    explicitIntervalMs: 4 * MINUTE,
    implicitIntervalMs: 5 * MINUTE,
    explicitBatchSize: 6,
    explicitBatchIntervalMs: 7_000,
  });
  for (const kind of ['explicit', 'implicit']) {
    expect(parse([`--reconciliation_${kind}_interval=59secs`])).toEqual({
      errors: [`--reconciliation_${kind}_interval: "59secs" is less than 60000ms`],
    });
  }
});
