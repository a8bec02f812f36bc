/**
 * What updates and drains ask before they end a task that an SLA guards (updates.md §3.10, tasks.md §9.2):
 * the facts come from the store, the answers from core.
 */
import type { SlaPolicy } from '../core/model/config.js';
import type { JobKey } from '../core/model/keys.js';
import { scheduledTask } from '../core/model/task.js';
import type { SlaAnswer, SlaCheckSettings, SlaFacts } from '../core/sla/check.js';
import { checkTogether } from '../core/sla/check.js';
import type { CoordinatorQuestion } from '../core/sla/coordinator.js';
import { DEFAULT_STATUS_KEY } from '../core/sla/coordinator.js';
import type { ConfigStore } from '../store/configs.js';
import type { WriteTransaction } from '../store/database.js';
import { findJobActivity } from '../store/sla.js';
import { findStoredTasks } from '../store/task-queries.js';
import type { TaskRecord } from '../store/tasks.js';
import type { Tasks } from './tasks.js';

export interface SlaChecksOptions {
  readonly tasks: Tasks;
  readonly configs: ConfigStore;
  readonly settings: SlaCheckSettings;
}

/** A task to be ended, and what guards it. */
export interface GuardedTask {
  readonly record: TaskRecord;
  readonly policy: SlaPolicy;
}

export class SlaChecks {
  constructor(private readonly options: SlaChecksOptions) {}

  /**
   * Answers for tasks of one job by task id, as if those that pass were away for the next ones. At most
   * three statements, whatever their number.
   */
  async check(
    tx: WriteTransaction,
    job: JobKey,
    guarded: readonly GuardedTask[],
  ): Promise<Map<string, SlaAnswer>> {
    if (guarded.length === 0) return new Map();
    const { configs, settings } = this.options;
    const configOf = await configs.load(
      tx,
      guarded.map(({ record }) => record.configHash),
    );
    const candidates = guarded.map(({ record: { taskId, status, configHash }, policy }) => {
      const { production } = configOf(configHash).config;
      return { taskId, status, production, policy };
    });
    // Coordinators look at the job themselves.
    const counts = candidates.some(({ policy }) => policy.coordinatorSlaPolicy === undefined);
    return checkTogether(candidates, counts ? await this.facts(tx, job) : NO_FACTS, settings);
  }

  private async facts(tx: WriteTransaction, job: JobKey): Promise<SlaFacts> {
    const { active, running } = await findJobActivity(tx, job);
    return {
      active,
      running: new Map(running.map((task) => [task.taskId, this.options.tasks.ageOf(task)])),
    };
  }

  /** What the coordinators of these tasks are to be asked, by task id, with the tasks as they are now. */
  async questions(
    tx: WriteTransaction,
    job: JobKey,
    asking: readonly { readonly taskId: string; readonly policy: SlaPolicy }[],
  ): Promise<Map<string, CoordinatorQuestion>> {
    const questions = new Map<string, CoordinatorQuestion>();
    if (asking.length === 0) return questions;
    const tasks = await findStoredTasks(tx, { taskIds: asking.map(({ taskId }) => taskId) });
    const configOf = await this.options.configs.load(
      tx,
      tasks.map((task) => task.configHash),
    );
    const byId = new Map(tasks.map((task) => [task.taskId, task]));
    for (const { taskId, policy } of asking) {
      const task = byId.get(taskId);
      const coordinator = policy.coordinatorSlaPolicy;
      if (task === undefined || coordinator === undefined) continue;
      questions.set(taskId, {
        url: coordinator.coordinatorUrl ?? '',
        statusKey: coordinator.statusKey ?? DEFAULT_STATUS_KEY,
        job,
        instanceId: task.instanceId,
        task: scheduledTask(task, configOf(task.configHash).config),
      });
    }
    return questions;
  }
}

const NO_FACTS: SlaFacts = { active: 0, running: new Map() };
