/** Penalties for tasks that end soon after they started, again and again (tasks.md §3, "Flapping"). */
import type { ScheduleStatus } from '../model/statuses.js';
import { ACTIVE_STATES, TERMINAL_STATES } from '../model/statuses.js';
import type { TaskEvent } from '../model/task.js';

/** A range of delays in ms. */
export interface BackoffLimits {
  readonly initialMs: number;
  readonly maxMs: number;
}

/**
 * The delay after `lastMs` (0: none yet): a random factor between 1 and 2 more, at most `maxMs`.
 * `random` is in [0, 1). Integer ms.
 */
export function backoff(lastMs: number, limits: BackoffLimits, random: number): number {
  const base = lastMs === 0 ? limits.initialMs : lastMs;
  return Math.min(limits.maxMs, base + Math.round(random * base));
}

/** Somebody ended the task on purpose. PREEMPTING is not among them: it excuses nothing. */
const EXCUSES: ReadonlySet<ScheduleStatus> = new Set([
  'RESTARTING',
  'KILLING',
  'DRAINING',
] as const);

/**
 * True when this generation ended by itself less than `thresholdMs` after it was last active. Events
 * ascend in time; a generation that has not ended did not flap.
 */
export function flapped(events: readonly TaskEvent[], thresholdMs: number): boolean {
  const last = events[events.length - 1];
  if (last === undefined || !TERMINAL_STATES.has(last.status)) return false;
  if (events.some((event) => EXCUSES.has(event.status))) return false;
  for (const event of [...events].reverse()) {
    if (ACTIVE_STATES.has(event.status)) return last.timestampMs - event.timestampMs < thresholdMs;
  }
  return false;
}

/**
 * The penalty in ms of a task whose ancestors are `generations`, the nearest first, without the task
 * itself. They are read one at a time and no further than needed: up to the first that did not flap,
 * the end (a pruned ancestor ends the chain), or a delay that no longer grows.
 *
 * @param next the delay that follows a given one: `backoff` with its limits and randomness bound
 */
export function penalty(
  generations: Iterable<{ readonly events: readonly TaskEvent[] }>,
  thresholdMs: number,
  next: (lastMs: number) => number,
): number {
  let penaltyMs = 0;
  for (const generation of generations) {
    if (!flapped(generation.events, thresholdMs)) break;
    const grown = next(penaltyMs);
    if (grown === penaltyMs) break;
    penaltyMs = grown;
  }
  return penaltyMs;
}

/** How long a THROTTLED task still waits: `penaltyMs` from its last event, never less than 0. */
export function throttleDelay(lastEventMs: number, penaltyMs: number, nowMs: number): number {
  return Math.max(0, lastEventMs + penaltyMs - nowMs);
}

/** When a PENDING task found at start is first tried: spread over `spreadMs`, plus its penalty. */
export function startupDelay(spreadMs: number, penaltyMs: number, random: number): number {
  return Math.floor(random * spreadMs) + penaltyMs;
}
