import type { UpdateStrategy } from '../../../src/core/model/update.js';
import type { Direction } from '../../../src/core/update/ordering.js';
import { nextGroupSize, strategyProblem } from '../../../src/core/update/strategies.js';
import { span } from './builders.js';

const queue = (groupSize: number): UpdateStrategy => ({ kind: 'queue', groupSize });
const batch = (groupSize: number): UpdateStrategy => ({
  kind: 'batch',
  groupSize,
  autopause: false,
});
const variable = (...groupSizes: number[]): UpdateStrategy => ({
  kind: 'variable',
  groupSizes,
  autopause: false,
});

/** The ids a strategy takes from `idle` (in their order) while `active` are in flight. */
function group(
  strategy: UpdateStrategy,
  idle: readonly number[],
  active: readonly number[] = [],
  total = idle.length + active.length,
): number[] {
  return idle.slice(0, nextGroupSize(strategy, 'forward', idle.length, active.length, total));
}

/** All groups of an update whose instances each finish before the next group is asked for. */
function groups(strategy: UpdateStrategy, direction: Direction, ids: readonly number[]) {
  const order = direction === 'forward' ? [...ids] : [...ids].reverse();
  const total = order.length;
  const taken: number[][] = [];
  while (order.length > 0 && taken.length <= total) {
    const size = nextGroupSize(strategy, direction, order.length, 0, total);
    taken.push(order.splice(0, size).sort((a, b) => a - b));
  }
  return taken;
}

const THREE_KINDS: [string, (size: number) => UpdateStrategy][] = [
  ['queue', queue],
  ['batch', batch],
  ['variable', variable],
];

describe.each(THREE_KINDS)('%s', (_kind, strategy) => {
  test.each([0, -1, Number.NaN])('UPD-055 size %d is rejected', (size) => {
    expect(strategyProblem(strategy(size))).toMatch(/not positive/);
    expect(strategyProblem(strategy(1))).toBeUndefined();
  });

  test('UPD-056 nothing idle, or too much in flight: nothing to start', () => {
    expect(group(strategy(2), [])).toEqual([]);
    expect(group(strategy(2), [0, 1, 2], [3, 4, 5])).toEqual([]);
  });

  test('UPD-059 fewer left than the size are taken whole', () => {
    expect(group(strategy(3), [0, 1, 2])).toEqual([0, 1, 2]);
    expect(group(strategy(3), [0, 1])).toEqual([0, 1]);
    expect(group(strategy(3), [1])).toEqual([1]);
  });
});

test('UPD-055 a variable batch needs sizes, all of them positive', () => {
  expect(strategyProblem(variable())).toMatch(/at least one/);
  expect(strategyProblem(variable(1, 0, 4))).toMatch(/0 is not positive/);
  expect(strategyProblem(variable(1, 2, 4))).toBeUndefined();
});

describe.each(THREE_KINDS.slice(1))('%s', (_kind, strategy) => {
  test('UPD-057 the next batch waits for the whole one before', () => {
    expect(group(strategy(2), [2, 3], [0, 1])).toEqual([]);
    expect(group(strategy(2), [2, 3], [1], 4)).toEqual([]);
    expect(group(strategy(2), [2, 3], [], 4)).toEqual([2, 3]);
  });

  test('UPD-058 instance ids mean nothing to a batch', () => {
    expect(group(strategy(2), [0, 1, 2, 3])).toEqual([0, 1]);
    expect(group(strategy(2), [1, 2, 3])).toEqual([1, 2]);
    expect(group(strategy(2), [2, 3])).toEqual([2, 3]);
    expect(group(strategy(2), [3, 8])).toEqual([3, 8]);
  });
});

test('UPD-060 a queue is filled up', () => {
  expect(group(queue(3), span(0, 5))).toEqual([0, 1, 2]);
  expect(group(queue(3), [2, 3, 4], [0, 1])).toEqual([2]);
  expect(group(queue(3), [0, 1, 3, 5, 8])).toEqual([0, 1, 3]);
  expect(group(queue(3), [5, 8], [3])).toEqual([5, 8]);
});

test('UPD-061 variable sizes follow each other: increasing, decreasing, up and down', () => {
  expect(groups(variable(1, 2, 3), 'forward', span(0, 5))).toEqual([[0], [1, 2], [3, 4, 5]]);
  expect(groups(variable(3, 2, 1), 'forward', span(0, 5))).toEqual([[0, 1, 2], [3, 4], [5]]);
  expect(groups(variable(1, 3, 2, 4), 'forward', span(0, 9))).toEqual([
    [0],
    [1, 2, 3],
    [4, 5],
    [6, 7, 8, 9],
  ]);
});

test('UPD-062 the last size repeats', () => {
  expect(groups(variable(1, 2), 'forward', span(0, 9))).toEqual([
    [0],
    [1, 2],
    [3, 4],
    [5, 6],
    [7, 8],
    [9],
  ]);
});

test('UPD-063 rollback mirrors the sizes', () => {
  expect(groups(variable(1, 2, 3), 'reverse', span(0, 5))).toEqual([[3, 4, 5], [1, 2], [0]]);
});

test('UPD-063 rollback midway', () => {
  expect(groups(variable(1, 2, 3), 'reverse', span(0, 2))).toEqual([[1, 2], [0]]);
});

test('UPD-063 rollback of more than the sizes add up to', () => {
  expect(groups(variable(1, 2), 'reverse', span(0, 6))).toEqual([[5, 6], [3, 4], [1, 2], [0]]);
});

test('reverse sizes with all ten instances idle: 5, 3, 2', () => {
  const sizes = groups(variable(2, 3, 5), 'reverse', span(0, 9)).map((ids) => ids.length);
  expect(sizes).toEqual([5, 3, 2]);
});

test('an uneven rest beyond the sizes is the first reverse group, as it was the last forward', () => {
  expect(groups(variable(1, 3), 'forward', span(0, 5))).toEqual([[0], [1, 2, 3], [4, 5]]);
  expect(groups(variable(1, 3), 'reverse', span(0, 5))).toEqual([[4, 5], [1, 2, 3], [0]]);
});

test('mirroring holds for every update of up to 30 instances and a dozen lists of sizes', () => {
  const lists = [[1], [3], [1, 2], [2, 1], [1, 2, 3], [3, 2, 1], [1, 3, 2, 4], [5, 1], [2, 3, 5]];
  for (const sizes of lists) {
    for (let count = 1; count <= 30; count++) {
      const forward = groups(variable(...sizes), 'forward', span(0, count - 1));
      const reverse = groups(variable(...sizes), 'reverse', span(0, count - 1));
      expect(reverse).toEqual([...forward].reverse());
    }
  }
});
