/** getTasksStatus, getTasksWithoutConfigs and getPendingReason (rpc.md §7, §10). */
import type { TaskConfig } from '../core/model/config.js';
import { scheduledTask } from '../core/model/task.js';
import { pendingReason } from '../core/schedule/pending-reason.js';
import type { ApiTaskQuery } from '../core/validate/query.js';
import { pendingReasonQueryProblem, taskQueryProblem } from '../core/validate/query.js';
import type { Queries } from '../store/database.js';
import type { StoredTask } from '../store/task-queries.js';
import { findTaskIds } from '../store/task-queries.js';
import { Turns } from '../time.js';
import type { RpcDeps, RpcMethods } from './deps.js';
import { countResult, refuseIf } from './deps.js';
import type { RpcMethod } from './outcome.js';
import { ok } from './outcome.js';

/** Kept with the config, so that a config has one shortened form, whose encoding is kept in turn. */
const withoutData = new WeakMap<TaskConfig, TaskConfig>();

/** The config less `executorConfig.data`; its name stays. */
function shortened(config: TaskConfig): TaskConfig {
  const { executorConfig } = config;
  if (executorConfig?.data === undefined) return config;
  let short = withoutData.get(config);
  if (short === undefined) {
    const { name } = executorConfig;
    short = { ...config, executorConfig: name === undefined ? {} : { name } };
    withoutData.set(config, short);
  }
  return short;
}

type ApiTask = ReturnType<typeof scheduledTask>;

/** The same task with another config; all else is shared. */
function withConfig(task: ApiTask, config: TaskConfig): ApiTask {
  return { ...task, assignedTask: { ...(task['assignedTask'] as object), task: config } };
}

/** What is shown of a task, kept with the task as its encoding is with what is shown. */
class ShownTasks {
  private readonly whole = new WeakMap<StoredTask, ApiTask>();
  private readonly short = new WeakMap<StoredTask, ApiTask>();

  constructor(private readonly engine: RpcDeps['engine']) {}

  async of(
    queries: Queries,
    tasks: readonly StoredTask[],
    hasData: boolean,
  ): Promise<readonly ApiTask[]> {
    const shown: ApiTask[] = [];
    const turns = new Turns();
    const known = hasData ? this.whole : this.short;
    const configOf = await this.engine.configs.load(
      queries,
      tasks.flatMap((task) => (known.has(task) ? [] : [task.configHash])),
    );
    for (const task of tasks) {
      let view = known.get(task);
      if (view === undefined) {
        const { config } = configOf(task.configHash);
        const whole = this.whole.get(task) ?? scheduledTask(task, config);
        this.whole.set(task, whole);
        view = hasData ? whole : withConfig(whole, shortened(config));
        known.set(task, view);
      }
      shown.push(view);
      if (turns.isDue()) await turns.pause();
    }
    return shown;
  }
}

export function taskReads(deps: RpcDeps): RpcMethods {
  const { engine } = deps;
  const { db } = engine.options;
  const shown = new ShownTasks(engine);

  function read(method: string, hasData: boolean): RpcMethod {
    return async (args) => {
      const query = args['query'] as ApiTaskQuery | undefined;
      refuseIf(taskQueryProblem(query));
      const tasks = await db.snapshot(async (tx) =>
        shown.of(tx, await engine.taskPages.find(tx, query ?? {}), hasData),
      );
      countResult(deps, method, tasks.length);
      return ok({ scheduleStatusResult: { tasks } });
    };
  }

  return {
    getTasksStatus: read('getTasksStatus', true),
    getTasksWithoutConfigs: read('getTasksWithoutConfigs', false),

    /** One entry for each PENDING task, with an empty reason where none is known. */
    async getPendingReason(args) {
      const query = args['query'] as ApiTaskQuery | undefined;
      refuseIf(pendingReasonQueryProblem(query));
      const taskIds = await db.read((tx) => findTaskIds(tx, { ...query, statuses: ['PENDING'] }));
      countResult(deps, 'getPendingReason', taskIds.length);
      const reasons = taskIds.map((taskId) => ({
        taskId,
        reason: pendingReason(engine.scheduling.vetoesOf(taskId) ?? []),
      }));
      return ok({ getPendingReasonResult: { reasons } });
    },
  };
}
