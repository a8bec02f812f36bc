/** Cron schedules, and who may have one: checks that need no stored state (rpc.md §6, §11). */
import type { CronSchedule } from '../cron/crontab.js';
import { parseCrontab } from '../cron/crontab.js';
import { canFire } from '../cron/next-run.js';
import type { JobConfiguration } from '../model/config.js';
import type { JobKey } from '../model/keys.js';
import type { Refusal, Validated } from './refusals.js';
import { invalid, quoted } from './refusals.js';

/** What the cron RPCs check last: the schedule must be readable and fire some day, and runs may not overlap. */
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
