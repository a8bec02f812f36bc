/** Which ended updates are forgotten (updates.md §2.9). Task history has its own rules: core/task/pruning.ts. */

/** Defaults of the flags: 30 days, 10. */
export interface UpdateHistoryLimits {
  /** `-job_update_history_pruning_threshold`: an update made longer ago than this goes, ms. */
  readonly pruneThresholdMs: number;
  /** `-job_update_history_per_job_threshold`: ended updates a job may keep. */
  readonly maxPerJob: number;
}

/** An update that has ended. */
export interface EndedUpdate {
  readonly updateId: string;
  /** Any text that tells one job from another. */
  readonly jobText: string;
  /** Time of its first event. */
  readonly createdMs: number;
  /** Whether its job has any task left, active or ended. */
  readonly jobHasTasks: boolean;
}

/**
 * Ids of the updates to delete: those past the threshold or without a job, and of what is not past it the
 * oldest of each job beyond `maxPerJob`.
 *
 * @param ended updates that have ended, of whole jobs; an active one must not be among them
 */
export function updatesToPrune(
  ended: readonly EndedUpdate[],
  nowMs: number,
  limits: UpdateHistoryLimits,
): string[] {
  const pruned = new Set<string>();
  const young = new Map<string, EndedUpdate[]>();
  for (const update of ended) {
    const isExpired = update.createdMs < nowMs - limits.pruneThresholdMs;
    if (isExpired || !update.jobHasTasks) pruned.add(update.updateId);
    if (isExpired) continue;
    const ofJob = young.get(update.jobText);
    if (ofJob === undefined) young.set(update.jobText, [update]);
    else ofJob.push(update);
  }
  for (const ofJob of young.values()) {
    ofJob.sort((a, b) => a.createdMs - b.createdMs);
    const excess = Math.max(0, ofJob.length - limits.maxPerJob);
    for (const { updateId } of ofJob.slice(0, excess)) pruned.add(updateId);
  }
  return [...pruned];
}
