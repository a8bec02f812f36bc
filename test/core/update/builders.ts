/** Configs, settings and plans for the tests of this folder; each row states only what it is about. */
import type { StoredConfig, TaskConfig } from '../../../src/core/model/config.js';
import { toRanges } from '../../../src/core/model/ranges.js';
import type { UpdateInstructions, UpdateSettings } from '../../../src/core/model/update.js';
import { groupByConfig } from '../../../src/core/update/diff.js';
import type { UpdatePlan } from '../../../src/core/update/plan.js';
import { planUpdate } from '../../../src/core/update/plan.js';

/** A service that differs from others in its executor data and in what `changes` says. */
export function aConfig(name: string, changes: Partial<TaskConfig> = {}): StoredConfig {
  return {
    hash: name,
    config: {
      job: { role: 'role', environment: 'env', name: 'job1' },
      isService: true,
      priority: 0,
      maxTaskFailures: 1,
      production: false,
      resources: [{ numCpus: 1 }, { ramMb: 128 }, { diskMb: 64 }, { namedPort: 'http' }],
      constraints: [],
      mesosFetcherUris: [],
      taskLinks: {},
      executorConfig: { name: 'executor', data: name },
      metadata: [],
      ...changes,
    },
  };
}

export const OLD = aConfig('old');
export const NEW = aConfig('new');

/** queue(1), no wait, no failure tolerated, rollback on, not coordinated. */
export function someSettings(changes: Partial<UpdateSettings> = {}): UpdateSettings {
  return {
    strategy: { kind: 'queue', groupSize: 1 },
    updateGroupSize: 1,
    waitForBatchCompletion: false,
    maxPerInstanceFailures: 0,
    maxFailedInstances: 0,
    minWaitInRunningMs: 0,
    rollbackOnFailure: true,
    onlyTheseInstances: [],
    pulseTimeoutMs: 0,
    slaAware: false,
    ...changes,
  };
}

/** The ids `first` to `last`, both included; none when `last` is smaller. */
export function span(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => first + n);
}

/** What an update would store that turns `initial` from OLD to NEW and wants NEW on `desired`. */
export function someInstructions(
  initial: readonly number[],
  desired: readonly number[],
  settings: Partial<UpdateSettings> = {},
): UpdateInstructions {
  const old = new Map(initial.map((id) => [id, OLD.hash]));
  const instructions = {
    settings: someSettings(settings),
    initialState: groupByConfig(old, () => OLD),
  };
  return desired.length === 0
    ? instructions
    : { ...instructions, desiredState: { config: NEW, instances: toRanges(desired) } };
}

export function aPlan(
  initial: readonly number[],
  desired: readonly number[],
  settings: Partial<UpdateSettings> = {},
): UpdatePlan {
  return planUpdate(someInstructions(initial, desired, settings));
}
