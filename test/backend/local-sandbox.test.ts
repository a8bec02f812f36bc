/** Acceptance rows of thermos.md §2.5 to §2.9 and §3.2: environment, logs, users, bad documents, lifecycle. */
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { runUser } from '../../src/backend/local/users.js';
import { compileBackend } from './support/compiled.js';
import { LocalWorld, configOf, lives, withPorts } from './support/local-world.js';
import { aConfig, aSubmit } from './support/requests.js';
import { until } from './support/wait.js';

const compiled = compileBackend();
let world: LocalWorld;

beforeEach(async () => {
  world = new LocalWorld(compiled);
  await world.start();
});
afterEach(() => world.close());
afterAll(() => compiled.remove());

const isRoot = process.getuid?.() === 0;

describe('environment', () => {
  test('it is exactly what thermos.md §2.5 says, and bash is bash', async () => {
    await world.run('t', [
      {
        name: 'm',
        cmdline:
          'tr "\\0" "\\n" < /proc/$$/environ; echo $0 $# $PWD; cut -d" " -f6 /proc/$$/stat; echo $$',
      },
    ]);
    expect((await world.end('t')).state).toBe('finished');
    const { sandbox } = world.dir('t');
    const [lines, rest] = [
      world.log('t', 'm').trim().split('\n').slice(0, -3),
      world.log('t', 'm').trim().split('\n').slice(-3),
    ];
    expect(lines.map((line) => line.split('=')[0]).sort()).toEqual([
      'HOME',
      'LOGNAME',
      'PATH',
      'USER',
    ]);
    expect(lines).toContain(`HOME=${sandbox}`);
    expect(rest[0]).toBe(`/bin/bash 0 ${sandbox}`);
    expect(rest[1]?.trim()).toBe(rest[2]);
    expect(statSync(sandbox).mode & 0o777).toBe(0o700);
  });

  test('THERMOS-016 .thermos_profile is sourced once it exists', async () => {
    await world.run(
      't',
      [
        { name: 's1', cmdline: 'echo export FOO=1 >> .thermos_profile' },
        { name: 's2', cmdline: 'echo export BAR=2 >> .thermos_profile' },
        { name: 'run', cmdline: 'echo $FOO $BAR > out' },
      ],
      { constraints: [{ order: ['s1', 's2', 'run'] }] },
    );
    expect((await world.end('t')).state).toBe('finished');
    expect(world.read('t', 'out')).toBe('1 2\n');
  });

  test('THERMOS-030 the environment of the shim is passed on only on request', async () => {
    process.env['TEST'] = 'A_TEST_VAR';
    const echo = [{ name: 'm', cmdline: 'echo $PATH $TEST' }];
    const path = `SOME_PATH:${process.env['PATH']}`;
    try {
      await world.restart([], { path });
      await world.run('off', echo);
      expect((await world.end('off')).state).toBe('finished');
      await world.restart([], { path, preserveEnv: true });
      await world.run('on', echo);
      expect((await world.end('on')).state).toBe('finished');
    } finally {
      delete process.env['TEST'];
    }
    expect(world.log('off', 'm')).toBe(`${path}\n`);
    expect(world.log('on', 'm')).toBe(`${path} A_TEST_VAR\n`);
  });
});

describe('logs', () => {
  const lines = 'for i in {1..31}; do echo 123456; echo 654321 >&2; done';
  const files = (taskId: string) => {
    const dir = join(world.dir(taskId).sandbox, '.logs/m/0');
    return existsSync(dir) ? readdirSync(dir).sort() : [];
  };

  test('THERMOS-031 default, none, console and both', async () => {
    const loggers = [undefined, 'none', 'console', 'both'].map((destination) =>
      destination === undefined ? {} : { logger: { destination } },
    );
    for (const [at, logger] of loggers.entries()) {
      await world.run(`t${at}`, [{ name: 'm', cmdline: lines, ...logger }]);
    }
    for (const at of [0, 1, 2, 3]) expect((await world.end(`t${at}`)).state).toBe('finished');
    const out = '123456\n'.repeat(31);
    const err = '654321\n'.repeat(31);
    for (const at of [0, 3]) {
      expect(world.log(`t${at}`, 'm')).toBe(out);
      expect(world.log(`t${at}`, 'm', 'stderr')).toBe(err);
    }
    expect([files('t1'), files('t2')]).toEqual([[], []]);
    const console = (taskId: string) => [world.own(taskId, 'stdout'), world.own(taskId, 'stderr')];
    expect(console('t0')).toEqual(['', '']);
    expect(console('t2')).toEqual([out, err]);
    expect(console('t3')).toEqual([out, err]);
  });

  test('THERMOS-032 rotation keeps what it was told to keep', async () => {
    const logger = { mode: 'rotate', rotate: { log_size: 70, backups: 2 } };
    await world.run('t', [{ name: 'm', cmdline: lines, logger }]);
    expect((await world.end('t')).state).toBe('finished');
    expect(files('t')).toEqual([
      'stderr',
      'stderr.1',
      'stderr.2',
      'stdout',
      'stdout.1',
      'stdout.2',
    ]);
    expect(world.log('t', 'm')).toBe('123456\n');
    expect(world.log('t', 'm', 'stdout.1')).toBe('123456\n'.repeat(10));
    expect(world.log('t', 'm', 'stdout.2')).toBe('123456\n'.repeat(10));
  });

  test('THERMOS-034 a process without a logger takes the configured one', async () => {
    const size = 1024 * 1024;
    await world.restart([], {
      logger: { destination: 'file', mode: 'rotate', rotate: { logSize: size, backups: 1 } },
    });
    await world.run('t', [{ name: 'm', cmdline: `head -c ${2 * size} /dev/zero` }]);
    expect((await world.end('t')).state).toBe('finished');
    expect(files('t')).toEqual(['stderr', 'stdout', 'stdout.1']);
  });
});

describe('documents that cannot run, with validation off', () => {
  test('THERMOS-043 they start and fail', async () => {
    const submit = (taskId: string, data: string) =>
      world.backend.submit(
        aSubmit(taskId, { config: aConfig({ executorConfig: { name: 'AuroraExecutor', data } }) }),
      );
    await submit('garbage', 'garbage');
    expect(await world.end('garbage')).toEqual({
      state: 'failed',
      message: 'executorConfig.data $: is not JSON (F0)',
    });
    expect(world.sink.states('garbage')).toEqual(['starting', 'failed']);
    await world.run(
      'image',
      [{ name: 'm', cmdline: 'true' }],
      {},
      {},
      {
        config: aConfig({
          ...configOf([{ name: 'm', cmdline: 'true' }]),
          container: { mesos: { image: { docker: { name: 'i', tag: 't' } }, volumes: [] } },
        }),
      },
    );
    expect((await world.end('image')).message).toContain('container.mesos.image');
    expect(world.sink.states('image')).toEqual(['starting', 'failed']);
  });

  test('what is not built yet is never ignored', async () => {
    await world.run('t', [{ name: 'm', cmdline: 'true' }], {}, {}, withPorts({ health: 31000 }));
    expect((await world.end('t')).message).toMatch(/health checks.*not supported/);
  });

  test('THERMOS-041 no sandbox, no task', async () => {
    const dir = world.dir('t');
    mkdirSync(dir.path, { recursive: true });
    writeFileSync(dir.runDir, 'in the way');
    await world.run('t', [{ name: 'm', cmdline: 'true' }]);
    expect((await world.end('t')).message).toMatch(/^Cannot make the sandbox/);
    expect(world.sink.states('t')).toEqual(['starting', 'failed']);
  });

  test('THERMOS-045 a supervisor that ends without a record: lost, with its code', async () => {
    const supervisorPath = join(compiled.dir, 'exits-13.js');
    writeFileSync(supervisorPath, 'process.exit(13)');
    await world.restart([], { supervisorPath });
    await world.run('t', [{ name: 'm', cmdline: 'true' }]);
    expect(await world.end('t')).toEqual({
      state: 'lost',
      message: 'The supervisor exited with code 13.',
    });
  });
});

describe('users', () => {
  test('THERMOS-033 only root may run tasks as somebody else', async () => {
    const uid = jest.spyOn(process as { getuid: () => number }, 'getuid').mockReturnValue(1000);
    try {
      await expect(runUser('nobody', false)).rejects.toThrow('only root may run a task as nobody');
    } finally {
      uid.mockRestore();
    }
  });

  test('THERMOS-068 a role that is no user fails the task', async () => {
    await world.restart([], { nosetuid: false });
    await world.run(
      't',
      [{ name: 'm', cmdline: 'true' }],
      {},
      {},
      {
        config: aConfig({
          ...configOf([{ name: 'm', cmdline: 'true' }]),
          job: { role: 'no-such-user-here', environment: 'prod', name: 'hello' },
        }),
      },
    );
    expect(await world.end('t')).toEqual({
      state: 'failed',
      message:
        'job.role: there is no user no-such-user-here on this machine, and --nosetuid is off (F3)',
    });
  });

  test('directories that other users cannot pass through are warned of', async () => {
    const warned: object[] = [];
    const log = { info() {}, error() {}, warn: (fields: object) => void warned.push(fields) };
    chmodSync(world.stateDir, 0o700);
    const stateDir = join(world.stateDir, 'inner');
    const nested = { stateDir, nosetuid: false, log };
    await world.restart([], nested);
    expect(warned).toEqual([{ dir: world.stateDir }]);
  });

  (isRoot ? test : test.skip)(
    'THERMOS-068 as root, processes and sandbox are the role’s',
    async () => {
      await world.restart([], { nosetuid: false });
      const cmdline =
        'id -un; id -G; echo $USER $LOGNAME; stat -c %U . ..; echo {{thermos.user}}; touch mine; cat ~/mine';
      const nobody = (process: Record<string, unknown>) => ({
        config: aConfig({
          ...configOf([{ name: 'm', cmdline, ...process }]),
          job: { role: 'nobody', environment: 'prod', name: 'hello' },
        }),
      });
      await world.run('t', [], {}, {}, nobody({}));
      expect((await world.end('t')).state).toBe('finished');
      const groups = await world.exec('t', 'id -G nobody');
      expect(world.log('t', 'm')).toBe(`nobody\n${groups}nobody nobody\nnobody\nnobody\nnobody\n`);
      expect(statSync(world.dir('t').sandbox).mode & 0o777).toBe(0o700);
      const rotate = { logger: { mode: 'rotate', rotate: { log_size: 7, backups: 1 } } };
      await world.run('r', [], {}, {}, nobody(rotate));
      expect((await world.end('r')).state).toBe('finished');
      expect(await world.exec('r', 'stat -c %U .logs .logs/m/0/stdout .logs/m/0/stdout.1')).toBe(
        'nobody\n'.repeat(3),
      );
    },
  );
});

describe('HTTP lifecycle', () => {
  /** Answers, or with `drop` cuts off, what the two endpoints get; exits on `exitOn`. */
  const server = (options: { drop?: string[]; status?: number; exitOn?: string }) =>
    `exec ${process.execPath} -e '
      const { drop = [], status = 200, exitOn } = ${JSON.stringify(options)};
      require("http").createServer((request, response) => {
        require("fs").appendFileSync("requests", request.method + " " + request.url + "\\n");
        if (drop.includes(request.url)) return request.socket.destroy();
        response.statusCode = status;
        response.end(() => { if (request.url === exitOn) process.exit(0); });
      }).listen({{thermos.ports[admin]}}, "localhost", () => require("fs").writeFileSync("up", ""));
    '`;
  const lifecycle = (gracefulWait: number, wait: number) => ({
    lifecycle: {
      http: {
        port: 'admin',
        graceful_shutdown_wait_secs: gracefulWait,
        shutdown_wait_secs: wait,
      },
    },
  });

  async function stopped(options: Parameters<typeof server>[0], waits: [number, number]) {
    const port = await freePort();
    await world.run(
      't',
      [{ name: 'm', cmdline: server(options) }],
      {},
      lifecycle(...waits),
      withPorts({ admin: port }),
    );
    await until('the server', () => existsSync(join(world.dir('t').sandbox, 'up')));
    const begin = performance.now();
    await world.backend.kill('t', 60);
    expect((await world.end('t')).state).toBe('killed');
    return { requests: world.read('t', 'requests'), tookMs: performance.now() - begin };
  }

  test('THERMOS-047 no answer, no wait; an answer, and the task ends in its time', async () => {
    const drop = ['/quitquitquit'];
    const { requests, tookMs } = await stopped({ drop, exitOn: '/abortabortabort' }, [60, 60]);
    expect(requests).toBe('POST /quitquitquit\nPOST /abortabortabort\n');
    expect(tookMs).toBeLessThan(10_000);
    expect(world.results('t', 'm')).toEqual(['SUCCESS 0']);
  });

  test('THERMOS-048 THERMOS-051 both answered, even by 404, and ignored: both waits, then SIGTERM', async () => {
    const { requests, tookMs } = await stopped({ status: 404 }, [1, 1]);
    expect(requests).toBe('POST /quitquitquit\nPOST /abortabortabort\n');
    expect(tookMs).toBeGreaterThanOrEqual(1980);
    expect(world.results('t', 'm')).toEqual(['KILLED -15']);
  });

  test('nobody listens: SIGTERM at once', async () => {
    const port = await freePort();
    await world.run(
      't',
      [{ name: 'm', cmdline: 'touch up; exec sleep 60' }],
      {},
      lifecycle(60, 60),
      withPorts({ admin: port }),
    );
    const pid = await world.pidOf('t', 'm');
    await world.backend.kill('t', 60);
    expect((await world.end('t')).state).toBe('killed');
    expect(lives(pid)).toBe(false);
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, 'localhost', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
