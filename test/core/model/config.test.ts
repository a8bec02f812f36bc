import fc from 'fast-check';
import { canonicalConfig } from '../../../src/core/model/config.js';
import type { TaskConfig } from '../../../src/core/model/config.js';

const CONFIG: TaskConfig = {
  job: { role: 'www', environment: 'prod', name: 'hello' },
  owner: { user: 'mary' },
  isService: true,
  priority: 1,
  maxTaskFailures: 2,
  production: false,
  tier: 'preemptible',
  resources: [{ numCpus: 0.5 }, { ramMb: 128 }, { diskMb: 64 }, { namedPort: 'http' }],
  constraints: [
    { name: 'rack', constraint: { value: { negated: true, values: ['a', 'b'] } } },
    { name: 'host', constraint: { limit: { limit: 1 } } },
  ],
  mesosFetcherUris: [
    { value: 'http://x/1', extract: true, cache: false },
    { value: 'http://x/2', extract: false, cache: true, outputFile: 'two' },
  ],
  taskLinks: { http: 'http://%host%:%port:http%', admin: 'x' },
  contactEmail: 'mary@example.org',
  executorConfig: { name: 'AuroraExecutor', data: '{"b": 1, "a": 2}' },
  metadata: [
    { key: 'k', value: '1' },
    { key: 'k', value: '2' },
  ],
  partitionPolicy: { reschedule: true, delaySecs: 5 },
  slaPolicy: { countSlaPolicy: { count: 1, durationSecs: 60 } },
  container: {
    docker: {
      image: 'i',
      parameters: [
        { name: 'a', value: '1' },
        { name: 'b', value: '2' },
      ],
    },
  },
};

function without(field: 'contactEmail' | 'executorConfig'): TaskConfig {
  return Object.fromEntries(
    Object.entries(CONFIG).filter(([name]) => name !== field),
  ) as unknown as TaskConfig;
}

/** The same record with its names in another order, at every depth. */
function reorderedNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reorderedNames);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, reorderedNames(member)]),
  );
}

describe('canonicalConfig', () => {
  const text = canonicalConfig(CONFIG);

  test('the order of names means nothing', () => {
    expect(canonicalConfig(reorderedNames(CONFIG) as TaskConfig)).toBe(text);
  });

  test('neither the order of sets nor a second of the same member means anything', () => {
    const shuffled = <T>(items: readonly T[]) =>
      fc.shuffledSubarray([...items, ...items], { minLength: items.length * 2 });
    fc.assert(
      fc.property(
        shuffled(CONFIG.resources),
        shuffled(CONFIG.constraints),
        shuffled(CONFIG.mesosFetcherUris),
        shuffled(CONFIG.metadata),
        (resources, constraints, mesosFetcherUris, metadata) => {
          const other = { ...CONFIG, resources, constraints, mesosFetcherUris, metadata };
          expect(canonicalConfig(other)).toBe(text);
        },
      ),
      { numRuns: 50 },
    );
    const constraints = [
      { name: 'rack', constraint: { value: { negated: true, values: ['b', 'a', 'b'] } } },
      { name: 'host', constraint: { limit: { limit: 1 } } },
    ];
    expect(canonicalConfig({ ...CONFIG, constraints })).toBe(text);
  });

  test('an unset field is as good as none', () => {
    const unset = { ...CONFIG, contactEmail: undefined } as unknown as TaskConfig;
    expect(canonicalConfig(unset)).toBe(canonicalConfig(without('contactEmail')));
  });

  test.each<[string, TaskConfig]>([
    ['job', { ...CONFIG, job: { ...CONFIG.job, name: 'hullo' } }],
    ['owner', { ...CONFIG, owner: {} }],
    ['isService', { ...CONFIG, isService: false }],
    ['priority', { ...CONFIG, priority: 2 }],
    ['maxTaskFailures', { ...CONFIG, maxTaskFailures: -1 }],
    ['production', { ...CONFIG, production: true }],
    ['tier', { ...CONFIG, tier: 'revocable' }],
    ['resources', { ...CONFIG, resources: CONFIG.resources.slice(1) }],
    ['constraints', { ...CONFIG, constraints: [] }],
    ['mesosFetcherUris', { ...CONFIG, mesosFetcherUris: [] }],
    ['taskLinks', { ...CONFIG, taskLinks: { ...CONFIG.taskLinks, admin: 'y' } }],
    ['contactEmail', { ...CONFIG, contactEmail: '' }],
    ['executorConfig', without('executorConfig')],
    [
      'spaces in data',
      { ...CONFIG, executorConfig: { ...CONFIG.executorConfig, data: '{"b":1, "a": 2}' } },
    ],
    ['metadata', { ...CONFIG, metadata: CONFIG.metadata.slice(1) }],
    ['partitionPolicy', { ...CONFIG, partitionPolicy: { reschedule: true, delaySecs: 6 } }],
    ['slaPolicy', { ...CONFIG, slaPolicy: { countSlaPolicy: { count: 1, durationSecs: 61 } } }],
    ['container', { ...CONFIG, container: { mesos: { volumes: [] } } }],
    [
      'order of docker parameters',
      {
        ...CONFIG,
        container: {
          docker: {
            image: 'i',
            parameters: [
              { name: 'b', value: '2' },
              { name: 'a', value: '1' },
            ],
          },
        },
      },
    ],
  ])('another %s is another config', (_name, other) => {
    expect(canonicalConfig(other)).not.toBe(text);
  });

  test('resources of equal size and different kind differ', () => {
    const ram = canonicalConfig({ ...CONFIG, resources: [{ ramMb: 1 }] });
    expect(canonicalConfig({ ...CONFIG, resources: [{ diskMb: 1 }] })).not.toBe(ram);
  });

  test('a link may have any name', () => {
    const links = (json: string) => JSON.parse(json) as Record<string, string>;
    const one = canonicalConfig({ ...CONFIG, taskLinks: links('{"__proto__": "x"}') });
    const other = canonicalConfig({ ...CONFIG, taskLinks: links('{}') });
    expect(one).not.toBe(other);
    expect(one).toContain('"__proto__":"x"');
  });
});
