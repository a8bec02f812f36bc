/** The whole scheduler with users: who may do what, and what it remembers of them. */
import { pulse, parsePulse } from '../../src/commands/pulse.js';
import type { PlainRecord } from '../../src/wire/presence.js';
import type { TestApp } from '../support/app.js';
import { startTestApp } from '../support/app.js';
import { answered, as, atOnce, INI, testFile, whenAsked } from './secured.js';

const KEY = { role: 'www', environment: 'prod', name: 'shop' };
const OTHER = { ...KEY, name: 'other' };
const DAY_MS = 86_400_000;
const MONITOR = { user: 'monitor', password: 'beat' };
const SHIRO = { user: 'shiro', password: 'ini' };

const USERS = `${INI.replace('[roles]', 'monitor = beat, monitor\nshiro = ini, eng\n[roles]')}
monitor = thrift.AuroraSchedulerManager:pulseJobUpdate:www:prod:shop
`;

let app: TestApp;
let releases = 0;

beforeAll(async () => {
  const path = testFile('shiro.ini', USERS);
  app = await startTestApp({
    flags: ['-http_authentication_mechanism=BASIC', `-shiro_ini_path=${path}`],
  });
});

afterAll(() => app.stop());

function task(job = KEY): PlainRecord {
  return {
    ...{ job, owner: { user: 'deployer' }, isService: true, maxTaskFailures: 1 },
    resources: [{ numCpus: 0.01 }, { ramMb: 1 }, { diskMb: 1 }],
    executorConfig: { name: 'AuroraExecutor', data: '{}' },
  };
}

function description(key = KEY, job = key): PlainRecord {
  return { key, owner: { user: 'deployer' }, taskConfig: task(job), instanceCount: 1 };
}

/** Starts a coordinated update as alice, and returns its key. */
async function start(job = KEY): Promise<{ job: typeof KEY; id: string }> {
  const settings = {
    ...{ updateGroupSize: 1, maxPerInstanceFailures: 0, maxFailedInstances: 0 },
    ...{ minWaitInInstanceRunningMs: DAY_MS, rollbackOnFailure: true },
    blockIfNoPulsesAfterMs: DAY_MS,
  };
  // Another config each time, so that there is something to update.
  const taskConfig = { ...task(job), contactEmail: `${++releases}@example.com` };
  const request = { taskConfig, instanceCount: 1, settings };
  const { result, details } = await app
    .client({ credentials: as('alice') })
    .call('startJobUpdate', { request, message: 'release 2' });
  expect(details).toEqual([]);
  const { key, updateSummary } = result?.['startJobUpdateResult'] as Record<string, PlainRecord>;
  expect(updateSummary).toMatchObject({ user: 'alice' });
  return key as unknown as { job: typeof KEY; id: string };
}

test.each([
  ['at once', atOnce],
  ['when asked', whenAsked],
])(
  'OPS-002, OPS-017 a client that logs in %s kills, and its user is who killed',
  async (_, client) => {
    const key = { ...KEY, name: `killed-${client.name.toLowerCase()}` };
    const shiro = client(app.url, SHIRO);
    expect(await shiro('createJob', { description: description(key) })).toBe('OK');
    expect(await atOnce(app.url)('killTasks', { job: key })).toBe(401);
    expect(await shiro('killTasks', { job: key, message: 'Test message' })).toBe('OK');
    // Reads need no login.
    const { result } = await app.client().call('getTasksStatus', { query: { jobName: key.name } });
    const [killed] = result?.['scheduleStatusResult']?.['tasks'] as PlainRecord[];
    const events = (killed?.['taskEvents'] ?? []) as PlainRecord[];
    expect(events.map(({ message }) => message)).toContain('Killed by shiro.\nTest message');
  },
);

test('refusals carry one detail and serverInfo, and are counted', async () => {
  const raw = async (user: Parameters<typeof as>[0], method: string, args = {}): Promise<unknown> =>
    app.client({ credentials: as(user) }).call(method, args);
  const serverInfo = { clusterName: 'devcluster', statsUrlPrefix: '' };
  expect(await raw('carol', 'killTasks', { job: KEY })).toEqual({
    ...{ responseCode: 'AUTH_FAILED', serverInfo },
    details: [{ message: 'carol may not call killTasks for www/prod/shop.' }],
  });
  expect(await raw('root', 'killTasks')).toEqual({
    ...{ responseCode: 'INVALID_REQUEST', serverInfo },
    details: [{ message: 'job must be set' }],
  });
  expect(await raw('alice', 'snapshot')).toMatchObject({ responseCode: 'AUTH_FAILED' });
  expect(await atOnce(app.url, { user: 'root', password: 'wrong' })('getJobs')).toBe(401);
  const text = async (path: string): Promise<string> => (await fetch(app.url + path)).text();
  const vars = await text('/vars');
  expect(vars).toMatch(/^shiro_authorization_failures 2$/m);
  expect(vars).toMatch(/^shiro_bad_requests 1$/m);
  expect(vars).toMatch(/^scheduler_thrift_response_AUTH_FAILED 2$/m);
  const metrics = await text('/metrics');
  expect(metrics).toMatch(/^aurora_auth_failures_total\{kind="permission"\} 2$/m);
  expect(metrics).toMatch(/^aurora_auth_failures_total\{kind="bad_job_key"\} 1$/m);
  expect(metrics).toMatch(/^aurora_auth_failures_total\{kind="login"\} 1$/m);
});

test('a permission for one job does not reach another by way of the task config', async () => {
  const root = atOnce(app.url, as('root'));
  expect(await root('createJob', { description: description(KEY, OTHER) })).toBe('INVALID_REQUEST');
  const cron = { ...description(KEY, OTHER), cronSchedule: '* * * * *' };
  expect(await root('scheduleCronJob', { description: cron })).toBe('INVALID_REQUEST');
});

test('who started and who paused an update is recorded; a pulse by permission, in each of its forms', async () => {
  const key = await start();
  const other = await start(OTHER);
  const client = app.client({ credentials: MONITOR });
  const call = async (method: string, args: PlainRecord): Promise<unknown> => {
    const { responseCode, result } = await client.call<unknown>(method, args);
    return responseCode === 'OK' ? result : responseCode;
  };
  expect(await call('pulseJobUpdate', { key: other })).toBe('AUTH_FAILED');
  expect(await call('heartbeatJobUpdate', { updateId: other.id })).toBe('AUTH_FAILED');
  const unknown = { job: KEY, id: 'none' };
  const keys = [key, other, unknown, { ...unknown, job: OTHER }, { id: 'x' }];
  expect(await call('pulseJobUpdates', { keys })).toEqual({
    updates: [
      { key, status: 'OK' },
      { key: other, status: 'NOT_PERMITTED' },
      { key: unknown, status: 'UNKNOWN' },
      { key: { ...unknown, job: OTHER }, status: 'NOT_PERMITTED' },
      { key: { id: 'x' }, status: 'MALFORMED_KEY' },
    ],
  });
  expect(await call('pulseJobUpdate', { key })).toEqual({ pulseJobUpdateResult: { status: 'OK' } });
  expect(await call('heartbeatJobUpdate', { updateId: key.id })).toEqual({ status: 'OK' });
  expect(await call('heartbeatJobUpdate', { updateId: 'none' })).toBe('INVALID_REQUEST');
  expect(await call('pauseJobUpdate', { key })).toBe('AUTH_FAILED');
  for (const method of ['heartbeatJobUpdate', 'pulseJobUpdates', 'pulseJobUpdate']) {
    expect(await answered(app.client().call(method, { updateId: key.id, keys, key }))).toBe(401);
  }

  // None of what was refused has reached the other update: no heartbeat of it was ever heard.
  const { result } = await app.client().call<{ updates: PlainRecord[] }>('getJobUpdateBlockers', {
    query: { keys: [other] },
  });
  expect(result?.updates[0]).toMatchObject({ heartbeat: { limitMs: DAY_MS } });
  expect(result?.updates[0]?.['heartbeat']).not.toHaveProperty('lastPulseMs');

  const root = app.client({ credentials: as('root') });
  await root.call('pauseJobUpdate', { key, message: 'wait' });
  const read = await app.client().call('getJobUpdateDetails', { query: { key } });
  const [details] = read.result?.['getJobUpdateDetailsResult']?.['detailsList'] as PlainRecord[];
  const events = (details?.['updateEvents'] as PlainRecord[]).map(({ user, message }) => [
    user,
    message,
  ]);
  expect(events[0]).toEqual(['alice', 'release 2']);
  expect(events).toContainEqual(['root', 'wait']);

  // Its id is in the store alone then, and still the job decides.
  await root.call('abortJobUpdate', { key: other });
  expect(await call('heartbeatJobUpdate', { updateId: other.id })).toBe('AUTH_FAILED');
  await root.call('abortJobUpdate', { key });
  expect(await call('heartbeatJobUpdate', { updateId: key.id })).toEqual({ status: 'FINISHED' });
});

describe('aurora-shim pulse', () => {
  test('logs in with a user and a password from a file or the environment, and shows neither', async () => {
    const { id } = await start();
    const client = app.client({ credentials: as('alice') });
    const key = { job: KEY, id };
    const file = testFile('password', 'beat\nnot this\n');
    const run = async (argv: readonly string[], env = {}): Promise<[number, string[]]> => {
      const lines: string[] = [];
      const target = `www/prod/shop/${id}`;
      const options = parsePulse([target, `--url=${app.url}`, '--interval=1secs', ...argv], env);
      const code = await pulse(options, (line) => {
        lines.push(line);
        if (line.endsWith(': pulsed')) void client.call('abortJobUpdate', { key });
      });
      expect(lines.join()).not.toMatch(/beat|12345/);
      return [code, lines];
    };
    expect(await run([])).toEqual([1, [expect.stringContaining('(HTTP 401)')]]);
    const carol = { AURORA_SHIM_USER: 'carol', AURORA_SHIM_PASSWORD: '12345' };
    expect(await run([], carol)).toEqual([1, [expect.stringContaining('carol may not call')]]);
    const [code, lines] = await run(['--user=monitor', `--password_file=${file}`], carol);
    expect([code, lines.at(-1)]).toEqual([0, expect.stringContaining('needs no more pulses')]);
  });

  test.each<[string[], Record<string, string>, string]>([
    [['--user=ann'], {}, 'user ann needs a password: --password_file or AURORA_SHIM_PASSWORD'],
    [[], { AURORA_SHIM_PASSWORD: 'x' }, 'a password needs --user or AURORA_SHIM_USER'],
    [['--user=a:b'], { AURORA_SHIM_PASSWORD: 'x' }, '--user must not be empty, nor hold a colon'],
    [['--user=a', '--password_file=/no/file'], {}, 'ENOENT'],
  ])('%j with %j: %s', (argv, env, message) => {
    expect(() => parsePulse(['id', ...argv], env)).toThrow(message);
  });
});

test('a start with a wrong INI fails with flag, file, line and rule', async () => {
  const path = testFile('wrong.ini', '[users]\nann\n');
  const flags = ['-http_authentication_mechanism=BASIC', `-shiro_ini_path=${path}`];
  await expect(startTestApp({ flags })).rejects.toThrow(
    `--shiro_ini_path=${path}: line 2: must be a name, "=" and a value`,
  );
});
