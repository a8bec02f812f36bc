/** JobUpdateSettings between the IDL's names and the model's (rpc.md §11.1 row 3, updates.md §2.1 row 2). */
import type { Range } from '../model/ranges.js';
import type { UpdateSettings, UpdateStrategy } from '../model/update.js';
import type { Validated } from './refusals.js';
import { invalid } from './refusals.js';
import { isBadUnion } from './shape.js';

/** A union: one member is set. */
export interface ApiUpdateStrategy {
  readonly queueStrategy?: { readonly groupSize: number };
  readonly batchStrategy?: { readonly groupSize: number; readonly autopauseAfterBatch: boolean };
  readonly varBatchStrategy?: {
    readonly groupSizes: readonly number[];
    readonly autopauseAfterBatch: boolean;
  };
}

/** The IDL's JobUpdateSettings; times in ms, unset primitives 0 or false. */
export interface ApiUpdateSettings {
  readonly updateGroupSize: number;
  readonly maxPerInstanceFailures: number;
  readonly maxFailedInstances: number;
  readonly minWaitInInstanceRunningMs: number;
  readonly rollbackOnFailure: boolean;
  readonly updateOnlyTheseInstances: readonly Range[];
  readonly waitForBatchCompletion: boolean;
  readonly blockIfNoPulsesAfterMs: number;
  readonly slaAware: boolean;
  readonly updateStrategy?: ApiUpdateStrategy;
}

/** Undefined for a union without a member, or with several. */
function strategyFromApi(settings: ApiUpdateSettings): UpdateStrategy | undefined {
  const { updateStrategy: strategy, updateGroupSize: groupSize } = settings;
  if (strategy === undefined) {
    return settings.waitForBatchCompletion
      ? { kind: 'batch', groupSize, autopause: false }
      : { kind: 'queue', groupSize };
  }
  if (isBadUnion(strategy)) return undefined;
  const { queueStrategy: queue, batchStrategy: batch, varBatchStrategy: variable } = strategy;
  if (queue !== undefined) return { kind: 'queue', groupSize: queue.groupSize };
  if (batch !== undefined) {
    return { kind: 'batch', groupSize: batch.groupSize, autopause: batch.autopauseAfterBatch };
  }
  if (variable === undefined) return undefined;
  const { groupSizes, autopauseAfterBatch: autopause } = variable;
  return { kind: 'variable', groupSizes, autopause };
}

/**
 * The settings as they are stored, for a request as for an update from a backup. Without a strategy it is
 * derived from `updateGroupSize` and `waitForBatchCompletion`, which stay as sent and mean nothing else.
 * Refused only for a strategy that is not of exactly one kind; numbers are not looked at.
 */
export function settingsFromApi(settings: ApiUpdateSettings): Validated<UpdateSettings> {
  const strategy = strategyFromApi(settings);
  if (strategy === undefined) {
    return { refusal: invalid('settings.updateStrategy must be of exactly one known kind') };
  }
  return {
    ok: {
      strategy,
      updateGroupSize: settings.updateGroupSize,
      waitForBatchCompletion: settings.waitForBatchCompletion,
      maxPerInstanceFailures: settings.maxPerInstanceFailures,
      maxFailedInstances: settings.maxFailedInstances,
      minWaitInRunningMs: settings.minWaitInInstanceRunningMs,
      rollbackOnFailure: settings.rollbackOnFailure,
      onlyTheseInstances: settings.updateOnlyTheseInstances,
      pulseTimeoutMs: settings.blockIfNoPulsesAfterMs,
      slaAware: settings.slaAware,
    },
  };
}

function strategyToApi(strategy: UpdateStrategy): ApiUpdateStrategy {
  switch (strategy.kind) {
    case 'queue':
      return { queueStrategy: { groupSize: strategy.groupSize } };
    case 'batch':
      return {
        batchStrategy: { groupSize: strategy.groupSize, autopauseAfterBatch: strategy.autopause },
      };
    case 'variable':
      return {
        varBatchStrategy: {
          groupSizes: strategy.groupSizes,
          autopauseAfterBatch: strategy.autopause,
        },
      };
  }
}

/** What reads return: every primitive and the strategy are set (rpc.md §2). */
export function settingsToApi(
  settings: UpdateSettings,
): ApiUpdateSettings & { readonly updateStrategy: ApiUpdateStrategy } {
  return {
    updateGroupSize: settings.updateGroupSize,
    maxPerInstanceFailures: settings.maxPerInstanceFailures,
    maxFailedInstances: settings.maxFailedInstances,
    minWaitInInstanceRunningMs: settings.minWaitInRunningMs,
    rollbackOnFailure: settings.rollbackOnFailure,
    updateOnlyTheseInstances: settings.onlyTheseInstances,
    waitForBatchCompletion: settings.waitForBatchCompletion,
    blockIfNoPulsesAfterMs: settings.pulseTimeoutMs,
    slaAware: settings.slaAware,
    updateStrategy: strategyToApi(settings.strategy),
  };
}
