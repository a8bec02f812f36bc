/** When the scheduler compares its tasks with what the backend has (tasks.md §6). */

/** Flags `-reconciliation_*`; times in ms, as they were given. */
export interface ReconciliationSettings {
  /** From the start to the first explicit run. */
  readonly initialDelayMs: number;
  /** From the first explicit run to the first implicit one. */
  readonly scheduleSpreadMs: number;
  readonly explicitIntervalMs: number;
  readonly implicitIntervalMs: number;
  /** Tasks asked about at once, and the time between two such questions. */
  readonly explicitBatchSize: number;
  readonly explicitBatchIntervalMs: number;
}

/** Defaults of the flags: 1, 30, 60 and 60 minutes, 1000, 5 s. */
export const DEFAULT_RECONCILIATION: ReconciliationSettings = {
  initialDelayMs: 60_000,
  scheduleSpreadMs: 1_800_000,
  explicitIntervalMs: 3_600_000,
  implicitIntervalMs: 3_600_000,
  explicitBatchSize: 1_000,
  explicitBatchIntervalMs: 5_000,
};

export interface RunSchedule {
  /** From the start, ms. */
  readonly firstMs: number;
  /** From one run to the next, whatever a run takes, ms. */
  readonly intervalMs: number;
}

function wholeMinutes(ms: number): number {
  return ms - (ms % 60_000);
}

/** Delays count in whole minutes, as in the reference; an interval is one minute at least. */
export function reconciliationSchedule(settings: ReconciliationSettings): {
  readonly explicit: RunSchedule;
  readonly implicit: RunSchedule;
} {
  const firstMs = wholeMinutes(settings.initialDelayMs);
  const interval = (ms: number): number => Math.max(60_000, wholeMinutes(ms));
  return {
    explicit: { firstMs, intervalMs: interval(settings.explicitIntervalMs) },
    implicit: {
      firstMs: firstMs + wholeMinutes(settings.scheduleSpreadMs),
      intervalMs: interval(settings.implicitIntervalMs),
    },
  };
}

/** Splits into parts of `size`, the last of which may be smaller; none for nothing. */
export function batchesOf<T>(items: readonly T[], size: number): T[][] {
  const batches: T[][] = [];
  for (let from = 0; from < items.length; from += size)
    batches.push(items.slice(from, from + size));
  return batches;
}
