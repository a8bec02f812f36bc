/** Which ended tasks are forgotten, and when (tasks.md §6, "task history pruning"). */

/** Defaults of the flags `-history_*`: 2 days, 1 hour, 100. */
export interface HistoryLimits {
  /** `-history_prune_threshold`: an ended task is kept this long. */
  readonly pruneThresholdMs: number;
  /** `-history_min_retention_threshold`: no ended task goes earlier than this. */
  readonly minRetentionMs: number;
  /**
   * `-history_max_per_job_threshold`: ended tasks a job may keep. More of them stay while they are younger
   * than the minimum retention, so a job whose tasks die fast may hold more for a while.
   */
  readonly maxPerJob: number;
}

/**
 * How long an ended task is kept, ms. One that was found at start is kept for the minimum retention from
 * that start on as well, however old it is: nothing goes by its age before then.
 */
export function retentionMs(limits: HistoryLimits): number {
  return Math.max(limits.minRetentionMs, limits.pruneThresholdMs);
}
