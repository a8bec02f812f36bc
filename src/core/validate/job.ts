/** A job configuration as rpc.md §5 wants it: rules J1 to J7. */
import type { JobConfiguration, TaskConfig } from '../model/config.js';
import { isGoodIdentifier, isValidJobKey } from '../model/keys.js';
import type { ValidationLimits } from './limits.js';
import type { Validated } from './refusals.js';
import { IDENTIFIER_RULE, invalid, quoted } from './refusals.js';
import { validateTask } from './task.js';

/**
 * The job's normalised task config, or the first rule the job breaks.
 * @param checkExecutorData false for populateJobConfig, which skips T22
 */
export function validateJob(
  job: JobConfiguration,
  limits: ValidationLimits,
  { checkExecutorData = true }: { readonly checkExecutorData?: boolean } = {},
): Validated<TaskConfig> {
  const refuse = (message: string) => ({ refusal: invalid(message) });
  const { key, owner, taskConfig, instanceCount } = job;
  if (taskConfig === undefined) return refuse('taskConfig must be set');
  if (instanceCount <= 0) return refuse(`instanceCount must be positive, it is ${instanceCount}`);
  if (!isValidJobKey(key)) return refuse(`key: role, environment and name each ${IDENTIFIER_RULE}`);
  const environments = limits.allowedJobEnvironments;
  if (!environments.whole.test(key.environment)) {
    return refuse(`key.environment ${quoted(key.environment)} does not match ${environments.text}`);
  }
  if (owner !== undefined && !isGoodIdentifier(owner.user)) {
    return refuse(`owner.user ${quoted(owner.user)} ${IDENTIFIER_RULE}`);
  }
  const task = validateTask(taskConfig, { limits, instanceCount, jobKey: key, checkExecutorData });
  if (task.refusal !== undefined) return task;
  return job.cronSchedule && taskConfig.isService
    ? refuse('taskConfig.isService: a service may not run on a cron schedule')
    : task;
}

/**
 * What createJob, scheduleCronJob and replaceCronTemplate check before the stored state is looked at
 * (rpc.md §11): the rules above, and whether there is a schedule. One that is set makes a cron job, even an
 * empty one (§6).
 *
 * @param kind what the RPC is for
 */
export function validateNewJob(
  job: JobConfiguration,
  limits: ValidationLimits,
  kind: 'job' | 'cron job',
): Validated<TaskConfig> {
  const task = validateJob(job, limits);
  if (task.refusal !== undefined) return task;
  const hasSchedule = job.cronSchedule !== undefined;
  if (hasSchedule === (kind === 'cron job')) return task;
  return {
    refusal: invalid(
      hasSchedule
        ? 'cronSchedule: cron jobs are created with scheduleCronJob'
        : 'cronSchedule must be set: createJob is for jobs without one',
    ),
  };
}
