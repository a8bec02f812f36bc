/** An update's instructions, arranged for looking up one instance at a time (updates.md §3.2, §3.6). */
import type { StoredConfig } from '../model/config.js';
import { fromRanges } from '../model/ranges.js';
import type { UpdateInstructions, UpdateSettings } from '../model/update.js';
import type { InstanceRules } from './instance-evaluator.js';
import { placeFits } from './instance-evaluator.js';
import type { UpdaterState } from './one-way-updater.js';
import { newUpdater } from './one-way-updater.js';
import type { Direction } from './ordering.js';
import { updateOrder } from './ordering.js';
import { strategyProblem } from './strategies.js';

export interface UpdatePlan {
  readonly settings: UpdateSettings;
  /** Instance → the config it had; absent where the update creates the instance. */
  readonly initial: ReadonlyMap<number, StoredConfig>;
  readonly desiredIds: ReadonlySet<number>;
  /** Undefined for a pure removal. */
  readonly desired: StoredConfig | undefined;
  readonly configs: ReadonlyMap<string, StoredConfig>;
}

/** The stored instructions cannot drive an update; the update ends in ERROR (updates.md §2.6). */
export class PlanError extends Error {
  override readonly name = 'PlanError';
}

/** @throws PlanError when a setting is out of bounds or there is nothing to do */
export function planUpdate(instructions: UpdateInstructions): UpdatePlan {
  const { settings, desiredState, initialState } = instructions;
  const problem = strategyProblem(settings.strategy);
  if (problem !== undefined) throw new PlanError(problem);
  if (settings.minWaitInRunningMs < 0) {
    throw new PlanError(`minWaitInInstanceRunningMs ${settings.minWaitInRunningMs} is negative`);
  }
  const initial = new Map<number, StoredConfig>();
  const configs = new Map<string, StoredConfig>();
  for (const group of initialState) {
    configs.set(group.config.hash, group.config);
    for (const id of fromRanges(group.instances)) initial.set(id, group.config);
  }
  const desiredIds = new Set(desiredState === undefined ? [] : fromRanges(desiredState.instances));
  if (desiredState !== undefined) configs.set(desiredState.config.hash, desiredState.config);
  if (initial.size === 0 && desiredIds.size === 0) {
    throw new PlanError('the update has neither an initial nor a desired state');
  }
  return { settings, initial, desiredIds, desired: desiredState?.config, configs };
}

/** The config an instance must end with in this direction; undefined when it must not exist. */
export function targetConfig(
  plan: UpdatePlan,
  direction: Direction,
  instanceId: number,
): StoredConfig | undefined {
  if (direction === 'reverse') return plan.initial.get(instanceId);
  return plan.desiredIds.has(instanceId) ? plan.desired : undefined;
}

export function instanceRules(
  plan: UpdatePlan,
  direction: Direction,
): (instanceId: number) => InstanceRules {
  const fits = new Map<string, boolean>();
  const placeFitsByHash = (existingHash: string, targetHash: string): boolean => {
    const key = `${existingHash} ${targetHash}`;
    let answer = fits.get(key);
    if (answer === undefined) {
      const existing = plan.configs.get(existingHash);
      const target = plan.configs.get(targetHash);
      answer =
        existing !== undefined && target !== undefined && placeFits(existing.config, target.config);
      fits.set(key, answer);
    }
    return answer;
  };
  return (instanceId) => ({
    target: targetConfig(plan, direction, instanceId)?.hash,
    minWaitMs: plan.settings.minWaitInRunningMs,
    maxFailures: plan.settings.maxPerInstanceFailures,
    placeFits: placeFitsByHash,
  });
}

/**
 * A fresh updater: every instance idle. Forward updaters take instances with a stored
 * INSTANCE_UPDATE_FAILED event as failed when their turn comes; reverse ones try all (updates.md §3.9).
 */
export function buildUpdater(
  plan: UpdatePlan,
  direction: Direction,
  previouslyFailed: ReadonlySet<number>,
): UpdaterState {
  const order = updateOrder(new Set(plan.initial.keys()), plan.desiredIds, direction);
  return newUpdater(
    {
      direction,
      strategy: plan.settings.strategy,
      maxFailedInstances: plan.settings.maxFailedInstances,
    },
    order,
    direction === 'forward' ? previouslyFailed : new Set(),
  );
}
