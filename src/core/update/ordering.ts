/** In which order an update touches its instances (updates.md §3.6). */

export type Direction = 'forward' | 'reverse';

/**
 * Forward: instances only in the desired state (created), then those in both (updated), then those only
 * in the initial state (removed), ids ascending in each class. Reverse is the exact reversal.
 */
export function updateOrder(
  initialIds: ReadonlySet<number>,
  desiredIds: ReadonlySet<number>,
  direction: Direction,
): number[] {
  const classOf = (id: number): number => {
    if (!initialIds.has(id)) return 1;
    return desiredIds.has(id) ? 2 : 3;
  };
  const ids = [...new Set([...initialIds, ...desiredIds])];
  ids.sort((a, b) => classOf(a) - classOf(b) || a - b);
  return direction === 'forward' ? ids : ids.reverse();
}
