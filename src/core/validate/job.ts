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

/** The checks of createJob that need no stored state (rpc.md §11); a cron schedule set is none to create. */
export function validateNewJob(
  job: JobConfiguration,
  limits: ValidationLimits,
): Validated<TaskConfig> {
  const task = validateJob(job, limits);
  if (task.refusal !== undefined) return task;
  return job.cronSchedule === undefined
    ? task
    : { refusal: invalid('cronSchedule: cron jobs are created with scheduleCronJob') };
}
