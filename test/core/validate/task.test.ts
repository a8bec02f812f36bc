import type {
  Constraint,
  Container,
  SlaPolicy,
  TaskConfig,
} from '../../../src/core/model/config.js';
import { DEFAULT_LIMITS } from '../../../src/core/validate/limits.js';
import type { ValidationLimits } from '../../../src/core/validate/limits.js';
import { validateTask } from '../../../src/core/validate/task.js';
import { aTask, LIMITS, okOf, verdict } from './fixtures.js';

interface Options {
  readonly limits?: Partial<ValidationLimits>;
  readonly instanceCount?: number;
  readonly checkExecutorData?: boolean;
}

function validate(
  change: Parameters<typeof aTask>[0],
  { limits = {}, instanceCount = 1, checkExecutorData = true }: Options = {},
) {
  const all = { ...LIMITS, ...limits };
  return validateTask(aTask(change), { limits: all, instanceCount, checkExecutorData });
}
const task = (change: Parameters<typeof aTask>[0], options?: Options) =>
  verdict(validate(change, options));
const fill = (change: Parameters<typeof aTask>[0], options?: Options): TaskConfig =>
  okOf(validate(change, options));

/** A refusal that says which field breaks which rule. */
const refused = (pattern: string) =>
  expect.stringMatching(new RegExp(`^INVALID_REQUEST: .*${pattern}`));

describe('T1 to T3: tiers', () => {
  test.each([
    ['RPC-003', ','],
    ['RPC-092', 'pr/d'],
  ])('%s tier "%s" is no identifier', (_row, tier) => {
    expect(task({ tier })).toEqual(refused('taskConfig.tier ".*" must be 1 to 255'));
  });

  test('RPC-101 production comes from the tier, whatever was sent; names are case-sensitive', () => {
    expect(fill({ tier: 'tier-dev', production: true }).production).toBe(false);
    expect(fill({ tier: 'tier-prod', production: false }).production).toBe(true);
    expect(fill({ tier: 'tier-revocable', production: true }).production).toBe(false);
    expect(task({ tier: 'Tier-Revocable' })).toEqual(
      refused('tier "Tier-Revocable" is not a tier'),
    );
    const limits = { tiers: DEFAULT_LIMITS.tiers };
    expect(task({ tier: 'Revocable' }, { limits })).toEqual(refused('not a tier'));
  });

  test('T2 the default tier is filled in', () => {
    expect(fill({ production: true })).toMatchObject({ tier: 'tier-dev', production: false });
    const limits = { tiers: DEFAULT_LIMITS.tiers };
    expect(fill({ production: true }, { limits })).toMatchObject({ tier: 'preemptible' });
  });
});

describe('T4 to T7: key and executor', () => {
  test('T4 the job key must be valid', () => {
    const job = { role: 'bar role', environment: 'devel', name: 'x' };
    expect(task({ job })).toEqual(refused('taskConfig.job'));
    expect(task({ job: undefined })).toEqual(refused('taskConfig.job'));
  });

  test('RPC-009 without an executor and without docker', () => {
    expect(task({ executorConfig: undefined })).toEqual(refused('executorConfig or a docker'));
  });

  test('T6, T7 an executor needs a configured name', () => {
    expect(task({ executorConfig: { data: 'x' } })).toEqual(
      refused('executorConfig.name is missing'),
    );
    expect(task({ executorConfig: { name: 'mine' } })).toEqual(
      refused('"mine" is not a configured'),
    );
    const limits = { executors: new Set(['mine']) };
    expect(task({ executorConfig: { name: 'mine' } }, { limits })).toBe('OK');
  });
});

describe('T8 to T10: dedicated hosts', () => {
  const dedicated = (...values: string[]): Constraint => ({
    name: 'dedicated',
    constraint: { value: { negated: false, values } },
  });

  test('RPC-013 another role is refused', () => {
    expect(task({ constraints: [dedicated('mesos')] })).toEqual(refused('only role "mesos"'));
  });

  test('RPC-014 it must be a value constraint with one value', () => {
    const limit = { name: 'dedicated', constraint: { limit: { limit: 1 } } };
    expect(task({ constraints: [limit] })).toEqual(refused('must be a value constraint'));
    expect(task({ constraints: [dedicated('bar_role', 'b')] })).toEqual(
      refused('exactly one value'),
    );
    expect(task({ constraints: [dedicated()] })).toEqual(refused('exactly one value'));
  });

  test.each([
    ['bar_role/f', 'OK'],
    ['*/f', 'OK'],
    ['bar_role', 'OK'],
    ['bar_role/f/g', 'OK'],
    ['*', 'OK'],
    ['r/f', refused('only role "r" may use')],
    ['', refused('only role ""')],
    ['bar_rol', refused('only role')],
  ])('RPC-093 hosts dedicated to %s', (value, expected) => {
    expect(task({ constraints: [dedicated(value)] })).toEqual(expected);
  });

  test('only the first counts, and other constraints are free', () => {
    expect(task({ constraints: [dedicated('bar_role'), dedicated('mesos')] })).toBe('OK');
    const other = { name: 'host', constraint: { limit: { limit: -1 } } };
    expect(task({ constraints: [other] })).toBe('OK');
  });
});

describe('T11 to T14, T19: containers', () => {
  const docker = (image?: string, ...parameters: { name: string; value: string }[]): Container => ({
    docker: { ...(image === undefined ? {} : { image }), parameters },
  });
  const FOO = { name: 'foo', value: 'bar' };
  const BAR = { name: 'bar', value: 'baz' };
  const limits = { allowedContainerTypes: new Set(['MESOS', 'DOCKER'] as const) };

  test('RPC-090 docker needs an image, allowed parameters, and an executor where required', () => {
    expect(task({ container: docker() }, { limits })).toEqual(refused('docker.image is missing'));
    expect(task({ container: docker('i', FOO) }, { limits })).toEqual(refused('docker.parameters'));
    const alone = { container: docker('i'), executorConfig: undefined };
    expect(task(alone, { limits })).toEqual(refused('executorConfig is missing'));
    expect(task(alone, { limits: { ...limits, requireDockerUseExecutor: false } })).toBe('OK');
  });

  test('RPC-015 docker alone with parameters is stored as it came', () => {
    const container = docker('i', FOO, BAR);
    const free = { ...limits, allowDockerParameters: true, requireDockerUseExecutor: false };
    const config = fill({ container, executorConfig: undefined }, { limits: free });
    expect(config).toEqual({
      ...aTask({ container, executorConfig: undefined }),
      tier: 'tier-dev',
    });
  });

  test('RPC-091 default parameters for a container without any', () => {
    const withDefault = { ...limits, allowDockerParameters: true, defaultDockerParameters: [FOO] };
    expect(fill({ container: docker('i') }, { limits: withDefault }).container).toEqual(
      docker('i', FOO),
    );
    expect(fill({ container: docker('i', BAR) }, { limits: withDefault }).container).toEqual(
      docker('i', BAR),
    );
    const forbidden = { ...limits, defaultDockerParameters: [FOO] };
    expect(fill({ container: docker('i') }, { limits: forbidden }).container).toEqual(
      docker('i', FOO),
    );
  });

  test('T14 the type must be allowed', () => {
    expect(task({ container: docker('i') })).toEqual(refused('type DOCKER is not allowed'));
    const onlyDocker = { allowedContainerTypes: new Set(['DOCKER'] as const) };
    expect(task({}, { limits: onlyDocker })).toEqual(refused('type MESOS is not allowed'));
  });

  test('a config without a container gets the empty Mesos one', () => {
    expect(fill({ container: undefined }).container).toEqual({ mesos: { volumes: [] } });
  });
});

describe('T15 to T18: resources', () => {
  const { resources } = aTask();

  test.each<[string, TaskConfig['resources'], string]>([
    ['unset', [], 'num_cpus'],
    ['cpu 0.0', [{ numCpus: 0 }, { ramMb: 1024 }, { diskMb: 1024 }], 'num_cpus must exceed'],
    ['ram −123', [{ numCpus: 1 }, { ramMb: -123 }, { diskMb: 1024 }], 'ram_mb must exceed'],
    ['disk 0', [{ numCpus: 1 }, { ramMb: 1024 }, { diskMb: 0 }], 'disk_mb must exceed'],
    ['no disk', [{ numCpus: 1 }, { ramMb: 1024 }], 'disk_mb must exceed'],
    ['cpu NaN', [{ numCpus: NaN }, { ramMb: 1024 }, { diskMb: 1024 }], 'finite'],
    ['cpu infinite', [{ numCpus: Infinity }, { ramMb: 1024 }, { diskMb: 1024 }], 'finite'],
  ])('RPC-011 %s is refused', (_name, list, pattern) => {
    expect(task({ resources: list })).toEqual(refused(pattern));
  });

  test('RPC-094 one value of each, any number of ports', () => {
    const second = [...resources, { ramMb: 1 }, { numCpus: 2 }];
    expect(task({ resources: second })).toEqual(refused('for CPU, RAM$'));
    const all = [
      ...second,
      { diskMb: 1 },
      { numGpus: 1 },
      { numGpus: 2 },
      { ipAddr: 1 },
      { ipAddr: 2 },
    ];
    expect(task({ resources: all })).toEqual(refused('for CPU, GPU, IP, RAM, disk$'));
    const ports = [...resources, { namedPort: 'a' }, { namedPort: 'b' }];
    expect(task({ resources: ports })).toBe('OK');
    expect(task({ resources: [...resources, { ipAddr: 1 }] })).toBe('OK');
  });

  test('RPC-095 GPUs, fetcher URIs and volumes each need their flag', () => {
    const gpu = { resources: [...resources, { numGpus: 2 }] };
    expect(task(gpu)).toEqual(refused('GPU'));
    expect(task(gpu, { limits: { allowGpuResource: true } })).toBe('OK');
    const uris = { mesosFetcherUris: [{ value: 'x', extract: false, cache: false }] };
    expect(task(uris)).toEqual(refused('mesosFetcherUris'));
    expect(task(uris, { limits: { enableMesosFetcher: true } })).toBe('OK');
    const volumes = {
      container: { mesos: { volumes: [{ containerPath: '/a', hostPath: '/b' }] } },
    };
    expect(task(volumes)).toEqual(refused('volumes'));
    expect(task(volumes, { limits: { allowContainerVolumes: true } })).toBe('OK');
  });
});

describe('T20: SLA policies', () => {
  const count = (n: number, durationSecs = 7200): SlaPolicy => ({
    countSlaPolicy: { count: n, durationSecs },
  });
  const percentage = (percent: number, durationSecs = 7200): SlaPolicy => ({
    percentageSlaPolicy: { percentage: percent, durationSecs },
  });
  const coordinator: SlaPolicy = { coordinatorSlaPolicy: { coordinatorUrl: 'http://x' } };
  const prod = (slaPolicy: SlaPolicy, instanceCount: number) =>
    task({ tier: 'tier-prod', slaPolicy }, { instanceCount });

  test.each([
    ['count', count(10)],
    ['percentage', percentage(50)],
    ['coordinator', coordinator],
  ])('RPC-098 a %s policy needs a production tier or the flag', (_name, slaPolicy) => {
    const dev = { tier: 'tier-dev', slaPolicy };
    expect(task(dev, { instanceCount: 20 })).toEqual(refused('not supported by tier tier-dev'));
    expect(task(dev, { instanceCount: 20, limits: { slaAwareKillNonProd: true } })).toBe('OK');
    expect(prod(slaPolicy, 20)).toBe('OK');
  });

  test('RPC-099 19 instances are too few, except for a coordinator', () => {
    expect(prod(count(10), 19)).toEqual(refused('at least 20 instances, the job has 19'));
    expect(prod(percentage(50), 19)).toEqual(refused('at least 20 instances'));
    expect(prod(coordinator, 19)).toBe('OK');
  });

  test('RPC-100 something must be left to kill, and the duration has a maximum', () => {
    expect(prod(count(20), 20)).toEqual(refused('count 20 would block every kill'));
    expect(prod(count(19), 20)).toBe('OK');
    expect(prod(percentage(100), 20)).toEqual(refused('at most 95 for 20 instances'));
    expect(prod(percentage(95), 20)).toBe('OK');
    expect(prod(percentage(95.1), 20)).toEqual(refused('at most 95'));
    expect(prod(count(1, 7201), 20)).toEqual(refused('7201 exceeds .* 7200'));
    expect(prod(percentage(1, 7201), 20)).toEqual(refused('7201 exceeds .* 7200'));
  });
});

describe('T21, T22', () => {
  const ports = (...names: string[]) => [
    ...aTask().resources,
    ...names.map((namedPort) => ({ namedPort })),
  ];

  test('RPC-096 links for the ports http and health', () => {
    const both = {
      health: 'http://%host%:%port:health%',
      http: 'http://%host%:%port:http%',
    };
    expect(fill({ resources: ports('http', 'health', 'admin') }).taskLinks).toEqual(both);
    expect(fill({ resources: ports('admin') }).taskLinks).toEqual({});
    const taskLinks = { mine: 'x' };
    expect(fill({ resources: ports('http'), taskLinks }).taskLinks).toEqual(taskLinks);
  });

  test('T22 the executor document is checked last, for AuroraExecutor, where it is asked for', () => {
    const seen: (string | undefined)[] = [];
    const limits = {
      executors: new Set(['AuroraExecutor', 'mine']),
      executorDataProblem: (config: TaskConfig) => {
        seen.push(config.tier);
        return '$.task: missing';
      },
    };
    expect(task({}, { limits })).toEqual(refused('taskConfig: \\$\\.task: missing'));
    expect(seen).toEqual(['tier-dev']);
    expect(task({}, { limits, checkExecutorData: false })).toBe('OK');
    expect(task({ executorConfig: { name: 'mine', data: '' } }, { limits })).toBe('OK');
    expect(task({ tier: ',' }, { limits })).toEqual(refused('taskConfig.tier'));
    expect(seen).toHaveLength(1);
  });
});

describe('unions without exactly one member', () => {
  test.each<[string, Parameters<typeof aTask>[0]]>([
    ['taskConfig.container', { container: {} }],
    ['taskConfig.container.mesos.image', { container: { mesos: { image: {}, volumes: [] } } }],
    ['taskConfig.resources', { resources: [{ numCpus: 1 }, {}] }],
    [
      'taskConfig.constraints: constraint "rack"',
      { constraints: [{ name: 'rack', constraint: {} }] },
    ],
    ['taskConfig.constraints: constraint "rack"', { constraints: [{ name: 'rack' }] }],
    ['taskConfig.slaPolicy', { slaPolicy: {} }],
    ['taskConfig.container', { container: { mesos: { volumes: [] }, docker: { parameters: [] } } }],
    ['taskConfig.resources', { resources: [{ numCpus: 1, ramMb: 1 }, { diskMb: 1 }] }],
    [
      'taskConfig.constraints',
      {
        constraints: [
          { name: 'x', constraint: { limit: { limit: 1 }, value: { negated: false, values: [] } } },
        ],
      },
    ],
  ])('%s', (field, change) => {
    expect(task(change)).toEqual(refused(field));
  });

  test('a percentage that is no number', () => {
    const slaPolicy = { percentageSlaPolicy: { percentage: NaN, durationSecs: 1 } };
    expect(task({ slaPolicy })).toEqual(refused('percentage must be a finite number'));
  });

  test('long values are cut in messages', () => {
    expect(task({ tier: 'x'.repeat(5000) }).length).toBeLessThan(300);
  });
});
