/** getJobUpdateBlockers, the view update_blockers and the log: why updates are not moving. */
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import { MSG_AUTO_PAUSED, MSG_SLA_CHECK, MSG_SLA_PASS } from '../../src/core/update/messages.js';
import { BlockerLog } from '../../src/engine/blocker-log.js';
import { createLog } from '../../src/observe/log.js';
import { until } from '../backend/support/wait.js';
import { aConfig, aJob } from '../support/builders.js';
import type { World } from '../support/world.js';
import { RpcWorld } from './support.js';

const JOB = aJob();
const NEW = aConfig('new');
const P = 10_000;

let rpc: RpcWorld;
let world: World;

beforeEach(async () => {
  rpc = await RpcWorld.create();
  world = rpc.world;
  await world.runningJob(JOB, aConfig('old'), 2);
  await world.advance(60_000);
});

afterEach(() => rpc.close());

/** A member of the IDL's JobUpdateBlockers; a test looks at what it asked for. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Blocked = any;

async function blockers(query: object = {}): Promise<Blocked[]> {
  const { updates } = await rpc.ok('getJobUpdateBlockers', { query });
  return updates as Blocked[];
}

async function only(): Promise<Blocked> {
  const updates = await blockers();
  expect(updates).toHaveLength(1);
  return updates[0];
}

/** Rows of the view, as far as they do not name tasks or time. */
function rows(): Promise<Record<string, unknown>[]> {
  return world.sql(
    `SELECT blocked_by, user_name, message, instance_id, task_status FROM update_blockers
      ORDER BY blocked_by, instance_id`,
  );
}

async function writeNote(key: JobUpdateKey, instanceId: number, message: string): Promise<void> {
  await world.sql(
    `INSERT INTO job_instance_update_events (update_id, instance_id, action, happened_at, message)
     VALUES ($1, $2, 'INSTANCE_UPDATING', shim_clock(), $3)`,
    [key.id, instanceId, message],
  );
}

describe('waiting for a heartbeat', () => {
  test('never pulsed: since its start, or since the start of a scheduler that came later', async () => {
    const atMs = world.time.wallNow();
    const key = await world.startUpdate(JOB, NEW, 2, { pulseTimeoutMs: P });
    await world.advance(5_000);
    expect(await only()).toEqual({
      ...{ key, status: 'ROLL_FORWARD_AWAITING_PULSE', user: 'user', metadata: [] },
      ...{ heartbeat: { sinceMs: atMs, limitMs: P }, instances: [], instanceCount: 0 },
      text: 'waiting for a heartbeat for 5 s; this scheduler has got none, the limit is 10 s',
    });
    await world.restart();
    expect((await only()).heartbeat).toEqual({ sinceMs: atMs + 5_000, limitMs: P });
  });

  test('missed: since P after the last one, whose age no step of the wall clock changes; no SQL', async () => {
    const key = await world.startUpdate(JOB, NEW, 2, { pulseTimeoutMs: P });
    const atMs = world.time.wallNow();
    await world.pulse(key);
    expect((await only()).heartbeat).toBeUndefined();
    await world.advance(12_000);
    world.time.stepWall(-3_600_000);
    const before = world.db.statements;
    const { heartbeat, status } = await only();
    expect(heartbeat).toEqual({
      ...{ sinceMs: atMs + P, lastPulseMs: atMs, lastPulseAgeMs: 12_000, limitMs: P },
    });
    expect(status).toBe('ROLL_FORWARD_AWAITING_PULSE');
    expect(world.db.statements).toBe(before);
    // Nothing was refused yet, so Postgres does not know.
    expect((await rows()).map((row) => row['blocked_by'])).toEqual(['instance']);
    await world.report(JOB, 0, 'killed');
    expect((await rows()).map((row) => row['blocked_by'])).toEqual(['heartbeat', 'instance']);
  });
});

describe('paused', () => {
  test('by whom, when, with which words; a stale heartbeat stands beside it', async () => {
    const key = await world.startUpdate(JOB, NEW, 2, { pulseTimeoutMs: P });
    await world.pulse(key);
    const atMs = world.time.wallNow();
    await world.change(key, 'pause', 'mon', 'latency above 300 ms');
    const pause = { sinceMs: atMs, user: 'mon', message: 'latency above 300 ms' };
    expect(await only()).toMatchObject({ pause, status: 'ROLL_FORWARD_PAUSED', instances: [] });
    expect(await only()).not.toHaveProperty('heartbeat');
    expect((await only()).text).toBe('paused by mon 0 s ago: latency above 300 ms');
    await world.advance(P);
    expect(await only()).toMatchObject({ pause, heartbeat: { sinceMs: atMs + P } });
    expect((await rows())[1]).toMatchObject({
      ...{ blocked_by: 'pause', user_name: 'mon', message: 'latency above 300 ms' },
    });
  });

  test('by itself, between two batches: nobody is named', async () => {
    const strategy = { kind: 'batch', groupSize: 1, autopause: true } as const;
    await world.startUpdate(JOB, NEW, 2, { strategy });
    await world.replace(JOB, 0);
    await world.advance(2_000);
    const { pause, text } = await only();
    expect(pause).toEqual({ sinceMs: world.time.wallNow(), message: MSG_AUTO_PAUSED });
    expect(text).toBe('paused by itself, between two batches 0 s ago');
  });
});

describe('waiting for instances', () => {
  test('a task on its way out, none, one on its way up, and one that is watched', async () => {
    await world.startUpdate(JOB, NEW, 2, { minWaitInRunningMs: 2_000 });
    const atMs = world.time.wallNow();
    const old = await world.task(JOB, 0);
    await world.advance(1_000);
    const [wait] = (await only()).instances;
    expect(wait).toEqual({
      ...{ instanceId: 0, reason: 'TASK', sinceMs: atMs },
      ...{ taskId: old?.taskId, taskStatus: 'KILLING' },
    });
    expect((await only()).text).toBe('waiting for instance 0, KILLING for 1 s');
    await world.report(JOB, 0, 'killed', 'starting');
    const sinceMs = world.time.wallNow();
    const { instances } = await only();
    expect(instances).toMatchObject([{ reason: 'TASK', sinceMs, taskStatus: 'STARTING' }]);
    await world.report(JOB, 0, 'running');
    const watched = await only();
    const untilMs = sinceMs + 2_000;
    expect(watched.instances).toMatchObject([{ reason: 'WATCH', sinceMs, untilMs }]);
    expect(watched.text).toBe('waiting for instance 0, watched for 2 s more');
    expect(await rows()).toMatchObject([{ instance_id: 0, task_status: 'RUNNING' }]);
  });

  test('instances that memory alone knows to be in hand again: no new event tells of them', async () => {
    const key = await world.startUpdate(JOB, NEW, 2, { strategy: { kind: 'queue', groupSize: 2 } });
    await world.replace(JOB, 0);
    await world.advance(2_000);
    await world.change(key, 'pause');
    await world.report(JOB, 0, 'failed');
    await world.change(key, 'resume');
    const { instances, instanceCount } = await only();
    expect(instances.map((wait: Blocked) => wait.instanceId).sort()).toEqual([0, 1]);
    expect(instanceCount).toBe(2);
    expect((await rows()).map((row) => row['instance_id'])).toEqual([1]);
  });

  test('an updater that has to be rebuilt: what is stored tells, and that a step failed', async () => {
    await world.startUpdate(JOB, NEW, 2);
    world.db.beforeCommit = () => Promise.reject(new Error('no commit today'));
    const task = await world.task(JOB, 0);
    await world.engine.updater.enqueueTick(world.engine.updater.registry.ofJob(JOB)!);
    world.db.beforeCommit = undefined;
    expect(await only()).toMatchObject({
      ...{ failedStep: { delayMs: 1_000 }, instances: [{ taskId: task?.taskId }] },
    });
    await world.advance(1_000);
    expect(await only()).not.toHaveProperty('failedStep');
  });

  test('at most a hundred are listed, all are counted, in two statements for any number', async () => {
    const job = aJob('big');
    await world.startUpdate(job, aConfig('1', { job }), 150, {
      strategy: { kind: 'queue', groupSize: 150 },
    });
    const before = world.db.statements;
    const { instances, instanceCount, text } = await only();
    expect(world.db.statements - before).toBeLessThanOrEqual(2);
    expect([instances.length, instanceCount]).toEqual([100, 150]);
    expect(text).toMatch(/, and for 149 more$/);
  });
});

test('an SLA check: since it was asked first, until it passed', async () => {
  const key = await world.startUpdate(JOB, NEW, 2);
  // As SLA-aware kills leave it: noted, and the task is not told to die.
  await world.sql(`UPDATE tasks SET status = 'RUNNING' WHERE instance_id = 0`);
  const sinceMs = world.time.wallNow();
  await writeNote(key, 0, MSG_SLA_CHECK);
  await world.advance(90_000);
  const asked = await only();
  expect(asked.instances).toMatchObject([{ instanceId: 0, reason: 'SLA_CHECK', sinceMs }]);
  expect(asked.text).toBe('waiting for instance 0, which the SLA has not let go for 1 min');
  expect(await rows()).toMatchObject([{ instance_id: 0, message: MSG_SLA_CHECK }]);
  await writeNote(key, 0, MSG_SLA_PASS);
  expect((await only()).instances).toMatchObject([{ reason: 'TASK' }]);
});

test('updates are found by key, by job, by id or all; conditions are ANDed, ended ones never match', async () => {
  const start = (name: string): Promise<JobUpdateKey> => {
    const job = aJob(name);
    return world.startUpdate(job, aConfig('1', { job }), 1, { pulseTimeoutMs: P });
  };
  const [a, b, ended] = [await start('a'), await start('b'), await start('ended')];
  await world.change(ended, 'abort');
  const idsOf = async (query: object): Promise<string[]> =>
    (await blockers(query)).map(({ key }: Blocked) => key.id as string);
  expect(await idsOf({})).toEqual([a.id, b.id]);
  expect(await idsOf({ keys: [], jobs: [], updateIds: [] })).toEqual([a.id, b.id]);
  expect(await idsOf({ keys: [b, ended, { id: a.id }] })).toEqual([b.id]);
  expect(await idsOf({ jobs: [a.job, aJob('none'), {}] })).toEqual([a.id]);
  expect(await idsOf({ updateIds: [a.id, 'none'] })).toEqual([a.id]);
  expect(await idsOf({ updateIds: [a.id], jobs: [b.job] })).toEqual([]);
  expect(await rpc.verdict('getJobUpdateBlockers')).toBe('ERROR: query must be set');
});

describe('the log', () => {
  let lines: Record<string, unknown>[];
  let blockerLog: BlockerLog;

  beforeEach(() => {
    lines = [];
    const write = (line: string): void => void lines.push(JSON.parse(line));
    blockerLog = new BlockerLog(world.engine, createLog({ destination: { write } }));
  });

  async function toldNow(): Promise<string[]> {
    lines = [];
    await blockerLog.look();
    return lines.map((line) => String(line['msg']));
  }

  test('one line for each episode, with the reason and the metadata; none while nothing changes', async () => {
    const key = await world.startUpdate(JOB, NEW, 2, { pulseTimeoutMs: P });
    expect(await toldNow()).toEqual([
      'an update is not moving: waiting for a heartbeat for 0 s; this scheduler has got none, the limit is 10 s',
    ]);
    expect(lines[0]).toMatchObject({ level: 'info', startedBy: 'user', metadata: [] });
    await world.advance(30_000);
    expect(await toldNow()).toEqual([]);
    await world.pulse(key);
    expect(await toldNow()).toEqual([]);
    await world.advance(P);
    expect(await toldNow()).toEqual([expect.stringContaining('the last one is 10 s old')]);
    await world.change(key, 'pause', 'mon', 'why');
    expect(await toldNow()).toEqual([expect.stringContaining('paused by mon 0 s ago: why')]);
    await world.pulse(key);
    await world.advance(3_600_000);
    expect(await toldNow()).toEqual([]);
    await world.change(key, 'abort');
    expect(await toldNow()).toEqual([]);
  });

  test('an instance is told of when it takes long, once; a watch never is', async () => {
    await world.startUpdate(JOB, NEW, 2, { minWaitInRunningMs: 3_600_000 });
    expect(await toldNow()).toEqual([]);
    await world.leap(60_000);
    expect(await toldNow()).toEqual([expect.stringContaining('instance 0, KILLING for 1 min')]);
    expect(await toldNow()).toEqual([]);
    await world.report(JOB, 0, 'killed', 'starting', 'running');
    await world.leap(600_000);
    expect(await toldNow()).toEqual([]);
  });

  test('it looks by itself, outlives a look that fails, and ends when it is stopped', async () => {
    blockerLog.start();
    const key = await world.startUpdate(JOB, NEW, 2);
    await world.change(key, 'pause', 'mon', 'why');
    const read = jest.spyOn(world.db, 'read').mockRejectedValueOnce(new Error('away'));
    await world.advance(10_000);
    await until('the failure is told', () => lines.length === 1);
    expect(lines[0]).toMatchObject({ level: 'warn' });
    read.mockRestore();
    await world.advance(10_000);
    await until('the pause is told', () => lines.length === 2);
    expect(lines[1]).toMatchObject({ level: 'info', pause: { user: 'mon', message: 'why' } });
    blockerLog.stop();
    const pending = world.time.pendingTimers;
    blockerLog.stop();
    expect(world.time.pendingTimers).toBe(pending);
  });
});
