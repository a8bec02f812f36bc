/** What a role uses and whether more fits, on plain data (rpc.md §9; tasks.md §8). */
import type { Constraint, TaskConfig } from '../../../src/core/model/config.js';
import type { QuotaAmounts } from '../../../src/core/quota/amounts.js';
import {
  NOTHING,
  aggregateOf,
  amountsFromApi,
  amountsOf,
} from '../../../src/core/quota/amounts.js';
import {
  costsQuota,
  lowQuotaProblem,
  needWithTasks,
  needWithTemplate,
  needWithUpdate,
  quotaProblem,
  updateCostsQuota,
} from '../../../src/core/quota/check.js';
import type {
  RoleInUse,
  TasksInUse,
  TemplateInUse,
  UpdateInUse,
} from '../../../src/core/quota/consumption.js';
import { consumption } from '../../../src/core/quota/consumption.js';
import { aTask, verdict } from '../validate/fixtures.js';

const DEDICATED: Constraint = {
  name: 'dedicated',
  constraint: { value: { negated: false, values: ['*/web'] } },
};

const job = (name: string) => ({ role: 'role', environment: 'env', name });

/** So much of each resource. */
const same = (n: number): QuotaAmounts => ({ cpus: n, ramMb: n, diskMb: n });

type Kind = 'prod' | 'nonprod' | 'prod dedicated' | 'nonprod dedicated';

/** A config that needs `n` of each resource. */
function needs(n: number, kind: Kind = 'prod'): TaskConfig {
  return aTask({
    production: kind.startsWith('prod'),
    constraints: kind.endsWith('dedicated') ? [DEDICATED] : [],
    resources: [{ numCpus: n }, { ramMb: n }, { diskMb: n }, { namedPort: 'http' }, { numGpus: 9 }],
  });
}

/** A running task of a job for each id. */
function tasks(name: string, config: TaskConfig, instanceIds = [0]): TasksInUse {
  return { job: job(name), config, count: instanceIds.length, instanceIds };
}

const group = (config: TaskConfig, count: number, first = 0) => ({
  config,
  instances: [{ first, last: first + count - 1 }],
});

function update(
  name: string,
  from: ReturnType<typeof group> | undefined,
  to?: ReturnType<typeof group>,
): UpdateInUse {
  return {
    job: job(name),
    initial: from === undefined ? [] : [from],
    ...(to === undefined ? {} : { desired: to }),
  };
}

function template(name: string, config: TaskConfig, instanceCount: number): TemplateInUse {
  return { job: job(name), config, instanceCount };
}

const role = (more: Partial<RoleInUse>): RoleInUse => ({
  tasks: [],
  updates: [],
  templates: [],
  ...more,
});

/** CPUs of prodShared / prodDedicated / nonProdShared / nonProdDedicated; the others must be the same. */
function used(inUse: RoleInUse): string {
  const all = consumption(inUse);
  for (const amounts of Object.values(all)) expect(amounts).toEqual(same(amounts.cpus));
  const { prodShared, prodDedicated, nonProdShared, nonProdDedicated } = all;
  return [prodShared, prodDedicated, nonProdShared, nonProdDedicated]
    .map(({ cpus }) => cpus)
    .join(' / ');
}

const fits = (need: QuotaAmounts, quota: number) => verdict(quotaProblem(need, same(quota)));

describe('consumption', () => {
  test('RPC-102, TASK-081 counts tasks, updates and cron templates in four buckets', () => {
    const inUse = role({
      tasks: [
        tasks('a', needs(3)),
        tasks('b', needs(5, 'prod dedicated')),
        tasks('c', needs(2, 'nonprod')),
        tasks('d', needs(7, 'nonprod dedicated')),
      ],
      updates: [update('u', group(needs(1), 1), group(needs(1), 1))],
      templates: [template('pc', needs(1), 2), template('npc', needs(7, 'nonprod'), 1)],
    });
    expect(used(inUse)).toBe('6 / 5 / 9 / 7');
  });

  test('RPC-103 a cron job counts with its template or its tasks, in the bucket of its template', () => {
    const inUse = role({
      tasks: [tasks('pc', needs(6)), tasks('npc', needs(7))],
      updates: [update('u', group(needs(1), 1), group(needs(1), 1))],
      templates: [template('pc', needs(3), 1), template('npc', needs(5, 'nonprod'), 2)],
    });
    expect(used(inUse)).toBe('7 / 0 / 10 / 0');
  });

  test('RPC-104 of a job in an update the instances outside it count as tasks', () => {
    const inUse = role({
      tasks: [
        tasks('foo', needs(3)),
        tasks('bar', needs(3), [0, 1]),
        tasks('dev', needs(2, 'nonprod')),
      ],
      updates: [update('bar', group(needs(1), 1), group(needs(1), 1))],
    });
    expect(used(inUse)).toBe('7 / 0 / 2 / 0');
  });

  test('an update counts the larger of both sides, each resource by itself', () => {
    const wide = aTask({ production: true, resources: [{ numCpus: 4 }, { ramMb: 1 }] });
    const deep = aTask({ production: true, resources: [{ numCpus: 1 }, { ramMb: 64 }] });
    const inUse = role({ updates: [update('u', group(wide, 2), group(deep, 3))] });
    expect(consumption(inUse).prodShared).toEqual({ cpus: 8, ramMb: 192, diskMb: 0 });
  });

  test('an update that only removes counts what it removes', () => {
    const inUse = role({
      tasks: [tasks('u', needs(1), [0, 1, 2, 3])],
      updates: [update('u', group(needs(1), 2, 2))],
    });
    expect(used(inUse)).toBe('4 / 0 / 0 / 0');
  });
});

describe('tasks to add', () => {
  const add = (inUse: RoleInUse, config: TaskConfig, count: number, quota: number) =>
    fits(needWithTasks(inUse, config, count), quota);

  test('RPC-105 nothing fits where no quota was set', () => {
    expect(add(role({}), needs(1), 1, 0)).toBe(
      'INVALID_REQUEST: Insufficient resource quota: CPU quota exceeded by 1.00 core(s); ' +
        'RAM quota exceeded by 1.00 MB; disk quota exceeded by 1.00 MB',
    );
  });

  test('RPC-106 only production tasks on shared hosts cost quota', () => {
    expect(costsQuota(needs(1))).toBe(true);
    expect(costsQuota(needs(1, 'nonprod'))).toBe(false);
    expect(costsQuota(needs(1, 'prod dedicated'))).toBe(false);
    expect(costsQuota(needs(1, 'nonprod dedicated'))).toBe(false);
  });

  test.each([
    ['numCpus', 'CPU quota exceeded by 1.00 core(s)'],
    ['ramMb', 'RAM quota exceeded by 1.00 MB'],
    ['diskMb', 'disk quota exceeded by 1.00 MB'],
  ])('RPC-107, TASK-082 names %s when that is short', (member, text) => {
    const resources = ['numCpus', 'ramMb', 'diskMb'].map((name) => ({
      [name]: name === member ? 2 : 1,
    }));
    const inUse = role({ tasks: [tasks('foo', needs(3))] });
    expect(add(inUse, aTask({ production: true, resources }), 1, 4)).toBe(
      `INVALID_REQUEST: Insufficient resource quota: ${text}`,
    );
    expect(add(inUse, needs(1), 1, 4)).toBe('OK');
  });

  test('RPC-108 an update to production counts before it is through', () => {
    const inUse = role({
      tasks: [tasks('foo', needs(2)), tasks('bar', needs(2))],
      updates: [update('u', group(needs(1, 'nonprod'), 1), group(needs(1), 1))],
    });
    expect(used(inUse)).toBe('5 / 0 / 1 / 0');
    expect(add(inUse, needs(1), 1, 5)).toContain('CPU quota exceeded by 1.00');
  });

  test('RPC-109 an update away from production counts what it began with', () => {
    const inUse = role({
      tasks: [tasks('foo', needs(2)), tasks('bar', needs(1))],
      updates: [update('u', group(needs(1), 1), group(needs(7, 'nonprod'), 1))],
    });
    expect(used(inUse)).toBe('4 / 0 / 7 / 0');
    expect(add(inUse, needs(1), 1, 5)).toBe('OK');
  });

  test('fractions of cores are not refused for their rounding', () => {
    const tenth = aTask({ production: true, resources: [{ numCpus: 0.1 }] });
    const need = needWithTasks(role({ tasks: [tasks('a', tenth, [0, 1])] }), tenth, 1);
    expect(verdict(quotaProblem(need, { ...NOTHING, cpus: 0.3 }))).toBe('OK');
    expect(verdict(quotaProblem(need, { ...NOTHING, cpus: 0.29 }))).toContain('0.01 core(s)');
  });
});

describe('an update to start', () => {
  const start = (inUse: RoleInUse, wanted: UpdateInUse, quota: number) =>
    fits(needWithUpdate(inUse, wanted), quota);

  test('RPC-110 a smaller config in place needs what is there', () => {
    const inUse = role({ tasks: [tasks('foo', needs(2)), tasks('bar', needs(2), [0, 12])] });
    const wanted = update('bar', group(needs(2), 1), group(needs(1), 1));
    expect(needWithUpdate(inUse, wanted)).toEqual(same(6));
    expect(start(inUse, wanted, 6)).toBe('OK');
  });

  test('RPC-111 added instances must fit', () => {
    const inUse = role({ tasks: [tasks('foo', needs(2)), tasks('bar', needs(2))] });
    const wanted = update('bar', group(needs(2), 1), group(needs(2), 3));
    expect(start(inUse, wanted, 6)).toContain('CPU quota exceeded by 2.00');
    expect(start(inUse, wanted, 8)).toBe('OK');
  });

  test('RPC-112 one that puts nothing there that costs quota is not checked', () => {
    const from = group(needs(1), 1);
    expect(updateCostsQuota(update('u', from))).toBe(false);
    expect(updateCostsQuota(update('u', from, group(needs(9, 'nonprod'), 1)))).toBe(false);
    expect(updateCostsQuota(update('u', from, group(needs(9, 'prod dedicated'), 1)))).toBe(false);
    expect(updateCostsQuota(update('u', undefined, group(needs(1), 1)))).toBe(true);
  });

  test('one that is active already is not counted twice', () => {
    const active = update('bar', group(needs(2), 1), group(needs(2), 3));
    const inUse = role({ tasks: [tasks('bar', needs(2))], updates: [active] });
    expect(needWithUpdate(inUse, active)).toEqual(same(6));
  });
});

test('RPC-113, TASK-082 a cron template takes the place of the one before', () => {
  const inUse = role({ templates: [template('pc', needs(4), 1)] });
  const replace = (n: number, count: number) =>
    fits(needWithTemplate(inUse, template('pc', needs(n), count)), 5);
  expect(replace(1, 2)).toBe('OK');
  expect(replace(5, 1)).toBe('OK');
  expect(replace(5, 2)).toContain('CPU quota exceeded by 5.00');
  expect(fits(needWithTemplate(inUse, template('other', needs(2), 1)), 5)).toContain('1.00');
});

describe('quota to set', () => {
  test('RPC-114, TASK-083 must cover what is in use, and RPC-115 may be equal to it', () => {
    const inUse = role({ tasks: [tasks('a', needs(10))] });
    expect(verdict(lowQuotaProblem(inUse, same(1)))).toMatch(/^INVALID_REQUEST: .*9\.00 core/);
    expect(verdict(lowQuotaProblem(inUse, same(10)))).toBe('OK');
    expect(verdict(lowQuotaProblem(role({}), NOTHING))).toBe('OK');
  });

  const C = { numCpus: 1 };
  const R = { ramMb: 2 };
  const D = { diskMb: 3 };
  test.each([
    ['RPC-117 one of each', [D, C, R], 'OK'],
    ['RPC-116 four', [C, R, D, { numCpus: 2 }], 'ERROR'],
    ['RPC-116 a port', [C, R, { namedPort: 'http' }], 'ERROR'],
    ['RPC-116 two', [C, R], 'ERROR'],
    ['one of them twice', [C, R, { ramMb: 3 }], 'ERROR'],
    ['none', [], 'ERROR'],
    ['RPC-114 a negative one', [C, { ramMb: -1 }, D], 'INVALID_REQUEST'],
    ['zeros', [{ numCpus: 0 }, { ramMb: 0 }, { diskMb: 0 }], 'OK'],
  ])('%s', (_, resources, code) => {
    expect(verdict(amountsFromApi({ resources })).split(':')[0]).toBe(code);
  });

  test('nothing at all', () => {
    expect(verdict(amountsFromApi(undefined))).toBe('ERROR: quota must be set');
  });
});

test('an aggregate has whole numbers that its fields can hold', () => {
  expect(aggregateOf({ cpus: 1.5, ramMb: 2.9, diskMb: 2 ** 60 })).toEqual({
    resources: [{ numCpus: 1.5 }, { ramMb: 2 }, { diskMb: Number.MAX_SAFE_INTEGER }],
  });
  expect(amountsOf(needs(2), 3)).toEqual(same(6));
});
