/** triggerExplicitTaskReconciliation and triggerImplicitTaskReconciliation (rpc.md §12). */
import { KEY, RpcWorld } from './support.js';

const PLAIN_OK = { code: 'OK', details: [], result: undefined };

let rpc: RpcWorld;
let asked: (number | 'all')[];

beforeEach(async () => {
  rpc = await RpcWorld.create();
  asked = [];
  rpc.world.backend.reconcile = (scope) => {
    asked.push(scope === 'all' ? scope : scope.taskIds.length);
    return Promise.resolve();
  };
  await rpc.running(25);
});

afterEach(async () => {
  await rpc.close();
});

const explicit = (settings: unknown) => rpc.call('triggerExplicitTaskReconciliation', { settings });

test.each([
  ['unset', {}, [25]],
  ['10', { batchSize: 10 }, [10, 10, 5]],
])('RPC-129 batchSize %s is OK, and the batches follow', async (_, settings, batches) => {
  expect(await explicit(settings)).toEqual(PLAIN_OK);
  // The answer does not wait for them.
  expect(asked).toEqual([]);
  await rpc.world.settle();
  expect(asked).toEqual(batches.slice(0, 1));
  await rpc.world.advance(4_999);
  expect(asked).toHaveLength(1);
  await rpc.world.advance(5_001);
  expect(asked).toEqual(batches);
  expect(rpc.stat('reconciliation_explicit_runs')).toBe(1);
});

test.each([0, -1000])('RPC-129 batchSize %i is an INVALID_REQUEST', async (batchSize) => {
  expect(await explicit({ batchSize })).toEqual({
    code: 'INVALID_REQUEST',
    details: ['settings.batchSize must be greater than 0'],
    result: undefined,
  });
  await rpc.world.settle();
  expect(asked).toEqual([]);
  expect(rpc.stat('reconciliation_explicit_runs')).toBe(0);
});

test('RPC-130 two tasks in batches of one: two batches, one run', async () => {
  await rpc.ok('killTasks', { job: KEY });
  for (let id = 2; id < 25; id++) await rpc.world.report(KEY, id, 'killed');
  expect(await explicit({ batchSize: 1 })).toEqual(PLAIN_OK);
  await rpc.world.settle();
  expect(asked).toEqual([1]);
  await rpc.world.advance(5_000);
  expect(asked).toEqual([1, 1]);
  expect(rpc.stat('reconciliation_explicit_runs')).toBe(1);
});

test('no settings are an ERROR that says so', async () => {
  expect(await explicit(undefined)).toMatchObject({
    code: 'ERROR',
    details: ['settings must be set'],
  });
});

test('an implicit run asks for everything, once', async () => {
  expect(await rpc.call('triggerImplicitTaskReconciliation')).toEqual(PLAIN_OK);
  await rpc.world.settle();
  expect(asked).toEqual(['all']);
  expect(rpc.stat('reconciliation_implicit_runs')).toBe(1);
  expect(rpc.stat('reconciliation_explicit_runs')).toBe(0);
});
