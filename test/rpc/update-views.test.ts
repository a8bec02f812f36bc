/** What readers see of coordinated updates: stored state through the heartbeats (updates.md I1 to I5). */
import type { JobKey } from '../../src/core/model/keys.js';
import { MSG_GATE_TIMEOUT } from '../../src/core/update/messages.js';
import { KEY, RpcWorld, aRequest, version } from './support.js';
import { ACTIVE, P, created, events, found, rolling, summaries } from './update-support.js';

let rpc: RpcWorld;

beforeEach(async () => {
  rpc = await RpcWorld.create();
});

afterEach(async () => {
  await rpc.close();
});

test('SH-6 a filter applies to the view: a stale update is awaiting a pulse, and only that', async () => {
  const key = await rolling(rpc);
  const status = async (updateStatuses: string[]): Promise<string | undefined> =>
    (await summaries(rpc, { updateStatuses, limit: 1 }))[0]?.state.status;
  expect(await status(['ROLLING_FORWARD'])).toBe('ROLLING_FORWARD');
  expect(await status(['ROLL_FORWARD_AWAITING_PULSE'])).toBeUndefined();
  await rpc.world.advance(P);
  expect(await status(['ROLLING_FORWARD'])).toBeUndefined();
  expect(await status(['ROLL_FORWARD_AWAITING_PULSE'])).toBe('ROLL_FORWARD_AWAITING_PULSE');
  expect(await status(ACTIVE)).toBe('ROLL_FORWARD_AWAITING_PULSE');
  expect((await rpc.world.updateRow(key))?.state).toBe('ROLLING_FORWARD');
});

test('I5 offset and limit count what the filter leaves, fresh and stale ones mixed', async () => {
  const pulsed = await created(rpc, 'pulsed', { pulseTimeoutMs: P });
  await created(rpc, 'blocked1', { pulseTimeoutMs: P });
  await created(rpc, 'free');
  await created(rpc, 'blocked2', { pulseTimeoutMs: P });
  await rpc.ok('pulseJobUpdate', { key: pulsed });
  await rpc.world.settle();
  const waiting = { updateStatuses: ['ROLL_FORWARD_AWAITING_PULSE'] };
  const forward = { updateStatuses: ['ROLLING_FORWARD'] };
  expect(await found(rpc, { ...waiting, limit: 1 })).toBe('blocked2');
  expect(await found(rpc, { ...waiting, limit: 1, offset: 1 })).toBe('blocked1');
  expect((await found(rpc, forward)).split(' ').sort()).toEqual(['free', 'pulsed']);
  expect(await found(rpc, { ...waiting, limit: 2, offset: 2 })).toBe('');
  await rpc.ok('rollbackJobUpdate', { key: pulsed });
  await rpc.world.advance(P);
  expect(await found(rpc, { updateStatuses: ['ROLL_BACK_AWAITING_PULSE'] })).toBe('pulsed');
  expect(await found(rpc, { updateStatuses: ['ROLLING_BACK'] })).toBe('');
});

test('SH-8, I2 a lapse nobody ran into yet is the last event, at its moment, and is not stored', async () => {
  const key = await rolling(rpc);
  await rpc.world.advance(2_000);
  await rpc.ok('pulseJobUpdate', { key });
  await rpc.world.advance(P + 3_000);
  const stored = await rpc.world.updateEvents(key);
  expect(await events(rpc, key)).toEqual([
    'ROLL_FORWARD_AWAITING_PULSE@0',
    'ROLLING_FORWARD@0',
    `ROLL_FORWARD_AWAITING_PULSE@${2_000 + P}`,
  ]);
  const { updateEvents } = await rpc.details(key);
  expect(updateEvents.at(-1)).toEqual({
    status: 'ROLL_FORWARD_AWAITING_PULSE',
    timestampMs: expect.any(Number),
    message: MSG_GATE_TIMEOUT,
  });
  expect(await rpc.world.updateEvents(key)).toEqual(stored);

  // Once it is stored there is one event, not two.
  await rpc.world.report(KEY, 0, 'killed');
  expect(await events(rpc, key)).toHaveLength(3);
});

test('I2 a process that never got a pulse says since when: its own start, unless events are newer', async () => {
  const key = await rolling(rpc);
  await rpc.ok('pauseJobUpdate', { key });
  await rpc.world.advance(50_000);
  await rpc.world.restart();
  await rpc.world.advance(1_000);
  // As an operator or an older release may leave it: rolling, and the last event says so.
  await rpc.world.sql(`UPDATE job_updates SET state = 'ROLLING_FORWARD', revision = revision + 1`);
  await rpc.world.sql(
    `INSERT INTO job_update_events (update_id, status, happened_at)
       SELECT update_id, 'ROLLING_FORWARD', last_event_at FROM job_updates`,
  );
  expect((await events(rpc, key)).at(-1)).toBe('ROLL_FORWARD_AWAITING_PULSE@50000');
  await rpc.world.sql(
    `INSERT INTO job_update_events (update_id, status, happened_at)
       SELECT update_id, 'ROLL_FORWARD_PAUSED', last_event_at + interval '51 seconds' FROM job_updates`,
  );
  await rpc.world.sql(
    `UPDATE job_updates SET last_modified_at = last_event_at + interval '51 seconds'`,
  );
  expect((await events(rpc, key)).at(-1)).toBe('ROLL_FORWARD_AWAITING_PULSE@51000');
});

test('I2 a pulse whose tick is not committed is seen at once, at the moment it came', async () => {
  const key = await rolling(rpc);
  await rpc.world.advance(P);
  await rpc.world.report(KEY, 0, 'killed');
  await rpc.world.advance(5_000);
  // The job's lane is busy, so the tick the pulse asks for has to wait.
  const { lanes } = rpc.world.engine;
  let free: () => void = () => undefined;
  const busy = lanes.enqueue(
    'bar_role/devel/job_foo',
    () => new Promise<void>((resolve) => (free = resolve)),
  );
  await rpc.ok('pulseJobUpdate', { key });
  expect(await events(rpc, key)).toEqual([
    'ROLL_FORWARD_AWAITING_PULSE@0',
    'ROLLING_FORWARD@0',
    `ROLL_FORWARD_AWAITING_PULSE@${P}`,
    `ROLLING_FORWARD@${P + 5_000}`,
  ]);
  const { updateEvents } = await rpc.details(key);
  expect(updateEvents.at(-1)).not.toHaveProperty('message');
  free();
  await busy;
  await rpc.world.settle();
  expect(await rpc.world.updateEvents(key)).toHaveLength(4);
  expect(await events(rpc, key)).toHaveLength(4);
});

test('I2 a wall clock set back does not put the unstored event before the stored ones', async () => {
  const key = await rolling(rpc);
  rpc.world.time.stepWall(-3_600_000);
  await rpc.ok('pulseJobUpdate', { key });
  await rpc.world.advance(P);
  expect((await events(rpc, key)).at(-1)).toBe('ROLL_FORWARD_AWAITING_PULSE@0');
});

test('I5 what is committed while an answer is read is in none of its parts', async () => {
  const key = await rolling(rpc);
  const { db } = rpc.world;
  const snapshot = db.snapshot.bind(db);
  let statements = 0;
  db.snapshot = (work) =>
    snapshot((tx) =>
      work({
        run: async (statement) => {
          const rows = await tx.run(statement);
          if (++statements === 1) await rpc.ok('abortJobUpdate', { key });
          return rows;
        },
      }),
    );
  const { update, updateEvents } = await rpc.details(key);
  expect(statements).toBe(4);
  expect(update.summary.state.status).toBe('ROLLING_FORWARD');
  expect(updateEvents.at(-1).status).toBe('ROLLING_FORWARD');
  db.snapshot = snapshot;
  expect((await events(rpc, key)).at(-1)).toMatch(/^ABORTED@/);
});

test('paused and ended updates are shown as they are, fresh or not', async () => {
  const key = await rolling(rpc);
  await rpc.ok('pauseJobUpdate', { key });
  await rpc.world.advance(2 * P);
  expect((await events(rpc, key)).at(-1)).toMatch(/^ROLL_FORWARD_PAUSED@/);
  await rpc.ok('abortJobUpdate', { key });
  expect((await events(rpc, key)).at(-1)).toMatch(/^ABORTED@/);
  expect(await summaries(rpc, { updateStatuses: ACTIVE })).toEqual([]);
  expect(await summaries(rpc, { updateStatuses: ['ABORTED'] })).toHaveLength(1);
});

test('HB-5 after a restart an update is shown as waiting before anything else happens', async () => {
  const key = await rolling(rpc);
  await rpc.world.advance(1_000);
  await rpc.world.restart();
  expect((await events(rpc, key)).at(-1)).toBe('ROLL_FORWARD_AWAITING_PULSE@1000');
});

test('a machine that slept has no fresh updates', async () => {
  await rolling(rpc);
  rpc.world.time.sleep(5_000);
  expect(await summaries(rpc, { updateStatuses: ['ROLLING_FORWARD'] })).toEqual([]);
});

test('WIRE-044 a monitor that pulses and looks finds one entry each time, to the end', async () => {
  const job: JobKey = { role: 'role', environment: 'devel', name: 'monitored' };
  const settings = {
    blockIfNoPulsesAfterMs: 500,
    minWaitInInstanceRunningMs: 5_000,
    updateStrategy: { queueStrategy: { groupSize: 2 } },
  };
  const request = aRequest(settings, {
    taskConfig: version('new', { job }),
    instanceCount: 2,
  });
  const key = await rpc.startUpdate(request);
  const seen = new Set<string>();
  for (let second = 0; second < 60 && !seen.has('ROLLED_FORWARD'); second++) {
    await rpc.call('pulseJobUpdate', { key });
    await rpc.world.settle();
    if (second === 1) for (const id of [0, 1]) await rpc.world.report(job, id, 'running');
    const { detailsList } = await rpc.ok('getJobUpdateDetails', { query: { key, limit: 1 } });
    expect(detailsList).toHaveLength(1);
    seen.add(detailsList[0].update.summary.state.status);
    await events(rpc, key);
    await rpc.world.advance(1_000);
  }
  expect([...seen]).toEqual(['ROLLING_FORWARD', 'ROLLED_FORWARD']);
});
