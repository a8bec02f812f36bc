/** scheduleCronJob, replaceCronTemplate, descheduleCronJob and startCronJob (rpc.md §11, tasks.md §7). */
import { RefusedError } from '../core/errors.js';
import type { JobConfiguration } from '../core/model/config.js';
import type { JobKey } from '../core/model/keys.js';
import { jobKeyText } from '../core/model/keys.js';
import { validateCronSchedule } from '../core/validate/cron.js';
import { instanceCountProblem } from '../core/validate/instance-count.js';
import { validateNewJob } from '../core/validate/job.js';
import type { RpcDeps, RpcMethods } from './deps.js';
import { countWork, given, refuseIf, validJobKey, validOf } from './deps.js';
import type { RpcMethod } from './outcome.js';
import { ok, refuse } from './outcome.js';

/** @param argument what the IDL calls the one argument */
function templateMethod(
  deps: RpcDeps,
  argument: 'description' | 'config',
  mode: 'schedule' | 'replace',
): RpcMethod {
  const { engine, limits } = deps;
  return async (args, caller) => {
    const description = given<JobConfiguration>(args, argument);
    validJobKey(`${argument}.key`, description.key);
    const config = validOf(validateNewJob(description, limits, 'cron job'));
    const { instanceCount, cronSchedule = '', cronCollisionPolicy, owner } = description;
    await engine.cronJobs.store(
      {
        job: config.job,
        config,
        instanceCount,
        schedule: cronSchedule,
        ...(cronCollisionPolicy === undefined ? {} : { collisionPolicy: cronCollisionPolicy }),
        ...(owner?.user === undefined ? {} : { ownerUser: owner.user }),
        user: caller.user,
        async checkLimits(tx) {
          refuseIf(instanceCountProblem(instanceCount, limits.maxTasksPerJob));
          await engine.quotas.requireForTemplate(tx, config, instanceCount);
        },
        checkSchedule: () => validOf(validateCronSchedule(description)),
      },
      mode,
    );
    // One counter for both, as the reference has it.
    countWork(deps, 'createOrUpdateCronTemplate', instanceCount);
    return ok();
  };
}

export function cronMethods(deps: RpcDeps): RpcMethods {
  const { engine } = deps;
  return {
    /** A job that is no cron job yet becomes one, unless it has active tasks. */
    scheduleCronJob: templateMethod(deps, 'description', 'schedule'),

    replaceCronTemplate: templateMethod(deps, 'config', 'replace'),

    /** Its running tasks are left alone. */
    async descheduleCronJob(args) {
      const job = validJobKey('job', args['job'] as Partial<JobKey> | undefined);
      const wasScheduled = await engine.cronJobs.deschedule(job);
      return wasScheduled ? ok() : ok(undefined, `Job ${jobKeyText(job)} has no cron schedule.`);
    },

    /** Answers before the run begins. */
    async startCronJob(args) {
      const job = validJobKey('job', args['job'] as Partial<JobKey> | undefined);
      try {
        engine.cronJobs.startNow(job);
        return ok();
      } catch (error) {
        if (!(error instanceof RefusedError)) throw error;
        return refuse(error.code, `Failed to start the cron job now: ${error.message}`);
      }
    },
  };
}
