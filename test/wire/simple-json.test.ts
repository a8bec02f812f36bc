/** Simple JSON (tasks.md §9.2): what people's own services are sent. */
import { scheduledTask } from '../../src/core/model/task.js';
import { auroraSchema } from '../../src/wire/idl.js';
import { simpleJson } from '../../src/wire/simple-json.js';
import { aConfig, aJob } from '../support/builders.js';

const json = (struct: string, record: Readonly<Record<string, unknown>>): unknown =>
  JSON.parse(JSON.stringify(simpleJson(auroraSchema(), struct, record)));

test('a whole ScheduledTask: names of fields, numbers for enums and bools, nothing for what is unset', () => {
  const task = scheduledTask(
    {
      taskId: 'role-test-job1-0-uuid',
      instanceId: 0,
      status: 'RUNNING',
      slaveHost: 'host',
      assignedPorts: { http: 31_000 },
      failureCount: 1,
      timesPartitioned: 0,
      events: [
        { timestampMs: 1_700_000_000_000, status: 'PENDING', scheduler: 'here' },
        { timestampMs: 1_700_000_000_001, status: 'RUNNING', message: 'up' },
      ],
    },
    aConfig('data "quoted"', {
      metadata: [{ key: 'k', value: 'v' }],
      constraints: [
        { name: 'host', constraint: { limit: { limit: 1 } } },
        { name: 'rack', constraint: { value: { negated: true, values: ['a'] } } },
      ],
      slaPolicy: { coordinatorSlaPolicy: { coordinatorUrl: 'http://c', statusKey: 'drain' } },
    }),
  );
  expect(json('ScheduledTask', task)).toEqual({
    assignedTask: {
      taskId: 'role-test-job1-0-uuid',
      slaveHost: 'host',
      assignedPorts: { http: 31_000 },
      instanceId: 0,
      task: {
        job: { ...aJob() },
        owner: { user: 'user' },
        isService: 1,
        priority: 0,
        maxTaskFailures: 1,
        production: 0,
        tier: 'preemptible',
        resources: [{ numCpus: 1 }, { ramMb: 64 }, { diskMb: 64 }],
        constraints: [
          { name: 'host', constraint: { limit: { limit: 1 } } },
          { name: 'rack', constraint: { value: { negated: 1, values: ['a'] } } },
        ],
        mesosFetcherUris: [],
        taskLinks: {},
        executorConfig: { name: 'AuroraExecutor', data: 'data "quoted"' },
        metadata: [{ key: 'k', value: 'v' }],
        slaPolicy: { coordinatorSlaPolicy: { coordinatorUrl: 'http://c', statusKey: 'drain' } },
        container: { mesos: { volumes: [] } },
      },
    },
    status: 2,
    failureCount: 1,
    taskEvents: [
      { timestamp: 1_700_000_000_000, status: 0, scheduler: 'here' },
      { timestamp: 1_700_000_000_001, status: 2, message: 'up' },
    ],
    timesPartitioned: 0,
  });
});

test('keys of maps are data, also those that mean something to JavaScript', () => {
  const taskLinks = JSON.parse('{"__proto__": "a", "constructor": "b"}') as object;
  const text = JSON.stringify(
    simpleJson(auroraSchema(), 'TaskConfig', { ...aConfig('x'), taskLinks }),
  );
  expect(text).toContain('"taskLinks":{"__proto__":"a","constructor":"b"}');
});

test('a value that the enum does not have is a mistake of ours', () => {
  expect(() => json('TaskEvent', { timestamp: 1, status: 'DANCING' })).toThrow(TypeError);
});
