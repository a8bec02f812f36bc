/** getJobUpdateSummaries and getJobUpdateDetails (rpc.md §7, §10; updates.md I1 to I5, §2.7). */
import type { JobKey, JobUpdateKey } from '../../src/core/model/keys.js';
import type { UpdateEvent } from '../../src/core/model/update.js';
import { MSG_GATE_TIMEOUT } from '../../src/core/update/messages.js';
import { mayFollow } from '../../src/core/update/status-table.js';
import { KEY, RpcWorld, aRequest, populated, version } from './support.js';

const P = 10_000;
const ACTIVE = [
  'ROLLING_FORWARD',
  'ROLLING_BACK',
  'ROLL_FORWARD_PAUSED',
  'ROLL_BACK_PAUSED',
  'ROLL_FORWARD_AWAITING_PULSE',
  'ROLL_BACK_AWAITING_PULSE',
];

let rpc: RpcWorld;

beforeEach(async () => {
  rpc = await RpcWorld.create();
});

afterEach(async () => {
  await rpc.close();
});

/** An update that creates `job`, by the time it is called the newest of all. */
async function created(
  name: string,
  { role = 'role', user = 'shiro', pulseTimeoutMs = 0 } = {},
): Promise<JobUpdateKey> {
  const job = { role, environment: 'devel', name };
  await rpc.world.advance(100);
  const request = aRequest(
    { blockIfNoPulsesAfterMs: pulseTimeoutMs },
    { taskConfig: version('new', { job }), instanceCount: 2 },
  );
  const { key } = await rpc.ok('startJobUpdate', { request }, user);
  await rpc.world.settle();
  return key;
}

/** A rolling coordinated update of two running instances, pulsed `at` now. */
async function rolling(): Promise<JobUpdateKey> {
  await rpc.running(2, version('old'));
  await rpc.world.advance(60_000);
  const settings = {
    blockIfNoPulsesAfterMs: P,
    updateStrategy: { queueStrategy: { groupSize: 1 } },
  };
  const request = aRequest(settings, { taskConfig: version('new'), instanceCount: 2 });
  const key = await rpc.startUpdate(request, 'go');
  await rpc.ok('pulseJobUpdate', { key });
  await rpc.world.settle();
  return key;
}

interface Summary {
  readonly key: JobUpdateKey;
  readonly state: {
    readonly status: string;
    readonly createdTimestampMs: number;
    readonly lastModifiedTimestampMs: number;
  };
}

async function summaries(jobUpdateQuery: object): Promise<Summary[]> {
  return (await rpc.ok('getJobUpdateSummaries', { jobUpdateQuery })).updateSummaries;
}

/** Names of the jobs whose updates match, by both reads, in their order. */
async function found(query: object): Promise<string> {
  const bySummary = (await summaries(query)).map((summary) => summary.key.job.name);
  const { detailsList } = await rpc.ok('getJobUpdateDetails', { query });
  const byDetails = detailsList.map(
    (details: { update: { summary: Summary } }) => details.update.summary.key.job.name,
  );
  expect(byDetails).toEqual(bySummary);
  return bySummary.join(' ');
}

/** Checks I1 to I4 on one update's details and returns its events as `STATUS@ms after the start`. */
async function events(key: JobUpdateKey): Promise<string[]> {
  const { update, updateEvents, instanceEvents } = await rpc.details(key);
  const list = updateEvents as UpdateEvent[];
  const { state } = update.summary as Summary;
  const [first] = list;
  expect(['ROLLING_FORWARD', 'ROLL_FORWARD_AWAITING_PULSE']).toContain(first?.status);
  expect(list.at(-1)?.status).toBe(state.status);
  list.slice(1).forEach((event, index) => {
    const before = list[index]!;
    expect([before.status, event.status, mayFollow(before.status, event.status)]).toEqual([
      before.status,
      event.status,
      true,
    ]);
    expect(event.timestampMs).toBeGreaterThanOrEqual(before.timestampMs);
  });
  const [stored] = await rpc.world.sql<{ n: number }>(
    'SELECT count(*)::int AS n FROM job_update_events WHERE update_id = $1',
    [key.id],
  );
  const times = [...list.slice(0, stored?.n), ...(instanceEvents as { timestampMs: number }[])].map(
    (event) => event.timestampMs,
  );
  expect(state.createdTimestampMs).toBe(first?.timestampMs);
  expect(state.lastModifiedTimestampMs).toBe(Math.max(...times));
  return list.map((event) => `${event.status}@${event.timestampMs - state.createdTimestampMs}`);
}

describe('queries (rpc.md §7)', () => {
  test('RPC-086, UPD-110 the newest modification comes first; offset and limit count from there', async () => {
    const first = await created('one');
    const second = await created('two');
    expect(await found({})).toBe('two one');
    expect(await found({ limit: 1 })).toBe('two');
    expect(await found({ limit: 1, offset: 1 })).toBe('one');
    expect(await found({ limit: 2, offset: 4 })).toBe('');
    expect(await found({ updateStatuses: [] })).toBe('two one');
    // Go clients send zeros for what they do not mean.
    expect(await found({ limit: 0, offset: 0 })).toBe('two one');
    expect(await found({ limit: -1 })).toBe('two one');
    await rpc.world.advance(100);
    await rpc.ok('pauseJobUpdate', { key: first });
    expect(await found({})).toBe('one two');
    expect(await found({ key: second })).toBe('two');
  });

  test('UPD-106, UPD-110 all conditions must hold', async () => {
    const a = await created('a', { role: 'r1', user: 'mary' });
    await created('b', { role: 'r1' });
    await created('c', { role: 'r2', user: 'mary' });
    expect(await found({ role: 'r1' })).toBe('b a');
    expect(await found({ user: 'mary' })).toBe('c a');
    expect(await found({ role: 'r1', user: 'mary' })).toBe('a');
    expect(await found({ jobKey: a.job })).toBe('a');
    expect(await found({ key: a, jobKey: { ...a.job, name: 'b' } })).toBe('');
    expect(await found({ key: a, updateStatuses: ['ABORTED'] })).toBe('');
    expect(rpc.stat('scheduler_thrift_workload_getJobUpdateSummaries')).toBe(6);
    expect(rpc.stat('scheduler_thrift_workload_getJobUpdateDetails')).toBe(6);
  });

  test.each<[string, object]>([
    ['an empty role', { role: '' }],
    ['an empty user', { user: '' }],
    ['a job key with a part missing', { jobKey: { role: 'role', name: 'one' } }],
    ['a job key with a bad part', { jobKey: { role: 'role', environment: 'a b', name: 'one' } }],
    ['a key without an id', { key: { job: { role: 'role', environment: 'devel', name: 'one' } } }],
    ['a key without a job', { key: { id: 'id' } }],
    ['statuses nobody knows', { updateStatuses: ['#99', 99] }],
  ])('%s matches nothing and is no error', async (_, query) => {
    await created('one');
    expect(await found(query)).toBe('');
  });

  test('a negative offset, and a missing query, are an ERROR', async () => {
    const offset = /^ERROR: .*offset/;
    expect(await rpc.verdict('getJobUpdateSummaries', { jobUpdateQuery: { offset: -1 } })).toMatch(
      offset,
    );
    expect(await rpc.verdict('getJobUpdateDetails', { query: { offset: -1 } })).toMatch(offset);
    expect(await rpc.verdict('getJobUpdateSummaries')).toBe('ERROR: jobUpdateQuery must be set');
    expect(await rpc.verdict('getJobUpdateDetails')).toBe('ERROR: query must be set');
  });
});

describe('getJobUpdateDetails', () => {
  test('RPC-078, UPD-107 a query answers its list alone, whatever the key says', async () => {
    const key = await created('one');
    const both = await rpc.ok('getJobUpdateDetails', { key: { ...key, id: 'no' }, query: { key } });
    expect(Object.keys(both)).toEqual(['detailsList']);
    expect(both.detailsList).toHaveLength(1);
    const none = { key: { ...key, id: 'no' } };
    expect(await rpc.ok('getJobUpdateDetails', { query: none })).toEqual({ detailsList: [] });
    expect(await rpc.ok('getJobUpdateDetails', { key, query: none })).toEqual({ detailsList: [] });
  });

  test('RPC-078, UPD-107 a key alone answers that update and a word on the argument', async () => {
    const key = await created('one');
    const answer = await rpc.call('getJobUpdateDetails', { key });
    expect(answer).toMatchObject({ code: 'OK', details: [expect.stringMatching(/deprecated/)] });
    expect(Object.keys(answer.result)).toEqual(['details']);
    expect(answer.result.details).toEqual(await rpc.details(key));
    for (const unknown of [{ ...key, id: 'no' }, { job: key.job }, { id: key.id }]) {
      const refused = await rpc.call('getJobUpdateDetails', { key: unknown });
      expect(refused).toMatchObject({ code: 'INVALID_REQUEST', details: [expect.any(String)] });
      expect(refused.result).toBeUndefined();
    }
    // The call by key adds nothing; the one inside `details` above did.
    expect(rpc.stat('scheduler_thrift_workload_getJobUpdateDetails')).toBe(1);
  });

  test('has everything that is stored of an update', async () => {
    const startedAt = rpc.world.time.wallNow() + 60_000;
    const key = await rolling();
    await rpc.world.advance(1_000);
    await rpc.ok('pauseJobUpdate', { key, message: 'why' }, 'mary');
    expect(await rpc.details(key)).toEqual({
      update: {
        summary: {
          key,
          user: 'shiro',
          state: {
            status: 'ROLL_FORWARD_PAUSED',
            createdTimestampMs: startedAt,
            lastModifiedTimestampMs: startedAt + 1_000,
          },
          metadata: [],
        },
        instructions: {
          initialState: [{ task: populated(version('old')), instances: [{ first: 0, last: 1 }] }],
          desiredState: { task: populated(version('new')), instances: [{ first: 0, last: 1 }] },
          settings: {
            ...aRequest().settings,
            blockIfNoPulsesAfterMs: P,
            updateStrategy: { queueStrategy: { groupSize: 1 } },
          },
        },
      },
      updateEvents: [
        {
          status: 'ROLL_FORWARD_AWAITING_PULSE',
          timestampMs: startedAt,
          user: 'shiro',
          message: 'go',
        },
        { status: 'ROLLING_FORWARD', timestampMs: startedAt },
        {
          status: 'ROLL_FORWARD_PAUSED',
          timestampMs: startedAt + 1_000,
          user: 'mary',
          message: 'why',
        },
      ],
      instanceEvents: [{ instanceId: 0, timestampMs: startedAt, action: 'INSTANCE_UPDATING' }],
    });
  });

  test('the number of statements does not depend on how much is read', async () => {
    const cost = async (query: object): Promise<number> => {
      const before = rpc.world.db.statements;
      await rpc.ok('getJobUpdateDetails', { query });
      return rpc.world.db.statements - before;
    };
    const key = await created('one');
    const one = await cost({ key });
    for (const name of ['two', 'three', 'four']) await created(name);
    expect(await cost({})).toBe(one);
    // BEGIN, updates, instructions, update events, instance events, COMMIT.
    expect(one).toBe(6);
    const before = rpc.world.db.statements;
    await summaries({});
    expect(rpc.world.db.statements - before).toBe(1);
  });
});

describe('what readers see of a coordinated update', () => {
  test('SH-6 a filter applies to the view: a stale update is awaiting a pulse, and only that', async () => {
    const key = await rolling();
    const status = async (updateStatuses: string[]): Promise<string | undefined> =>
      (await summaries({ updateStatuses, limit: 1 }))[0]?.state.status;
    expect(await status(['ROLLING_FORWARD'])).toBe('ROLLING_FORWARD');
    expect(await status(['ROLL_FORWARD_AWAITING_PULSE'])).toBeUndefined();
    await rpc.world.advance(P);
    expect(await status(['ROLLING_FORWARD'])).toBeUndefined();
    expect(await status(['ROLL_FORWARD_AWAITING_PULSE'])).toBe('ROLL_FORWARD_AWAITING_PULSE');
    expect(await status(ACTIVE)).toBe('ROLL_FORWARD_AWAITING_PULSE');
    expect((await rpc.world.updateRow(key))?.state).toBe('ROLLING_FORWARD');
  });

  test('I5 offset and limit count what the filter leaves, fresh and stale ones mixed', async () => {
    const pulsed = await created('pulsed', { pulseTimeoutMs: P });
    await created('blocked1', { pulseTimeoutMs: P });
    await created('free');
    await created('blocked2', { pulseTimeoutMs: P });
    await rpc.ok('pulseJobUpdate', { key: pulsed });
    await rpc.world.settle();
    const waiting = { updateStatuses: ['ROLL_FORWARD_AWAITING_PULSE'] };
    const forward = { updateStatuses: ['ROLLING_FORWARD'] };
    expect(await found({ ...waiting, limit: 1 })).toBe('blocked2');
    expect(await found({ ...waiting, limit: 1, offset: 1 })).toBe('blocked1');
    expect((await found(forward)).split(' ').sort()).toEqual(['free', 'pulsed']);
    expect(await found({ ...waiting, limit: 2, offset: 2 })).toBe('');
    await rpc.ok('rollbackJobUpdate', { key: pulsed });
    await rpc.world.advance(P);
    expect(await found({ updateStatuses: ['ROLL_BACK_AWAITING_PULSE'] })).toBe('pulsed');
    expect(await found({ updateStatuses: ['ROLLING_BACK'] })).toBe('');
  });

  test('SH-8, I2 a lapse nobody ran into yet is the last event, at its moment, and is not stored', async () => {
    const key = await rolling();
    await rpc.world.advance(2_000);
    await rpc.ok('pulseJobUpdate', { key });
    await rpc.world.advance(P + 3_000);
    const stored = await rpc.world.updateEvents(key);
    expect(await events(key)).toEqual([
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
    expect(await events(key)).toHaveLength(3);
  });

  test('I2 a process that never got a pulse says since when: its own start, unless events are newer', async () => {
    const key = await rolling();
    await rpc.ok('pauseJobUpdate', { key });
    await rpc.world.advance(50_000);
    await rpc.world.restart();
    await rpc.world.advance(1_000);
    // As an operator or an older release may leave it: rolling, and the last event says so.
    await rpc.world.sql(
      `UPDATE job_updates SET state = 'ROLLING_FORWARD', revision = revision + 1`,
    );
    await rpc.world.sql(
      `INSERT INTO job_update_events (update_id, status, happened_at)
       SELECT update_id, 'ROLLING_FORWARD', last_event_at FROM job_updates`,
    );
    expect((await events(key)).at(-1)).toBe('ROLL_FORWARD_AWAITING_PULSE@50000');
    await rpc.world.sql(
      `INSERT INTO job_update_events (update_id, status, happened_at)
       SELECT update_id, 'ROLL_FORWARD_PAUSED', last_event_at + interval '51 seconds' FROM job_updates`,
    );
    await rpc.world.sql(
      `UPDATE job_updates SET last_modified_at = last_event_at + interval '51 seconds'`,
    );
    expect((await events(key)).at(-1)).toBe('ROLL_FORWARD_AWAITING_PULSE@51000');
  });

  test('I2 a pulse whose tick is not committed is seen at once, at the moment it came', async () => {
    const key = await rolling();
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
    expect(await events(key)).toEqual([
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
    expect(await events(key)).toHaveLength(4);
  });

  test('I2 a wall clock set back does not put the unstored event before the stored ones', async () => {
    const key = await rolling();
    rpc.world.time.stepWall(-3_600_000);
    await rpc.ok('pulseJobUpdate', { key });
    await rpc.world.advance(P);
    expect((await events(key)).at(-1)).toBe('ROLL_FORWARD_AWAITING_PULSE@0');
  });

  test('I5 what is committed while an answer is read is in none of its parts', async () => {
    const key = await rolling();
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
    expect((await events(key)).at(-1)).toMatch(/^ABORTED@/);
  });

  test('paused and ended updates are shown as they are, fresh or not', async () => {
    const key = await rolling();
    await rpc.ok('pauseJobUpdate', { key });
    await rpc.world.advance(2 * P);
    expect((await events(key)).at(-1)).toMatch(/^ROLL_FORWARD_PAUSED@/);
    await rpc.ok('abortJobUpdate', { key });
    expect((await events(key)).at(-1)).toMatch(/^ABORTED@/);
    expect(await summaries({ updateStatuses: ACTIVE })).toEqual([]);
    expect(await summaries({ updateStatuses: ['ABORTED'] })).toHaveLength(1);
  });

  test('HB-5 after a restart an update is shown as waiting before anything else happens', async () => {
    const key = await rolling();
    await rpc.world.advance(1_000);
    await rpc.world.restart();
    expect((await events(key)).at(-1)).toBe('ROLL_FORWARD_AWAITING_PULSE@1000');
  });

  test('a machine that slept has no fresh updates', async () => {
    await rolling();
    rpc.world.time.sleep(5_000);
    expect(await summaries({ updateStatuses: ['ROLLING_FORWARD'] })).toEqual([]);
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
      await events(key);
      await rpc.world.advance(1_000);
    }
    expect([...seen]).toEqual(['ROLLING_FORWARD', 'ROLLED_FORWARD']);
  });
});
