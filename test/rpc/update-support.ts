/** What the tests of update reads share: updates to look at, and the invariants every answer keeps. */
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import type { UpdateEvent } from '../../src/core/model/update.js';
import { mayFollow } from '../../src/core/update/status-table.js';
import type { RpcWorld } from './support.js';
import { aRequest, version } from './support.js';

/** blockIfNoPulsesAfterMs of the coordinated ones. */
export const P = 10_000;

export const ACTIVE = [
  'ROLLING_FORWARD',
  'ROLLING_BACK',
  'ROLL_FORWARD_PAUSED',
  'ROLL_BACK_PAUSED',
  'ROLL_FORWARD_AWAITING_PULSE',
  'ROLL_BACK_AWAITING_PULSE',
];

/** An update that creates `job`, by the time it is called the newest of all. */
export async function created(
  rpc: RpcWorld,
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
export async function rolling(rpc: RpcWorld): Promise<JobUpdateKey> {
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

export interface Summary {
  readonly key: JobUpdateKey;
  readonly state: {
    readonly status: string;
    readonly createdTimestampMs: number;
    readonly lastModifiedTimestampMs: number;
  };
}

export async function summaries(rpc: RpcWorld, jobUpdateQuery: object): Promise<Summary[]> {
  return (await rpc.ok('getJobUpdateSummaries', { jobUpdateQuery })).updateSummaries;
}

/** Names of the jobs whose updates match, by both reads, in their order. */
export async function found(rpc: RpcWorld, query: object): Promise<string> {
  const bySummary = (await summaries(rpc, query)).map((summary) => summary.key.job.name);
  const { detailsList } = await rpc.ok('getJobUpdateDetails', { query });
  const byDetails = detailsList.map(
    (details: { update: { summary: Summary } }) => details.update.summary.key.job.name,
  );
  expect(byDetails).toEqual(bySummary);
  return bySummary.join(' ');
}

/** Checks I1 to I4 on one update's details and returns its events as `STATUS@ms after the start`. */
export async function events(rpc: RpcWorld, key: JobUpdateKey): Promise<string[]> {
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
