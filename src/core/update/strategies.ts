/**
 * How many instances may start next (updates.md §3.5). All three strategies take the first so many of
 * the idle instances in order, so a count is all they decide.
 */
import type { UpdateStrategy } from '../model/update.js';
import type { Direction } from './ordering.js';

/**
 * @param idle instances not started yet
 * @param working instances in flight
 * @param total instances of the update, all idle at the beginning
 */
export function nextGroupSize(
  strategy: UpdateStrategy,
  direction: Direction,
  idle: number,
  working: number,
  total: number,
): number {
  switch (strategy.kind) {
    case 'queue':
      return Math.min(idle, Math.max(0, strategy.groupSize - working));
    case 'batch':
      return working === 0 ? Math.min(idle, strategy.groupSize) : 0;
    case 'variable': {
      if (working > 0) return 0;
      const size =
        direction === 'forward'
          ? forwardSize(strategy.groupSizes, total - idle)
          : reverseSize(strategy.groupSizes, idle);
      return Math.min(idle, size);
    }
  }
}

function lastOf(sizes: readonly number[]): number {
  return sizes[sizes.length - 1] ?? 0;
}

/** The first size whose running total exceeds what is done; the last one for what lies beyond. */
function forwardSize(sizes: readonly number[], done: number): number {
  let reached = 0;
  for (const size of sizes) {
    reached += size;
    if (reached > done) return size;
  }
  return lastOf(sizes);
}

/** Mirrors the forward sizes: what is left decides which forward group it was the end of. */
function reverseSize(sizes: readonly number[], left: number): number {
  let remaining = left;
  for (const size of sizes) {
    if (remaining <= size) return remaining;
    remaining -= size;
  }
  return remaining % lastOf(sizes) || lastOf(sizes);
}

/** The rule a strategy breaks, or undefined: sizes are positive, and there is at least one. */
export function strategyProblem(strategy: UpdateStrategy): string | undefined {
  const sizes = strategy.kind === 'variable' ? strategy.groupSizes : [strategy.groupSize];
  if (sizes.length === 0) return 'a variable batch strategy needs at least one group size';
  const bad = sizes.find((size) => !(size > 0));
  return bad === undefined ? undefined : `group size ${bad} is not positive`;
}
