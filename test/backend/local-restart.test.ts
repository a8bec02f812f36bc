/** The local backend over crashes: of the driver, of a supervisor, of the machine (tasks.md §11.2 rule 13). */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { known } from './conformance.js';
import { compileBackend } from './support/compiled.js';
import { LocalWorld, configOf, lives } from './support/local-world.js';
import { aSubmit } from './support/requests.js';
import { until } from './support/wait.js';

const compiled = compileBackend();
let world: LocalWorld;

beforeEach(() => {
  world = new LocalWorld(compiled);
});
afterEach(() => world.close());
afterAll(() => compiled.remove());

/** Runs until told, then exits with 3. */
const LASTING = { name: 'm', cmdline: 'touch up; until [ -e go ]; do sleep 0.02; done; exit 3' };

describe('a driver killed with SIGKILL', () => {
  const DRIVER = `
    const { LocalBackend } = require('./backend/local/local-backend.js');
    const { systemClock, systemTimers } = require('./time.js');
    const [stateDir, supervisorPath, request] = process.argv.slice(2);
    const backend = new LocalBackend({
      stateDir, supervisorPath, hostname: 'localhost', nosetuid: true,
      clock: systemClock(() => 0), timers: systemTimers,
    });
    const say = (event) => console.log(JSON.stringify(event));
    const sink = { host: async () => {}, status: async (event) => (say(event), 'SUCCESS') };
    backend.start(sink, []).then(() => backend.submit(JSON.parse(request)));
  `;

  /** Starts a driver in a process of its own and waits until it has said that the task runs. */
  async function drivenElsewhere(taskId: string): Promise<ChildProcess> {
    const script = join(compiled.dir, 'driver.js');
    writeFileSync(script, DRIVER);
    const request = JSON.stringify(aSubmit(taskId, { config: configOf([LASTING]) }));
    const driver = spawn(
      process.execPath,
      [script, world.stateDir, compiled.supervisorPath, request],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const states: string[] = [];
    createInterface({ input: driver.stdout as NodeJS.ReadableStream }).on('line', (line) =>
      states.push((JSON.parse(line) as { state: string }).state),
    );
    await until('running', () => states.includes('running'));
    return driver;
  }

  async function killed(driver: ChildProcess): Promise<void> {
    const gone = new Promise((resolve) => driver.on('exit', resolve));
    driver.kill('SIGKILL');
    await gone;
  }

  test('BACKEND-001 the task goes on under the same pid, and the next driver drives it', async () => {
    await killed(await drivenElsewhere('t'));
    const [pid, supervisor] = [await world.pidOf('t', 'm'), await world.supervisorPid('t')];
    await world.start([known('t', 'RUNNING')]);
    expect(world.sink.states('t')).toEqual(['running']);
    expect([await world.pidOf('t', 'm'), lives(pid), lives(supervisor)]).toEqual([pid, true, true]);
    await world.exec('t', 'touch go');
    expect((await world.end('t')).state).toBe('failed');
    expect(world.results('t', 'm')).toEqual(['FAILED 3']);
  });

  test('BACKEND-002 an exit while nobody looks is not lost', async () => {
    await killed(await drivenElsewhere('t'));
    const supervisor = await world.supervisorPid('t');
    await world.exec('t', 'touch go');
    await until('the supervisor is gone', () => !lives(supervisor));
    await world.start([known('t', 'STARTING')]);
    expect(world.sink.states('t')).toEqual(['running', 'failed']);
    expect(world.sink.last('t')?.message).toBe('Task failed.');
  });

  test('BACKEND-003 the kill it did not get to send is sent by the next driver', async () => {
    await killed(await drivenElsewhere('t'));
    world.dir('t').writeKill(60);
    await world.start([known('t', 'KILLING')]);
    expect((await world.end('t')).state).toBe('killed');
  });

  test('BACKEND-004 a task whose row is gone is reported, and can be killed', async () => {
    await killed(await drivenElsewhere('t'));
    await world.start([]);
    expect(world.sink.states('t')).toEqual(['running']);
    await world.backend.kill('t', 60);
    expect((await world.end('t')).state).toBe('killed');
  });
});

describe('a task that was specified and never begun', () => {
  async function specified(taskId: string): Promise<void> {
    await world.start();
    await world.run(taskId, [LASTING]);
    await world.backend.kill(taskId, 60);
    await world.end(taskId);
  }

  test('it is begun by the next driver if the core knows it, and forgotten if not', async () => {
    await specified('model');
    const spec = world.dir('model').readSpec();
    if (spec === undefined) throw new Error('no spec');
    for (const taskId of ['wanted', 'stranger']) {
      const dir = world.dir(taskId);
      mkdirSync(dir.path);
      dir.writeSpec({ ...spec, taskId });
    }
    mkdirSync(join(world.stateDir, 'tasks', 't-cut-short'));
    await world.restart([known('wanted', 'ASSIGNED')]);
    await until('running', () => world.sink.last('wanted')?.state === 'running');
    expect(existsSync(world.dir('stranger').path)).toBe(false);
    expect(readdirSync(join(world.stateDir, 'tasks'))).toHaveLength(2);
  });
});

describe('a supervisor that is gone', () => {
  async function running(taskId = 't'): Promise<{ supervisor: number; main: number }> {
    await world.start();
    await world.run(taskId, [LASTING]);
    await until('running', () => world.sink.last(taskId)?.state === 'running');
    return { supervisor: await world.supervisorPid(taskId), main: await world.pidOf(taskId, 'm') };
  }

  test('rule 14: gone while the driver was down: lost, and nothing of the task is left', async () => {
    const { supervisor, main } = await running();
    await world.backend.stop();
    process.kill(supervisor, 'SIGKILL');
    await until('it is gone', () => !lives(supervisor));
    await world.restart([known('t', 'RUNNING')]);
    expect(world.sink.states('t')).toEqual(['lost']);
    expect(lives(main)).toBe(false);
    await world.restart([known('t', 'RUNNING')]);
    expect(world.sink.states('t')).toEqual(['lost']);
  });

  test('THERMOS-044 a state that cannot be read: lost', async () => {
    const { supervisor } = await running();
    await world.backend.stop();
    process.kill(supervisor, 'SIGKILL');
    await until('it is gone', () => !lives(supervisor));
    writeFileSync(world.dir('t').file('state.json'), '');
    await world.restart([known('t', 'RUNNING')]);
    expect(world.sink.states('t')).toEqual(['lost']);
  });

  test('rule 14: gone under the eyes of a driver that did not start it: lost', async () => {
    const { supervisor, main } = await running();
    await world.restart([known('t', 'RUNNING')]);
    process.kill(supervisor, 'SIGKILL');
    expect((await world.end('t')).state).toBe('lost');
    expect(lives(main)).toBe(false);
  });

  test('rule 13: another process with its pid is not taken for it, nor harmed', async () => {
    const { supervisor } = await running();
    await world.backend.stop();
    process.kill(supervisor, 'SIGKILL');
    await until('it is gone', () => !lives(supervisor));
    const dir = world.dir('t');
    const claim = dir.readSupervisor();
    const innocent = spawn('sleep', ['60'], { detached: true });
    const started = await until('its pid', () => innocent.pid);
    writeFileSync(dir.file('supervisor.json'), JSON.stringify({ ...claim, pid: started }));
    dir.addRun({ type: 'start', process: 'm', run: 1, pid: started, startTime: '1', atMs: 0 });
    await world.restart([known('t', 'RUNNING')]);
    expect(world.sink.states('t')).toEqual(['lost']);
    await world.backend.kill('t', 60);
    expect(lives(started)).toBe(true);
    innocent.kill('SIGKILL');
  });

  test('after a reboot every task is lost, whatever has its pid now', async () => {
    const { supervisor } = await running();
    await world.backend.stop();
    const dir = world.dir('t');
    const claim = dir.readSupervisor();
    writeFileSync(dir.file('supervisor.json'), JSON.stringify({ ...claim, bootId: 'earlier' }));
    await world.restart([known('t', 'RUNNING')]);
    expect(world.sink.last('t')).toMatchObject({
      state: 'lost',
      message: 'The machine was rebooted.',
    });
    expect(lives(supervisor)).toBe(true);
  });
});

describe('what is kept', () => {
  test('the newest ended tasks; those that live or were not acknowledged stay in any case', async () => {
    await world.start();
    await world.restart([], { keepEnded: 2, firstRetryMs: 20, maxRetryMs: 20 });
    world.sink.refuse = ({ taskId, state }) => {
      if (taskId === 'unheard' && state === 'finished') throw new Error('no database');
    };
    await world.run('live', [LASTING]);
    await world.run('unheard', [{ name: 'm', cmdline: 'true' }]);
    await until('its end', () => world.sink.ended('unheard'));
    for (const taskId of ['e1', 'e2', 'e3', 'e4']) {
      await world.run(taskId, [{ name: 'm', cmdline: 'true' }]);
      await world.end(taskId);
    }
    const kept = () => readdirSync(join(world.stateDir, 'tasks')).sort();
    const hashes = (...ids: string[]) => ids.map((id) => world.dir(id).hash).sort();
    await until('the oldest are gone', () => kept().length === 4);
    expect(kept()).toEqual(hashes('live', 'unheard', 'e3', 'e4'));
    await world.backend.kill('e1', 60);
    await until('lost', () => world.sink.last('e1')?.state === 'lost');
  });

  test('nothing older than it may be', async () => {
    await world.start();
    await world.restart([], { keepEndedMs: 0 });
    await world.run('t', [{ name: 'm', cmdline: 'true' }]);
    await world.end('t');
    await until('it is gone', () => !existsSync(world.dir('t').path));
  });
});

test('a run log cut short by a crash is read up to there', async () => {
  await world.start();
  await world.run('t', [LASTING]);
  await world.pidOf('t', 'm');
  const dir = world.dir('t');
  writeFileSync(dir.file('runs.jsonl'), '{"type":"sta', { flag: 'a' });
  expect(dir.readRuns()).toHaveLength(1);
});

test('news that were missed are found by the poll', async () => {
  await world.start();
  await world.run('t', [LASTING]);
  await until('running', () => world.sink.last('t')?.state === 'running');
  // The directory that is watched is gone, and with it every hint.
  await world.exec('t', 'rm -r ../../../../news; mkdir ../../../../news; touch go');
  expect((await world.end('t')).state).toBe('failed');
});
