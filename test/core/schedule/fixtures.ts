import type { TaskConfig } from '../../../src/core/model/config.js';
import type { Host } from '../../../src/core/schedule/host.js';

/** A host with room for anything but GPUs, addresses and ports. */
export function aHost(change: Partial<Host> = {}): Host {
  return {
    host: 'hostA',
    agentId: 'agentA',
    mode: 'NONE',
    attributes: {},
    free: { cpus: 64, ramMb: 65_536, diskMb: 1_000_000 },
    ports: { ranges: [], taken: new Set() },
    ...change,
  };
}

/** A task that needs nothing and wants nothing. */
export function aTask(change: Partial<TaskConfig> = {}): TaskConfig {
  return {
    job: { role: 'roleA', environment: 'test', name: 'jobA' },
    isService: false,
    priority: 0,
    maxTaskFailures: 0,
    production: false,
    resources: [],
    constraints: [],
    mesosFetcherUris: [],
    taskLinks: {},
    metadata: [],
    ...change,
  };
}
