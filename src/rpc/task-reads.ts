/** getTasksStatus, getTasksWithoutConfigs and getPendingReason (rpc.md §7, §10). */
import type { TaskConfig } from '../core/model/config.js';
import { scheduledTask } from '../core/model/task.js';
import { pendingReason } from '../core/schedule/pending-reason.js';
import type { ApiTaskQuery } from '../core/validate/query.js';
import { pendingReasonQueryProblem, taskQueryProblem } from '../core/validate/query.js';
import { findStoredTasks, findTaskIds } from '../store/task-queries.js';
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

export function taskReads(deps: RpcDeps): RpcMethods {
  const { engine } = deps;
  const { db } = engine.options;

  function read(method: string, shown: (config: TaskConfig) => TaskConfig): RpcMethod {
    return async (args) => {
      const query = args['query'] as ApiTaskQuery | undefined;
      refuseIf(taskQueryProblem(query));
      const tasks = await db.snapshot(async (tx) => {
        const found = await findStoredTasks(tx, query ?? {});
        const configOf = await engine.configs.load(
          tx,
          found.map((task) => task.configHash),
        );
        return found.map((task) => scheduledTask(task, shown(configOf(task.configHash).config)));
      });
      countResult(deps, method, tasks.length);
      return ok({ scheduleStatusResult: { tasks } });
    };
  }

  return {
    getTasksStatus: read('getTasksStatus', (config) => config),
    getTasksWithoutConfigs: read('getTasksWithoutConfigs', shortened),

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
