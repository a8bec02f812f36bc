/** The cron RPCs, and what the others make of a cron job (rpc.md §6, §10, §11). */
import type { JobConfiguration, TaskConfig } from '../../src/core/model/config.js';
import { KEY, RpcWorld, aRequest, jobOf, version } from './support.js';

const OTHER = { ...KEY, role: 'other_role' };
const PLAIN_OK = { code: 'OK', details: [], result: undefined };
/** Of the fake clock, 1 January 2026 00:00 GMT, the minute behind it. */
const NEXT_MINUTE = Date.UTC(2026, 0, 1, 0, 1);

let rpc: RpcWorld;

beforeEach(async () => {
  rpc = await RpcWorld.create();
});

afterEach(async () => {
  await rpc.close();
});

function cronOf(
  cronSchedule: string,
  task: Partial<TaskConfig> = {},
  change: Partial<JobConfiguration> = {},
): JobConfiguration {
  return jobOf(task, 1, { cronSchedule, ...change });
}

const schedule = (description: unknown) => rpc.verdict('scheduleCronJob', { description });
const replace = (config: unknown) => rpc.verdict('replaceCronTemplate', { config });
const counted = () => rpc.stat('thrift_workload_createOrUpdateCronTemplate');

/** What is stored, as an operator sees it. */
function stored(): Promise<Record<string, unknown>[]> {
  return rpc.world.sql(
    `SELECT role, schedule, collision_policy AS policy, instance_count AS n, owner_user AS owner,
            created_by, changed_by FROM cron_jobs ORDER BY role`,
  );
}

describe('scheduleCronJob', () => {
  test('RPC-026 creates the template, starts nothing, and counts its instances', async () => {
    const description = cronOf('* * * * *', {}, { instanceCount: 3 });
    expect(await rpc.call('scheduleCronJob', { description })).toEqual(PLAIN_OK);
    await rpc.world.settle();
    expect(await stored()).toEqual([
      {
        ...{ role: 'bar_role', schedule: '* * * * *', policy: null, n: 3, owner: 'mary' },
        ...{ created_by: 'shiro', changed_by: 'shiro' },
      },
    ]);
    expect(await rpc.world.tasks(KEY)).toEqual([]);
    expect(counted()).toBe(3);
  });

  test('RPC-027 replaces a template that is there, running tasks or not', async () => {
    await rpc.ok('scheduleCronJob', { description: cronOf('* * * * *') });
    await rpc.ok('startCronJob', { job: KEY });
    await rpc.world.settle();
    const description = cronOf('5 * * * *', version('b', { isService: false }), {
      ...{ instanceCount: 2, cronCollisionPolicy: 'CANCEL_NEW' as const },
    });
    await rpc.ok('scheduleCronJob', { description }, 'mary');
    expect(await stored()).toMatchObject([
      {
        schedule: '5 * * * *',
        policy: 'CANCEL_NEW',
        n: 2,
        created_by: 'shiro',
        changed_by: 'mary',
      },
    ]);
    expect(await rpc.world.versions(KEY)).toEqual({ 0: '{}' });
    expect(counted()).toBe(3);
  });

  test('RPC-028 refuses a job with active tasks that is no cron job', async () => {
    await rpc.running(1);
    expect(await schedule(cronOf('* * * * *'))).toMatch(/^INVALID_REQUEST: .*already exists/);
    expect(await stored()).toEqual([]);
    await rpc.world.report(KEY, 0, 'finished');
    expect(await schedule(cronOf('* * * * *'))).toBe('OK');
  });

  test('RPC-029 refuses without a schedule', async () => {
    expect(await schedule(jobOf())).toMatch(/^INVALID_REQUEST: cronSchedule must be set/);
  });

  test('RPC-003 refuses a bad tier, and a service', async () => {
    expect(await schedule(cronOf('* * * * *', { tier: ',' }))).toMatch(/^INVALID_REQUEST: .*tier/);
    expect(await schedule(cronOf('* * * * *', { isService: true }))).toMatch(
      /^INVALID_REQUEST: .*isService/,
    );
  });

  test('refuses more instances than a job may have', async () => {
    expect(await schedule(cronOf('* * * * *', {}, { instanceCount: 1001 }))).toMatch(
      /^INVALID_REQUEST: .*1000/,
    );
  });

  test.each([
    ['no description', undefined, /^ERROR: description must be set/],
    ['no key', { ...jobOf(), key: undefined }, /^ERROR: description.key must be set/],
    ['a bad key', jobOf({}, 1, { key: { ...KEY, name: 'a b' } }), /^ERROR: description.key: /],
  ])('is an ERROR with %s', async (_, description, text) => {
    expect(await schedule(description)).toMatch(text);
  });
});

describe('replaceCronTemplate', () => {
  test('RPC-031 replaces a template; without one it is refused and nothing is stored', async () => {
    expect(await replace(cronOf('* * * * *'))).toMatch(/^INVALID_REQUEST: .*no cron schedule/);
    expect(counted()).toBe(0);
    expect(await stored()).toEqual([]);
    await rpc.ok('scheduleCronJob', { description: cronOf('* * * * *') });
    expect(await rpc.call('replaceCronTemplate', { config: cronOf('7 * * * *') })).toEqual(
      PLAIN_OK,
    );
    expect(await stored()).toMatchObject([{ schedule: '7 * * * *' }]);
    expect(counted()).toBe(2);
  });

  test('TASK-079 neither a job of tasks nor nothing can be replaced', async () => {
    await rpc.running(1);
    expect(await replace(cronOf('* * * * *'))).toMatch(/^INVALID_REQUEST: .*no cron schedule/);
    expect(await stored()).toEqual([]);
  });
});

describe('both', () => {
  test.each([
    [
      'RPC-032 and TASK-079 RUN_OVERLAP',
      cronOf('* * * * *', {}, { cronCollisionPolicy: 'RUN_OVERLAP' }),
    ],
    ['RPC-035 an unreadable schedule', cronOf('1/1 * * * *')],
    ['RPC-035 an empty schedule', cronOf('')],
    ['a field of commas', cronOf(', * * * *')],
    ['31 February', cronOf('0 0 31 2 *')],
  ])('%s is refused, and what was stored stays', async (_, description) => {
    expect(await schedule(description)).toMatch(/^INVALID_REQUEST: cron/);
    expect(await stored()).toEqual([]);
    await rpc.ok('scheduleCronJob', { description: cronOf('3 * * * *') });
    expect(await schedule(description)).toMatch(/^INVALID_REQUEST: cron/);
    expect(await replace(description)).toMatch(/^INVALID_REQUEST: cron/);
    expect(await stored()).toMatchObject([{ schedule: '3 * * * *', policy: null }]);
  });

  test('that the job exists is said before the schedule is read', async () => {
    await rpc.running(1);
    expect(await schedule(cronOf('x'))).toMatch(/already exists/);
  });

  test('RPC-018 an active update comes first', async () => {
    await rpc.running(1, version('old'));
    await rpc.startUpdate(aRequest({}, { taskConfig: version('new'), instanceCount: 1 }));
    const big = cronOf('x', {}, { instanceCount: 1001 });
    expect(await schedule(big)).toMatch(/^JOB_UPDATING_ERROR: /);
    expect(await replace(big)).toMatch(/^JOB_UPDATING_ERROR: /);
  });
});

describe('descheduleCronJob', () => {
  test('RPC-033 removes the template and its timer, and leaves running tasks alone', async () => {
    await rpc.ok('scheduleCronJob', { description: cronOf('* * * * *') });
    await rpc.ok('startCronJob', { job: KEY });
    await rpc.world.settle();
    expect(await rpc.call('descheduleCronJob', { job: KEY })).toEqual(PLAIN_OK);
    expect(await stored()).toEqual([]);
    expect(Object.keys(await rpc.world.statuses(KEY))).toEqual(['0']);
    await rpc.world.advance(180_000);
    expect(await rpc.world.tasks(KEY)).toHaveLength(1);
    const { code, details } = await rpc.call('descheduleCronJob', { job: KEY });
    expect([code, details.length]).toEqual(['OK', 1]);
  });
});

describe('startCronJob', () => {
  test('RPC-034 starts a run that is not due; it is refused without a template', async () => {
    expect(await rpc.verdict('startCronJob', { job: KEY })).toMatch(/^INVALID_REQUEST: Failed/);
    await rpc.ok('scheduleCronJob', {
      description: cronOf('0 0 1 7 *', {}, { instanceCount: 2 }),
    });
    expect(await rpc.call('startCronJob', { job: KEY })).toEqual(PLAIN_OK);
    await rpc.world.settle();
    expect(Object.keys(await rpc.world.statuses(KEY))).toEqual(['0', '1']);
  });
});

describe('other RPCs and a cron job', () => {
  beforeEach(async () => {
    await rpc.ok('scheduleCronJob', { description: cronOf('* * * * *', { tier: 'tier-dev' }) });
  });

  test('RPC-005 and TASK-079 createJob finds that the job exists', async () => {
    expect(await rpc.verdict('createJob', { description: jobOf() })).toMatch(
      /^INVALID_REQUEST: .*already exists/,
    );
    await rpc.ok('descheduleCronJob', { job: KEY });
    expect(await rpc.verdict('createJob', { description: jobOf() })).toBe('OK');
  });

  test('RPC-025 addInstances is refused, running tasks or not', async () => {
    await rpc.ok('startCronJob', { job: KEY });
    await rpc.world.settle();
    const key = { jobKey: KEY, instanceId: 0 };
    expect(await rpc.verdict('addInstances', { key, count: 1 })).toMatch(
      /^INVALID_REQUEST: .*cron job/,
    );
  });

  test('RPC-046 startJobUpdate is refused, before what breaks the diff', async () => {
    for (const instanceCount of [1, -1]) {
      const request = aRequest({}, { taskConfig: version('new'), instanceCount });
      expect(await rpc.verdict('startJobUpdate', { request })).toMatch(
        /^INVALID_REQUEST: .*cron job/,
      );
    }
  });

  test('RPC-046 a job that becomes a cron job while the start waits is not updated', async () => {
    await rpc.ok('descheduleCronJob', { job: KEY });
    const scheduled = rpc.verdict('scheduleCronJob', { description: cronOf('* * * * *') });
    const request = aRequest({}, { taskConfig: version('new'), instanceCount: 1 });
    const started = rpc.verdict('startJobUpdate', { request });
    expect(await scheduled).toBe('OK');
    expect(await started).toMatch(/^INVALID_REQUEST: .*cron job/);
  });

  test('RPC-082 getJobUpdateDiff is refused, before missing settings are', async () => {
    const request = aRequest({}, { taskConfig: version('new'), instanceCount: 1 });
    for (const sent of [request, { ...request, settings: undefined }]) {
      expect(await rpc.verdict('getJobUpdateDiff', { request: sent })).toMatch(
        /^INVALID_REQUEST: .*cron job/,
      );
    }
  });

  test('killTasks kills its tasks and leaves the template', async () => {
    await rpc.ok('startCronJob', { job: KEY });
    await rpc.world.settle();
    await rpc.ok('killTasks', { job: KEY });
    expect(await stored()).toHaveLength(1);
  });
});

describe('getJobSummary', () => {
  const summaries = async (role?: string) => (await rpc.ok('getJobSummary', { role })).summaries;
  const NONE = {
    activeTaskCount: 0,
    finishedTaskCount: 0,
    failedTaskCount: 0,
    pendingTaskCount: 0,
  };

  test('RPC-067 a cron job without tasks: its template, no tasks, and the next run', async () => {
    const description = cronOf('* * * * *', { tier: 'tier-dev' }, { instanceCount: 3 });
    await rpc.ok('scheduleCronJob', { description });
    const expected = [{ job: description, stats: NONE, nextCronRunMs: NEXT_MINUTE }];
    expect(await summaries('bar_role')).toEqual(expected);
    await rpc.ok('scheduleCronJob', {
      description: cronOf('* * * * *', { job: OTHER }, { key: OTHER }),
    });
    expect(await summaries('bar_role')).toEqual(expected);
    expect(await summaries()).toHaveLength(2);
    expect(await summaries('nobody')).toEqual([]);
  });

  test('RPC-067 a cron job with tasks: the template, not what the tasks say', async () => {
    await rpc.ok('scheduleCronJob', { description: cronOf('5 * * * *') });
    await rpc.ok('startCronJob', { job: KEY });
    await rpc.world.settle();
    const replaced = cronOf('6 * * * *', version('b', { isService: false, tier: 'tier-dev' }), {
      ...{ instanceCount: 7, cronCollisionPolicy: 'CANCEL_NEW' as const },
    });
    await rpc.ok('replaceCronTemplate', { config: replaced });
    expect(await summaries('bar_role')).toEqual([
      {
        job: replaced,
        stats: { ...NONE, activeTaskCount: 1 },
        nextCronRunMs: Date.UTC(2026, 0, 1, 0, 6),
      },
    ]);
  });

  test('RPC-068 a stored schedule that never fires has no next run', async () => {
    await rpc.ok('scheduleCronJob', { description: cronOf('* * * * *') });
    await rpc.world.sql(`UPDATE cron_jobs SET schedule = '* * 31 2 *'`);
    const [summary] = await summaries('bar_role');
    expect(summary).not.toHaveProperty('nextCronRunMs');
  });

  test('a stored schedule that is none is an ERROR that names the job', async () => {
    await rpc.ok('scheduleCronJob', { description: cronOf('* * * * *') });
    await rpc.world.sql(`UPDATE cron_jobs SET schedule = 'often'`);
    expect(await rpc.verdict('getJobSummary', {})).toMatch(/^ERROR: .*bar_role\/devel\/job_foo/);
  });
});

describe('getJobs', () => {
  test('RPC-075 has the templates of all roles beside jobs with active tasks', async () => {
    await rpc.ok('scheduleCronJob', { description: cronOf('* * * * *') });
    await rpc.ok('scheduleCronJob', {
      description: cronOf('* * * * *', { job: OTHER }, { key: OTHER }),
    });
    await rpc.running(1, {}, { ...KEY, name: 'immediate' });
    const { configs } = await rpc.ok('getJobs', {});
    expect(configs).toHaveLength(3);
    const names = configs.map((job: JobConfiguration) => [job.key?.name, job.cronSchedule]);
    expect(names.sort()).toEqual([
      ['immediate', undefined],
      ['job_foo', '* * * * *'],
      ['job_foo', '* * * * *'],
    ]);
  });

  test('the role "" shows tasks of all roles and no template', async () => {
    await rpc.ok('scheduleCronJob', { description: cronOf('* * * * *') });
    expect((await rpc.ok('getJobs', { ownerRole: '' })).configs).toEqual([]);
    await rpc.ok('startCronJob', { job: KEY });
    await rpc.world.settle();
    const { configs } = await rpc.ok('getJobs', { ownerRole: '' });
    expect(configs).toHaveLength(1);
    expect(configs[0]).not.toHaveProperty('cronSchedule');
  });
});

test('RPC-077 getRoleSummary counts templates beside jobs with tasks, and knows roles without tasks', async () => {
  await rpc.running(1, {}, { ...KEY, name: 'immediate' });
  await rpc.ok('scheduleCronJob', { description: cronOf('* * * * *') });
  await rpc.ok('scheduleCronJob', {
    description: cronOf('* * * * *', { job: OTHER }, { key: OTHER }),
  });
  await rpc.ok('startCronJob', { job: KEY });
  await rpc.world.settle();
  const { summaries } = await rpc.ok('getRoleSummary');
  expect(summaries).toEqual([
    { role: 'bar_role', jobCount: 2, cronJobCount: 1 },
    { role: 'other_role', jobCount: 0, cronJobCount: 1 },
  ]);
});
