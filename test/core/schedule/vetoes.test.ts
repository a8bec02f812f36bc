import type { Constraint, Resource, TaskConfig } from '../../../src/core/model/config.js';
import type { Attributes, Host } from '../../../src/core/schedule/host.js';
import { vetoText } from '../../../src/core/schedule/pending-reason.js';
import { vetoes, vetoGroup } from '../../../src/core/schedule/vetoes.js';
import { aHost, aTask } from './fixtures.js';

const value = (name: string, ...values: string[]): Constraint => ({
  name,
  constraint: { value: { negated: false, values } },
});
const not = (name: string, ...values: string[]): Constraint => ({
  name,
  constraint: { value: { negated: true, values } },
});
const limit = (name: string, n: number): Constraint => ({
  name,
  constraint: { limit: { limit: n } },
});

function texts(config: TaskConfig, host: Partial<Host>, jobTasks: Attributes[] = []): string[] {
  return vetoes(config, aHost(host), jobTasks).map(vetoText);
}
const constrained = (...constraints: Constraint[]) => aTask({ constraints });

describe('resources', () => {
  const free = { cpus: 4, ramMb: 1000, diskMb: 2000 };
  const ports = { ranges: [{ first: 80, last: 81 }], taken: new Set<number>() };
  const wants = (cpus: number, ramMb: number, diskMb: number, ...names: string[]) => {
    const resources: Resource[] = [{ numCpus: cpus }, { ramMb }, { diskMb }];
    const named = names.map((namedPort) => ({ namedPort }));
    return texts(aTask({ resources: [...resources, ...named] }), { free, ports });
  };

  test('TASK-050 a host takes what fits exactly, and says what does not', () => {
    expect(wants(4, 1000, 2000, 'one', 'two')).toEqual([]);
    expect(wants(4, 1000, 2000, 'one', 'two', 'three')).toEqual(['Insufficient: ports']);
    expect(wants(5, 1001, 2001)).toEqual([
      'Insufficient: CPU',
      'Insufficient: RAM',
      'Insufficient: disk',
    ]);
    expect(wants(5, 1000, 2000)).toEqual(['Insufficient: CPU']);
    expect(wants(4, 1001, 2000)).toEqual(['Insufficient: RAM']);
    expect(wants(4, 1000, 2001)).toEqual(['Insufficient: disk']);
  });

  test('a port name asked for twice needs one port; taken ports do not count', () => {
    expect(wants(1, 1, 1, 'one', 'one', 'two')).toEqual([]);
    const taken = { ...ports, taken: new Set([80]) };
    const config = aTask({ resources: [{ namedPort: 'a' }, { namedPort: 'b' }] });
    expect(texts(config, { ports: taken })).toEqual(['Insufficient: ports']);
  });

  test('GPUs and addresses count where they are asked for', () => {
    const config = aTask({ resources: [{ numGpus: 1 }, { ipAddr: 1 }] });
    expect(texts(config, {})).toEqual(['Insufficient: GPU', 'Insufficient: IP']);
    const rich = { cpus: 1, ramMb: 1, diskMb: 1, gpus: 1, ips: 1 };
    expect(texts(config, { free: rich })).toEqual([]);
  });

  test('inexact sums of cores do not veto, nor does what was not asked for', () => {
    const cores = (cpus: number) =>
      texts(aTask({ resources: [{ numCpus: 0.1 }] }), { free: { cpus, ramMb: -5, diskMb: 0 } });
    expect(cores(1 - 0.9)).toEqual([]);
    expect(cores(0.0999)).toEqual(['Insufficient: CPU']);
  });

  test.each<[string, Resource, number]>([
    ['1 cpu', { numCpus: 5 }, 62],
    ['160 cpu', { numCpus: 164 }, 1000],
    ['2 MB ram', { ramMb: 1002 }, 0],
    ['200 MB disk', { diskMb: 2200 }, 0],
  ])('TASK-057 the score of an excess of %s', (_name, resource, score) => {
    const found = vetoes(aTask({ resources: [resource] }), aHost({ free }), []);
    expect(found.map((veto) => veto.score)).toEqual([score]);
  });
});

describe('dedicated hosts and maintenance', () => {
  test('TASK-051 a dedicated host takes only tasks that ask for it', () => {
    const roleA = { attributes: { dedicated: ['roleA'] } };
    expect(texts(aTask(), roleA)).toEqual(['Host is dedicated']);
    expect(texts(constrained(value('dedicated', 'roleA')), roleA)).toEqual([]);
    const shared = { attributes: { dedicated: ['roleA/jobA', 'roleB/jobB'] } };
    expect(texts(constrained(value('dedicated', 'roleA/jobA')), shared)).toEqual([]);
    expect(texts(constrained(value('dedicated', 'roleB/jobB')), shared)).toEqual([]);
    expect(texts(aTask(), shared)).toEqual(['Host is dedicated']);
  });

  test.each([
    ['NONE', []],
    ['SCHEDULED', []],
    ['DRAINING', ['Host draining for maintenance']],
    ['DRAINED', ['Host drained for maintenance']],
  ] as const)('TASK-053 a host in mode %s', (mode, expected) => {
    expect(texts(aTask(), { mode })).toEqual(expected);
  });

  test('TASK-054 an announced unavailability counts from the threshold before it on', () => {
    const MINUTE = 60_000;
    const horizon = (8 + 2) * MINUTE;
    const at = (minute: number) =>
      vetoes(aTask(), aHost({ unavailableFromMs: minute * MINUTE }), [], horizon).map(vetoText);
    expect(at(9)).toEqual(['Host draining for maintenance']);
    expect(at(100)).toEqual([]);
    // Now must be later than start − threshold.
    expect(at(10)).toEqual([]);
  });

  test('a draining host says so before anything else but dedication', () => {
    const config = aTask({ constraints: [value('rack', 'x')], resources: [{ numCpus: 99 }] });
    expect(texts(config, { mode: 'DRAINING' })).toEqual(['Host draining for maintenance']);
    const dedicated = { mode: 'DRAINING' as const, attributes: { dedicated: ['r'] } };
    expect(texts(config, dedicated)).toEqual(['Host is dedicated']);
  });
});

describe('constraints', () => {
  test.each<[string, Constraint, boolean]>([
    ['1.0', value('jvm', '1.0'), true],
    ['4.0', value('jvm', '4.0'), false],
    ['1.0 or 2.0', value('jvm', '1.0', '2.0'), true],
    ['4.0 or 2.0', value('jvm', '4.0', '2.0'), true],
    ['not 1.0', not('jvm', '1.0'), false],
    ['not 4.0', not('jvm', '4.0'), true],
    ['neither 1.0 nor 2.0', not('jvm', '1.0', '2.0'), false],
    ['an attribute the host lacks', value('xxx', '1.0'), false],
    ['not, of an attribute the host lacks', not('xxx', '1.0'), true],
  ])(
    'TASK-052 a host with jvm 1.0, 2.0, 3.0 and a task that wants %s',
    (_name, constraint, fits) => {
      const host = { attributes: { jvm: ['1.0', '2.0', '3.0'] } };
      const expected = fits ? [] : [`Constraint not satisfied: ${constraint.name}`];
      expect(texts(constrained(constraint), host)).toEqual(expected);
    },
  );

  test('TASK-055 value constraints come before limits, and the first that fails is the only veto', () => {
    const attributes = { host: ['hostA'], dedicated: ['hostA'] };
    const both = [value('host', 'hostA'), value('dedicated', 'xxx')];
    expect(texts(constrained(...both), { attributes })).toEqual([
      'Constraint not satisfied: dedicated',
    ]);
    expect(texts(constrained(limit('host', 0), ...both), { attributes })).toEqual([
      'Constraint not satisfied: dedicated',
    ]);
    const short = aTask({ constraints: both, resources: [{ numCpus: 99 }] });
    expect(texts(short, { attributes })).toEqual(['Constraint not satisfied: dedicated']);
  });

  const A = { host: ['hostA'], rack: ['rackA'] };
  const B1 = { host: ['hostB'], rack: ['rackA'] };
  const B2 = { host: ['hostB'], rack: ['rackB'] };
  // The counts of the row: hostA 1, hostB 2, rackA 3, rackB 1.
  const JOB = [A, B1, { host: ['hostB'], rack: ['rackA'] }, { host: ['hostC'], rack: ['rackB'] }];
  const LIMITED = (name: string) => [`Limit not satisfied: ${name}`];

  test.each<[Constraint, Attributes, string[]]>([
    [limit('host', 2), A, []],
    [limit('host', 1), B1, LIMITED('host')],
    [limit('host', 2), B1, LIMITED('host')],
    [limit('host', 3), B1, []],
    [limit('rack', 1), B2, LIMITED('rack')],
    [limit('rack', 2), B2, []],
  ])('TASK-056 %j on %j', (constraint, attributes, expected) => {
    expect(texts(constrained(constraint), { attributes }, JOB)).toEqual(expected);
  });

  test('TASK-056 a job without tasks is under its limit', () => {
    expect(texts(constrained(limit('host', 2)), { attributes: A })).toEqual([]);
  });

  test('a limit on an attribute the host lacks is no limit but a mismatch', () => {
    expect(texts(constrained(limit('zone', 5)), { attributes: A })).toEqual([
      'Constraint not satisfied: zone',
    ]);
  });

  test('every value of the host must be under the limit', () => {
    const host = { attributes: { rack: ['rackB', 'rackA'] } };
    expect(texts(constrained(limit('rack', 2)), host, JOB)).toEqual(LIMITED('rack'));
    expect(texts(constrained(limit('rack', 4)), host, JOB)).toEqual([]);
  });

  test('an attribute may not be taken for a property of every object', () => {
    expect(texts(constrained(value('constructor', 'x')), {})).toEqual([
      'Constraint not satisfied: constructor',
    ]);
    expect(texts(constrained(not('toString', 'x')), {})).toEqual([]);
  });
});

describe('veto groups', () => {
  const of = (...kinds: ('resource' | 'constraint' | 'limit' | 'maintenance' | 'dedicated')[]) =>
    vetoGroup(kinds.map((kind) => ({ kind })));

  test('TASK-058 what a set of vetoes depends on', () => {
    expect(of()).toBe('EMPTY');
    expect(of('constraint', 'resource', 'maintenance')).toBe('STATIC');
    expect(of('dedicated')).toBe('STATIC');
    expect(of('limit')).toBe('DYNAMIC');
    expect(of('resource', 'limit')).toBe('MIXED');
  });
});
