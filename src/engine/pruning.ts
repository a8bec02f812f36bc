/**
 * Forgets updates that ended long ago, or that are more than a job may keep (updates.md §2.9). Active ones
 * are never looked at, so no lane is needed: what has ended does not change any more.
 */
import type { UpdateHistoryLimits } from '../core/update/pruning.js';
import { updatesToPrune } from '../core/update/pruning.js';
import type { Log } from '../observe/log.js';
import type { Stats } from '../observe/stats.js';
import type { Database } from '../store/database.js';
import { findEndedUpdates, pruneUpdates } from '../store/update-history.js';
import type { Clock, Timers } from '../time.js';
import { Rounds } from './rounds.js';

/** Updates deleted in one transaction: one of a thousand instances has thousands of events. */
const BATCH_SIZE = 100;

/** Defaults of the flags `-job_update_history_*`: 15 minutes, 30 days, 10. */
export interface UpdatePruningSettings extends UpdateHistoryLimits {
  readonly intervalMs: number;
}

export interface UpdatePruningOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly stats: Stats;
  readonly log: Log;
  readonly settings: UpdatePruningSettings;
}

/** The first run comes after one interval. */
export function updatePruning(options: UpdatePruningOptions): Rounds {
  const { db, clock, timers, stats, log, settings } = options;
  stats.increment('job_updates_pruned', 0);
  const rounds = new Rounds({
    ...{ timers, log, intervalMs: settings.intervalMs },
    failure: 'old updates could not be deleted; trying again later',
    round: async () => {
      const ended = await db.read((tx) => findEndedUpdates(tx));
      const ids = updatesToPrune(ended, clock.wallNow(), settings);
      for (let from = 0; from < ids.length && !rounds.stopped; from += BATCH_SIZE) {
        const batch = ids.slice(from, from + BATCH_SIZE);
        const pruned = await db.write({}, (tx) => pruneUpdates(tx, batch));
        stats.increment('job_updates_pruned', pruned);
        log.info({ pruned }, 'old updates deleted');
      }
    },
  });
  return rounds;
}
