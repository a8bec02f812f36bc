/** startMaintenance, drainHosts, slaDrainHosts, maintenanceStatus, endMaintenance (rpc.md §12). */
import type { TaskConfig } from '../../src/core/model/config.js';
import { createMethods } from '../../src/rpc/methods.js';
import { auroraSchema } from '../../src/wire/idl.js';
import { createToCore } from '../../src/wire/to-core.js';
import { KEY, RpcWorld, version } from './support.js';

const POLL = 60_000;
const POLICY = { percentageSlaPolicy: { percentage: 95, durationSecs: 10 } };
const METHODS = [
  ...['startMaintenance', 'drainHosts', 'slaDrainHosts', 'maintenanceStatus', 'endMaintenance'],
];

let rpc: RpcWorld;

beforeEach(async () => {
  rpc = await RpcWorld.create({ hosts: [{ host: 'a' }, { host: 'b' }] });
});

afterEach(async () => {
  await rpc.close();
});

/** `host MODE` of each entry of the answer. */
async function statuses(
  method: string,
  hostNames: readonly string[],
  more: Record<string, unknown> = {},
): Promise<string[]> {
  const { statuses: found } = await rpc.ok(method, { hosts: { hostNames }, ...more }, 'op');
  await rpc.world.settle();
  return found.map(({ host, mode }: { host: string; mode: string }) => `${host} ${mode}`);
}

/** On host a alone. */
function onA(data = 'x'): TaskConfig {
  const constraint = { value: { negated: false, values: ['a'] } };
  return version(data, { constraints: [{ name: 'host', constraint }] });
}

async function requests(): Promise<Record<string, unknown>[]> {
  return rpc.world.sql(
    `SELECT host, default_sla_policy AS policy, timeout_secs::int AS secs, created_by AS user
       FROM host_maintenance_requests ORDER BY host`,
  );
}

test('RPC-122 a host is announced, drained, looked at and taken back; each method counts its hosts', async () => {
  await rpc.running(1, onA());
  expect(await statuses('startMaintenance', ['a'])).toEqual(['a SCHEDULED']);
  expect(await statuses('drainHosts', ['a'])).toEqual(['a DRAINING']);
  expect(await statuses('maintenanceStatus', ['a'])).toEqual(['a DRAINING']);
  expect(await statuses('endMaintenance', ['a'])).toEqual(['a NONE']);
  expect(await statuses('maintenanceStatus', ['b', 'nobody', 'a'])).toEqual(['a NONE', 'b NONE']);
  const counted = METHODS.map((method) => rpc.stat(`thrift_workload_${method}`));
  expect(counted).toEqual([1, 1, 0, 4, 1]);
});

test('RPC-122 the results have their members of the union', async () => {
  expect(await Promise.all(METHODS.map(memberOf))).toEqual([
    ...['startMaintenanceResult', 'drainHostsResult', 'drainHostsResult'],
    ...['maintenanceStatusResult', 'endMaintenanceResult'],
  ]);
});

async function memberOf(method: string): Promise<string | undefined> {
  const methods = createMethods({
    engine: rpc.world.engine,
    limits: rpc.limits,
    settings: { unknownPulseResponse: 'INVALID_REQUEST' },
    stats: rpc.world.stats,
  });
  const outcome = await methods[method]?.({ hosts: { hostNames: [] } }, { user: 'op' });
  return Object.keys(outcome?.result ?? {})[0];
}

test('RPC-123 slaDrainHosts answers in drainHostsResult, and touches no task yet', async () => {
  await rpc.running(1, onA());
  const more = { defaultSlaPolicy: POLICY, timeoutSecs: 10 };
  expect(await statuses('slaDrainHosts', ['a'], more)).toEqual(['a DRAINING']);
  expect(await requests()).toEqual([{ host: 'a', policy: POLICY, secs: 10, user: 'op' }]);
  expect(await rpc.world.statuses(KEY)).toEqual({ 0: 'RUNNING' });
  expect(rpc.stat('thrift_workload_slaDrainHosts')).toBe(1);
});

test('RPC-124 unknown hosts are in no answer; a drain of them is stored', async () => {
  expect(await statuses('startMaintenance', ['unknown'])).toEqual([]);
  expect(await requests()).toEqual([]);
  const more = { defaultSlaPolicy: POLICY, timeoutSecs: 1800 };
  expect(await statuses('slaDrainHosts', ['unknown', 'b'], more)).toEqual(['b DRAINING']);
  expect((await requests()).map(({ host }) => host)).toEqual(['b', 'unknown']);
  expect(await statuses('drainHosts', ['stranger'])).toEqual([]);
  expect(await statuses('endMaintenance', ['stranger', 'unknown'])).toEqual([]);
  expect((await requests()).map(({ host }) => host)).toEqual(['b']);
});

test('RPC-125 a host without tasks is DRAINED at once, and its request is stored', async () => {
  await rpc.running(1, onA());
  expect(await statuses('drainHosts', ['a', 'b'])).toEqual(['a DRAINING', 'b DRAINED']);
  const policy = { percentageSlaPolicy: { percentage: 0, durationSecs: 0 } };
  expect(await requests()).toEqual(
    ['a', 'b'].map((host) => ({ host, policy, secs: 0, user: 'op' })),
  );
});

test('RPC-126 the last task of a DRAINING host ends: DRAINED, and the request is gone', async () => {
  await rpc.running(2, onA());
  await statuses('drainHosts', ['a']);
  await rpc.world.report(KEY, 0, 'killed');
  expect(await statuses('maintenanceStatus', ['a'])).toEqual(['a DRAINING']);
  await rpc.world.report(KEY, 1, 'killed');
  expect(await statuses('maintenanceStatus', ['a'])).toEqual(['a DRAINED']);
  expect(await requests()).toEqual([]);
});

test('RPC-127 a drain without a timeout forces every task at the next look', async () => {
  await rpc.running(2, onA());
  await statuses('slaDrainHosts', ['a'], { defaultSlaPolicy: POLICY });
  await rpc.world.sql('UPDATE host_maintenance_requests SET created_at = to_timestamp(0)');
  expect(await rpc.world.statuses(KEY)).toEqual({ 0: 'RUNNING', 1: 'RUNNING' });
  await rpc.world.advance(POLL);
  expect(await rpc.world.statuses(KEY)).toEqual({ 0: 'DRAINING', 1: 'DRAINING' });
});

test('RPC-128 a DRAINING host without a request keeps its tasks', async () => {
  await rpc.running(2, onA());
  await statuses('slaDrainHosts', ['a'], { defaultSlaPolicy: POLICY, timeoutSecs: 0 });
  await rpc.world.sql('DELETE FROM host_maintenance_requests');
  await rpc.world.advance(2 * POLL);
  expect(await rpc.world.statuses(KEY)).toEqual({ 0: 'RUNNING', 1: 'RUNNING' });
  expect(await statuses('maintenanceStatus', ['a'])).toEqual(['a DRAINING']);
});

test('a later request replaces the earlier one; a DRAINED host that is drained again is DRAINING', async () => {
  await statuses('drainHosts', ['a']);
  const more = { defaultSlaPolicy: POLICY, timeoutSecs: Number.MAX_SAFE_INTEGER };
  expect(await statuses('slaDrainHosts', ['a'], more)).toEqual(['a DRAINING']);
  expect(await rpc.world.sql('SELECT timeout_secs FROM host_maintenance_requests')).toEqual([
    { timeout_secs: String(Number.MAX_SAFE_INTEGER) },
  ]);
  expect(await statuses('slaDrainHosts', ['a'], { timeoutSecs: -1 })).toEqual(['a DRAINING']);
  expect(await requests()).toEqual([{ host: 'a', policy: null, secs: -1, user: 'op' }]);
});

test.each(METHODS)(
  '%s of no hosts at all is a mistake, of an empty set it is not',
  async (name) => {
    expect(await rpc.verdict(name)).toBe('ERROR: hosts must be set');
    expect(await rpc.verdict(name, { hosts: {} })).toBe('ERROR: hosts.hostNames must be set');
    expect(await statuses(name, [])).toEqual([]);
  },
);

test('an IDL client that names no hosts is told so; one that names none of them is not', () => {
  const schema = auroraSchema();
  const toCore = createToCore(schema);
  expect(toCore.struct('Hosts', {})).toEqual({});
  expect(toCore.struct('Hosts', { hostNames: [] })).toEqual({ hostNames: [] });
});
