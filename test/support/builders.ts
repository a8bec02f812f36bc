/** Records for tests: valid, small, and different only where a test says so. */
import type { TaskConfig } from '../../src/core/model/config.js';
import type { JobKey } from '../../src/core/model/keys.js';
import type { UpdateSettings } from '../../src/core/model/update.js';

export function aJob(name = 'job1'): JobKey {
  return { role: 'role', environment: 'test', name };
}

/** A service; `data` is what tells one version from another. */
export function aConfig(data: string, more: Partial<TaskConfig> = {}): TaskConfig {
  return {
    job: aJob(),
    owner: { user: 'user' },
    isService: true,
    priority: 0,
    maxTaskFailures: 1,
    production: false,
    tier: 'preemptible',
    resources: [{ numCpus: 1 }, { ramMb: 64 }, { diskMb: 64 }],
    constraints: [],
    mesosFetcherUris: [],
    taskLinks: {},
    executorConfig: { name: 'AuroraExecutor', data },
    metadata: [],
    container: { mesos: { volumes: [] } },
    ...more,
  };
}

/** queue(1), W 2000 ms, rollback on, all limits 0, not coordinated (updates.md §5.1). */
export function aSettings(more: Partial<UpdateSettings> = {}): UpdateSettings {
  return {
    strategy: { kind: 'queue', groupSize: 1 },
    updateGroupSize: 1,
    waitForBatchCompletion: false,
    maxPerInstanceFailures: 0,
    maxFailedInstances: 0,
    minWaitInRunningMs: 2_000,
    rollbackOnFailure: true,
    onlyTheseInstances: [],
    pulseTimeoutMs: 0,
    slaAware: false,
    ...more,
  };
}
