import type { SubmitRequest, Target } from '../../../src/backend/backend.js';
import type { TaskConfig } from '../../../src/core/model/config.js';

export function aConfig(overrides: Partial<TaskConfig> = {}): TaskConfig {
  return {
    job: { role: 'www-data', environment: 'prod', name: 'hello' },
    isService: true,
    priority: 0,
    maxTaskFailures: 1,
    production: false,
    resources: [{ numCpus: 0.1 }, { ramMb: 16 }, { diskMb: 16 }],
    constraints: [],
    mesosFetcherUris: [],
    taskLinks: {},
    metadata: [],
    ...overrides,
  };
}

export function aSubmit(taskId: string, overrides: Partial<SubmitRequest> = {}): SubmitRequest {
  return {
    taskId,
    config: aConfig(),
    instanceId: 0,
    groupHash: 'group',
    target: aTarget(),
    preemptible: false,
    revocable: false,
    priority: 0,
    ...overrides,
  };
}

export function aTarget(overrides: Partial<Target> = {}): Target {
  return { host: 'localhost', agentId: 'agent-localhost', ports: {}, ...overrides };
}
