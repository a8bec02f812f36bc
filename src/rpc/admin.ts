/** Tasks by force: forceTaskState and pruneTasks (rpc.md §12). */
import { RefusedError } from '../core/errors.js';
import type { ScheduleStatus } from '../core/model/statuses.js';
import { TERMINAL_STATES } from '../core/model/statuses.js';
import type { ApiTaskQuery } from '../core/validate/query.js';
import { pruneQueryProblem } from '../core/validate/query.js';
import type { RpcDeps, RpcMethods } from './deps.js';
import { countWork, given, refuseIf } from './deps.js';
import { ok } from './outcome.js';

export function adminMethods(deps: RpcDeps): RpcMethods {
  const { engine } = deps;
  return {
    /** Always OK: whether the state machine agreed is not told. */
    async forceTaskState(args, caller) {
      const taskId = given<string>(args, 'taskId');
      if (taskId.trim() === '') throw new RefusedError('ERROR', 'taskId must not be blank');
      await engine.taskAdmin.force(taskId, given<ScheduleStatus>(args, 'status'), caller.user);
      return ok();
    },

    /** Statuses that are unset or none mean all terminal ones, never the active ones (rpc.md §14). */
    async pruneTasks(args) {
      const query = args['query'] as ApiTaskQuery | undefined;
      refuseIf(pruneQueryProblem(query));
      const { statuses = [], limit, ...filter } = query ?? {};
      const scoped = { ...filter, statuses: statuses.length > 0 ? statuses : [...TERMINAL_STATES] };
      countWork(deps, 'pruneTasks', await engine.taskAdmin.prune(scoped, limit));
      return ok();
    },
  };
}
