/** Which ended tasks are forgotten, and when (tasks.md §6, "task history pruning"). */

/** Defaults of the flags `-history_*`: 2 days, 1 hour, 100. */
export interface HistoryLimits {
  /** `-history_prune_threshold`: an ended task is kept this long. */
  readonly pruneThresholdMs: number;
  /** `-history_min_retention_threshold`: no ended task goes earlier than this. */
  readonly minRetentionMs: number;
  /** `-history_max_per_job_threshold`: ended tasks a job may keep. */
  readonly maxPerJob: number;
}

export interface EndedTask {
  readonly taskId: string;
  readonly lastEventMs: number;
}

/**
 * Ms from now until an ended task is deleted. `endedMs` is now for a task that ends now, the time of its
 * last event for one found at start.
 */
export function pruneDelay(endedMs: number, nowMs: number, limits: HistoryLimits): number {
  const ageMs = Math.max(0, nowMs - endedMs);
  return Math.max(limits.minRetentionMs, limits.pruneThresholdMs - ageMs);
}

/**
 * Ended tasks of one job to delete at once: the oldest beyond `maxPerJob`, but none younger than the
 * minimum retention; so a job whose tasks die fast may hold more than `maxPerJob` for a while.
 */
export function excessHistory(
  endedTasks: readonly EndedTask[],
  nowMs: number,
  limits: HistoryLimits,
): string[] {
  const excess = endedTasks.length - limits.maxPerJob;
  if (excess <= 0) return [];
  return endedTasks
    .filter((task) => task.lastEventMs <= nowMs - limits.minRetentionMs)
    .sort((a, b) => a.lastEventMs - b.lastEventMs)
    .slice(0, excess)
    .map((task) => task.taskId);
}
