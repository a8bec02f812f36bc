import type { StoredConfig } from '../../../src/core/model/config.js';
import { groupByConfig, isNoop, jobDiff, outOfScope } from '../../../src/core/update/diff.js';
import { NEW, OLD, aConfig, span } from './builders.js';

const OLD2 = aConfig('old2');
const T = aConfig('t');

interface Outcome {
  readonly replaced: Record<number, string>;
  readonly replacements: readonly number[];
  readonly unchanged: Record<number, string>;
}

function diff(
  current: Record<number, StoredConfig>,
  proposed: StoredConfig,
  count: number,
  scope?: readonly number[],
): Outcome {
  const hashes = new Map(Object.entries(current).map(([id, config]) => [Number(id), config.hash]));
  const found = jobDiff(hashes, proposed.hash, count, scope && new Set(scope));
  expect(isNoop(found)).toBe(found.replaced.size + found.replacements.size === 0);
  return {
    replaced: Object.fromEntries(found.replaced),
    replacements: [...found.replacements].sort((a, b) => a - b),
    unchanged: Object.fromEntries(found.unchanged),
  };
}

describe('what an update would change', () => {
  test('UPD-069 nothing', () => {
    const nothing = { replaced: {}, replacements: [], unchanged: { 0: 't', 1: 't' } };
    expect(diff({ 0: T, 1: T }, T, 2)).toEqual(nothing);
    expect(diff({ 0: T, 1: T }, T, 2, [0])).toEqual(nothing);
  });

  test('UPD-070 instances added', () => {
    const unchanged = { 0: 't', 1: 't' };
    expect(diff({ 0: T, 1: T }, T, 5)).toEqual({
      replaced: {},
      replacements: [2, 3, 4],
      unchanged,
    });
    expect(diff({ 0: T, 1: T }, T, 5, [0])).toEqual({ replaced: {}, replacements: [], unchanged });
  });

  test('UPD-071 instances removed', () => {
    const current = { 0: T, 1: T, 2: T };
    expect(diff(current, T, 1)).toEqual({
      replaced: { 1: 't', 2: 't' },
      replacements: [],
      unchanged: { 0: 't' },
    });
    expect(diff(current, T, 1, [0])).toEqual({
      replaced: {},
      replacements: [],
      unchanged: { 0: 't', 1: 't', 2: 't' },
    });
  });

  test('UPD-072 all instances changed', () => {
    const current = { 0: OLD, 1: OLD, 2: OLD };
    expect(diff(current, NEW, 3)).toEqual({
      replaced: { 0: 'old', 1: 'old', 2: 'old' },
      replacements: [0, 1, 2],
      unchanged: {},
    });
    expect(diff(current, NEW, 3, [0])).toEqual({
      replaced: { 0: 'old' },
      replacements: [0],
      unchanged: { 1: 'old', 2: 'old' },
    });
  });

  test('UPD-073 several configs and holes', () => {
    const current = { 0: OLD, 1: NEW, 3: OLD2, 4: OLD };
    expect(diff(current, NEW, 5)).toEqual({
      replaced: { 0: 'old', 3: 'old2', 4: 'old' },
      replacements: [0, 2, 3, 4],
      unchanged: { 1: 'new' },
    });
    expect(diff(current, NEW, 5, [0])).toEqual({
      replaced: { 0: 'old' },
      replacements: [0],
      unchanged: { 1: 'new', 3: 'old2', 4: 'old' },
    });
  });

  test('UPD-074 what stays as it is', () => {
    const current = { 0: OLD, 1: NEW, 2: OLD };
    expect(diff(current, NEW, 3)).toEqual({
      replaced: { 0: 'old', 2: 'old' },
      replacements: [0, 2],
      unchanged: { 1: 'new' },
    });
    const scoped = {
      replaced: { 0: 'old' },
      replacements: [0],
      unchanged: { 1: 'new', 2: 'old' },
    };
    expect(diff(current, NEW, 3, [0])).toEqual(scoped);
    expect(diff(current, NEW, 4, [0])).toEqual(scoped);
  });

  test('UPD-075 diffs are plain values: the order of the tasks does not show', () => {
    const forth = jobDiff(
      new Map([
        [0, 'a'],
        [1, 'b'],
      ]),
      'b',
      3,
    );
    const back = jobDiff(
      new Map([
        [1, 'b'],
        [0, 'a'],
      ]),
      'b',
      3,
    );
    expect(forth).toEqual(back);
  });

  test('replaced, replacements and unchanged share an instance only where it is updated', () => {
    const found = diff({ 0: OLD, 1: NEW, 7: OLD }, NEW, 3);
    expect(found).toEqual({
      replaced: { 0: 'old', 7: 'old' },
      replacements: [0, 2],
      unchanged: { 1: 'new' },
    });
  });
});

describe('a scope that names what is not there', () => {
  const scoped = (current: Record<number, StoredConfig>, count: number, scope: number[]) => {
    const hashes = new Map(Object.entries(current).map(([id, { hash }]) => [Number(id), hash]));
    return outOfScope(jobDiff(hashes, NEW.hash, count, new Set(scope)), scope);
  };

  test('UPD-099 (pure) instance 100 of a job of one', () => {
    expect(scoped({ 0: OLD }, 1, [100])).toEqual([100]);
  });

  test('UPD-099 (pure) an unchanged instance is in the job, so it may be named', () => {
    expect(scoped({ 0: NEW, 1: OLD }, 3, [0, 1, 2])).toEqual([]);
  });

  test('all strangers are listed, ascending', () => {
    expect(scoped({ 0: OLD }, 2, [9, 1, 5])).toEqual([5, 9]);
  });
});

describe('groups by config', () => {
  const configs = new Map([OLD, OLD2].map((config) => [config.hash, config]));
  const configOf = (hash: string): StoredConfig => configs.get(hash) ?? NEW;

  test('UPD-091 (pure) one group for each config, minimal ranges, by first instance', () => {
    const hashes = new Map(
      [6, 3, 2, 0, 5, 4, 1].map((id) => [id, id === 2 || id === 3 ? 'old2' : 'old']),
    );
    expect(groupByConfig(hashes, configOf)).toEqual([
      {
        config: OLD,
        instances: [
          { first: 0, last: 1 },
          { first: 4, last: 6 },
        ],
      },
      { config: OLD2, instances: [{ first: 2, last: 3 }] },
    ]);
  });

  test('groups do not sort by number as text', () => {
    const hashes = new Map<number, string>(span(2, 12).map((id) => [id, id < 10 ? 'old' : 'old2']));
    expect(groupByConfig(hashes, configOf).map(({ config }) => config.hash)).toEqual([
      'old',
      'old2',
    ]);
  });

  test('nothing gives no groups', () => expect(groupByConfig(new Map(), configOf)).toEqual([]));
});
