/**
 * SLA coordinators over real HTTP on loopback (tasks.md §9.2): what they are sent, which replies are a yes,
 * and how many are asked at once.
 */
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CoordinatorQuestion } from '../../src/core/sla/coordinator.js';
import { silentLog } from '../../src/observe/log.js';
import { Stats } from '../../src/observe/stats.js';
import { Coordinator } from '../../src/outbound/coordinator.js';
import { systemTimers } from '../../src/time.js';
import { aConfig, aJob } from '../support/builders.js';

interface Call {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly contentType: string | undefined;
  readonly body: Record<string, unknown>;
  readonly response: ServerResponse;
}

let server: Server;
let base: string;
let stats: Stats;
let coordinator: Coordinator;
/** Calls whose body has come in. */
let calls: Call[];
/** What becomes of a call; by default it is left without a reply. */
let respond: (response: ServerResponse) => void;

beforeEach(async () => {
  calls = [];
  respond = () => undefined;
  server = createServer((request, response) => void take(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  create();
});

afterEach(async () => {
  coordinator.close();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const { method, url: path, headers } = request;
  const body = JSON.parse(Buffer.concat(pieces).toString()) as Call['body'];
  calls.push({ method, path, contentType: headers['content-type'], body, response });
  respond(response);
}

function create(more: { timeoutMs?: number; maxParallel?: number } = {}): void {
  stats = new Stats();
  coordinator = new Coordinator({
    settings: { clusterName: 'cluster', timeoutMs: 5_000, maxParallel: 10, ...more },
    timers: systemTimers,
    log: silentLog,
    stats,
  });
}

function question(path = '/', instanceId = 0, statusKey = 'drain'): CoordinatorQuestion {
  const task = {
    assignedTask: { taskId: 'id', instanceId, task: aConfig('x'), assignedPorts: { http: 31_000 } },
    status: 'RUNNING',
  };
  return { url: `${base}${path}`, statusKey, job: aJob(), instanceId, task };
}

/** The verdict that the action is called with. */
async function ask(asked: CoordinatorQuestion): Promise<boolean> {
  const verdicts: boolean[] = [];
  await coordinator.ask(asked, async (isGranted) => void verdicts.push(isGranted));
  expect(verdicts).toHaveLength(1);
  return verdicts[0] === true;
}

function json(value: unknown, status = 200): (response: ServerResponse) => void {
  return (response) => response.writeHead(status).end(JSON.stringify(value));
}

async function until(condition: () => boolean): Promise<void> {
  for (let n = 0; n < 1_000 && !condition(); n++) await new Promise((next) => setTimeout(next, 5));
  expect(condition()).toBe(true);
}

const counted = (name: string): number => Number(stats.snapshot()[`sla_coordinator_${name}`] ?? 0);

test('TASK-095 testCheckCoordinatorSlaPassesThenActs: a POST with the task in query and body', async () => {
  respond = json({ drain: true });
  expect(await ask(question('/ask?token=1', 7))).toBe(true);
  const [call] = calls;
  expect(call).toMatchObject({
    method: 'POST',
    path: '/ask?token=1&task=cluster%2Frole%2Ftest%2Fjob1%2F7',
    contentType: 'application/json',
  });
  expect(Object.keys(call?.body ?? {})).toEqual(['taskConfig', 'task']);
  expect(call?.body).toMatchObject({
    task: 'cluster/role/test/job1/7',
    taskConfig: {
      assignedTask: { taskId: 'id', instanceId: 7, task: { isService: 1, job: { ...aJob() } } },
      status: 2,
    },
  });
  expect([counted('attempts'), counted('success')]).toEqual([1, 1]);
});

test('TASK-095 testCheckCoordinatorSlaPassesThenActsCustomStatusKey', async () => {
  respond = json({ 'custom-key': true, drain: false });
  expect(await ask(question('/', 0, 'custom-key'))).toBe(true);
  expect(await ask(question('/', 0))).toBe(false);
});

test('TASK-096 testCheckCoordinatorWithExtraParamsSlaPassesThenActs: further texts come last in the body', async () => {
  respond = json({ drain: true });
  expect(await ask({ ...question(), params: { someKey: 'someValue' } })).toBe(true);
  const body = calls[0]?.body ?? {};
  expect(Object.keys(body)).toEqual(['taskConfig', 'task', 'someKey']);
  expect(body['someKey']).toBe('someValue');
});

test.each<[string, (response: ServerResponse) => void, string]>([
  ['false', json({ drain: false }), 'success'],
  ['an error status, whatever it says', json({ drain: true }, 500), 'user_errors'],
  [
    'a redirect, which is not followed',
    (r) => r.writeHead(302, { Location: '/' }).end(),
    'user_errors',
  ],
  ['bad JSON', (r) => r.end('{"drain": tr'), 'success'],
  ['no boolean', json({ drain: 'true' }), 'success'],
  ['no such member', json({}), 'success'],
  ['nothing at all', (r) => r.destroy(), 'errors'],
  [
    'half a reply',
    (r) => {
      r.writeHead(200, { 'Content-Length': 100 }).write('{"drain": true}', () => r.destroy());
    },
    'errors',
  ],
  ['a reply without end', (r) => r.end(Buffer.alloc(65 * 1024, ' ')), 'errors'],
])('TASK-097 testCheckCoordinatorSlaFailsDoesNotAct: %s', async (_, reply, counter) => {
  respond = reply;
  expect(await ask(question())).toBe(false);
  expect(counted('attempts')).toBe(1);
  expect(counted(counter)).toBe(1);
  if (counter !== 'success') expect(counted(`${counter}_cluster/role/test/job1/0`)).toBe(1);
  expect(calls).toHaveLength(1);
});

test.each(['http://127.0.0.1:1/', 'http://host.invalid/', 'ftp://127.0.0.1/', 'no URL', ''])(
  'TASK-097 testCheckCoordinatorSlaThrowsDoesNotAct: %j cannot be asked',
  async (url) => {
    expect(await ask({ ...question(), url })).toBe(false);
    expect(counted('errors')).toBe(1);
    // The lock is free again.
    expect(await ask({ ...question(), url })).toBe(false);
    expect([counted('errors'), counted('lock_starvation')]).toEqual([2, 0]);
  },
);

test('a coordinator that says nothing, or says it too slowly, is given up', async () => {
  create({ timeoutMs: 50 });
  expect(await ask(question())).toBe(false);
  respond = (response) => void response.writeHead(200).write('{');
  expect(await ask(question())).toBe(false);
  expect([counted('attempts'), counted('errors'), counted('success')]).toEqual([2, 2, 0]);
});

test('TASK-099 testCheckCoordinatorSlaNoLockDoesNotAct: one question at a time for a URL, until it is acted on', async () => {
  let acted = (): void => undefined;
  respond = json({ drain: true });
  const verdicts: boolean[] = [];
  const first = coordinator.ask(question('/a', 0), (isGranted) => {
    verdicts.push(isGranted);
    return new Promise((resolve) => (acted = () => resolve()));
  });
  expect(await ask(question('/a', 1))).toBe(false);
  await until(() => verdicts.length === 1);
  // Answered, but the kill is not written yet.
  expect(await ask(question('/a', 1))).toBe(false);
  expect(calls).toHaveLength(1);
  expect(counted('lock_starvation')).toBe(2);
  expect(counted('lock_starvation_cluster/role/test/job1/1')).toBe(2);
  acted();
  await first;
  expect(await ask(question('/a', 1))).toBe(true);
  expect(verdicts).toEqual([true]);
});

test('TASK-099 testCheckCoordinatorSlaParallelAct: other URLs are asked meanwhile, up to the limit', async () => {
  create({ maxParallel: 2 });
  const answers = ['/a', '/b', '/c', '/d'].map((path) => ask(question(path)));
  await until(() => calls.length === 2);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(calls.map(({ path }) => path?.slice(0, 2)).sort()).toEqual(['/a', '/b']);
  respond = json({ drain: true });
  for (const { response } of calls.slice(0, 2)) json({ drain: false })(response);
  expect(await Promise.all(answers)).toEqual([false, false, true, true]);
  expect(
    calls
      .slice(2)
      .map(({ path }) => path?.slice(0, 2))
      .sort(),
  ).toEqual(['/c', '/d']);
});

test('an action that fails frees lock and place', async () => {
  create({ maxParallel: 1 });
  respond = json({ drain: true });
  const failing = coordinator.ask(question('/a'), () => Promise.reject(new Error('no')));
  await expect(failing).rejects.toThrow('no');
  expect(await ask(question('/a'))).toBe(true);
});

test('after the end nobody is asked, and what is under way is a no', async () => {
  create({ maxParallel: 1 });
  const under = ask(question('/a'));
  const waiting = ask(question('/b'));
  await until(() => calls.length === 1);
  coordinator.close();
  expect(await Promise.all([under, waiting, ask(question('/c'))])).toEqual([false, false, false]);
  expect(calls).toHaveLength(1);
});
