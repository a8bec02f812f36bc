/** getPendingReason (rpc.md §7, §10; tasks.md §5.4). */
import type { Veto } from '../../src/core/schedule/vetoes.js';
import { KEY, NOWHERE, RpcWorld, aTask } from './support.js';

const OTHER = { ...KEY, name: 'other' };
const WAITS = aTask({ constraints: [NOWHERE] });
const NO_RACK = 'Constraint not satisfied: rack';

let rpc: RpcWorld;

beforeEach(async () => {
  rpc = await RpcWorld.create();
});

afterEach(async () => {
  await rpc.close();
});

/** `name/instance: reason` of each entry in the order of the answer. */
async function reasons(query: object): Promise<string[]> {
  const answer = await rpc.ok('getPendingReason', { query });
  const tasks = [...(await rpc.world.tasks(KEY)), ...(await rpc.world.tasks(OTHER))];
  return answer.reasons.map(({ taskId, reason }: { taskId: string; reason: string }) => {
    const task = tasks.find((one) => one.taskId === taskId);
    const name = taskId.includes(`-${OTHER.name}-`) ? OTHER.name : KEY.name;
    return `${name}/${task?.instanceId}: ${reason}`;
  });
}

test('RPC-070 joins what was vetoed by a comma alone', async () => {
  await rpc.place({ 0: WAITS, 1: WAITS });
  const veto = (name: string): Veto => ({ kind: 'constraint', name, score: 10_000 });
  const { scheduling } = rpc.world.engine;
  jest.spyOn(scheduling, 'vetoesOf').mockReturnValue([veto('first'), veto('second')]);
  const text = 'Constraint not satisfied: first,Constraint not satisfied: second';
  expect(await reasons({})).toEqual([`job_foo/0: ${text}`, `job_foo/1: ${text}`]);
  expect(rpc.stat('scheduler_thrift_workload_getPendingReason')).toBe(2);
});

test('says what the hosts lack, and no more once the task has a place', async () => {
  const resources = [{ numCpus: 1e7 }, { ramMb: 2 ** 40 }, { diskMb: 1 }];
  await rpc.place({ 0: aTask({ resources }), 1: WAITS, 2: aTask() });
  expect(await reasons({})).toEqual([
    'job_foo/0: Insufficient: CPU,Insufficient: RAM',
    `job_foo/1: ${NO_RACK}`,
  ]);
});

test('a task nobody tried to place has an empty reason, and one that is THROTTLED has none', async () => {
  await rpc.place({ 0: WAITS, 1: WAITS });
  jest.spyOn(rpc.world.engine.scheduling, 'vetoesOf').mockReturnValue(undefined);
  await rpc.world.sql("UPDATE tasks SET status = 'THROTTLED' WHERE instance_id = 1");
  expect(await reasons({})).toEqual(['job_foo/0: ']);
});

test.each([
  ['slave hosts', { slaveHosts: ['host1'] }, /^INVALID_REQUEST: query.slaveHosts/],
  ['statuses', { statuses: ['ASSIGNED'] }, /^INVALID_REQUEST: query.statuses/],
  ['PENDING itself', { statuses: ['PENDING'] }, /^INVALID_REQUEST: query.statuses/],
  ['both', { slaveHosts: ['h'], statuses: ['PENDING'] }, /^INVALID_REQUEST: query.slaveHosts/],
  ['a bad key', { jobKeys: [{ role: 'r', name: 'n' }] }, /^ERROR: query: role/],
  ['nothing', undefined, /^ERROR: query must be set/],
])('RPC-071 refuses a query for %s', async (_, query, text) => {
  expect(await rpc.verdict('getPendingReason', { query })).toMatch(text);
});

test('the other conditions, offset and limit of a query hold; empty filters are none', async () => {
  await rpc.place({ 0: WAITS });
  await rpc.world.advance(100);
  await rpc.place({ 1: WAITS });
  await rpc.world.advance(100);
  await rpc.place({ 0: { ...WAITS, job: OTHER } });
  const all = [`job_foo/0: ${NO_RACK}`, `job_foo/1: ${NO_RACK}`, `other/0: ${NO_RACK}`];
  expect(await reasons({ slaveHosts: [], statuses: [], limit: 0 })).toEqual(all);
  expect(await reasons({ limit: 2 })).toEqual(all.slice(0, 2));
  expect(await reasons({ limit: 2, offset: 1 })).toEqual(all.slice(1));
  // What the web UI asks on the page of a job.
  const { role, environment, name: jobName } = OTHER;
  expect(await reasons({ role, environment, jobName })).toEqual(all.slice(2));
});
