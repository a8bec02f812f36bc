/** scheduleCronJob and replaceCronTemplate: the checks that need no stored state (rpc.md §6, §11). */
import type { CronSchedule } from '../cron/crontab.js';
import { parseCrontab } from '../cron/crontab.js';
import { canFire } from '../cron/next-run.js';
import type { JobConfiguration, TaskConfig } from '../model/config.js';
import type { JobKey } from '../model/keys.js';
import { validateJob } from './job.js';
import type { ValidationLimits } from './limits.js';
import type { Refusal, Validated } from './refusals.js';
import { invalid, quoted } from './refusals.js';

/** What comes before the stored state is looked at: the rules of §5, and that a schedule is set at all. */
export function validateCronJob(
  job: JobConfiguration,
  limits: ValidationLimits,
): Validated<TaskConfig> {
  const task = validateJob(job, limits);
  if (task.refusal !== undefined) return task;
  return job.cronSchedule === undefined
    ? { refusal: invalid('cronSchedule must be set: createJob is for jobs without one') }
    : task;
}

/** What comes last: the schedule must be readable and fire some day, and runs may not overlap. */
export function validateCronSchedule(
  job: Pick<JobConfiguration, 'cronSchedule' | 'cronCollisionPolicy'>,
): Validated<CronSchedule> {
  const { cronSchedule = '', cronCollisionPolicy } = job;
  const parsed = parseCrontab(cronSchedule);
  const refuse = (problem: string): { readonly refusal: Refusal } => ({
    refusal: invalid(`cronSchedule ${quoted(cronSchedule)}: ${problem}`),
  });
  if (parsed.problem !== undefined) return refuse(parsed.problem);
  if (!canFire(parsed.ok)) return refuse('none of its months has such a day');
  return cronCollisionPolicy === 'RUN_OVERLAP'
    ? { refusal: invalid('cronCollisionPolicy: RUN_OVERLAP is no longer supported') }
    : { ok: parsed.ok };
}

/** Whether a job has a cron template. */
export type IsCron = (job: JobKey) => boolean;

/** Updates are for jobs without a template (rpc.md §11.1 row 12, and getJobUpdateDiff). */
export function cronJobProblem(job: JobKey, isCron: IsCron): Refusal | undefined {
  return isCron(job)
    ? invalid(
        `job ${job.role}/${job.environment}/${job.name} is a cron job: ` +
          'replaceCronTemplate changes it, not an update',
      )
    : undefined;
}
