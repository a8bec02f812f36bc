/** What can be set about placing tasks; the flags are in tasks.md §5.1, §5.2 and §5.4. All times in ms. */
import { BUILT_IN_TIERS, type Tiers } from '../../core/validate/tiers.js';
import type { BackoffLimits } from '../../core/task/flapping.js';

export interface PreemptionSettings {
  /** `-enable_preemptor` */
  readonly enabled: boolean;
  /** How long a task must have been PENDING: `-preemption_delay`. */
  readonly delayMs: number;
  readonly searchInitialDelayMs: number;
  readonly searchIntervalMs: number;
  /** How long a place that was found is remembered: `-preemption_slot_hold_time`. */
  readonly slotHoldMs: number;
  /** Tasks of a group that are served in a row: `-preemption_reservation_max_batch_size`. */
  readonly batchSize: number;
  /** How long a host is kept for the group it was cleared for: `-offer_reservation_duration`. */
  readonly reservationMs: number;
}

export interface SchedulingSettings {
  /** From PENDING to the first attempt; 0: at once. */
  readonly firstDelayMs: number;
  /** Between attempts that find nothing. */
  readonly penalty: BackoffLimits;
  /** Attempts of groups that found nothing before. */
  readonly attemptsPerSec: number;
  readonly tasksPerAttempt: number;
  /** Groups of a job whose placements share a transaction: `-scheduling_max_batch_size`. */
  readonly groupsPerTransaction: number;
  /** First attempts after a start are spread over this. */
  readonly startupSpreadMs: number;
  /** Hosts that become unavailable within this are as good as draining. */
  readonly unavailabilityThresholdMs: number;
  readonly preemption: PreemptionSettings;
  readonly tiers: Tiers;
}

export const DEFAULT_SCHEDULING: SchedulingSettings = {
  firstDelayMs: 1,
  penalty: { initialMs: 1_000, maxMs: 60_000 },
  attemptsPerSec: 40,
  tasksPerAttempt: 5,
  groupsPerTransaction: 3,
  startupSpreadMs: 30_000,
  unavailabilityThresholdMs: 360_000,
  preemption: {
    enabled: true,
    delayMs: 180_000,
    searchInitialDelayMs: 180_000,
    searchIntervalMs: 60_000,
    slotHoldMs: 300_000,
    batchSize: 5,
    reservationMs: 180_000,
  },
  tiers: BUILT_IN_TIERS,
};
