/** Sets of instance ids as closed ranges, the way the API reports them (rpc.md §2, "Ranges"). */

export interface Range {
  readonly first: number;
  readonly last: number;
}

/** Minimal closed ranges in ascending order: {0,1,2,3,5} → [0-3],[5-5]. Duplicates collapse. */
export function toRanges(ids: Iterable<number>): Range[] {
  const sorted = [...new Set(ids)].sort((a, b) => a - b);
  const ranges: { first: number; last: number }[] = [];
  for (const id of sorted) {
    const open = ranges[ranges.length - 1];
    if (open !== undefined && open.last + 1 === id) open.last = id;
    else ranges.push({ first: id, last: id });
  }
  return ranges;
}

/** All ids of the ranges in ascending order; the ranges may come in any order but must not overlap. */
export function fromRanges(ranges: readonly Range[]): number[] {
  const ids: number[] = [];
  for (const range of [...ranges].sort((a, b) => a.first - b.first)) {
    for (let id = range.first; id <= range.last; id++) ids.push(id);
  }
  return ids;
}

/** How many ids the ranges hold, without listing them. */
export function countRanges(ranges: readonly Range[]): number {
  return ranges.reduce((sum, range) => sum + range.last - range.first + 1, 0);
}

/** The rule a set of ranges breaks, or undefined: first ≤ last, no two overlap (adjacent is fine). */
export function rangesProblem(ranges: readonly Range[]): string | undefined {
  const sorted = [...ranges].sort((a, b) => a.first - b.first);
  for (const [index, range] of sorted.entries()) {
    if (range.first > range.last) return `range ${range.first}-${range.last} is inverted`;
    const next = sorted[index + 1];
    if (next !== undefined && next.first <= range.last) {
      return `ranges ${range.first}-${range.last} and ${next.first}-${next.last} overlap`;
    }
  }
  return undefined;
}

/** `0-3, 5`: for messages. */
export function rangesText(ranges: readonly Range[]): string {
  return ranges
    .map((range) =>
      range.first === range.last ? `${range.first}` : `${range.first}-${range.last}`,
    )
    .join(', ');
}
