import type { UpdateSettings } from '../../../src/core/model/update.js';
import { updateOrder } from '../../../src/core/update/ordering.js';
import {
  PlanError,
  buildUpdater,
  instanceRules,
  planUpdate,
  targetConfig,
} from '../../../src/core/update/plan.js';
import { NEW, OLD, aConfig, aPlan, someInstructions, span } from './builders.js';

/** The instances of both directions' updaters, ascending. */
function instances(initial: readonly number[], desired: readonly number[]): number[][] {
  const plan = aPlan(initial, desired);
  return (['forward', 'reverse'] as const).map((direction) =>
    [...buildUpdater(plan, direction, new Set()).members].sort((a, b) => a - b),
  );
}

describe('which instances', () => {
  test('UPD-064 the union of both states, both ways', () => {
    expect(instances([1, 2], [0, 1, 2])).toEqual([span(0, 2), span(0, 2)]);
  });

  test('UPD-065 only what the update names', () => {
    const settings = { onlyTheseInstances: [{ first: 0, last: 1 }] };
    const plan = aPlan([], [1], settings);
    expect(buildUpdater(plan, 'forward', new Set()).order).toEqual([1]);
    expect(buildUpdater(plan, 'reverse', new Set()).order).toEqual([1]);
  });

  test('UPD-066 a removed instance takes part', () => {
    expect(instances([1, 2], [0, 1])).toEqual([span(0, 2), span(0, 2)]);
  });
});

describe('UPD-067 order: create, update, remove; back in reverse', () => {
  test.each<[string, number[], number[], number[]]>([
    ['update only', span(0, 3), span(0, 3), [0, 1, 2, 3]],
    ['create first', span(0, 3), span(0, 5), [4, 5, 0, 1, 2, 3]],
    ['remove last', span(0, 3), span(0, 1), [0, 1, 2, 3]],
    ['all three', [0, 2, 4, 5, 6], span(0, 3), [1, 3, 0, 2, 4, 5, 6]],
    ['ten comes after nine', span(8, 11), span(8, 11), [8, 9, 10, 11]],
  ])('UPD-067 %s', (_what, current, desired, forward) => {
    const order = (direction: 'forward' | 'reverse') =>
      updateOrder(new Set(current), new Set(desired), direction);
    expect(order('forward')).toEqual(forward);
    expect(order('reverse')).toEqual([...forward].reverse());
    const plan = aPlan(current, desired);
    expect(buildUpdater(plan, 'forward', new Set()).order).toEqual(forward);
    expect(buildUpdater(plan, 'reverse', new Set()).order).toEqual([...forward].reverse());
  });
});

test('the order does not depend on the order in which configs list their instances', () => {
  const order = updateOrder(new Set([10, 2, 7]), new Set([11, 3, 7, 2]), 'forward');
  expect(order).toEqual([3, 11, 2, 7, 10]);
});

describe('instructions that cannot drive an update', () => {
  test.each<[string, Partial<UpdateSettings>]>([
    ['UPD-019 queue(−1)', { strategy: { kind: 'queue', groupSize: -1 } }],
    ['UPD-019 W = −1', { minWaitInRunningMs: -1 }],
    [
      'UPD-020 queue(0), found when the rollback is to be built',
      { strategy: { kind: 'queue', groupSize: 0 } },
    ],
    ['no sizes', { strategy: { kind: 'variable', groupSizes: [], autopause: false } }],
  ])('%s (pure)', (_what, settings) => {
    expect(() => aPlan([0], [0], settings)).toThrow(PlanError);
  });

  test('UPD-023 (pure) neither an initial nor a desired state', () => {
    expect(() => planUpdate(someInstructions([], []))).toThrow(PlanError);
  });
});

describe('targets', () => {
  const OLD2 = aConfig('old2', { resources: [{ numCpus: 4 }] });
  const plan = planUpdate({
    ...someInstructions([], [0, 1]),
    initialState: [
      { config: OLD, instances: [{ first: 1, last: 2 }] },
      { config: OLD2, instances: [{ first: 3, last: 3 }] },
    ],
  });
  const targets = (direction: 'forward' | 'reverse') =>
    span(0, 4).map((id) => targetConfig(plan, direction, id)?.hash);

  test('forward: the desired config on desired ids; reverse: each its own old one', () => {
    expect(targets('forward')).toEqual(['new', 'new', undefined, undefined, undefined]);
    expect(targets('reverse')).toEqual([undefined, 'old', 'old', 'old2', undefined]);
    for (const direction of ['forward', 'reverse'] as const) {
      const rules = instanceRules(plan, direction);
      expect(span(0, 4).map((id) => rules(id).target)).toEqual(targets(direction));
    }
  });

  test('a pure removal has no target going forward', () => {
    const removal = aPlan([0, 1], []);
    expect(removal.desired).toBeUndefined();
    expect(span(0, 1).map((id) => targetConfig(removal, 'forward', id))).toEqual([
      undefined,
      undefined,
    ]);
    expect(targetConfig(removal, 'reverse', 1)).toBe(OLD);
  });

  test('rules carry the limits and know whose place fits whom', () => {
    const rules = instanceRules(
      aPlan([0], [0], { minWaitInRunningMs: 7, maxPerInstanceFailures: 3 }),
      'forward',
    )(0);
    expect(rules).toMatchObject({ target: NEW.hash, minWaitMs: 7, maxFailures: 3 });
    expect(rules.placeFits(OLD.hash, NEW.hash)).toBe(true);
    const { placeFits } = instanceRules(plan, 'reverse')(3);
    expect(placeFits(NEW.hash, OLD2.hash)).toBe(false);
    expect(placeFits(OLD2.hash, NEW.hash)).toBe(false); // it lacks memory, disk and a port
  });
});
