/** The requests and limits of rpc.md §15, "Fixture unless stated". */
import type { JobConfiguration, TaskConfig } from '../../../src/core/model/config.js';
import type { ValidationLimits } from '../../../src/core/validate/limits.js';
import { DEFAULT_LIMITS } from '../../../src/core/validate/limits.js';
import type { Refusal, Validated } from '../../../src/core/validate/refusals.js';
import type { ApiJobUpdateRequest } from '../../../src/core/validate/update-request.js';
import type { ApiUpdateSettings } from '../../../src/core/validate/update-settings.js';

export const KEY = { role: 'bar_role', environment: 'devel', name: 'job_foo' };

export const LIMITS: ValidationLimits = {
  ...DEFAULT_LIMITS,
  maxTasksPerJob: 1000,
  maxUpdateInstanceFailures: 2000,
  tiers: {
    defaultName: 'tier-dev',
    tiers: new Map([
      ['tier-prod', { preemptible: false, revocable: false }],
      ['tier-dev', { preemptible: true, revocable: false }],
      ['tier-revocable', { preemptible: true, revocable: true }],
    ]),
  },
};

type Change<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** The record with changes; a member given as undefined is removed. */
export function changed<T extends object>(record: T, change: Change<T>): T {
  const entries = Object.entries({ ...record, ...change });
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as T;
}

export function aTask(change: Change<TaskConfig> = {}): TaskConfig {
  const config: TaskConfig = {
    job: KEY,
    isService: false,
    priority: 0,
    maxTaskFailures: 0,
    production: false,
    resources: [{ numCpus: 1 }, { ramMb: 1024 }, { diskMb: 1024 }],
    constraints: [],
    mesosFetcherUris: [],
    taskLinks: {},
    executorConfig: { name: 'AuroraExecutor', data: '{}' },
    metadata: [],
    container: { mesos: { volumes: [] } },
  };
  return changed(config, change);
}

export function aJob(
  task: Change<TaskConfig> = {},
  change: Change<JobConfiguration> = {},
): JobConfiguration {
  const job = { key: KEY, owner: { user: 'mary' }, taskConfig: aTask(task), instanceCount: 1 };
  return changed<JobConfiguration>(job, change);
}

export function someSettings(change: Change<ApiUpdateSettings> = {}): ApiUpdateSettings {
  const settings: ApiUpdateSettings = {
    updateGroupSize: 10,
    maxPerInstanceFailures: 1,
    maxFailedInstances: 2,
    minWaitInInstanceRunningMs: 15_000,
    rollbackOnFailure: true,
    updateOnlyTheseInstances: [],
    waitForBatchCompletion: false,
    blockIfNoPulsesAfterMs: 0,
    slaAware: false,
    updateStrategy: { queueStrategy: { groupSize: 10 } },
  };
  return changed(settings, change);
}

export function aRequest(
  settings: Change<ApiUpdateSettings> = {},
  change: Change<ApiJobUpdateRequest> = {},
): ApiJobUpdateRequest {
  const request: ApiJobUpdateRequest = {
    taskConfig: aTask({ isService: true }),
    instanceCount: 6,
    settings: someSettings(settings),
    metadata: [],
  };
  return changed(request, change);
}

/** `OK`, or the code and text of a refusal. */
export function verdict(result: Validated<unknown> | Refusal | undefined): string {
  const refusal = result === undefined || 'code' in result ? result : result.refusal;
  return refusal === undefined ? 'OK' : `${refusal.code}: ${refusal.message}`;
}

/** The valid thing; a refusal fails the test. */
export function okOf<T>(result: Validated<T>): T {
  if (result.refusal !== undefined) throw new Error(result.refusal.message);
  return result.ok;
}
