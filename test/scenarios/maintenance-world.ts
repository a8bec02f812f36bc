/**
 * Two hosts and jobs that are bound to one of them, for drains (tasks.md §10). Two active tasks are enough for
 * an SLA to count; the looks come every minute.
 */
import type { SlaPolicy, TaskConfig } from '../../src/core/model/config.js';
import type { JobKey } from '../../src/core/model/keys.js';
import { aConfig, aJob } from '../support/builders.js';
import type { WorldOptions } from '../support/world.js';
import { World } from '../support/world.js';

export const JOB = aJob();
export const POLL = 60_000;

/** A service that runs on the named host and nowhere else. */
export function boundTo(host: string, more: Partial<TaskConfig> = {}, data = 'old'): TaskConfig {
  const value = { negated: false, values: [host] };
  return aConfig(data, { constraints: [{ name: 'host', constraint: { value } }], ...more });
}

/** A production job that wants so many others up. */
export function counting(count: number): SlaPolicy {
  return { countSlaPolicy: { count, durationSecs: 0 } };
}

export class MaintenanceWorld {
  private constructor(readonly world: World) {}

  static async create(options: WorldOptions = {}): Promise<MaintenanceWorld> {
    const sla = {
      minRequiredInstances: 2,
      awareKillNonProd: false,
      retry: { initialMs: 60_000, maxMs: 300_000 },
      maxBatchSize: 300,
    };
    const world = await World.create({
      hosts: [{ host: 'a' }, { host: 'b' }],
      ...options,
      settings: { sla, ...options.settings },
    });
    return new MaintenanceWorld(world);
  }

  get maintenance() {
    return this.world.engine.maintenance;
  }

  /** The answer of a verb, as `host MODE`; settled when it returns. */
  async told(
    statuses: Promise<readonly { readonly host: string; readonly mode: string }[]>,
  ): Promise<string[]> {
    const answer = await statuses;
    await this.world.settle();
    return answer.map(({ host, mode }) => `${host} ${mode}`);
  }

  drain(...hosts: string[]): Promise<string[]> {
    return this.told(this.maintenance.drain(hosts, 'op'));
  }

  slaDrain(host: string, timeoutSecs: number, policy?: SlaPolicy): Promise<string[]> {
    const request = { timeoutSecs, ...(policy === undefined ? {} : { policy }) };
    return this.told(this.maintenance.drainWithSla([host], request, 'op'));
  }

  async mode(host: string): Promise<string> {
    const [status] = await this.told(this.maintenance.statuses([host]));
    return status?.split(' ')[1] ?? 'unknown';
  }

  /** Hosts with a stored request. */
  async requests(): Promise<string[]> {
    const rows = await this.world.sql<{ host: string }>(
      'SELECT host FROM host_maintenance_requests ORDER BY host',
    );
    return rows.map((row) => row.host);
  }

  /** Instances of the job that are DRAINING. */
  async draining(job: JobKey = JOB): Promise<number[]> {
    const statuses = Object.entries(await this.world.statuses(job));
    return statuses.filter(([, status]) => status === 'DRAINING').map(([id]) => Number(id));
  }
}
