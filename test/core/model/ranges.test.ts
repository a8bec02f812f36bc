import fc from 'fast-check';
import {
  countRanges,
  fromRanges,
  rangesProblem,
  rangesText,
  toRanges,
} from '../../../src/core/model/ranges.js';

const range = (first: number, last = first) => ({ first, last });

describe('toRanges', () => {
  test('RPC-085 ids become minimal ascending ranges', () => {
    expect(toRanges([0, 1, 5, 6, 9, 100])).toEqual([
      range(0, 1),
      range(5, 6),
      range(9),
      range(100),
    ]);
  });

  test('order and repetition of ids mean nothing', () => {
    expect(toRanges([3, 1, 2, 0, 5, 5])).toEqual([range(0, 3), range(5)]);
    expect(toRanges([])).toEqual([]);
  });

  test('ranges hold exactly the ids, and no two could be one', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(60)), (ids) => {
        const ranges = toRanges(ids);
        expect(fromRanges(ranges)).toEqual([...new Set(ids)].sort((a, b) => a - b));
        expect(countRanges(ranges)).toBe(new Set(ids).size);
        expect(rangesProblem(ranges)).toBeUndefined();
        ranges.slice(1).forEach((r, at) => expect(r.first).toBeGreaterThan(ranges[at]!.last + 1));
      }),
      { numRuns: 200 },
    );
  });
});

describe('ranges as they come', () => {
  test('ids ascend whatever the order of the ranges', () => {
    expect(fromRanges([range(5, 6), range(0, 1)])).toEqual([0, 1, 5, 6]);
  });

  test('adjacent ranges and single ids are fine', () => {
    expect(rangesProblem([range(3, 5), range(0, 2), range(6)])).toBeUndefined();
    expect(rangesProblem([])).toBeUndefined();
  });

  test.each([
    [[range(2, 1)], 'range 2-1 is inverted'],
    [[range(4, 6), range(0, 4)], 'ranges 0-4 and 4-6 overlap'],
    [[range(0, 9), range(2, 3)], 'ranges 0-9 and 2-3 overlap'],
    [[range(7), range(7)], 'ranges 7-7 and 7-7 overlap'],
  ])('%j: %s', (ranges, problem) => {
    expect(rangesProblem(ranges)).toBe(problem);
  });

  test('a range far from its neighbour still overlaps an earlier, longer one', () => {
    expect(rangesProblem([range(0, 20), range(1, 2), range(5, 6)])).toBeDefined();
  });

  test('as text', () => {
    expect(rangesText([range(0, 3), range(5)])).toBe('0-3, 5');
    expect(rangesText([])).toBe('');
  });
});
