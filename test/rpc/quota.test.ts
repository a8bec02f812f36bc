/** getQuota and setQuota, and quota where jobs are made, grown and updated (rpc.md §9 to §12). */
import type { Constraint, TaskConfig } from '../../src/core/model/config.js';
import type { JobKey } from '../../src/core/model/keys.js';
import { KEY, NOWHERE, RpcWorld, aRequest, aTask, jobOf, version } from './support.js';

const ROLE = KEY.role;
const OTHER = { ...KEY, name: 'other' };
const PROD = { tier: 'tier-prod', production: true, constraints: [NOWHERE] };
const DEDICATED: Constraint = {
  name: 'dedicated',
  constraint: { value: { negated: false, values: ['*/web'] } },
};

let rpc: RpcWorld;

beforeEach(async () => {
  rpc = await RpcWorld.create();
});

afterEach(async () => {
  await rpc.close();
});

const resources = (cpus: number, ramMb = cpus * 1024, diskMb = ramMb) => [
  { numCpus: cpus },
  { ramMb },
  { diskMb },
];

/** Room for so many tasks of the fixture, each of 1 core and 1024 MiB of both. */
async function setQuota(tasks: number, role = ROLE): Promise<string> {
  return rpc.verdict('setQuota', { ownerRole: role, quota: { resources: resources(tasks) } });
}

/** Cores of the quota / prodShared / prodDedicated / nonProdShared / nonProdDedicated. */
async function cores(role = ROLE): Promise<string> {
  const answer = await rpc.ok('getQuota', { ownerRole: role });
  for (const aggregate of Object.values(answer) as { resources: { numCpus?: number }[] }[]) {
    expect(aggregate.resources).toEqual(resources(aggregate.resources[0]?.numCpus ?? NaN));
  }
  return ['quota', 'prodShared', 'prodDedicated', 'nonProdShared', 'nonProdDedicated']
    .map((name) => (answer[name] ?? answer[`${name}Consumption`]).resources[0].numCpus as number)
    .join(' / ');
}

const create = (count: number, job: JobKey = KEY, more: Partial<TaskConfig> = {}) =>
  rpc.verdict('createJob', { description: jobOf({ ...PROD, ...more, job }, count) });

const SHORT_OF_ONE = expect.stringMatching(
  /^INVALID_REQUEST: Insufficient resource quota: CPU quota exceeded by 1\.00 core\(s\); RAM .* 1024\.00 MB; disk .*/,
);

describe('setQuota and getQuota', () => {
  test('RPC-117, WIRE-028, WIRE-047 what was set is what is read, after a restart, too', async () => {
    const quota = { resources: resources(3.5, 20480, 10240) };
    await rpc.ok('setQuota', { ownerRole: ROLE, quota });
    await rpc.world.restart();
    expect((await rpc.ok('getQuota', { ownerRole: ROLE })).quota).toEqual(quota);
    expect(await setQuota(1)).toBe('OK');
    expect(await cores()).toBe('1 / 0 / 0 / 0 / 0');
  });

  test('a role nobody knows has five aggregates of zeros', async () => {
    expect(await cores('nobody')).toBe('0 / 0 / 0 / 0 / 0');
  });

  test.each([undefined, '', ' \t'])('role %j is an ERROR of both', async (ownerRole) => {
    expect(await rpc.verdict('getQuota', { ownerRole })).toMatch(/^ERROR: ownerRole must/);
    const quota = { resources: resources(1) };
    expect(await rpc.verdict('setQuota', { ownerRole, quota })).toMatch(/^ERROR: ownerRole must/);
  });

  test.each([
    ['four of them', [...resources(1), { numCpus: 2 }]],
    ['a port', [{ numCpus: 1 }, { ramMb: 1 }, { namedPort: 'http' }]],
    ['no disk', [{ numCpus: 1 }, { ramMb: 1 }]],
  ])('RPC-116 an aggregate with %s is an ERROR', async (_, list) => {
    const args = { ownerRole: ROLE, quota: { resources: list } };
    expect(await rpc.verdict('setQuota', args)).toMatch(/^ERROR: quota.resources/);
    expect(await rpc.world.sql('SELECT * FROM quotas')).toEqual([]);
  });

  test('RPC-114, RPC-118, TASK-083 no negative quota, and none below what is in use', async () => {
    expect(await setQuota(3)).toBe('OK');
    expect(await create(2)).toBe('OK');
    expect(await setQuota(-1)).toMatch(/^INVALID_REQUEST: .*negative/);
    expect(await setQuota(1)).toMatch(/^INVALID_REQUEST: .*use/);
    expect(await cores()).toBe('3 / 2 / 0 / 0 / 0');
    expect(await setQuota(2)).toBe('OK');
    expect(await setQuota(0, 'idle')).toBe('OK');
    expect(await rpc.world.sql('SELECT role, cpus FROM quotas ORDER BY role')).toEqual([
      { role: ROLE, cpus: 2 },
      { role: 'idle', cpus: 0 },
    ]);
  });

  test('RPC-106 only production tasks on shared hosts cost quota, the others are counted apart', async () => {
    const dedicated = [NOWHERE, DEDICATED];
    const dev = { tier: 'tier-dev' };
    expect(await create(1, { ...KEY, name: 'a' }, dev)).toBe('OK');
    expect(await create(2, { ...KEY, name: 'b' }, { constraints: dedicated })).toBe('OK');
    expect(await create(3, { ...KEY, name: 'c' }, { ...dev, constraints: dedicated })).toBe('OK');
    expect(await cores()).toBe('0 / 0 / 2 / 1 / 3');
  });

  test('tasks count while they are active, whatever they do', async () => {
    expect(await setQuota(2)).toBe('OK');
    await rpc.running(2, { ...PROD, constraints: [] });
    await rpc.ok('killTasks', { job: KEY, instances: [0] });
    expect(await cores()).toBe('2 / 2 / 0 / 0 / 0');
    await rpc.world.report(KEY, 0, 'killed');
    await rpc.world.report(KEY, 1, 'finished');
    expect(await cores()).toBe('2 / 0 / 0 / 0 / 0');
  });
});

describe('createJob and addInstances', () => {
  test('RPC-001, RPC-007 a production job needs quota for all its instances', async () => {
    expect(await setQuota(2)).toBe('OK');
    expect(await create(3)).toEqual(SHORT_OF_ONE);
    expect(await rpc.world.tasks(KEY)).toEqual([]);
    expect(await create(2)).toBe('OK');
    expect(await create(1, OTHER)).toEqual(SHORT_OF_ONE);
    expect(await create(1, { ...KEY, role: 'another' })).toEqual(SHORT_OF_ONE);
    expect(rpc.stat('thrift_workload_createJob')).toBe(2);
  });

  test('RPC-007 the number of instances and the existing job are looked at first', async () => {
    expect(await create(1001)).toMatch(/at most 1000/);
    expect(await setQuota(1)).toBe('OK');
    expect(await create(1)).toBe('OK');
    expect(await create(5)).toMatch(/exists/);
  });

  test('RPC-025 added instances must fit', async () => {
    expect(await setQuota(3)).toBe('OK');
    expect(await create(2)).toBe('OK');
    const add = (count: number) =>
      rpc.verdict('addInstances', { key: { jobKey: KEY, instanceId: 0 }, count });
    expect(await add(2)).toEqual(SHORT_OF_ONE);
    expect(await add(1)).toBe('OK');
    expect(await rpc.world.tasks(KEY)).toHaveLength(3);
  });

  test('jobs that are created at the same moment cannot overrun the quota together', async () => {
    expect(await setQuota(4)).toBe('OK');
    const jobs = Array.from({ length: 10 }, (_, n) => ({ ...KEY, name: `job-${n}` }));
    const answers = await Promise.all(jobs.map((job) => create(1, job)));
    expect(answers.filter((answer) => answer === 'OK')).toHaveLength(4);
    expect(answers.filter((answer) => answer !== 'OK')).toEqual(
      Array.from({ length: 6 }, () => SHORT_OF_ONE),
    );
    expect(await cores()).toBe('4 / 4 / 0 / 0 / 0');
  });
});

describe('startJobUpdate', () => {
  const service = (data: string, more: Partial<TaskConfig> = {}) =>
    version(data, { ...PROD, ...more });
  const start = (
    taskConfig: TaskConfig,
    instanceCount: number,
    message?: string,
    settings: Parameters<typeof aRequest>[0] = {},
  ) =>
    rpc.verdict('startJobUpdate', {
      request: aRequest(
        { blockIfNoPulsesAfterMs: 60_000, ...settings },
        { taskConfig, instanceCount },
      ),
      message,
    });

  test('RPC-051, UPD-100, RPC-111 what it adds must fit; what it replaces is not counted twice', async () => {
    expect(await setQuota(3)).toBe('OK');
    await rpc.place({ 0: service('old'), 1: service('old') });
    expect(await start(service('new'), 4)).toEqual(SHORT_OF_ONE);
    expect(await rpc.world.sql('SELECT * FROM job_updates')).toEqual([]);
    expect(await start(service('new'), 3)).toBe('OK');
    expect(await cores()).toBe('3 / 3 / 0 / 0 / 0');
    expect(await create(1, OTHER)).toEqual(SHORT_OF_ONE);
  });

  test('RPC-110 a scope leaves the instances outside it counted as tasks', async () => {
    expect(await setQuota(4)).toBe('OK');
    const big = service('old', { resources: resources(2) });
    await rpc.place({ 0: big, 12: big });
    const scope = { updateOnlyTheseInstances: [{ first: 0, last: 0 }] };
    expect(await start(service('new', { resources: resources(3) }), 13, undefined, scope)).toEqual(
      SHORT_OF_ONE,
    );
    expect(await start(service('new'), 13, undefined, scope)).toBe('OK');
    expect(await cores()).toBe('4 / 4 / 0 / 0 / 0');
  });

  test('RPC-108, RPC-109 an update between tiers counts both of its sides until it ends', async () => {
    expect(await setQuota(2)).toBe('OK');
    await rpc.place({ 0: service('old') });
    const { key } = await rpc.ok('startJobUpdate', {
      request: aRequest({}, { taskConfig: service('new', { tier: 'tier-dev' }), instanceCount: 3 }),
    });
    await rpc.world.settle();
    expect(await cores()).toBe('2 / 1 / 0 / 3 / 0');
    await rpc.ok('abortJobUpdate', { key });
    // The first instance was killed where it stood, so only the new tasks are left.
    expect(await cores()).toBe('2 / 0 / 0 / 3 / 0');
    expect(await start(service('newer'), 3)).toEqual(SHORT_OF_ONE);
    expect(await start(service('newer'), 2)).toBe('OK');
  });

  test('RPC-112 one to a tier that costs no quota, or that only removes, is not checked', async () => {
    await rpc.place({ 0: service('old'), 1: service('old') });
    const scope = { updateOnlyTheseInstances: [{ first: 1, last: 1 }] };
    expect(await start(service('old'), 1, undefined, scope)).toBe('OK');
    await rpc.place({ 0: { ...service('old'), job: OTHER } });
    expect(await start(service('new', { job: OTHER, tier: 'tier-dev' }), 9)).toBe('OK');
  });

  test('quota is asked between the number of instances and the message', async () => {
    const long = 'm'.repeat(1025);
    await rpc.place({ 0: service('old') });
    expect(await start(service('new'), 1001, long)).toMatch(/at most 1000/);
    expect(await start(service('new'), 1, long)).toEqual(SHORT_OF_ONE);
    expect(await setQuota(1)).toBe('OK');
    expect(await start(service('new'), 1, long)).toMatch(/^ERROR: message/);
    expect(await start(service('old'), 1)).toMatch(/^OK/);
    expect(await start(service('new'), 1)).toBe('OK');
    // The conflict comes after it.
    expect(await start(service('newer'), 2)).toEqual(SHORT_OF_ONE);
    expect(await start(service('newer'), 1)).toMatch(/An update of this job is active/);
  });
});

describe('cron templates', () => {
  const key = (name: string): JobKey => ({ ...KEY, name });
  /** A task of so many cores, with as many GiB of RAM and of disk, that no host takes. */
  const needing = (cpus: number, more: Partial<TaskConfig> = {}): Partial<TaskConfig> => ({
    ...PROD,
    resources: resources(cpus),
    ...more,
  });
  const cron = (name: string, task: Partial<TaskConfig>, count: number) =>
    jobOf({ ...task, job: key(name) }, count, { cronSchedule: '0 0 1 7 *' });
  const schedule = (name: string, task: Partial<TaskConfig>, count: number) =>
    rpc.verdict('scheduleCronJob', { description: cron(name, task, count) });
  const replace = (name: string, task: Partial<TaskConfig>, count: number) =>
    rpc.verdict('replaceCronTemplate', { config: cron(name, task, count) });
  const shortBy = (cpus: number) =>
    `INVALID_REQUEST: Insufficient resource quota: CPU quota exceeded by ${cpus}.00 core(s); ` +
    `RAM quota exceeded by ${cpus * 1024}.00 MB; disk quota exceeded by ${cpus * 1024}.00 MB`;
  const DEV = { tier: 'tier-dev' };
  const ON_DEDICATED = { constraints: [NOWHERE, DEDICATED] };

  async function run(name: string): Promise<void> {
    await rpc.ok('startCronJob', { job: key(name) });
    await rpc.world.settle();
  }

  /** An update of a job of one instance, to as much as it had; it waits for a pulse. */
  async function updating(name: string): Promise<void> {
    const to = (data: string) => version(data, { ...PROD, job: key(name) });
    await rpc.place({ 0: to('old') });
    await rpc.startUpdate(
      aRequest({ blockIfNoPulsesAfterMs: 60_000 }, { taskConfig: to('new'), instanceCount: 1 }),
    );
  }

  test.each([
    ['RPC-102', 1, 2],
    ['TASK-081', 2, 1],
  ])('%s tasks, updates and templates are counted in four buckets', async (_, cpus, count) => {
    expect(await setQuota(6)).toBe('OK');
    expect(await create(1, key('a'), needing(3))).toBe('OK');
    expect(await create(1, key('b'), needing(5, ON_DEDICATED))).toBe('OK');
    expect(await create(1, key('c'), needing(2, DEV))).toBe('OK');
    expect(await create(1, key('d'), needing(7, { ...DEV, ...ON_DEDICATED }))).toBe('OK');
    await updating('u');
    expect(await schedule('pc', needing(cpus), count)).toBe('OK');
    expect(await schedule('npc', needing(7, DEV), 1)).toBe('OK');
    // Less than is in use: no request gets there, but what was given once may be taken away.
    await rpc.world.sql('UPDATE quotas SET cpus = 4, ram_mb = 4096, disk_mb = 4096');
    expect(await cores()).toBe('4 / 6 / 5 / 9 / 7');
    await rpc.world.restart();
    expect(await cores()).toBe('4 / 6 / 5 / 9 / 7');
  });

  test('RPC-103 a template or its tasks, whichever need more, in the bucket of the template', async () => {
    expect(await setQuota(14)).toBe('OK');
    await updating('u');
    expect(await schedule('pc', needing(6), 1)).toBe('OK');
    expect(await schedule('npc', needing(7), 1)).toBe('OK');
    await run('pc');
    await run('npc');
    expect(await cores()).toBe('14 / 14 / 0 / 0 / 0');
    expect(await replace('pc', needing(3), 1)).toBe('OK');
    expect(await replace('npc', needing(5, DEV), 2)).toBe('OK');
    expect(await cores()).toBe('14 / 7 / 0 / 10 / 0');
    // Without their templates they are tasks like others.
    await rpc.ok('descheduleCronJob', { job: key('npc') });
    expect(await cores()).toBe('14 / 14 / 0 / 0 / 0');
  });

  test.each([
    [1, 2, 'OK', 2],
    [5, 1, 'OK', 5],
    [5, 2, shortBy(5), 4],
  ])(
    'RPC-113, TASK-082 quota 5: a template of 4 cores replaced by one of %d, %d times: %s',
    async (cpus, count, expected, used) => {
      for (const again of [replace, schedule]) {
        expect(await setQuota(5)).toBe('OK');
        expect(await schedule('pc', needing(4), 1)).toBe('OK');
        expect(await again('pc', needing(cpus), count)).toBe(expected);
        expect(await cores()).toBe(`5 / ${used} / 0 / 0 / 0`);
      }
    },
  );

  test.each([
    ['numCpus', 'CPU quota exceeded by 1.00 core(s)'],
    ['ramMb', 'RAM quota exceeded by 1024.00 MB'],
    ['diskMb', 'disk quota exceeded by 1024.00 MB'],
  ])('TASK-082 quota 4 of which 3 are used: 2 of %s more are too much', async (member, text) => {
    expect(await setQuota(4)).toBe('OK');
    expect(await create(1, KEY, needing(3))).toBe('OK');
    const more = { numCpus: 1, ramMb: 1024, diskMb: 1024 };
    const tooMuch = { ...more, [member]: 2 * more[member as 'numCpus'] };
    const list = Object.entries(tooMuch).map(([name, value]) => ({ [name]: value }));
    const refused = `INVALID_REQUEST: Insufficient resource quota: ${text}`;
    const task = needing(0, { resources: list as unknown as TaskConfig['resources'] });
    expect(await create(1, OTHER, task)).toBe(refused);
    expect(await schedule('pc', task, 1)).toBe(refused);
    expect(await schedule('pc', needing(1), 1)).toBe('OK');
  });

  test('RPC-030 a production template needs quota, one for dedicated hosts too', async () => {
    expect(await schedule('pc', needing(1), 1)).toBe(shortBy(1));
    expect(await schedule('pc', needing(2, ON_DEDICATED), 1)).toBe(shortBy(2));
    expect(await rpc.world.sql('SELECT * FROM cron_jobs')).toEqual([]);
    expect(await schedule('npc', needing(9, DEV), 1)).toBe('OK');
    expect(await setQuota(2)).toBe('OK');
    expect(await schedule('pc', needing(2, ON_DEDICATED), 1)).toBe('OK');
    expect(await cores()).toBe('2 / 0 / 2 / 9 / 0');
  });

  test('the template that is replaced is taken off whatever its bucket', async () => {
    expect(await setQuota(5)).toBe('OK');
    expect(await create(1, key('a'), needing(3))).toBe('OK');
    expect(await schedule('pc', needing(4, DEV), 1)).toBe('OK');
    expect(await replace('pc', needing(7), 1)).toBe(shortBy(1));
    expect(await replace('pc', needing(6), 1)).toBe('OK');
    expect(await cores()).toBe('5 / 9 / 0 / 0 / 0');
  });

  test('a template keeps its room from others, and a run takes no more', async () => {
    expect(await setQuota(3)).toBe('OK');
    expect(await schedule('pc', needing(1), 2)).toBe('OK');
    expect(await create(2)).toEqual(SHORT_OF_ONE);
    expect(await setQuota(1)).toMatch(/^INVALID_REQUEST: .*use/);
    expect(await create(1)).toBe('OK');
    await run('pc');
    expect(await rpc.world.tasks(key('pc'))).toHaveLength(2);
    expect(await cores()).toBe('3 / 3 / 0 / 0 / 0');
  });

  test('quota is asked between the number of instances and the schedule, and the template', async () => {
    expect(await schedule('pc', needing(1), 1001)).toMatch(/at most 1000/);
    expect(await replace('pc', needing(1), 1)).toBe(shortBy(1));
    const unreadable = { ...cron('pc', needing(1), 1), cronSchedule: 'x' };
    expect(await rpc.verdict('scheduleCronJob', { description: unreadable })).toBe(shortBy(1));
  });

  test('jobs of all kinds that come at the same moment cannot overrun the quota together', async () => {
    expect(await setQuota(4)).toBe('OK');
    const names = Array.from({ length: 5 }, (_, n) => `job-${n}`);
    const answers = await Promise.all([
      ...names.map((name) => schedule(`cron-${name}`, needing(1), 1)),
      ...names.map((name) => create(1, key(name), needing(1))),
    ]);
    const refused = answers.filter((answer) => answer !== 'OK');
    expect(refused).toEqual(Array.from({ length: 6 }, () => shortBy(1)));
    expect(await cores()).toBe('4 / 4 / 0 / 0 / 0');
  });
});

test('the number of statements does not grow with the role, and is less where nothing is checked', async () => {
  const { db } = rpc.world;
  const statements = async (run: () => Promise<unknown>): Promise<number> => {
    await rpc.world.settle();
    const before = db.statements;
    await run();
    return db.statements - before;
  };
  const job = (n: number) => ({ ...KEY, name: `job-${n}` });
  expect(await setQuota(100)).toBe('OK');
  await create(1, job(0));
  const small = await statements(() => create(1, job(1)));
  for (let n = 2; n < 12; n++) await rpc.place({ 0: aTask({ ...PROD, job: job(n), priority: n }) });
  expect(await statements(() => create(1, job(20)))).toBeLessThanOrEqual(small);
  expect(await statements(() => rpc.ok('getQuota', { ownerRole: ROLE }))).toBeLessThanOrEqual(4);
  const unchecked = await statements(() => create(1, job(21), { tier: 'tier-dev' }));
  expect(unchecked).toBe(small - 2);
});
