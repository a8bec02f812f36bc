/** createJob, killTasks, restartShards, addInstances (rpc.md §11). */
import type { JobConfiguration } from '../core/model/config.js';
import type { JobKey } from '../core/model/keys.js';
import { instanceCountProblem } from '../core/validate/instance-count.js';
import { validateNewJob } from '../core/validate/job.js';
import type { RpcDeps, RpcMethods } from './deps.js';
import { countWork, given, refuseIf, validJobKey, validOf } from './deps.js';
import { ok, refuse } from './outcome.js';

/** An InstanceKey as a client sent it: any part may be missing. */
interface SentInstanceKey {
  readonly jobKey?: Partial<JobKey>;
  readonly instanceId?: number;
}

export function jobMethods(deps: RpcDeps): RpcMethods {
  const { engine, limits } = deps;
  return {
    async createJob(args) {
      const job = given<JobConfiguration>(args, 'description');
      // Its job is the job's key: validation refuses a config of another one.
      const config = validOf(validateNewJob(job, limits, 'job'));
      const { instanceCount } = job;
      await engine.jobs.create(config.job, config, instanceCount, async (tx) => {
        refuseIf(instanceCountProblem(instanceCount, limits.maxTasksPerJob));
        await engine.quotas.requireForTasks(tx, config, instanceCount);
      });
      countWork(deps, 'createJob', instanceCount);
      return ok();
    },

    /** No instances given, and an empty set of them: the whole job (wire.md §5). */
    async killTasks(args, caller) {
      const job = validJobKey('job', args['job'] as Partial<JobKey> | undefined);
      const instances = args['instances'] as readonly number[] | undefined;
      const message = args['message'] as string | undefined;
      const killed = await engine.jobs.kill(job, instances, caller.user, message);
      countWork(deps, 'killTasks', killed);
      // gorealis takes any detail for "nothing was killed", so there is one only then.
      return killed > 0 ? ok() : ok(undefined, 'No tasks to kill.');
    },

    /** No instances given is a mistake here, and never all of them: the opposite of killTasks. */
    async restartShards(args, caller) {
      const job = validJobKey('job', args['job'] as Partial<JobKey> | undefined);
      const instances = new Set(args['shardIds'] as readonly number[] | undefined);
      if (instances.size === 0) return refuse('ERROR', 'shardIds must name at least one instance');
      await engine.jobs.restart(job, instances, caller.user);
      countWork(deps, 'restartShards', instances.size);
      return ok();
    },

    async addInstances(args) {
      const key = given<SentInstanceKey>(args, 'key');
      const job = validJobKey('key.jobKey', key.jobKey);
      const count = (args['count'] as number | undefined) ?? 0;
      if (count <= 0) return refuse('INVALID_REQUEST', `count must be positive, it is ${count}`);
      await engine.jobs.addInstances(job, key.instanceId ?? 0, count, async (tx, config, total) => {
        refuseIf(instanceCountProblem(total, limits.maxTasksPerJob));
        await engine.quotas.requireForTasks(tx, config, count);
      });
      countWork(deps, 'addInstances', count);
      return ok();
    },
  };
}
