import type { TaskConfig } from '../../../src/core/model/config.js';
import { executorDataProblem } from '../../../src/core/thermos/refusals.js';
import { aDocument } from './support.js';

function aConfig(data: string, overrides: Partial<TaskConfig> = {}): TaskConfig {
  return {
    job: { role: 'www-data', environment: 'prod', name: 'hello' },
    isService: true,
    priority: 0,
    maxTaskFailures: 1,
    production: false,
    resources: [{ numCpus: 0.5 }, { ramMb: 64 }, { diskMb: 128 }],
    constraints: [],
    mesosFetcherUris: [],
    taskLinks: {},
    metadata: [],
    executorConfig: { name: 'AuroraExecutor', data },
    container: { mesos: { volumes: [] } },
    ...overrides,
  };
}

const port = (namedPort: string) => ({ resources: [{ namedPort }] });
const says = (cmdline: string) => aDocument({ processes: [{ name: 'p', cmdline }] });

describe('executor data problems (rpc.md §5 T22)', () => {
  test('a document that can run has none, whatever instance it becomes', () => {
    const cmdline =
      'echo {{mesos.instance}} {{mesos.hostname}} {{thermos.task_id}} {{thermos.user}}';
    expect(executorDataProblem(aConfig(says(cmdline)))).toBeUndefined();
    expect(
      executorDataProblem(aConfig(says('{{thermos.ports[web]}}'), port('web'))),
    ).toBeUndefined();
  });

  test('the message has the JSON path, the rule and its code', () => {
    expect(executorDataProblem(aConfig(''))).toBe('executorConfig.data $: is empty (F0)');
    expect(executorDataProblem(aConfig(says('{{thermos.ports[web]}}')))).toBe(
      'executorConfig.data $.task.processes[0].cmdline: {{thermos.ports[web]}} names a port that is ' +
        'neither requested nor an alias of one (F0)',
    );
  });

  test('health checks are refused exactly when one would run', () => {
    const unused = aDocument({}, { health_check_config: { interval_secs: 1 } });
    const shell = aDocument(
      {},
      { health_check_config: { health_checker: { shell: { shell_command: 'true' } } } },
    );
    expect(executorDataProblem(aConfig(unused))).toBeUndefined();
    expect(executorDataProblem(aConfig(unused, port('health')))).toMatch(
      /\$\.health_check_config: .*not supported yet/,
    );
    expect(executorDataProblem(aConfig(shell))).toMatch(/shell: .*not supported yet/);
    expect(executorDataProblem(aConfig(shell), { healthChecks: true })).toBeUndefined();
  });

  test('an announcement is refused unless it is to be ignored; its aliases work then', () => {
    const data = aDocument(
      { processes: [{ name: 'p', cmdline: '{{thermos.ports[aurora]}} {{thermos.ports[admin]}}' }] },
      { announce: { portmap: { aurora: 'http', admin: '8300' } } },
    );
    expect(executorDataProblem(aConfig(data, port('http')))).toMatch(/\$\.announce: /);
    expect(
      executorDataProblem(aConfig(data, port('http')), { announce: 'ignore' }),
    ).toBeUndefined();
    expect(executorDataProblem(aConfig(data), { announce: 'ignore' })).toMatch('ports[aurora]');
  });

  test.each<[string, Partial<TaskConfig>]>([
    ['container.docker', { container: { docker: { image: 'i', parameters: [] } } }],
    ['container.mesos.image', { container: { mesos: { image: { docker: {} }, volumes: [] } } }],
    [
      'container.mesos.volumes',
      { container: { mesos: { volumes: [{ hostPath: '/a', containerPath: '/b', mode: 'RO' }] } } },
    ],
    ['resources.numGpus', { resources: [{ numGpus: 1 }] }],
    ['mesosFetcherUris', { mesosFetcherUris: [{ value: 'x', extract: false, cache: false }] }],
    ['executorConfig.name', { executorConfig: { name: 'other', data: '' } }],
  ])('%s is refused by name', (field, overrides) => {
    expect(executorDataProblem(aConfig(aDocument(), overrides))?.startsWith(`${field}: `)).toBe(
      true,
    );
  });
});
