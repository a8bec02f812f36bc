/**
 * Case studies of updates.md §1.5 as users see them: over HTTP, with real processes, a real clock and a
 * scheduler that is killed. W is 300 ms; P is a minute wherever a pulse is to be fresh beyond doubt.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MSG_GATE_TIMEOUT } from '../../src/core/update/messages';
import { lives, ServerProcess } from '../support/server-process';
import type { LiveTask, UpdateKey } from './cluster';
import { Cluster, INSTANCES, isRunning, OBEDIENT, STUBBORN, until, WEB } from './cluster';

jest.setTimeout(180_000);

const MINUTE_MS = 60_000;
const NOBODY = 'UNSECURE';
const STARTED = `ROLL_FORWARD_AWAITING_PULSE(${NOBODY}/m)`;
const BLOCKED = `ROLL_FORWARD_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`;
const GOES_ON = 'ROLLING_FORWARD(–/–)';
const DONE = 'ROLLED_FORWARD(–/–)';

let cluster: Cluster;

async function start(cmdline: string, pulseMs = MINUTE_MS): Promise<UpdateKey> {
  await cluster.createJob(WEB, cmdline);
  return cluster.startUpdate(WEB, { version: '2', pulseMs, message: 'm' });
}

/** Kills a task's process, as somebody at the machine would. */
function killProcess({ pid }: LiveTask): void {
  process.kill(-pid, 'SIGKILL');
}

async function liveInstance(instanceId: number): Promise<LiveTask | undefined> {
  return (await cluster.live(WEB)).find((task) => task.instanceId === instanceId);
}

async function expectFinished(key: UpdateKey): Promise<LiveTask[]> {
  const history = await cluster.history(key);
  expect(history.updateEvents.at(-1)).toBe(DONE);
  expect(history.instanceEvents).toEqual({ 0: ['upd', 'ok'], 1: ['upd', 'ok'] });
  const stored = await cluster.storedEvents(key);
  expect(await cluster.pulse(key)).toBe('FINISHED');
  expect(await cluster.storedEvents(key)).toEqual(stored);
  const tasks = await cluster.live(WEB);
  expect(tasks.map(({ status, version }) => `${status} ${version}`)).toEqual([
    'RUNNING 2',
    'RUNNING 2',
  ]);
  return tasks;
}

describe('on a database of its own', () => {
  beforeEach(async () => {
    // A service that fails at once would otherwise wait before it is started again.
    cluster = await Cluster.start({ flags: ['--flapping_task_threshold=0secs'] });
    await cluster.startWitness();
  });

  afterEach(async () => {
    await cluster.close();
  });

  test('HB-1 over HTTP: not a process is touched before the first pulse, then both are replaced', async () => {
    const key = await start(OBEDIENT);
    const before = await cluster.live(WEB);
    expect(before.map((task) => lives(task.pid))).toEqual([true, true]);
    const untouched = { updateEvents: [STARTED], instanceEvents: {} };
    expect(await cluster.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
    expect(await cluster.history(key)).toEqual(untouched);
    await cluster.letTimePass();
    expect(await cluster.history(key)).toEqual(untouched);
    expect(await cluster.live(WEB)).toEqual(before);

    expect(await cluster.pulse(key)).toBe('OK');
    await until('instance 0 is updated', async () => {
      const { instanceEvents } = await cluster.history(key);
      return instanceEvents[0]?.includes('ok') === true;
    });
    await cluster.pulseUntil(key, 'ROLLED_FORWARD');

    expect((await cluster.history(key)).updateEvents).toEqual([STARTED, GOES_ON, DONE]);
    const after = await expectFinished(key);
    expect(after.map((task) => lives(task.pid))).toEqual([true, true]);
    expect(before.map((task) => lives(task.pid))).toEqual([false, false]);
  });

  test('HB-4 over HTTP: a missed pulse holds the replacement back, the next one lets it go', async () => {
    const key = await start(STUBBORN, 2_500);
    expect(await cluster.pulse(key)).toBe('OK');
    const old = await cluster.beingKilled(WEB, 0);
    await until(
      'the pulse is stale',
      async () => (await cluster.view(key)) === 'ROLL_FORWARD_AWAITING_PULSE',
    );
    // Readers see the block, but nothing was refused yet: the store says what was decided, no more.
    expect((await cluster.history(key)).updateEvents).toHaveLength(3);
    expect(await cluster.storedEvents(key)).toEqual([STARTED, GOES_ON]);

    killProcess(old);
    await until('the refusal is on record', async () => {
      return (await cluster.storedEvents(key)).length === 3;
    });
    expect(await cluster.statusOf(WEB, old.taskId)).toBe('KILLED');
    expect(await cluster.storedEvents(key)).toEqual([STARTED, GOES_ON, BLOCKED]);

    // Another task event: the task is replaced like any that fails, and the update has no say in it.
    const other = (await liveInstance(1)) as LiveTask;
    killProcess(other);
    const replaced = await until('instance 1 runs again', async () => {
      const task = await liveInstance(1);
      return task?.status === 'RUNNING' && task.pid !== other.pid && task;
    });
    expect(replaced.version).toBe('1');
    await cluster.letTimePass();
    expect(await cluster.storedEvents(key)).toEqual([STARTED, GOES_ON, BLOCKED]);
    expect(await cluster.live(WEB)).toEqual([replaced]);
    expect(
      await cluster.sql('SELECT status, unblocked_at FROM heartbeat_blocks ORDER BY blocked_at'),
    ).toEqual([
      { status: 'ROLL_FORWARD_AWAITING_PULSE', unblocked_at: expect.any(Date) as Date },
      { status: 'ROLL_FORWARD_AWAITING_PULSE', unblocked_at: null },
    ]);

    expect(await cluster.pulse(key)).toBe('OK');
    await until('it goes on', async () => (await cluster.storedEvents(key)).length > 3);
    expect((await cluster.storedEvents(key))[3]).toBe(GOES_ON);
    await until('instance 1 has its turn', async () => {
      await cluster.pulse(key);
      return (await liveInstance(1))?.status === 'KILLING';
    });
    killProcess(await cluster.beingKilled(WEB, 1));
    await cluster.pulseUntil(key, 'ROLLED_FORWARD');
    await expectFinished(key);
  });

  test('HB-5 over HTTP: kill -9 leaves the processes alone, and only a pulse of the new process moves it', async () => {
    const key = await start(STUBBORN);
    expect(await cluster.pulse(key)).toBe('OK');
    killProcess(await cluster.beingKilled(WEB, 0));
    const stubborn = await cluster.beingKilled(WEB, 1);
    const before = await cluster.live(WEB);
    expect(before.map(({ status, version }) => `${status} ${version}`)).toEqual([
      'RUNNING 2',
      'KILLING 1',
    ]);
    const witness = await cluster.witness();
    expect(await cluster.pulse(key)).toBe('OK');

    await cluster.kill9();
    expect([...before, ...witness].map((task) => lives(task.pid))).toEqual([
      true,
      true,
      true,
      true,
    ]);
    await cluster.restart();
    expect(await cluster.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
    const events = [STARTED, GOES_ON, BLOCKED];
    await until('the first tick', async () => (await cluster.storedEvents(key)).length === 3);
    expect(await cluster.storedEvents(key)).toEqual(events);
    expect([await cluster.live(WEB), await cluster.witness()]).toEqual([before, witness]);

    await cluster.crash();
    expect(await cluster.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
    expect([await cluster.live(WEB), await cluster.witness()]).toEqual([before, witness]);

    killProcess(stubborn);
    await until('its end is known', async () => {
      return (await cluster.statusOf(WEB, stubborn.taskId)) === 'KILLED';
    });
    await cluster.letTimePass();
    expect(await cluster.live(WEB)).toEqual([before[0]]);
    expect(await cluster.storedEvents(key)).toEqual(events);

    expect(await cluster.pulse(key)).toBe('OK');
    await until('it is done', async () => (await cluster.view(key)) === 'ROLLED_FORWARD');
    expect(await cluster.storedEvents(key)).toEqual([...events, GOES_ON, DONE]);
    const [first] = await expectFinished(key);
    expect(first).toEqual(before[0]);
  });

  test('HB-5 over HTTP: an explicit pause holds over kill -9, whatever is pulsed', async () => {
    const key = await start(STUBBORN);
    expect(await cluster.pulse(key)).toBe('OK');
    const old = await cluster.beingKilled(WEB, 0);
    await cluster.pause(key, 'error rate above 1 %');
    await cluster.kill9();
    killProcess(old);
    await cluster.restart();

    expect(await cluster.view(key)).toBe('ROLL_FORWARD_PAUSED');
    const paused = { paused_by: NOBODY, message: 'error rate above 1 %' };
    const pauses = (): Promise<unknown> =>
      cluster.sql('SELECT paused_by, message, ended_by, ended_by_status FROM explicit_pauses');
    expect(await pauses()).toEqual([{ ...paused, ended_by: null, ended_by_status: null }]);
    expect(await cluster.pulse(key)).toBe('OK');
    await until('the end of the old task is known', async () => {
      return (await cluster.statusOf(WEB, old.taskId)) === 'KILLED';
    });
    const rest = await cluster.live(WEB);
    expect(rest.map(({ instanceId, version }) => [instanceId, version])).toEqual([[1, '1']]);
    await cluster.letTimePass();
    expect(await cluster.pulse(key)).toBe('OK');
    await cluster.crash();
    expect(await cluster.pulse(key)).toBe('OK');
    await cluster.letTimePass();
    expect(await cluster.view(key)).toBe('ROLL_FORWARD_PAUSED');
    expect(await cluster.live(WEB)).toEqual(rest);
    expect(await cluster.sql('SELECT status FROM heartbeat_blocks')).toHaveLength(1);

    await cluster.resume(key, 'back to normal');
    expect(await pauses()).toEqual([
      { ...paused, ended_by: NOBODY, ended_by_status: 'ROLLING_FORWARD' },
    ]);
    killProcess(await cluster.beingKilled(WEB, 1));
    await cluster.pulseUntil(key, 'ROLLED_FORWARD');
    await expectFinished(key);
  });

  test('an orderly stop ends with 0 and leaves the processes alone', async () => {
    const before = await cluster.witness();
    const { exitCode, output } = await cluster.server.terminate();
    expect([exitCode, output]).toEqual([0, expect.stringContaining('"msg":"stopped"')]);
    expect(before.map((task) => lives(task.pid))).toEqual([true, true]);
    await cluster.restart();
    expect(await cluster.witness()).toEqual(before);
    expect(before.every(isRunning)).toBe(true);
  });

  test('a second server on the same database refuses to start and says why', async () => {
    const second = new ServerProcess({ databaseUrl: cluster.server.databaseUrl });
    try {
      const { exitCode, output } = await second.startRefused();
      expect([exitCode, output]).toEqual([
        1,
        expect.stringMatching(/^aurora-shim: Another aurora-shim already serves this database/m),
      ]);
      expect(await cluster.witness()).toHaveLength(INSTANCES);
    } finally {
      await second.close();
    }
  });
});

test('HB-5 over HTTP: the embedded Postgres outlives kill -9 with the pause in it, and ends with an orderly stop', async () => {
  cluster = await Cluster.start({ embedded: true });
  try {
    const pidFile = join(cluster.server.dataDir, 'postgres', 'data', 'postmaster.pid');
    const postgres = Number.parseInt(readFileSync(pidFile, 'utf8'), 10);
    const key = await start(OBEDIENT);
    await cluster.pause(key, 'wait for Monday');

    // A second one on the same directory finds the server, and leaves it to the first.
    const second = new ServerProcess({ flags: [`--data_dir=${cluster.server.dataDir}`] });
    try {
      expect((await second.startRefused()).output).toMatch(/already serves this database/);
    } finally {
      await second.close();
    }
    expect(Number.parseInt(readFileSync(pidFile, 'utf8'), 10)).toBe(postgres);
    expect(await cluster.view(key)).toBe('ROLL_FORWARD_PAUSED');

    await cluster.kill9();
    expect(lives(postgres)).toBe(true);
    await cluster.restart();
    expect(Number.parseInt(readFileSync(pidFile, 'utf8'), 10)).toBe(postgres);
    expect(await cluster.view(key)).toBe('ROLL_FORWARD_PAUSED');
    const events = [STARTED, `ROLL_FORWARD_PAUSED(${NOBODY}/wait for Monday)`];
    expect(await cluster.storedEvents(key)).toEqual(events);
    await cluster.stopLooking();
    const { exitCode } = await cluster.server.terminate();
    expect([exitCode, existsSync(pidFile), lives(postgres)]).toEqual([0, false, false]);
  } finally {
    await cluster.close();
  }
});
