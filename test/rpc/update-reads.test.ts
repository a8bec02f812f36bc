/** getJobUpdateSummaries and getJobUpdateDetails: queries and answers (rpc.md §7, §10). */
import { RpcWorld, aRequest, populated, version } from './support.js';
import { P, created, found, rolling, summaries } from './update-support.js';

let rpc: RpcWorld;

beforeEach(async () => {
  rpc = await RpcWorld.create();
});

afterEach(async () => {
  await rpc.close();
});

describe('queries (rpc.md §7)', () => {
  test('RPC-086, UPD-110 the newest modification comes first; offset and limit count from there', async () => {
    const first = await created(rpc, 'one');
    const second = await created(rpc, 'two');
    expect(await found(rpc, {})).toBe('two one');
    expect(await found(rpc, { limit: 1 })).toBe('two');
    expect(await found(rpc, { limit: 1, offset: 1 })).toBe('one');
    expect(await found(rpc, { limit: 2, offset: 4 })).toBe('');
    expect(await found(rpc, { updateStatuses: [] })).toBe('two one');
    // Go clients send zeros for what they do not mean.
    expect(await found(rpc, { limit: 0, offset: 0 })).toBe('two one');
    expect(await found(rpc, { limit: -1 })).toBe('two one');
    await rpc.world.advance(100);
    await rpc.ok('pauseJobUpdate', { key: first });
    expect(await found(rpc, {})).toBe('one two');
    expect(await found(rpc, { key: second })).toBe('two');
  });

  test('UPD-106, UPD-110 all conditions must hold', async () => {
    const a = await created(rpc, 'a', { role: 'r1', user: 'mary' });
    await created(rpc, 'b', { role: 'r1' });
    await created(rpc, 'c', { role: 'r2', user: 'mary' });
    expect(await found(rpc, { role: 'r1' })).toBe('b a');
    expect(await found(rpc, { user: 'mary' })).toBe('c a');
    expect(await found(rpc, { role: 'r1', user: 'mary' })).toBe('a');
    expect(await found(rpc, { jobKey: a.job })).toBe('a');
    expect(await found(rpc, { key: a, jobKey: { ...a.job, name: 'b' } })).toBe('');
    expect(await found(rpc, { key: a, updateStatuses: ['ABORTED'] })).toBe('');
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
    await created(rpc, 'one');
    expect(await found(rpc, query)).toBe('');
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
    const key = await created(rpc, 'one');
    const both = await rpc.ok('getJobUpdateDetails', { key: { ...key, id: 'no' }, query: { key } });
    expect(Object.keys(both)).toEqual(['detailsList']);
    expect(both.detailsList).toHaveLength(1);
    const none = { key: { ...key, id: 'no' } };
    expect(await rpc.ok('getJobUpdateDetails', { query: none })).toEqual({ detailsList: [] });
    expect(await rpc.ok('getJobUpdateDetails', { key, query: none })).toEqual({ detailsList: [] });
  });

  test('RPC-078, UPD-107 a key alone answers that update and a word on the argument', async () => {
    const key = await created(rpc, 'one');
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
    const key = await rolling(rpc);
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
    const key = await created(rpc, 'one');
    const one = await cost({ key });
    for (const name of ['two', 'three', 'four']) await created(rpc, name);
    expect(await cost({})).toBe(one);
    // BEGIN, updates, instructions, update events, instance events, COMMIT.
    expect(one).toBe(6);
    const before = rpc.world.db.statements;
    await summaries(rpc, {});
    expect(rpc.world.db.statements - before).toBe(1);
  });
});
