/** Who may displace whom, and which tasks have to go for it (tasks.md §5.4). */
import type { TaskConfig } from '../../../src/core/model/config.js';
import type { Host } from '../../../src/core/schedule/host.js';
import type { Rank, Victim } from '../../../src/core/schedule/preemption.js';
import {
  chooseVictims,
  mayPreempt,
  searchSequence,
} from '../../../src/core/schedule/preemption.js';
import { vetoes } from '../../../src/core/schedule/vetoes.js';
import { aHost, aTask } from './fixtures.js';

const rank = (priority: number, more: Partial<Rank> = {}): Rank => ({
  ...{ role: 'roleA', preemptible: true, priority },
  ...more,
});
const PRODUCTION = { preemptible: false };
const OTHER_ROLE = { role: 'roleB' };

const sized = (cpus: number, ramMb: number): TaskConfig =>
  aTask({ resources: [{ numCpus: cpus }, { ramMb }, { diskMb: 1 }] });

const victim = (taskId: string, change: Partial<Victim> = {}): Victim => ({
  ...{ taskId, config: sized(1, 512), rank: rank(0), revocable: false, dying: false, ports: [] },
  ...change,
});

const full = (cpus = 0, ramMb = 0): Host => aHost({ free: { cpus, ramMb, diskMb: 100 } });

function chosen(pending: Rank, config: TaskConfig, host: Host, tasks: Victim[]) {
  const found = chooseVictims(pending, host, tasks, (there) => vetoes(config, there, []));
  return found?.map(({ taskId }) => taskId);
}

describe('TASK-061 who may preempt whom', () => {
  const one = sized(1, 512);

  test('pending prio 98, same-role victims 100, 99, 1: only prio 1', () => {
    const tasks = [100, 99, 1].map((priority) => victim(`p${priority}`, { rank: rank(priority) }));
    expect(chosen(rank(98), one, full(), tasks)).toEqual(['p1']);
    expect(chosen(rank(1), one, full(), tasks)).toBeUndefined();
  });

  test('production pending prio −1000, other-role non-prod prio 100: victim taken', () => {
    const tasks = [victim('v', { rank: rank(100, OTHER_ROLE) })];
    expect(chosen(rank(-1000, PRODUCTION), one, full(), tasks)).toEqual(['v']);
  });

  test('production 1000, other-role production 0: none', () => {
    const tasks = [victim('v', { rank: rank(0, { ...PRODUCTION, ...OTHER_ROLE }) })];
    expect(chosen(rank(1000, PRODUCTION), one, full(), tasks)).toBeUndefined();
  });

  test.each<[string, Rank, Rank, boolean]>([
    ['equal priority', rank(5), rank(5), false],
    ['another role', rank(5), rank(1, OTHER_ROLE), false],
    ['production within its role', rank(5, PRODUCTION), rank(1, PRODUCTION), true],
    ['preemptible against production', rank(1000), rank(0, PRODUCTION), false],
  ])('%s', (_, pending, other, may) => {
    expect(mayPreempt(pending, other)).toBe(may);
  });
});

describe('TASK-062 which of them have to go', () => {
  const pending = rank(10);

  test('need 2 cpu + 1024 MB, victims 4/4096, 1/512, 1/512: only the large one', () => {
    const tasks = [victim('small1'), victim('large', { config: sized(4, 4096) }), victim('small2')];
    expect(chosen(pending, sized(2, 1024), full(), tasks)).toEqual(['large']);
  });

  test('revocable victim 1 cpu plus 1 cpu free: none', () => {
    const tasks = [victim('v', { revocable: true })];
    expect(chosen(pending, sized(2, 512), full(1, 1024), tasks)).toBeUndefined();
    expect(chosen(pending, sized(2, 512), full(1, 1024), [victim('v')])).toEqual(['v']);
  });

  test('several, when one is not enough; nobody, when all are not', () => {
    const tasks = ['a', 'b', 'c'].map((id) => victim(id));
    expect(chosen(pending, sized(2, 1024), full(), tasks)).toEqual(['a', 'b']);
    expect(chosen(pending, sized(4, 1024), full(), tasks)).toBeUndefined();
  });

  test('whoever is dying anyway goes first; nobody when the task fits as it is', () => {
    const tasks = [victim('large', { config: sized(4, 4096) }), victim('dying', { dying: true })];
    expect(chosen(pending, sized(1, 512), full(), tasks)).toEqual(['dying']);
    expect(chosen(pending, sized(1, 512), full(1, 512), tasks)).toBeUndefined();
  });

  test('ports of victims are free afterwards, constraints are not satisfied by killing', () => {
    const config = aTask({ resources: [{ namedPort: 'http' }] });
    const ports = { ranges: [{ first: 80, last: 80 }], taken: new Set([80]) };
    const host = aHost({ ports });
    expect(chosen(pending, config, host, [victim('v', { ports: [80] })])).toEqual(['v']);
    const away = aTask({
      constraints: [{ name: 'rack', constraint: { value: { negated: false, values: ['x'] } } }],
    });
    expect(chosen(pending, away, host, [victim('v')])).toBeUndefined();
  });
});

test.each([
  [1, 'a b a b a'],
  [2, 'a a b b a'],
  [3, 'a a a b b'],
])('TASK-063 groups a×3, b×2 in batches of %i: %s', (batch, sequence) => {
  const groups = [['a', 3] as const, ['b', 2] as const];
  expect(searchSequence(groups, batch)).toEqual(sequence.split(' '));
  expect(searchSequence([], batch)).toEqual([]);
});
