/** Job updates: what a client asked for, what is stored, and the events that tell its story. */
import type { Metadata, StoredConfig } from './config.js';
import type { JobUpdateKey } from './keys.js';
import type { Range } from './ranges.js';
import type { ExplicitUpdateStatus, UpdateAction, UpdateStatus } from './statuses.js';

export type UpdateStrategy =
  | { readonly kind: 'queue'; readonly groupSize: number }
  | { readonly kind: 'batch'; readonly groupSize: number; readonly autopause: boolean }
  | {
      readonly kind: 'variable';
      readonly groupSizes: readonly number[];
      readonly autopause: boolean;
    };

/** JobUpdateSettings after backfill; times in ms. `pulseTimeoutMs` is the API's blockIfNoPulsesAfterMs. */
export interface UpdateSettings {
  readonly strategy: UpdateStrategy;
  /** As sent; the strategy is what counts (updates.md §2.1 row 2). */
  readonly updateGroupSize: number;
  readonly waitForBatchCompletion: boolean;
  readonly maxPerInstanceFailures: number;
  readonly maxFailedInstances: number;
  readonly minWaitInRunningMs: number;
  readonly rollbackOnFailure: boolean;
  /** Empty means every instance. */
  readonly onlyTheseInstances: readonly Range[];
  /** P: 0 means not coordinated. */
  readonly pulseTimeoutMs: number;
  readonly slaAware: boolean;
}

export interface InstanceConfigGroup {
  readonly config: StoredConfig;
  /** Minimal ascending closed ranges. */
  readonly instances: readonly Range[];
}

export interface UpdateInstructions {
  /** What the update replaces, one entry for each distinct old config. */
  readonly initialState: readonly InstanceConfigGroup[];
  /** What it puts there; unset for a pure removal. */
  readonly desiredState?: InstanceConfigGroup;
  readonly settings: UpdateSettings;
}

export interface UpdateEvent {
  readonly status: UpdateStatus;
  readonly timestampMs: number;
  readonly user?: string;
  readonly message?: string;
}

export interface InstanceUpdateEvent {
  readonly instanceId: number;
  readonly action: UpdateAction;
  readonly timestampMs: number;
  readonly message?: string;
}

/** Either kind of event, where the order between them matters. */
export type HistoryEvent =
  | ({ readonly kind: 'update' } & UpdateEvent)
  | ({ readonly kind: 'instance' } & InstanceUpdateEvent);

export interface JobUpdate {
  readonly key: JobUpdateKey;
  readonly user: string;
  readonly metadata: readonly Metadata[];
  readonly state: ExplicitUpdateStatus;
  readonly instructions: UpdateInstructions;
}
