/** Coordinated updates that a new process finds in the store, as clients see them (rpc.md §15; updates.md §2.10). */
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import type { UpdateStatus } from '../../src/core/model/statuses.js';
import { storeUpdate } from '../scenarios/stored-update.js';
import { KEY, RpcWorld, populated, version } from './support.js';

const OLD = populated(version('old'));
const NEW = populated(version('new'));
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
/** minWaitInRunningMs of the stored update. */
const WATCH = 2 * SECOND;

let rpc: RpcWorld;

beforeEach(async () => {
  rpc = await RpcWorld.create();
});

afterEach(async () => {
  await rpc.close();
});

/** One instance runs OLD, and an update of it to NEW has these events, the last of them a minute ago. */
async function restarted(pulseTimeoutMs: number, ...events: UpdateStatus[]): Promise<JobUpdateKey> {
  await rpc.place({ 0: OLD });
  await rpc.world.report(KEY, 0, 'running');
  await rpc.world.stop();
  const settings = { pulseTimeoutMs };
  const key = await storeUpdate(rpc.world, {
    ...{ job: KEY, from: OLD, to: NEW, instances: 1, settings, events },
  });
  await rpc.world.start();
  return key;
}

/** The status, as both reads tell it. */
async function status(key: JobUpdateKey): Promise<string> {
  const { updateSummaries } = await rpc.ok('getJobUpdateSummaries', { jobUpdateQuery: { key } });
  const told = updateSummaries.map(({ state }: { state: { status: string } }) => state.status);
  const { update } = await rpc.details(key);
  expect(told).toEqual([update.summary.state.status]);
  return told[0] as string;
}

async function instanceEvents(key: JobUpdateKey): Promise<string[]> {
  const { instanceEvents: events } = await rpc.details(key);
  return events.map(({ action }: { action: string }) => action);
}

async function pulse(key: JobUpdateKey): Promise<string> {
  const { status: answer } = await rpc.ok('pulseJobUpdate', { key });
  await rpc.world.settle();
  return answer as string;
}

async function expectBlocked(key: JobUpdateKey): Promise<void> {
  expect(await status(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
  // Time alone changes nothing.
  await rpc.world.advance(60 * SECOND);
  expect(await status(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
  expect(await instanceEvents(key)).toEqual([]);
  expect(await rpc.world.versions(KEY)).toEqual({ 0: 'old' });
}

async function expectItRolls(key: JobUpdateKey): Promise<void> {
  expect(await status(key)).toBe('ROLLING_FORWARD');
  expect(await instanceEvents(key)).toEqual(['INSTANCE_UPDATING']);
  await rpc.world.replace(KEY, 0);
  await pulse(key);
  await rpc.world.advance(WATCH);
  expect(await status(key)).toBe('ROLLED_FORWARD');
  expect(await rpc.world.versions(KEY)).toEqual({ 0: 'new' });
}

test('RPC-062 one that rolled a minute ago, with a timeout of 10 s, waits for a pulse', async () => {
  const key = await restarted(10 * SECOND, 'ROLLING_FORWARD');
  await expectBlocked(key);
  expect(await pulse(key)).toBe('OK');
  await expectItRolls(key);
});

test('RPC-063 so does one with a timeout of an hour: no pulse is inferred from its age', async () => {
  const key = await restarted(HOUR, 'ROLLING_FORWARD');
  await expectBlocked(key);
  expect(await pulse(key)).toBe('OK');
  await expectItRolls(key);
});

test('RPC-064 a paused one stays paused, with a pulse too, and rolls when it is resumed', async () => {
  const key = await restarted(10 * SECOND, 'ROLLING_FORWARD', 'ROLL_FORWARD_PAUSED');
  expect(await status(key)).toBe('ROLL_FORWARD_PAUSED');
  expect(await pulse(key)).toBe('OK');
  expect(await status(key)).toBe('ROLL_FORWARD_PAUSED');
  expect(await instanceEvents(key)).toEqual([]);
  await rpc.ok('resumeJobUpdate', { key });
  await rpc.world.settle();
  await expectItRolls(key);
});
