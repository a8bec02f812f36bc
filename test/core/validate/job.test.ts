import type { JobConfiguration } from '../../../src/core/model/config.js';
import { instanceCountProblem } from '../../../src/core/validate/instance-count.js';
import { validateJob, validateNewJob } from '../../../src/core/validate/job.js';
import { environmentPattern } from '../../../src/core/validate/limits.js';
import type { ValidationLimits } from '../../../src/core/validate/limits.js';
import { aJob, aTask, changed, KEY, LIMITS, okOf, verdict } from './fixtures.js';

const job = (config: JobConfiguration, limits: Partial<ValidationLimits> = {}) =>
  verdict(validateJob(config, { ...LIMITS, ...limits }));

describe('job rules', () => {
  test('RPC-072 a valid job yields its task config, one without a task is refused (also RPC-008)', () => {
    expect(job(aJob())).toBe('OK');
    expect(job(aJob({}, { taskConfig: undefined }))).toMatch(/INVALID_REQUEST: taskConfig/);
  });

  test.each([0, -1])('RPC-010 %i instances are refused', (instanceCount) => {
    expect(job(aJob({}, { instanceCount }))).toMatch(/INVALID_REQUEST: instanceCount/);
  });

  test('J3 the key must be set and valid', () => {
    expect(job(aJob({}, { key: undefined }))).toMatch(/INVALID_REQUEST: key/);
    expect(job(aJob({}, { key: { ...KEY, name: 'a/b' } }))).toMatch(/INVALID_REQUEST: key/);
  });

  test('RPC-097 the environment must match the whole pattern', () => {
    const pattern = { allowedJobEnvironments: environmentPattern('b.r') };
    const under = (environment: string) => {
      const key = { ...KEY, environment };
      return job(aJob({ job: key }, { key }), pattern);
    };
    expect(under('bar')).toBe('OK');
    expect(under('foo')).toMatch(/environment "foo" does not match b\.r/);
    expect(under('bars')).toMatch(/does not match/);
    expect(under('crowbar')).toMatch(/does not match/);
  });

  test('the default environments', () => {
    const under = (environment: string) => {
      const key = { ...KEY, environment };
      return job(aJob({ job: key }, { key })) === 'OK';
    };
    expect(['prod', 'devel', 'test', 'staging', 'staging12'].filter(under)).toHaveLength(5);
    expect(['production', 'stagingx', 'dev', 'Prod'].filter(under)).toEqual([]);
  });

  test('an alternative of the pattern is not cut off by a shorter one', () => {
    expect(environmentPattern('a|ab').whole.test('ab')).toBe(true);
    expect(environmentPattern('a|ab').whole.test('abc')).toBe(false);
  });

  test('J5 an owner needs a good name, and may be missing', () => {
    expect(job(aJob({}, { owner: {} }))).toMatch(/INVALID_REQUEST: owner\.user/);
    expect(job(aJob({}, { owner: { user: 'a b' } }))).toMatch(/INVALID_REQUEST: owner\.user/);
    expect(job(aJob({}, { owner: undefined }))).toBe('OK');
  });

  test('T4 tasks under another key than the job are refused', () => {
    expect(job(aJob({ job: { ...KEY, name: 'other' } }))).toMatch(
      /bar_role\/devel\/other differs .* bar_role\/devel\/job_foo/,
    );
  });

  test('J7 a service may not run on a schedule; an empty schedule does not count here', () => {
    const cronSchedule = '* * * * *';
    expect(job(aJob({ isService: true }, { cronSchedule }))).toMatch(/isService/);
    expect(job(aJob({ isService: true }, { cronSchedule: '' }))).toBe('OK');
    expect(job(aJob({}, { cronSchedule }))).toBe('OK');
  });

  test('rules are checked in their order', () => {
    const bad: JobConfiguration = aJob(
      { tier: ',' },
      { instanceCount: 0, key: { ...KEY, environment: 'nowhere' }, owner: {} },
    );
    const steps = [
      changed(bad, { taskConfig: undefined }),
      bad,
      { ...bad, instanceCount: 1, key: { ...KEY, name: '' } },
      { ...bad, instanceCount: 1 },
      { ...bad, instanceCount: 1, key: KEY },
      { ...bad, instanceCount: 1, key: KEY, owner: { user: 'mary' } },
    ];
    expect(steps.map((step) => job(step).split(/[ :]+/)[1])).toEqual([
      'taskConfig',
      'instanceCount',
      'key',
      'key.environment',
      'owner.user',
      'taskConfig.tier',
    ]);
  });
});

describe('createJob', () => {
  const create = (config: JobConfiguration) => verdict(validateNewJob(config, LIMITS, 'job'));

  test.each(['', '* * * * *'])('RPC-002 the cron schedule "%s" is refused', (cronSchedule) => {
    expect(create(aJob({}, { cronSchedule }))).toMatch(/INVALID_REQUEST: cronSchedule/);
  });

  test('RPC-012 what is not given is filled', () => {
    const task = aTask({ tier: 'tier-prod', isService: true, production: false });
    expect(okOf(validateJob(changed(aJob(), { taskConfig: task }), LIMITS))).toMatchObject({
      priority: 0,
      maxTaskFailures: 0,
      constraints: [],
      taskLinks: {},
      production: true,
      tier: 'tier-prod',
    });
  });

  test('RPC-006 a job may have 1 to 1000 instances here', () => {
    const count = (total: number) => verdict(instanceCountProblem(total, 1000));
    expect([count(1), count(1000)]).toEqual(['OK', 'OK']);
    expect(count(1001)).toMatch(/INVALID_REQUEST: .*1000.*1001/);
    expect(count(0)).toMatch(/INVALID_REQUEST/);
    expect(count(-5)).toMatch(/INVALID_REQUEST/);
  });
});
