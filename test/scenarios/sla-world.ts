/**
 * A job whose tasks are killed only while enough others are up (updates.md §3.10). Fixture of §5.1 for
 * SLA-aware updates: 3 OLD tasks, a minute old; NEW wants 2 up for more than 0 s; queue(3); a retry every 2 s.
 */
import type { TaskConfig } from '../../src/core/model/config.js';
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import { MSG_SLA_CHECK, MSG_SLA_PASS } from '../../src/core/update/messages.js';
import type { SlaKillSettings } from '../../src/engine/sla-kills.js';
import { aConfig, aJob } from '../support/builders.js';
import type { WorldOptions } from '../support/world.js';
import { World } from '../support/world.js';

export const JOB = aJob();
export const JOB_TEXT = 'role/test/job1';
export const RETRY = 2_000;
export const P = 10_000;
export const W = 2_000;
export const SLA: SlaKillSettings = {
  minRequiredInstances: 3,
  awareKillNonProd: false,
  retry: { initialMs: RETRY, maxMs: RETRY },
  maxBatchSize: 300,
};

/** A production job that wants so many others up. */
export const count = (n: number): Partial<TaskConfig> => ({
  production: true,
  slaPolicy: { countSlaPolicy: { count: n, durationSecs: 0 } },
});
export const OLD = aConfig('old', { production: true });
export const NEW = aConfig('new', count(2));
export const AWARE = { slaAware: true, strategy: { kind: 'queue', groupSize: 3 } } as const;
/** How the notes show in `instanceEvents`. */
export const CHECK = `(${MSG_SLA_CHECK})`;
export const PASS = `(${MSG_SLA_PASS})`;
export const ATTEMPTS = `updates_sla_kill_attempt_${JOB_TEXT}`;
export const SUCCESSES = `updates_sla_kill_success_${JOB_TEXT}`;

type Settings = Parameters<World['startUpdate']>[3];

export class SlaWorld {
  private constructor(readonly world: World) {}

  static async create(
    sla: Partial<SlaKillSettings> = {},
    options: WorldOptions = {},
  ): Promise<SlaWorld> {
    const settings = { ...options.settings, sla: { ...SLA, ...sla } };
    return new SlaWorld(await World.create({ ...options, settings }));
  }

  /** Three tasks, and an update of them all. */
  async started(settings: Settings = {}, old = OLD, next = NEW): Promise<JobUpdateKey> {
    await this.world.runningInstances(JOB, old, [0, 1, 2]);
    return this.world.startUpdate(JOB, next, 3, { ...AWARE, ...settings });
  }

  /** Instance 0 is to be updated, 1 is up, 2 is not: a count of 2 keeps 0 where it is. */
  async waiting(settings: Settings = {}, next = NEW): Promise<JobUpdateKey> {
    await this.world.runningInstances(JOB, OLD, [0, 1]);
    await this.world.addInstances(JOB, OLD, [2]);
    const onlyTheseInstances = [{ first: 0, last: 0 }];
    return this.world.startUpdate(JOB, next, 3, { ...AWARE, onlyTheseInstances, ...settings });
  }

  /** What keeps 0 is gone. */
  async letGo(): Promise<void> {
    await this.world.report(JOB, 2, 'starting', 'running');
    this.world.time.tick(1);
  }

  async killing(): Promise<number[]> {
    const statuses = Object.entries(await this.world.statuses(JOB));
    return statuses.filter(([, status]) => status === 'KILLING').map(([id]) => Number(id));
  }

  /** The only task that is dying is replaced; returns whose it was. */
  async replaceNext(): Promise<number> {
    const [id, ...others] = await this.killing();
    if (id === undefined) throw new Error('nothing is being killed');
    expect(others).toEqual([]);
    await this.world.report(JOB, id, 'killed');
    // One is away: nobody else may go, however often it is asked.
    await this.world.advance(3 * RETRY);
    expect(await this.killing()).toEqual([]);
    await this.world.report(JOB, id, 'starting', 'running');
    return id;
  }

  /** Kills that wait, or whose success is still to be seen. */
  get chains(): number {
    return this.world.engine.updater.registry.ofJob(JOB)?.slaChains.size ?? 0;
  }
}
