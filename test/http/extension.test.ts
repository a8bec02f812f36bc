/** The extension over HTTP: both protocols, the calls of docs/extension.md, and old clients beside them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PulseTarget } from '../../src/commands/pulse.js';
import { pulse } from '../../src/commands/pulse.js';
import type { PlainRecord } from '../../src/wire/presence.js';
import { auroraSchema } from '../../src/wire/idl.js';
import { structOf } from '../../src/wire/schema.js';
import { until } from '../backend/support/wait.js';
import type { TestApp } from '../support/app.js';
import { startTestApp } from '../support/app.js';

const KEY = { role: 'www', environment: 'prod', name: 'shop' };
const MONITOR = { key: 'monitor', value: 'https://monitor.example.com/shop' };
const NEVER_MS = 86_400_000;

let app: TestApp;

beforeAll(async () => {
  app = await startTestApp();
});

afterAll(() => app.stop());

/** Starts a coordinated update that creates the job's instance, and returns its id. */
async function start(name = KEY.name, blockIfNoPulsesAfterMs = NEVER_MS): Promise<string> {
  const task = {
    ...{ job: { ...KEY, name }, owner: { user: 'deployer' }, isService: true, maxTaskFailures: 1 },
    resources: [{ numCpus: 0.01 }, { ramMb: 1 }, { diskMb: 1 }],
    executorConfig: { name: 'AuroraExecutor', data: '{}' },
  };
  const settings = {
    ...{ updateGroupSize: 1, maxPerInstanceFailures: 0, maxFailedInstances: 0 },
    ...{ minWaitInInstanceRunningMs: NEVER_MS, rollbackOnFailure: true, blockIfNoPulsesAfterMs },
  };
  const request = { taskConfig: task, instanceCount: 1, settings, metadata: [MONITOR] };
  const { result, details } = await app
    .client()
    .call('startJobUpdate', { request, message: 'release 2' });
  expect(details).toEqual([]);
  return (result?.['startJobUpdateResult']?.['key'] as { id: string }).id;
}

test.each(['binary', 'json'] as const)('all three methods over %s', async (protocol) => {
  const name = `shop-${protocol}`;
  const id = await start(name);
  const key = { job: { ...KEY, name }, id };
  const client = app.client({ protocol });
  const call = async (method: string, args: PlainRecord): Promise<unknown> => {
    const { responseCode, details, result } = await client.call<unknown>(method, args);
    return [responseCode, details, result];
  };
  const unknown = await call('heartbeatJobUpdate', { updateId: 'none' });
  expect(unknown).toEqual([
    'INVALID_REQUEST',
    [{ message: 'There is no update none.' }],
    undefined,
  ]);
  expect(await call('getJobUpdateBlockers', { query: { keys: [key] } })).toEqual([
    ...['OK', []],
    {
      updates: [
        {
          ...{ key, status: 'ROLL_FORWARD_AWAITING_PULSE', user: 'UNSECURE', metadata: [MONITOR] },
          text: expect.stringContaining('waiting for a heartbeat'),
          heartbeat: { sinceMs: expect.any(Number), limitMs: NEVER_MS },
          ...{ instances: [], instanceCount: 0 },
        },
      ],
    },
  ]);
  expect(await call('heartbeatJobUpdate', { updateId: id })).toEqual(['OK', [], { status: 'OK' }]);
  const other = { job: key.job, id: 'none' };
  expect(await call('pulseJobUpdates', { keys: [key, other, { id }] })).toEqual([
    ...['OK', []],
    {
      updates: [
        { key, status: 'OK' },
        { key: other, status: 'UNKNOWN' },
        { key: { id }, status: 'MALFORMED_KEY' },
      ],
    },
  ]);
});

test('ten thousand keys are read and answered in both protocols', async () => {
  const keys = Array.from({ length: 10_000 }, (_, n) => ({ job: KEY, id: `no-such-update-${n}` }));
  for (const protocol of ['binary', 'json'] as const) {
    const { responseCode, result } = await app
      .client({ protocol })
      .call<{ updates: unknown[] }>('pulseJobUpdates', { keys });
    expect([responseCode, result?.updates.length]).toEqual(['OK', 10_000]);
  }
});

test('a client that knows only Response reads the code and the details of these replies', async () => {
  const { fields } = structOf(auroraSchema(), 'Response');
  expect(fields.map((field) => field.id)).not.toContain(7);
  const body = '[1,"heartbeatJobUpdate",1,0,{"1":{"str":"none"}}]';
  const reply = (await (await post(body)).json()) as [number, string, number, number, JsonReply];
  const { '1': code, '6': details } = reply[4][0].rec;
  expect([code, details]).toEqual([
    { i32: 0 },
    { lst: ['rec', 1, { 1: { str: 'There is no update none.' } }] },
  ]);
});

type JsonReply = Record<'0', { readonly rec: Readonly<Record<string, unknown>> }>;

function post(body: string): Promise<Response> {
  const headers = { 'Content-Type': 'application/x-thrift' };
  return fetch(`${app.url}/api`, { method: 'POST', headers, body });
}

test('the calls of docs/extension.md do what it says', async () => {
  const text = readFileSync(join(__dirname, '..', '..', 'docs', 'extension.md'), 'utf8');
  const bodies = [...text.matchAll(/-d '([^']+)'/g)].map((match) => match[1] ?? '');
  const id = await start();
  const send = async (body: string): Promise<string> =>
    (await post(body.replace('UPDATE_ID', id))).text();
  const [heartbeat = '', bulk = '', why = ''] = bodies;
  const replies = [await send(heartbeat), await send(bulk)];
  // The step that the heartbeat let through may be on its way to Postgres still.
  replies.push(
    await until('the step is taken', async () => {
      const reply = await send(why);
      return reply.includes('watched for') && reply;
    }),
  );
  expect(bodies).toHaveLength(3);
  for (const reply of replies)
    expect(reply).toMatch(/^\[1,"\w+",2,0,\{"0":\{"rec":\{"1":\{"i32":1\}/);
  expect(replies[0]).toContain('"7":{"rec":{"1":{"i32":1}}}');
  expect(replies[1]).toContain('long-gone');
  expect(replies[2]).toContain('waiting for instance 0');
  expect(text).toContain('waiting for instance 0');
});

describe('aurora-shim pulse with a bare id', () => {
  const command = (target: PulseTarget, check: readonly string[] = []) => ({
    ...{ target, url: app.url, intervalMs: 250, timeoutMs: 5_000, command: check },
  });

  test('tells of a pause, and ends when the update has ended', async () => {
    const id = await start('monitored');
    const key = { job: { ...KEY, name: 'monitored' }, id };
    const client = app.client();
    const lines: string[] = [];
    const next: Readonly<Record<string, string>> = {
      [`${id}: pulsed`]: 'pauseJobUpdate',
      [`${id}: pulsed, but somebody paused it`]: 'abortJobUpdate',
    };
    const code = await pulse(command({ id }), (line) => {
      lines.push(line);
      const method = next[line];
      if (method !== undefined) void client.call(method, { key });
    });
    expect([code, lines.at(-1)]).toEqual([0, `${id}: needs no more pulses`]);
    expect(lines).toHaveLength(3);
    expect(await pulse(command({ id: 'none' }), (line) => lines.push(line))).toBe(1);
  });

  test('finds the key it needs to pause the update when the check fails', async () => {
    const id = await start('sick');
    const lines: string[] = [];
    const check = ['sh', '-c', 'echo latency is up; exit 1'];
    expect(await pulse(command({ id }, check), (line) => lines.push(line))).toBe(2);
    expect(lines).toEqual([`paused ${id}: latency is up`]);
    const { result } = await app.client().call('getJobUpdateSummaries', {
      jobUpdateQuery: { jobKey: { ...KEY, name: 'sick' } },
    });
    expect(result?.['getJobUpdateSummariesResult']?.['updateSummaries']).toMatchObject([
      { key: { id }, state: { status: 'ROLL_FORWARD_PAUSED' } },
    ]);
  });

  test('ends when the check fails and there is nothing left to pause', async () => {
    const id = await start('over');
    const key = { job: { ...KEY, name: 'over' }, id };
    await app.client().call('abortJobUpdate', { key });
    const lines: string[] = [];
    const run = (target: PulseTarget): Promise<number> =>
      pulse(command(target, ['false']), (line) => lines.push(line));
    expect(await run({ id })).toBe(0);
    expect(await run(key)).toBe(0);
    expect(await run({ id: 'none' })).toBe(1);
    expect(await run({ ...key, id: 'none' })).toBe(1);
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(/the check failed .*, and the update needs no more pulses$/);
  });

  test('a check that takes too long has failed, and what it started ends with it', async () => {
    const id = await start('slow');
    const lines: string[] = [];
    const options = command({ id }, ['sh', '-c', 'echo $$; sleep 600; true']);
    expect(await pulse({ ...options, timeoutMs: 200 }, (line) => lines.push(line))).toBe(2);
    expect(lines).toEqual([`paused ${id}: sh took longer than 200 ms`]);
  });
});
