/**
 * A whole scheduler past the deadline of its lease (updates.md G4, G10; operations.md §2.5): cut off from
 * Postgres, it neither keeps monitors content nor acts, also when the connection comes back too late.
 */
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import { updateKeyText } from '../../src/core/model/keys.js';
import { KEY, RpcWorld, aRequest, version } from '../rpc/support.js';
import { FlakyPostgres } from '../support/flaky-postgres.js';
import { Candidate, TTL } from './support.js';

const P = 60_000;
const DEADLINE = 0.7 * TTL;

let flaky: FlakyPostgres;
let rpc: RpcWorld;
let leader: Candidate | undefined;
let key: JobUpdateKey;

/** Two running instances, and a coordinated update that has killed the first of them. */
beforeEach(async () => {
  leader = undefined;
  flaky = await FlakyPostgres.listen();
  rpc = await RpcWorld.create({
    through: flaky,
    database: { mayAct: () => leader?.lease.mayAct() ?? true },
  });
  const { world } = rpc;
  leader = await new Candidate(flaky.to(world.database.url), TTL, world.time).begin();
  world.db.lead(leader.outcome as number);
  await rpc.running(2, version('old'));
  key = await rpc.startUpdate(
    aRequest({ blockIfNoPulsesAfterMs: P }, { taskConfig: version('new'), instanceCount: 2 }),
  );
  expect(await pulse()).toBe('OK');
  await world.settle();
  expect(await world.statuses(KEY)).toEqual({ 0: 'KILLING', 1: 'KILLING' });
});

afterEach(async () => {
  flaky.comeBack();
  await leader?.lease.release().catch(() => undefined);
  await rpc.close();
});

/** Status of the pulse, or the code of a refusal. */
async function pulse(): Promise<string> {
  const { code, result } = await rpc.call('pulseJobUpdate', { key });
  return code === 'OK' ? String(result?.status) : code;
}

/** Time passes for the scheduler and its lease alike. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 250) {
    rpc.world.time.tick(Math.min(250, left));
    rpc.world.time.fireDue();
    await leader?.settle();
    await rpc.world.settle();
  }
}

async function stored(): Promise<unknown> {
  const { world } = rpc;
  return [await world.tasks(KEY), await world.updateEvents(key), await world.instanceEvents(key)];
}

test('SH-23 pulses that still reach a leader past its deadline are never answered OK, and count for nothing', async () => {
  await pass(TTL / 5);
  flaky.goAway();
  await pass(DEADLINE - 1);
  expect(await pulse()).toBe('OK');
  const { heartbeats } = rpc.world.engine;
  const counted = heartbeats.get(updateKeyText(key));
  expect(counted).toBeDefined();
  await pass(1);
  for (let n = 0; n < 20; n++) {
    expect(await pulse()).toBe('ERROR_TRANSIENT');
    await pass(1_000);
    if (n === 10) flaky.comeBack();
  }
  expect(heartbeats.get(updateKeyText(key))).toBe(counted);
  expect(leader?.lost).toBe(1);
});

test('SH-23 nor does any other call hear an update status, or change anything', async () => {
  flaky.goAway();
  await pass(DEADLINE);
  flaky.comeBack();
  const request = aRequest({}, { taskConfig: version('newer'), instanceCount: 2 });
  const calls: [string, Record<string, unknown>][] = [
    ['getJobUpdateSummaries', { jobUpdateQuery: { key } }],
    ['getJobUpdateDetails', { query: { key } }],
    ['getJobUpdateDetails', { key }],
    ['startJobUpdate', { request }],
    ['pauseJobUpdate', { key }],
    ['resumeJobUpdate', { key }],
    ['abortJobUpdate', { key }],
    ['rollbackJobUpdate', { key }],
    ['killTasks', { job: KEY }],
    ['restartShards', { job: KEY, shardIds: [0] }],
    ['addInstances', { key: { jobKey: KEY, instanceId: 0 }, count: 1 }],
    ['descheduleCronJob', { job: KEY }],
    ['heartbeatJobUpdate', { updateId: key.id }],
    ['pulseJobUpdates', { keys: [key] }],
    ['getJobUpdateBlockers', { query: { keys: [key] } }],
  ];
  const before = await stored();
  const { statements } = rpc.world.db;
  for (const [method, args] of calls) {
    expect([method, (await rpc.call(method, args)).code]).toEqual([method, 'ERROR_TRANSIENT']);
  }
  expect(rpc.world.db.statements).toBe(statements);
  expect(await stored()).toEqual(before);
});

test('no tick acts past the deadline, and no command reaches the backend', async () => {
  const { world } = rpc;
  flaky.goAway();
  await pass(DEADLINE);
  flaky.comeBack();
  const before = await stored();
  const told = [jest.spyOn(world.backend, 'kill'), jest.spyOn(world.backend, 'submit')];
  const [task] = await world.tasks(KEY);
  // What the updater would answer with a new task is neither stored nor lost: it is told again.
  world.cluster.report(task?.taskId ?? '', 'killed');
  await pass(60_000);
  expect(await stored()).toEqual(before);
  for (const method of told) expect(method).not.toHaveBeenCalled();
});

test('a command that the backend has not taken before the deadline is not sent after it', async () => {
  const { world } = rpc;
  const submit = jest.spyOn(world.backend, 'submit').mockRejectedValue(new Error('busy'));
  const other = version('other', { job: { ...KEY, name: 'other' } });
  await rpc.place({ 0: other });
  await pass(1_500);
  const tries = submit.mock.calls.length;
  expect(tries).toBeGreaterThan(1);
  flaky.goAway();
  await pass(DEADLINE);
  const before = submit.mock.calls.length;
  flaky.comeBack();
  await pass(120_000);
  expect(submit.mock.calls.length).toBe(before);
  // The next leader finds it where it was written.
  const left = await world.sql("SELECT 1 FROM backend_commands WHERE kind = 'submit'");
  expect(left).toHaveLength(1);
});

test('a deposed leader commits nothing, also while its own deadline is still ahead', async () => {
  const { world } = rpc;
  const next = new Candidate(world.database.url);
  await leader?.crash();
  await next.begin();
  await next.advance(500);
  expect(next.outcome).toBe((leader?.outcome as number) + 1);
  const before = await stored();
  // It has not noticed: its deadline is still ahead.
  expect(leader?.lease.mayAct()).toBe(true);
  expect((await rpc.call('abortJobUpdate', { key })).code).toBe('ERROR_TRANSIENT');
  const [task] = await world.tasks(KEY);
  world.cluster.report(task?.taskId ?? '', 'killed');
  await pass(TTL);
  expect(await stored()).toEqual(before);
  expect(leader?.lost).toBe(1);
  expect(await pulse()).toBe('ERROR_TRANSIENT');
  await next.lease.release();
});
