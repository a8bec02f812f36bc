/** What a tick wants done to instances, as changes of their tasks (updates.md §3.3). */
import type { StoredConfig } from '../core/model/config.js';
import type { ExplicitUpdateStatus } from '../core/model/statuses.js';
import { slaPolicyOf } from '../core/sla/policy.js';
import { killedForUpdate } from '../core/task/messages.js';
import type { InstanceTask } from '../core/update/instance-evaluator.js';
import type { UpdatePlan } from '../core/update/plan.js';
import { targetConfig } from '../core/update/plan.js';
import type { Step } from '../core/update/tick.js';
import type { WriteTransaction } from '../store/database.js';
import { findActiveTasks } from '../store/tasks.js';
import type { ActiveUpdate } from './active-updates.js';
import type { Kill, SlaKill, SlaKills, SlaWork } from './sla-kills.js';
import { NO_WORK } from './sla-kills.js';
import type { Tasks } from './tasks.js';

export class Actions {
  constructor(
    private readonly tasks: Tasks,
    private readonly slaKills: SlaKills,
  ) {}

  /**
   * Takes the steps, all of a kind in one go; kills that a policy guards are only asked for.
   *
   * @param state the state the update is in when they are taken
   * @param known the current tasks of the instances to be killed
   * @param atMs time of the events written
   */
  async take(
    tx: WriteTransaction,
    entry: ActiveUpdate,
    plan: UpdatePlan,
    state: ExplicitUpdateStatus,
    steps: readonly Step[],
    known: ReadonlyMap<number, InstanceTask | null>,
    atMs: number,
  ): Promise<SlaWork> {
    const plain: Kill[] = [];
    const guarded: SlaKill[] = [];
    for (const { kind, instanceId, direction } of steps) {
      if (kind !== 'KILL' && kind !== 'KILL_AND_RESERVE') continue;
      const taskId = known.get(instanceId)?.taskId;
      if (taskId === undefined) continue;
      const policy = slaPolicyOf(plan, direction, instanceId);
      const kill = { taskId, reserve: kind === 'KILL_AND_RESERVE' };
      if (policy === undefined) plain.push(kill);
      else guarded.push({ ...kill, instanceId, policy });
    }
    await this.kill(tx, entry, plain);
    await this.add(tx, entry, plan, steps);
    return guarded.length === 0 ? NO_WORK : this.slaKills.request(tx, entry, state, guarded, atMs);
  }

  /** Tells tasks to die for the update. */
  async kill(tx: WriteTransaction, entry: ActiveUpdate, kills: readonly Kill[]): Promise<void> {
    if (kills.length === 0) return;
    const message = killedForUpdate(entry.key.id);
    await this.tasks.change(
      tx,
      kills.map((kill) => ({ ...kill, target: 'KILLING' as const, message })),
    );
  }

  private async add(
    tx: WriteTransaction,
    entry: ActiveUpdate,
    plan: UpdatePlan,
    steps: readonly Step[],
  ): Promise<void> {
    const adds = steps.filter((step) => step.kind === 'ADD');
    if (adds.length === 0) return;
    const occupied = await findActiveTasks(
      tx,
      entry.key.job,
      adds.map((step) => step.instanceId),
    );
    const taken = new Set(occupied.map((record) => record.instanceId));
    const byConfig = new Map<string, { config: StoredConfig; ids: number[] }>();
    for (const { instanceId, direction } of adds) {
      if (taken.has(instanceId)) continue;
      const config = targetConfig(plan, direction, instanceId);
      if (config === undefined)
        throw new Error(`instance ${instanceId} has no ${direction} config`);
      const group = byConfig.get(config.hash) ?? { config, ids: [] };
      group.ids.push(instanceId);
      byConfig.set(config.hash, group);
    }
    for (const { config, ids } of byConfig.values()) {
      await this.tasks.insertPending(tx, entry.key.job, config, ids);
    }
  }
}
