/** Acceptance rows of thermos.md §2, with real processes; seconds scaled down where a row has many. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileBackend } from './support/compiled.js';
import { LocalWorld, lives, withPorts, type ProcessFields } from './support/local-world.js';
import { until } from './support/wait.js';

const compiled = compileBackend();
let world: LocalWorld;

beforeEach(async () => {
  world = new LocalWorld(compiled);
  await world.start();
});
afterEach(() => world.close());
afterAll(() => compiled.remove());

const order = (...lists: string[][]) => ({ constraints: lists.map((names) => ({ order: names })) });
const p = (name: string, cmdline: string, fields: Record<string, unknown> = {}): ProcessFields => ({
  name,
  cmdline,
  min_duration: 0,
  ...fields,
});
/** Fails until its run number (from 1) is `tries`; the sandbox counts. */
const succeedsAt = (tries: number) =>
  `f=runs-${tries}; echo x >> $f; [ $(wc -l < $f) -ge ${tries} ]`;
const IGNORES_TERM = 'trap "" TERM; touch up; while :; do sleep 0.02; done';

async function hasFile(taskId: string, name: string): Promise<void> {
  await until(`${name} of ${taskId}`, () => existsSync(join(world.dir(taskId).sandbox, name)));
}

/** Wall ms between two entries of the run log. */
function times(taskId: string, process: string): { start: number; end: number } {
  const runs = world.runs(taskId, process);
  return { start: runs[0]?.atMs ?? NaN, end: runs[1]?.atMs ?? NaN };
}

describe('processes', () => {
  test('THERMOS-014 ordered processes run in their order, with their port', async () => {
    const names = ['t1', 't2', 't3', 't4', 't5', 't6'];
    const processes = names.map((name) => p(name, `echo ${name} {{thermos.ports[named_port]}}`));
    const pairs = [
      ['t1', 't3'],
      ['t1', 't4'],
      ['t2', 't3'],
      ['t2', 't4'],
      ['t3', 't5'],
      ['t3', 't6'],
      ['t4', 't5'],
      ['t4', 't6'],
    ];
    await world.run('t', processes, order(...pairs), {}, withPorts({ named_port: 8123 }));
    expect((await world.end('t')).state).toBe('finished');
    for (const name of names) expect(world.results('t', name)).toEqual(['SUCCESS 0']);
    expect(world.log('t', 't1')).toBe('t1 8123\n');
    for (const [before, after] of pairs as [string, string][]) {
      expect(times('t', before).end).toBeLessThanOrEqual(times('t', after).start);
    }
  });

  test('THERMOS-015 max_concurrency keeps processes apart', async () => {
    const sleeps = ['a', 'b', 'c'].map((name) => p(name, 'sleep 0.2'));
    await world.run('t', sleeps, { max_concurrency: 1 });
    expect((await world.end('t')).state).toBe('finished');
    const starts = ['a', 'b', 'c'].map((name) => times('t', name).start).sort();
    expect((starts[1] as number) - (starts[0] as number)).toBeGreaterThanOrEqual(200);
    expect((starts[2] as number) - (starts[1] as number)).toBeGreaterThanOrEqual(200);
  });

  test('THERMOS-017 retries until success, waiting min_duration each time', async () => {
    const retried = (name: string, tries: number) =>
      p(name, succeedsAt(tries), { max_failures: 5, min_duration: 1 });
    await world.run('t', [retried('p1', 1), retried('p2', 2), retried('p3', 3)]);
    expect((await world.end('t')).state).toBe('finished');
    expect(world.results('t', 'p1')).toEqual(['SUCCESS 0']);
    expect(world.results('t', 'p2')).toEqual(['FAILED 1', 'SUCCESS 0']);
    expect(world.results('t', 'p3')).toEqual(['FAILED 1', 'FAILED 1', 'SUCCESS 0']);
    const [, ended, next] = world.runs('t', 'p3');
    expect((next?.atMs ?? 0) - (ended?.atMs ?? 0)).toBeGreaterThanOrEqual(990);
  });

  test('THERMOS-018 what follows a failure never runs, and the task fails', async () => {
    const processes = [p('a', 'true'), p('b', 'exit 1'), p('c', 'true')];
    await world.run('t', processes, { ...order(['a', 'b', 'c']), max_failures: 2 });
    expect(await world.end('t')).toEqual({ state: 'failed', message: 'Task failed.' });
    expect(world.startsOf('t', 'c')).toBe(0);
  });

  test('THERMOS-019 max_failures 0: the task succeeds whatever fails', async () => {
    const bad = ['b1', 'b2', 'b3'].map((name) => p(name, 'exit 1', { max_failures: 2 }));
    const good = ['g1', 'g2', 'g3'].map((name) => p(name, 'true'));
    await world.run('t', [...bad, ...good], { max_failures: 0 });
    expect((await world.end('t')).state).toBe('finished');
    expect(world.results('t', 'b1')).toEqual(['FAILED 1', 'FAILED 1']);
  });

  test('THERMOS-020 an ephemeral process is ended with the rest', async () => {
    await world.run('t', [p('e', 'exec sleep 60', { ephemeral: true }), p('m', 'sleep 0.1')]);
    expect((await world.end('t')).state).toBe('finished');
    expect(world.results('t', 'e')).toEqual(['KILLED -15']);
  });

  test('THERMOS-024 a process killed by a signal is run again and not counted', async () => {
    await world.run('t', [p('m', 'touch up; [ -e again ] || exec sleep 60', { min_duration: 1 })]);
    await hasFile('t', 'up');
    process.kill(await world.pidOf('t', 'm'), 'SIGKILL');
    await until('its end', () => world.results('t', 'm').length === 1);
    await world.exec('t', 'touch again');
    expect((await world.end('t')).state).toBe('finished');
    expect(world.results('t', 'm')).toEqual(['KILLED -9', 'SUCCESS 0']);
  });

  test('THERMOS-028 background children die with their process', async () => {
    await world.run('t', [p('m', 'sleep 60 & echo $! > pid; set -m; sleep 61 & echo $! > pid2')]);
    expect((await world.end('t')).state).toBe('finished');
    expect(lives(Number(world.read('t', 'pid')))).toBe(false);
    expect(lives(Number(world.read('t', 'pid2')))).toBe(false);
  });

  test('THERMOS-093 one failure ends the others at once', async () => {
    await world.run('t', [
      p('a', 'until [ -e go ]; do sleep 0.02; done; exit 1'),
      p('b', 'exec sleep 60'),
    ]);
    await world.pidOf('t', 'b');
    await world.exec('t', 'touch go');
    expect((await world.end('t')).state).toBe('failed');
    expect(world.results('t', 'b')).toEqual(['KILLED -15']);
  });

  test('THERMOS-094 a process killed every time fails at the limit on runs', async () => {
    await world.restart([], { maxRuns: 3 });
    await world.run('t', [p('m', 'kill -9 $$')]);
    expect((await world.end('t')).state).toBe('failed');
    expect(world.results('t', 'm')).toEqual(['KILLED -9', 'KILLED -9', 'KILLED -9']);
  });

  test('a daemon runs again after success', async () => {
    await world.run('t', [p('d', 'echo x >> runs', { daemon: true }), p('m', 'sleep 60')]);
    await until('three runs', () => world.startsOf('t', 'd') >= 3);
    await world.backend.kill('t', 5);
    expect((await world.end('t')).state).toBe('killed');
  });

  test('a process that cannot be started has failed', async () => {
    await world.run('t', [p('m', `echo ${'x'.repeat(200_000)}`)]);
    expect((await world.end('t')).state).toBe('failed');
    expect(world.results('t', 'm')[0]).toMatch(/^FAILED .*E2BIG/);
  });

  test('127 for a command that is not there is a failure like any other', async () => {
    await world.run('t', [p('m', 'no-such-command-here')]);
    expect((await world.end('t')).state).toBe('failed');
    expect(world.results('t', 'm')).toEqual(['FAILED 127']);
  });

  test('an order that is not the order of the list (THERMOS-095)', async () => {
    await world.run('t', [p('b', 'cat a'), p('a', 'sleep 0.1; echo 1 > a')], order(['a', 'b']));
    expect((await world.end('t')).state).toBe('finished');
    expect(world.log('t', 'b')).toBe('1\n');
  });
});

describe('finalizers', () => {
  const final = (name: string, cmdline: string, fields = {}) =>
    p(name, cmdline, { final: true, ...fields });

  test('THERMOS-021 they run once, in order, after the rest', async () => {
    await world.run(
      't',
      [p('m', 'true'), final('f1', 'true'), final('f2', 'true')],
      order(['f1', 'f2']),
    );
    expect((await world.end('t')).state).toBe('finished');
    for (const name of ['m', 'f1', 'f2']) expect(world.results('t', name)).toEqual(['SUCCESS 0']);
    expect(times('t', 'm').end).toBeLessThanOrEqual(times('t', 'f1').start);
    expect(times('t', 'f1').end).toBeLessThanOrEqual(times('t', 'f2').start);
  });

  test('THERMOS-022 their failures change nothing', async () => {
    await world.run(
      'blocked',
      [p('m', 'true'), final('f1', 'exit 1'), final('f2', 'true')],
      order(['f1', 'f2']),
    );
    expect((await world.end('blocked')).state).toBe('finished');
    expect(world.results('blocked', 'f1')).toEqual(['FAILED 1']);
    expect(world.startsOf('blocked', 'f2')).toBe(0);
    await world.run('free', [
      p('m', 'true'),
      final('f1', 'exit 1', { max_failures: 2 }),
      final('f2', 'true'),
    ]);
    expect((await world.end('free')).state).toBe('finished');
    expect([world.startsOf('free', 'f1'), world.startsOf('free', 'f2')]).toEqual([2, 1]);
  });

  test('THERMOS-023 they run after a failure', async () => {
    await world.run('t', [p('m', 'exit 1'), final('f', 'true')]);
    expect((await world.end('t')).state).toBe('failed');
    expect(world.results('t', 'f')).toEqual(['SUCCESS 0']);
  });

  test('THERMOS-090 what ignores SIGTERM at a natural end is killed after finalization_wait, without finalizers', async () => {
    await world.run(
      't',
      [
        p('e', IGNORES_TERM, { ephemeral: true }),
        p('m', 'until [ -e up ]; do sleep 0.02; done'),
        final('f', 'true'),
      ],
      { finalization_wait: 1 },
    );
    expect((await world.end('t')).state).toBe('finished');
    expect(world.results('t', 'e')).toEqual(['KILLED -9']);
    expect(world.startsOf('t', 'f')).toBe(0);
    expect(times('t', 'e').end - times('t', 'm').end).toBeGreaterThanOrEqual(990);
  });

  test('THERMOS-092 an ephemeral daemon beside a main process and a finalizer', async () => {
    await world.run('t', [
      p('d', 'exec sleep 3600', { daemon: true, ephemeral: true }),
      p('m', 'until [ -e stop ]; do sleep 0.02; done'),
      final('f', 'rm stop'),
    ]);
    await world.pidOf('t', 'm');
    await world.exec('t', 'touch stop');
    expect((await world.end('t')).state).toBe('finished');
    expect(existsSync(join(world.dir('t').sandbox, 'stop'))).toBe(false);
  });
});

describe('kill', () => {
  test('THERMOS-027 what ignores SIGTERM is killed when its time is over', async () => {
    await world.run('t', [p('m', IGNORES_TERM)]);
    await hasFile('t', 'up');
    const begin = performance.now();
    await world.backend.kill('t', 1);
    expect(await world.end('t')).toEqual({ state: 'killed', message: 'Instructed to kill task.' });
    expect(performance.now() - begin).toBeGreaterThanOrEqual(990);
    // The grace given, not the 60 s of a scheduler's kill; a busy machine may take its time.
    expect(performance.now() - begin).toBeLessThan(20_000);
    expect(world.results('t', 'm')).toEqual(['KILLED -9']);
  });

  test('THERMOS-037 two kills, one end', async () => {
    await world.run('t', [p('m', 'exec sleep 60')]);
    await world.pidOf('t', 'm');
    await world.backend.kill('t', 60);
    await world.backend.kill('t', 60);
    expect((await world.end('t')).state).toBe('killed');
    await world.pass();
    expect(world.sink.stored.get('t')).toEqual(['starting', 'running', 'killed']);
    expect(world.results('t', 'm')).toEqual(['KILLED -15']);
  });

  test('THERMOS-042 a kill before the sandbox exists: nothing is started', async () => {
    const go = join(compiled.dir, 'go');
    const slow = join(compiled.dir, 'slow-supervisor.js');
    const real = JSON.stringify(compiled.supervisorPath);
    writeFileSync(
      slow,
      `while (!require('fs').existsSync(${JSON.stringify(go)})); require(${real});`,
    );
    await world.restart([], { supervisorPath: slow });
    await world.run('t', [p('m', 'exec sleep 60')]);
    await world.backend.kill('t', 60);
    writeFileSync(go, '');
    expect((await world.end('t')).state).toBe('killed');
    expect(world.sink.states('t')).toEqual(['starting', 'killed']);
    expect(world.runs('t')).toEqual([]);
  });

  test('THERMOS-046 a kill of what has ended changes nothing', async () => {
    for (const [taskId, cmdline, state] of [
      ['good', 'true', 'finished'],
      ['bad', 'exit 1', 'failed'],
    ] as const) {
      await world.run(taskId, [p('m', cmdline)]);
      expect((await world.end(taskId)).state).toBe(state);
      await world.backend.kill(taskId, 60);
      await until('told again', () => world.sink.states(taskId).length === 4);
      expect(world.sink.last(taskId)?.state).toBe(state);
    }
  });

  test('THERMOS-087 the time to die is that of the kill, not finalization_wait; no finalizer after it', async () => {
    const finalizer = p('f', 'true', { final: true });
    await world.run('t', [p('m', IGNORES_TERM), finalizer], { finalization_wait: 0 });
    await hasFile('t', 'up');
    const begin = performance.now();
    await world.backend.kill('t', 1);
    expect((await world.end('t')).state).toBe('killed');
    expect(performance.now() - begin).toBeGreaterThanOrEqual(990);
    expect(world.startsOf('t', 'f')).toBe(0);
  });

  test('THERMOS-088 a process that obeys with 0 is a success, finalizers run, the task is killed', async () => {
    const obeys = 'trap "exit 0" TERM; touch up; while :; do sleep 0.02; done';
    await world.run('t', [p('m', obeys), p('f', 'touch finalized', { final: true })]);
    await hasFile('t', 'up');
    await world.backend.kill('t', 60);
    expect((await world.end('t')).state).toBe('killed');
    expect(world.results('t', 'm')).toEqual(['SUCCESS 0']);
    expect(world.results('t', 'f')).toEqual(['SUCCESS 0']);
  });

  test('THERMOS-089 in a compound command the shell gets SIGTERM, its children SIGKILL', async () => {
    const program = `bash -c 'trap "touch trapped" TERM; touch up; while :; do sleep 0.02; done'`;
    await world.run('t', [p('m', `${program}; touch after`)]);
    await hasFile('t', 'up');
    await world.backend.kill('t', 60);
    expect((await world.end('t')).state).toBe('killed');
    expect(world.results('t', 'm')).toEqual(['KILLED -15']);
    expect(readdirSync(world.dir('t').sandbox).sort()).toEqual(['.logs', 'up']);
  });

  test.each(['kill', 'natural end'])(
    'THERMOS-091 a daemon that left its session gets SIGTERM and cleans up (%s)',
    async (how) => {
      const daemon = `trap "touch cleaned; exit" TERM; touch up; while :; do sleep 0.02; done`;
      const escape = `(setsid bash -c '${daemon}' >/dev/null 2>&1 &)`;
      await world.run('t', [p('m', `${escape}; until [ -e stop ]; do sleep 0.02; done`)]);
      await hasFile('t', 'up');
      if (how === 'kill') await world.backend.kill('t', 60);
      else await world.exec('t', 'touch stop');
      expect((await world.end('t')).state).toBe(how === 'kill' ? 'killed' : 'finished');
      expect(existsSync(join(world.dir('t').sandbox, 'cleaned'))).toBe(true);
    },
  );

  test('a daemon that left its session and ignores SIGTERM is gone at the end', async () => {
    const daemon = `trap "" TERM; echo $$ > pid; touch up; while :; do sleep 0.02; done`;
    await world.run(
      't',
      [
        p(
          'm',
          `(setsid bash -c '${daemon}' >/dev/null 2>&1 &); until [ -e up ]; do sleep 0.02; done`,
        ),
      ],
      { finalization_wait: 1 },
    );
    expect((await world.end('t')).state).toBe('finished');
    expect(lives(Number(world.read('t', 'pid')))).toBe(false);
  });

  test('THERMOS-036 a supervisor killed by a signal takes its task with it: killed', async () => {
    await world.run('t', [p('m', '(setsid sleep 60 & echo $! > pid); touch up; exec sleep 60')]);
    await hasFile('t', 'up');
    const main = await world.pidOf('t', 'm');
    await until('running', () => world.sink.last('t')?.state === 'running');
    process.kill(await world.supervisorPid('t'), 'SIGKILL');
    expect(await world.end('t')).toEqual({
      state: 'killed',
      message: 'The supervisor was killed by SIGKILL.',
    });
    expect(world.sink.states('t')).toEqual(['starting', 'running', 'killed']);
    expect([lives(main), lives(Number(world.read('t', 'pid')))]).toEqual([false, false]);
  });

  test('THERMOS-038 a supervisor told to end from elsewhere ends its task properly', async () => {
    await world.run('t', [p('m', 'exec sleep 60'), p('f', 'true', { final: true })]);
    await world.pidOf('t', 'm');
    process.kill(await world.supervisorPid('t'), 'SIGTERM');
    expect(await world.end('t')).toEqual({ state: 'killed', message: 'Supervisor shut down.' });
    expect(world.results('t', 'f')).toEqual(['SUCCESS 0']);
  });
});
