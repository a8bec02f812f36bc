import { readPlan } from '../../../src/core/thermos/document.js';
import { aContext, aDocument } from './support.js';

function plan(task: Record<string, unknown> = {}, top: Record<string, unknown> = {}) {
  return readPlan(aDocument(task, top), aContext);
}

function processes(...list: Record<string, unknown>[]) {
  return { processes: list.map((process) => ({ cmdline: 'true', ...process })) };
}

describe('executor document', () => {
  test('the smallest form gets every default', () => {
    expect(plan()).toEqual({
      name: 'main',
      processes: [
        {
          name: 'main',
          cmdline: 'true',
          maxFailures: 1,
          daemon: false,
          ephemeral: false,
          final: false,
          minDurationSecs: 5,
        },
      ],
      order: [],
      maxFailures: 1,
      maxConcurrency: 0,
      finalizationWaitSecs: 30,
      ports: {},
      healthCheck: 'none',
      announce: false,
    });
  });

  test('scalars are coerced as the reference coerces them, also through references', () => {
    const read = plan(
      {
        name: '{{cluster}}-{{priority}}',
        max_concurrency: '{{max_task_failures}}',
        ...processes({
          name: 'p',
          cmdline: 17,
          max_failures: '3',
          min_duration: 2.9,
          daemon: 1,
          final: 'FALSE',
          ephemeral: 'true',
          logger: { mode: 'rotate', rotate: { log_size: '70' } },
        }),
      },
      { cluster: 'c', priority: 4.7, max_task_failures: '2' },
    );
    expect(read).toMatchObject({ name: 'c-4', maxConcurrency: 2 });
    expect(read.processes).toEqual([
      {
        name: 'p',
        cmdline: '17',
        maxFailures: 3,
        minDurationSecs: 2,
        daemon: true,
        final: false,
        ephemeral: true,
        logger: { destination: 'file', mode: 'rotate', rotate: { logSize: 70, backups: 5 } },
      },
    ]);
  });

  test('a rotating logger without sizes gets the defaults', () => {
    const read = plan(processes({ name: 'p', logger: { mode: 'rotate', destination: 'both' } }));
    expect(read.processes[0]?.logger).toEqual({
      destination: 'both',
      mode: 'rotate',
      rotate: { logSize: 104857600, backups: 5 },
    });
  });

  test('unknown fields are ignored outside lists and refused inside them', () => {
    expect(() => plan({ later: 1 }, { later: 1, lifecycle: { later: 1 } })).not.toThrow();
    expect(() => plan(processes({ name: 'p', later: 1 }))).toThrow('$.task.processes[0].later');
    expect(() => plan(processes({ name: 'p', logger: { later: 1 } }))).toThrow(
      '$.task.processes[0].logger.later',
    );
    expect(() => plan({ constraints: [{ order: ['main'], later: 1 }] })).toThrow(
      '$.task.constraints[0].later',
    );
  });

  test.each([
    ['', '$: is empty'],
    ['garbage', '$: is not JSON'],
    ['[]', '$: must be an object'],
    ['{}', '$.task: is missing'],
    [aDocument({ processes: undefined }), '$.task.processes: is missing'],
    [aDocument({ processes: [] }), '$.task.processes: must not be empty'],
    [aDocument({ processes: null }), '$.task.processes: must be a list'],
    [aDocument({ constraints: null }), '$.task.constraints: must be a list'],
    [aDocument({ resources: undefined }), '$.task.resources: is missing'],
    [aDocument({ max_failures: null }), '$.task.max_failures: must be an integer'],
    [aDocument({ max_failures: 'many' }), '$.task.max_failures: must be an integer'],
    [aDocument({ max_failures: '1.5' }), '$.task.max_failures: must be an integer'],
    [aDocument({ max_failures: 1e300 }), '$.task.max_failures: must be an integer'],
    [
      aDocument(processes({ name: 'p', daemon: 'yes' })),
      '$.task.processes[0].daemon: must be true',
    ],
    [
      aDocument(processes({ name: 'p', cmdline: true })),
      '$.task.processes[0].cmdline: must be a s',
    ],
    [aDocument(processes({})), '$.task.processes[0].name: is missing'],
    [aDocument(processes({ name: '' })), '$.task.processes[0].name: a process name'],
    [aDocument(processes({ name: '.p' })), '$.task.processes[0].name: a process name'],
    [aDocument(processes({ name: 'a/b' })), '$.task.processes[0].name: a process name'],
    [aDocument(processes({ name: 'p{{x}}' }), { x: 1 }), 'nothing resolves {{x}}'],
    [aDocument(processes({ name: '{{name}}' })), 'never come to an end'],
    [aDocument({ name: 'a/b', ...processes({ name: '{{task.name}}' }) }), 'a process name'],
    [aDocument(processes({ name: 'p' }, { name: 'p' })), '$.task.processes[1].name: "p" is taken'],
    [aDocument(processes({ name: 'p', cmdline: 'a\0b' })), 'must not hold a NUL'],
    [
      aDocument(processes({ name: 'p', logger: { destination: 'FILE' } })),
      '$.task.processes[0].logger.destination: must be one of file, console, both, none',
    ],
    [
      aDocument(processes({ name: 'p', logger: { rotate: { log_size: 0 } } })),
      '$.task.processes[0].logger.rotate.log_size: must be at least 1',
    ],
    [
      aDocument(processes({ name: 'p', logger: { rotate: { backups: 0 } } })),
      '$.task.processes[0].logger.rotate.backups: must be at least 1',
    ],
  ])('%s is refused: %s', (document, rule) => {
    expect(() => readPlan(document, aContext)).toThrow(rule);
  });

  test('THERMOS-067 unbound references are named; ports of the task are not among them', () => {
    const echo = (cmdline: string) => plan(processes({ name: 'p', cmdline }), portmap);
    const portmap = { announce: { portmap: { health: '8300' } } };
    expect(() => echo('{{unbound_cmd}}')).toThrow('nothing resolves {{unbound_cmd}}');
    expect(() => echo('{{hello_{{thermos.ports[health]}}}}')).toThrow('hello_8300');
    expect(echo('{{thermos.ports[health]}}').processes[0]?.cmdline).toBe('8300');
    expect(() => echo('{{thermos.ports[derp]}}')).toThrow('neither requested nor an alias');
  });

  test('THERMOS-077 a task name may be the host it runs on', () => {
    expect(plan({ name: '{{mesos.hostname}}' }).name).toBe('test_host');
  });

  test('THERMOS-035 a process name may hold the task id', () => {
    const read = plan(processes({ name: 'hello_world_{{thermos.task_id}}' }));
    expect(read.processes[0]?.name).toBe(`hello_world_${aContext.taskId}`);
  });

  test('references resolve in the process first, then the task, the job, mesos and thermos', () => {
    const read = readPlan(
      aDocument(
        {
          name: 'the_task',
          ...processes({
            name: 'proc',
            cmdline:
              '{{name}} {{task.name}} {{role}} {{finalization_wait}} {{processes[0].name}} {{daemon}} ' +
              '{{health_check_config.interval_secs}} {{resources.cpu}} {{mesos.instance}} {{.role}} ' +
              '{{thermos.user}} {{thermos.ports[org.apache.aurora.port.0]}} {{thermos.ports[web]}}',
          }),
        },
        { name: 'job', role: 'r', announce: { portmap: { web: 'org.apache.aurora.port.0' } } },
      ),
      { ...aContext, assignedPorts: { 'org.apache.aurora.port.0': 31005 } },
    );
    expect(read.processes[0]?.cmdline).toBe(
      'proc the_task r 30 proc False 10.0 0.1 7 r www-data 31005 31005',
    );
  });

  test('lifecycle and announce know mesos, not thermos', () => {
    const announce = (portmap: Record<string, string>) => ({ announce: { portmap } });
    expect(
      plan({}, announce({ 'p{{mesos.instance}}': '1', p: '800{{mesos.instance}}' })).ports,
    ).toEqual({
      p: 8007,
      'p{{mesos.instance}}': 1,
    });
    expect(() => plan({}, announce({ p: '{{thermos.task_id}}' }))).toThrow('$.announce.portmap.p');
    expect(() => plan({}, { lifecycle: { http: { port: '{{thermos.user}}' } } })).toThrow(
      '$.lifecycle.http.port',
    );
  });

  test('mesos.role and other leftovers of the client are unbound', () => {
    expect(() => plan(processes({ name: 'p', cmdline: '{{mesos.role}}' }))).toThrow('mesos.role');
  });

  test('THERMOS-049 the lifecycle is active only with a port that exists', () => {
    const withPort = { ...aContext, assignedPorts: { http: 12345 } };
    const own = {
      http: {
        port: 'http',
        graceful_shutdown_endpoint: '/frankfurters',
        graceful_shutdown_wait_secs: 123,
        shutdown_endpoint: '/hamburgers',
        shutdown_wait_secs: 456,
      },
    };
    expect(readPlan(aDocument(), withPort).lifecycle).toBeUndefined();
    expect(readPlan(aDocument({}, { lifecycle: {} }), withPort).lifecycle).toBeUndefined();
    expect(readPlan(aDocument({}, { lifecycle: own }), aContext).lifecycle).toBeUndefined();
    expect(readPlan(aDocument({}, { lifecycle: own }), withPort).lifecycle).toEqual({
      port: 12345,
      gracefulEndpoint: '/frankfurters',
      gracefulWaitSecs: 123,
      shutdownEndpoint: '/hamburgers',
      shutdownWaitSecs: 456,
    });
  });

  test('the task instance form binds no mesos.* and has no lifecycle of its own', () => {
    const withPort = { ...aContext, assignedPorts: { health: 31000 } };
    const form = { instance: 3, role: 'r' };
    expect(readPlan(aDocument({}, form), withPort).lifecycle).toBeUndefined();
    expect(readPlan(aDocument(), withPort).lifecycle).toBeDefined();
    const says = (cmdline: string) =>
      readPlan(aDocument(processes({ name: 'p', cmdline }), form), withPort).processes[0]?.cmdline;
    expect(says('{{instance}} {{role}}')).toBe('3 r');
    expect(() => says('{{mesos.instance}}')).toThrow('mesos.instance');
    expect(() => readPlan(aDocument({}, { instance: 'x' }), aContext)).toThrow('$.instance');
  });

  test('a health check is selected by the shell checker, then by a port named health', () => {
    const shell = { health_checker: { shell: { shell_command: 'true' } } };
    const withPort = { ...aContext, assignedPorts: { health: 31000 } };
    expect(plan({}, { health_check_config: shell }).healthCheck).toBe('shell');
    expect(readPlan(aDocument(), withPort).healthCheck).toBe('http');
    expect(plan({}, { announce: { portmap: { health: 8300 } } }).healthCheck).toBe('http');
  });
});

describe('order', () => {
  const three = processes({ name: 'p1' }, { name: 'p2' }, { name: 'p3' });
  const order = (...lists: string[][]) => lists.map((names) => ({ order: names }));

  test('THERMOS-005 nothing follows a daemon, and nothing lasting an ephemeral process', () => {
    const constraints = order(['p1', 'p2']);
    const first = (fields: object) => processes({ name: 'p1', ...fields }, { name: 'p2' });
    expect(() => plan({ ...first({ daemon: true }), constraints })).toThrow('a daemon');
    expect(() => plan({ ...first({ ephemeral: true }), constraints })).toThrow('ephemeral');
    const both = processes({ name: 'p1', ephemeral: true }, { name: 'p2', ephemeral: true });
    expect(plan({ ...both, constraints }).order).toEqual([['p1', 'p2']]);
  });

  test('THERMOS-011 a list is of regular or of final processes', () => {
    const regular = ['p1', 'p2', 'p3'].map((name) => ({ name }));
    const final = ['f1', 'f2', 'f3'].map((name) => ({ name, final: true }));
    const all = processes(...regular, ...final);
    expect(() => plan({ ...all, constraints: order(['p1', 'f1']) })).toThrow('mixes regular');
    const fine = order(['p1', 'p2', 'p3'], ['f1', 'f2', 'f3']);
    expect(plan({ ...all, constraints: fine }).order).toHaveLength(4);
  });

  test('empty and partly unknown lists are refused, wholly unknown ones ignored', () => {
    expect(() => plan({ ...three, constraints: order([]) })).toThrow('must not be empty');
    expect(() => plan({ ...three, constraints: order(['p1', 'x']) })).toThrow('is named "x"');
    expect(plan({ ...three, constraints: order(['x', 'y']) }).order).toEqual([]);
  });

  test('THERMOS-013 cycles are refused', () => {
    expect(() => plan({ ...three, constraints: order(['p1', 'p2', 'p1']) })).toThrow('waits for');
    const around = order(['p1', 'p2'], ['p2', 'p3'], ['p3', 'p1']);
    expect(() => plan({ ...three, constraints: around })).toThrow('waits for');
    expect(() => plan({ ...three, constraints: order(['p1', 'p1']) })).toThrow('waits for');
  });

  test('THERMOS-095 the order counts, not the array', () => {
    const data =
      '{"task":{"processes":[' +
      '{"name":"b","cmdline":"echo b","daemon":false,"ephemeral":false,"max_failures":1,"min_duration":5,"final":false},' +
      '{"name":"a","cmdline":"echo a \\u0026\\u0026 true","daemon":false,"ephemeral":false,"max_failures":1,"min_duration":5,"final":false}],' +
      '"constraints":[{"order":["a","b"]}],"resources":{"cpu":0.25,"disk":102600,"ram":65664}}}';
    const read = readPlan(data, aContext);
    expect(read.order).toEqual([['a', 'b']]);
    expect(read.processes[1]?.cmdline).toBe('echo a && true');
  });
});
