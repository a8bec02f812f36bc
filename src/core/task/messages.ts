/** The texts of task events (tasks.md §2, "Message"); clients show them as they are. */

/** The user of audit texts when nobody logged in (rpc.md §1). */
export const UNSECURE_USER = 'UNSECURE';

export const RESCHEDULED = 'Rescheduled';
export const KILLED_BY_CRON = 'Killed by cronScheduler';
export const DRAINING_FOR_MAINTENANCE = 'Draining machine for maintenance.';
export const TASK_TIMED_OUT = 'Task timed out';
export const PARTITIONED_TOO_LONG = 'Task partitioned for too long.';
export const ACTION_ON_PARTITIONED = 'Action performed on partitioned task, marking as LOST.';
export const LAUNCH_FAILED = 'Unknown exception attempting to schedule task.';
export const MEMORY_LIMIT_EXCEEDED = 'Task used more memory than requested.';
export const DISK_LIMIT_EXCEEDED = 'Task used more disk than requested.';
export const TASK_HEALTHY = 'Task is healthy.';
export const ASSUMED_HEALTHY = 'No health-check defined, task is assumed healthy.';
export const INSTRUCTED_TO_KILL = 'Instructed to kill task.';
export const TASK_FINISHED = 'Task finished.';
export const TASK_FAILED = 'Task failed.';

/** On a replacement that starts THROTTLED. */
export function rescheduledWithPenalty(penaltyMs: number): string {
  return `${RESCHEDULED}, penalized for ${penaltyMs} ms for flapping`;
}

/** killTasks. A message that was given counts even when it is empty (rpc.md §1, "Audit texts"). */
export function killedBy(user: string, message?: string): string {
  const audit = `Killed by ${user}`;
  return message === undefined ? audit : `${audit}.\n${message}`;
}

/** restartShards. */
export function restartedBy(user: string): string {
  return `Restarted by ${user}`;
}

/** forceTaskState. */
export function transitionForcedBy(user: string): string {
  return `Transition forced by ${user}`;
}

export function killedForUpdate(updateId: string): string {
  return `Killed for job update ${updateId}`;
}

export function preemptedFor(pendingTaskId: string): string {
  return `Preempting in favor of ${pendingTaskId}`;
}

export function failedHealthCheck(why: string): string {
  return `Failed health check! ${why}`;
}

/** A backend's text for a status, or ours where a limit was the reason and it gave none. */
export function reportedMessage(
  reason: string | undefined,
  message: string | undefined,
): string | undefined {
  if (message !== undefined) return message;
  if (reason === 'memory') return MEMORY_LIMIT_EXCEEDED;
  if (reason === 'disk') return DISK_LIMIT_EXCEEDED;
  return undefined;
}
