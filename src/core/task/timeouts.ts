/** Which statuses a task may not stay in for long (tasks.md §3 "Partition policy", §4). */
import type { PartitionPolicy } from '../model/config.js';
import type { ScheduleStatus } from '../model/statuses.js';
import type { BackoffLimits } from './flapping.js';
import { backoff } from './flapping.js';

const TRANSIENT_STATES: ReadonlySet<ScheduleStatus> = new Set([
  'ASSIGNED',
  'PREEMPTING',
  'RESTARTING',
  'KILLING',
  'DRAINING',
] as const);

/**
 * True for statuses that become LOST after `-transient_task_state_timeout`. STARTING is not one: the
 * backend must end it (tasks.md §11.2 rule 7).
 */
export function hasTransientTimeout(status: ScheduleStatus): boolean {
  return TRANSIENT_STATES.has(status);
}

/** True for the one status in which the kill is sent again and again. */
export function retriesKill(status: ScheduleStatus): boolean {
  return status === 'KILLING';
}

/**
 * Ms until the next kill of a task that is still KILLING; `lastMs` is 0 for the first retry. `limits`:
 * `-initial_task_kill_retry_interval` and `-transient_task_state_timeout`.
 */
export function killRetryDelay(lastMs: number, limits: BackoffLimits, random: number): number {
  return backoff(lastMs, limits, random);
}

/**
 * Ms a PARTITIONED task may stay so before it is LOST; undefined: for good. `elapsedMs` is the time since
 * it became PARTITIONED, not 0 only after a restart of the scheduler; whole seconds of it count.
 */
export function partitionTimeout(
  policy: PartitionPolicy | undefined,
  elapsedMs = 0,
): number | undefined {
  if (policy === undefined) return 0;
  if (!policy.reschedule) return undefined;
  return Math.max(0, policy.delaySecs - Math.floor(elapsedMs / 1000)) * 1000;
}
