/** getJobUpdateDiff (rpc.md §8, §10). */
import type { TaskConfig } from '../../src/core/model/config.js';
import type { Range } from '../../src/core/model/ranges.js';
import { RpcWorld, aRequest, groupsText, populated, version } from './support.js';

const NEW = version('new');

let rpc: RpcWorld;

beforeEach(async () => {
  rpc = await RpcWorld.create();
});

afterEach(async () => {
  await rpc.close();
});

function request(instanceCount: number, updateOnlyTheseInstances: Range[] = []) {
  return aRequest({ updateOnlyTheseInstances }, { taskConfig: NEW, instanceCount });
}

async function diff(instanceCount: number, scope?: Range[]) {
  const result = await rpc.ok('getJobUpdateDiff', { request: request(instanceCount, scope) });
  expect(Object.keys(result).sort()).toEqual(['add', 'remove', 'unchanged', 'update']);
  return {
    add: groupsText(result.add),
    remove: groupsText(result.remove),
    update: groupsText(result.update),
    unchanged: groupsText(result.unchanged),
  };
}

/** Instances 0 to count − 1, ten of each config. */
async function tens(count: number): Promise<void> {
  const configs: Record<number, TaskConfig> = {};
  for (let id = 0; id < count; id++) configs[id] = version(`old${Math.floor(id / 10)}`);
  await rpc.place(configs);
}

test('UPD-108, RPC-079 five configs, ten more instances, a scope that leaves out the first ten', async () => {
  await tens(50);
  expect(await diff(60, [{ first: 10, last: 59 }])).toEqual({
    add: ['new [50-59]'],
    remove: [],
    update: ['old1 [10-19]', 'old2 [20-29]', 'old3 [30-39]', 'old4 [40-49]'],
    unchanged: ['old0 [0-9]'],
  });
});

test('UPD-109, RPC-080 fewer instances: the last ones are removed, with their old config', async () => {
  await tens(30);
  expect(await diff(20)).toEqual({
    add: [],
    remove: ['old2 [20-29]'],
    update: ['old0 [0-9]', 'old1 [10-19]'],
    unchanged: [],
  });
});

test('UPD-109, RPC-081 what is equal is unchanged, and nothing else is said', async () => {
  const same = populated(NEW);
  await rpc.place(Object.fromEntries(Array.from({ length: 10 }, (_, id) => [id, same])));
  expect(await diff(10)).toEqual({ add: [], remove: [], update: [], unchanged: ['new [0-9]'] });
});

test('RPC-083 several configs and a hole, with and without a scope', async () => {
  await rpc.place({ 0: version('old'), 1: populated(NEW), 3: version('old2'), 4: version('old') });
  expect(await diff(5)).toEqual({
    add: ['new [2-2]'],
    remove: [],
    update: ['old [0-0][4-4]', 'old2 [3-3]'],
    unchanged: ['new [1-1]'],
  });
  expect(await diff(5, [{ first: 0, last: 0 }])).toEqual({
    add: [],
    remove: [],
    update: ['old [0-0]'],
    unchanged: ['new [1-1]', 'old [4-4]', 'old2 [3-3]'],
  });
});

test('a scope may name instances there are not and will not be, any number of them', async () => {
  await rpc.place({ 0: version('old'), 5: version('old'), 7: version('old'), 9: version('old') });
  const scope = [
    { first: 6, last: 8 },
    { first: 100, last: 2_000_000_000 },
    { first: 0, last: 0 },
  ];
  expect(await diff(2, scope)).toEqual({
    add: [],
    remove: ['old [7-7]'],
    update: ['old [0-0]'],
    unchanged: ['old [5-5][9-9]'],
  });
  expect(await diff(2, [{ first: 100, last: 100 }])).toEqual({
    add: [],
    remove: [],
    update: [],
    unchanged: ['old [0-0][5-5][7-7][9-9]'],
  });
});

test('no limit of a job applies, and what is added is told in minimal ranges', async () => {
  expect(await diff(5_000)).toEqual({
    add: ['new [0-4999]'],
    remove: [],
    update: [],
    unchanged: [],
  });
  await rpc.place({ 0: version('old'), 2: version('old') });
  const most = 2 ** 31 - 1;
  expect((await diff(most)).add).toEqual([`new [1-1][3-${most - 1}]`]);
  expect((await diff(3)).add).toEqual(['new [1-1]']);
  const scope = [
    { first: 7, last: 8 },
    { first: 1, last: 1 },
    { first: 2, last: 4 },
    { first: 5, last: 6 },
    { first: 11, last: 30 },
  ];
  expect(await diff(20, scope)).toEqual({
    add: ['new [1-1][3-8][11-19]'],
    remove: [],
    update: ['old [2-2]'],
    unchanged: ['old [0-0]'],
  });
});

test('an update that is active, and a config that is no service, are no obstacle', async () => {
  await rpc.running(1, version('old'));
  await rpc.startUpdate(
    aRequest({ blockIfNoPulsesAfterMs: 1_000 }, { taskConfig: version('newer'), instanceCount: 1 }),
  );
  const sent = { ...request(1), taskConfig: { ...NEW, isService: false } };
  const { update } = await rpc.ok('getJobUpdateDiff', { request: sent });
  expect(groupsText(update)).toEqual(['old [0-0]']);
});

test.each([
  ['no request', undefined, /^ERROR: request/],
  ['no config', { ...request(1), taskConfig: undefined }, /^ERROR: .*taskConfig/],
  [
    'RPC-082 a bad config, even without settings',
    { ...request(1), settings: undefined, taskConfig: { ...NEW, resources: [{ numCpus: -1 }] } },
    /^INVALID_REQUEST: taskConfig.resources/,
  ],
  ['no settings', { ...request(1), settings: undefined }, /^ERROR: request.settings/],
  ['a negative count', request(-1), /^ERROR: instanceCount/],
  ['an inverted range', request(1, [{ first: 3, last: 1 }]), /^ERROR: .*inverted/],
  [
    'overlapping ranges',
    request(1, [
      { first: 1, last: 3 },
      { first: 3, last: 4 },
    ]),
    /^ERROR: .*overlap/,
  ],
])('%s is refused with a text', async (_, sent, text) => {
  expect(await rpc.verdict('getJobUpdateDiff', { request: sent })).toMatch(text);
});

test('nothing is stored, and the statements do not depend on the size', async () => {
  await tens(1);
  const cost = async (count: number): Promise<number> => {
    const before = rpc.world.db.statements;
    await diff(count);
    return rpc.world.db.statements - before;
  };
  const small = await cost(1);
  expect(await cost(1_000)).toBe(small);
  expect(
    await rpc.world.sql(`SELECT 1 FROM task_configs WHERE config::text LIKE '%"new"%'`),
  ).toEqual([]);
});
