/** startJobUpdate (rpc.md §11.1, updates.md §2.1 to §2.3), by the rows of updates.md §5.7. */
import { MSG_NOOP } from '../../src/core/update/messages.js';
import { KEY, RpcWorld, aRequest, groupsText, jobOf, populated, version } from './support.js';

const OLD = version('old');
const NEW = version('new');
const MESSAGE = 'm'.repeat(1024);
const UPDATE_ID = { key: 'org.apache.aurora.client.update_id', value: 'mine' };

let rpc: RpcWorld;

beforeEach(async () => {
  rpc = await RpcWorld.create();
});

afterEach(async () => {
  await rpc.close();
});

type Settings = Parameters<typeof aRequest>[0];
type Change = NonNullable<Parameters<typeof aRequest>[1]>;

/** An update of the fixture's job to `NEW`. */
function request(instanceCount: number, settings: Settings = {}, change: Change = {}) {
  return aRequest(settings, { taskConfig: NEW, instanceCount, ...change });
}

function start(sent: unknown, message?: string): Promise<string> {
  return rpc.verdict('startJobUpdate', { request: sent, message });
}

/** Nothing was started: what every failing row of §5.7 demands. */
async function expectNothingStored(): Promise<void> {
  expect(rpc.stat('thrift_workload_startJobUpdate')).toBe(0);
  expect(await rpc.world.sql('SELECT 1 FROM job_updates')).toEqual([]);
}

test('UPD-091, RPC-039 stores what it replaces and what it puts there, and answers without a state', async () => {
  await rpc.place({
    0: OLD,
    1: OLD,
    4: OLD,
    5: OLD,
    6: OLD,
    2: version('old2'),
    3: version('old2'),
  });
  const metadata = [UPDATE_ID, { key: 'k', value: '1' }, { key: 'k', value: '2' }];
  const answer = await rpc.call(
    'startJobUpdate',
    { request: request(6, {}, { metadata }), message: '' },
    'mary',
  );
  expect(answer).toMatchObject({ code: 'OK', details: [] });
  const { key, updateSummary } = answer.result;
  expect(key).toEqual({ job: KEY, id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  expect(updateSummary).toEqual({ key, user: 'mary', metadata });
  expect(rpc.stat('thrift_workload_startJobUpdate')).toBe(6);

  await rpc.world.settle();
  const { update, updateEvents } = await rpc.details(key);
  const { initialState, desiredState, settings } = update.instructions;
  expect(groupsText(initialState)).toEqual(['old [0-1][4-6]', 'old2 [2-3]']);
  expect(desiredState).toEqual({ task: populated(NEW), instances: [{ first: 0, last: 5 }] });
  expect(settings).toEqual(request(6).settings);
  expect(update.summary).toMatchObject({ user: 'mary', metadata });
  expect(updateEvents[0]).toMatchObject({ status: 'ROLLING_FORWARD', user: 'mary', message: '' });
});

test('UPD-092, RPC-040 a pure removal has no desired state', async () => {
  await rpc.place({ 0: populated(NEW), 1: populated(NEW) });
  const { key } = await rpc.ok('startJobUpdate', { request: request(1) });
  const { update } = await rpc.details(key);
  expect(groupsText(update.instructions.initialState)).toEqual(['new [1-1]']);
  expect(update.instructions.desiredState).toBeUndefined();
  expect(rpc.stat('thrift_workload_startJobUpdate')).toBe(1);
});

test('UPD-093, RPC-041 a missing request, config or settings is an ERROR with a text', async () => {
  expect(await start(undefined)).toBe('ERROR: request must be set');
  expect(await start(request(1, {}, { taskConfig: undefined }))).toMatch(/^ERROR: .*taskConfig/);
  expect(await start(request(1, {}, { settings: undefined }))).toMatch(/^ERROR: .*settings/);
  await expectNothingStored();
});

test.each<[string, Settings, number, RegExp]>([
  [
    'UPD-094, RPC-042',
    { updateStrategy: { queueStrategy: { groupSize: 0 } } },
    1,
    /modify nothing/,
  ],
  ['UPD-095, RPC-043', { maxFailedInstances: -1 }, 1, /maxFailedInstances/],
  ['UPD-095, RPC-043', { blockIfNoPulsesAfterMs: -1 }, 1, /blockIfNoPulsesAfterMs/],
  ['UPD-096, RPC-044', { maxPerInstanceFailures: 2010 }, 6, /maxPerInstanceFailures/],
  ['UPD-097, RPC-047', { slaAware: true }, 1, /slaPolicy/],
])('%s settings %j are refused', async (_, settings, instanceCount, text) => {
  const answer = await start(request(instanceCount, settings));
  expect(answer).toMatch(/^INVALID_REQUEST: /);
  expect(answer).toMatch(text);
  await expectNothingStored();
});

test('UPD-097, RPC-003, RPC-045 what is no service, or no valid config, is refused', async () => {
  const refused = /^INVALID_REQUEST: taskConfig/;
  expect(await start(request(1, {}, { taskConfig: { ...NEW, isService: false } }))).toMatch(
    refused,
  );
  expect(await start(request(1, {}, { taskConfig: { ...NEW, tier: ',' } }))).toMatch(refused);
  await expectNothingStored();
});

test('UPD-098, RPC-048 nothing to change: OK, one detail, no result, nothing stored', async () => {
  await rpc.place({ 0: populated(NEW) });
  expect(await rpc.call('startJobUpdate', { request: request(1) })).toEqual({
    code: 'OK',
    details: [MSG_NOOP],
    result: undefined,
  });
  // Not even when the message is too long, or the job has no instances at all.
  expect(await start(request(1), `${MESSAGE}+`)).toBe(`OK: ${MSG_NOOP}`);
  const other = { ...KEY, name: 'other' };
  expect(await start(request(0, {}, { taskConfig: { ...NEW, job: other } }))).toBe(
    `OK: ${MSG_NOOP}`,
  );
  await expectNothingStored();
});

test('UPD-098 nothing to change is OK even while another update is active', async () => {
  await rpc.running(2, NEW);
  // The first one is blocked, so the job still runs what the second one asks for.
  const other = request(2, { blockIfNoPulsesAfterMs: 1_000 }, { taskConfig: version('newer') });
  await rpc.startUpdate(other);
  expect(await start(request(2))).toBe(`OK: ${MSG_NOOP}`);
  expect(await start(request(1))).toMatch(/^INVALID_REQUEST: /);
});

test('UPD-099, RPC-049 a scope that names instances the job does not get is refused by its ids', async () => {
  await rpc.place({ 0: OLD });
  const scope = (first: number, last: number) =>
    request(1, { updateOnlyTheseInstances: [{ first, last }] });
  expect(await start(scope(100, 100))).toMatch(/^INVALID_REQUEST: .*100/);
  expect(await start(scope(0, 2_000_000_000))).toMatch(/^INVALID_REQUEST: /);
  expect(await start(scope(5, 1))).toMatch(/^ERROR: .*inverted/);
  await expectNothingStored();
});

test('UPD-099, RPC-050 a scope may include instances that stay as they are', async () => {
  await rpc.place({ 0: populated(NEW), 1: OLD, 2: OLD });
  const { key } = await rpc.ok('startJobUpdate', {
    request: request(3, { updateOnlyTheseInstances: [{ first: 0, last: 2 }] }),
  });
  const { instructions } = (await rpc.details(key)).update;
  expect(groupsText(instructions.initialState)).toEqual(['old [1-2]']);
  expect(instructions.settings.updateOnlyTheseInstances).toEqual([{ first: 0, last: 2 }]);
  expect(rpc.stat('thrift_workload_startJobUpdate')).toBe(3);
});

test('UPD-100, RPC-051 too many instances, none, and what needs quota are refused', async () => {
  await rpc.place({ 0: OLD });
  expect(await start(request(1001))).toMatch(/^INVALID_REQUEST: .*1000/);
  expect(await start(request(0))).toMatch(/^INVALID_REQUEST: .*at least one/);
  expect(await start(request(-1))).toMatch(/^ERROR: instanceCount/);
  expect(await start(request(1, {}, { taskConfig: { ...NEW, tier: 'tier-prod' } }))).toMatch(
    /^INVALID_REQUEST: .*quota/,
  );
  await expectNothingStored();
});

test('UPD-101, RPC-052 while an update is active the answer is that update, with view and metadata', async () => {
  await rpc.running(2, OLD);
  const first = await rpc.startUpdate(
    request(2, { blockIfNoPulsesAfterMs: 10_000 }, { metadata: [UPDATE_ID] }),
  );
  const again = { request: request(2, {}, { taskConfig: version('newer') }) };
  const summary = async (): Promise<{ state: { status: string } }> => {
    const answer = await rpc.call('startJobUpdate', again, 'another');
    expect(answer).toMatchObject({ code: 'INVALID_REQUEST', details: [expect.any(String)] });
    expect(answer.result.key).toEqual(first);
    return answer.result.updateSummary;
  };
  const startedAt = rpc.world.time.wallNow();
  expect(await summary()).toEqual({
    key: first,
    user: 'shiro',
    metadata: [UPDATE_ID],
    state: {
      status: 'ROLL_FORWARD_AWAITING_PULSE',
      createdTimestampMs: startedAt,
      lastModifiedTimestampMs: startedAt,
    },
  });
  await rpc.ok('pulseJobUpdate', { key: first });
  await rpc.world.settle();
  expect((await summary()).state.status).toBe('ROLLING_FORWARD');
  await rpc.world.advance(10_000);
  expect((await summary()).state.status).toBe('ROLL_FORWARD_AWAITING_PULSE');
  await rpc.ok('pauseJobUpdate', { key: first });
  expect((await summary()).state.status).toBe('ROLL_FORWARD_PAUSED');
  expect(rpc.stat('thrift_workload_startJobUpdate')).toBe(2);

  // The count and the message are looked at before the conflict.
  expect(await start(request(1001, {}, { taskConfig: version('newer') }))).toMatch(/1000/);
  expect(await start(again.request, `${MESSAGE}+`)).toMatch(/^ERROR: message/);
});

test('UPD-103 a message of 1025 characters is an ERROR, one of 1024 is not', async () => {
  await rpc.place({ 0: OLD });
  expect(await start(request(1), `${MESSAGE}+`)).toMatch(/^ERROR: message .*1024.*1025/);
  await expectNothingStored();
  expect(await start(request(1), MESSAGE)).toBe('OK');
});

test('an update may create its job, in any environment', async () => {
  const job = { ...KEY, environment: 'nowhere' };
  const key = await rpc.startUpdate(request(2, {}, { taskConfig: { ...NEW, job } }));
  expect(key.job).toEqual(job);
  expect((await rpc.ok('getConfigSummary', { job })).summary.groups[0].instances).toEqual([
    { first: 0, last: 1 },
  ]);
  expect(await rpc.verdict('createJob', { description: jobOf({ job }) })).toMatch(/environment/);
});

test('an update without a strategy is stored and returned with the one its settings mean', async () => {
  const batch = { updateStrategy: undefined, waitForBatchCompletion: true, updateGroupSize: 3 };
  const key = await rpc.startUpdate(request(1, batch));
  expect((await rpc.details(key)).update.instructions.settings).toMatchObject({
    updateStrategy: { batchStrategy: { groupSize: 3, autopauseAfterBatch: false } },
    waitForBatchCompletion: true,
    updateGroupSize: 3,
  });
});

test('WIRE-045 a start stands or leaves nothing: it is found by its job and the active statuses', async () => {
  const query = {
    role: KEY.role,
    jobKey: KEY,
    updateStatuses: [
      'ROLLING_FORWARD',
      'ROLLING_BACK',
      'ROLL_FORWARD_PAUSED',
      'ROLL_BACK_PAUSED',
      'ROLL_FORWARD_AWAITING_PULSE',
      'ROLL_BACK_AWAITING_PULSE',
    ],
    offset: 0,
    limit: 1,
  };
  const found = async (): Promise<{ key: object }[]> =>
    (await rpc.ok('getJobUpdateSummaries', { jobUpdateQuery: query })).updateSummaries;
  expect(await start(request(-1))).toMatch(/^ERROR/);
  expect(await found()).toEqual([]);
  const key = await rpc.startUpdate(request(1));
  expect((await found()).map((summary) => summary.key)).toEqual([key]);
});

test('the registry is not loaded: every write of a job is transient, never refused for good', async () => {
  const key = await rpc.startUpdate(request(1));
  const { registry } = rpc.world.engine.updater;
  registry.loaded = false;
  for (const [method, args] of [
    ['startJobUpdate', { request: request(2) }],
    ['pauseJobUpdate', { key }],
    ['killTasks', { job: KEY }],
    ['createJob', { description: jobOf() }],
    ['getJobUpdateSummaries', { jobUpdateQuery: {} }],
    ['getJobUpdateDetails', { query: {} }],
  ] as const) {
    expect(await rpc.verdict(method, args)).toMatch(/^ERROR_TRANSIENT: /);
  }
  registry.loaded = true;
});
