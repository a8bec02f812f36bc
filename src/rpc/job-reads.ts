/** getJobs and the summaries of roles, jobs and configs, from tasks and cron templates (rpc.md §10). */
import { parseCrontab } from '../core/cron/crontab.js';
import { RefusedError } from '../core/errors.js';
import type { JobConfiguration, TaskConfig } from '../core/model/config.js';
import type { JobKey } from '../core/model/keys.js';
import { jobKeyText } from '../core/model/keys.js';
import { groupByConfig } from '../core/update/diff.js';
import type { CronJobRecord } from '../store/cron.js';
import { findCronJobs } from '../store/cron.js';
import type { JobRecord, JobStats } from '../store/task-queries.js';
import { findJobs, findRoles } from '../store/task-queries.js';
import { findActiveConfigs } from '../store/tasks.js';
import type { RpcDeps, RpcMethods } from './deps.js';
import { countResult, validJobKey } from './deps.js';
import { ok } from './outcome.js';

/** What a job without a stored definition is said to be: the config of its latest task, so many times. */
function synthesized(job: JobRecord, config: TaskConfig): JobConfiguration {
  return {
    key: job.key,
    ...(config.owner === undefined ? {} : { owner: config.owner }),
    taskConfig: config,
    instanceCount: job.taskCount,
  };
}

/** The job as its template defines it. */
function cronJob(template: CronJobRecord, config: TaskConfig): JobConfiguration {
  const { job, ownerUser, schedule, collisionPolicy, instanceCount } = template;
  return {
    key: job,
    ...(ownerUser === undefined ? {} : { owner: { user: ownerUser } }),
    cronSchedule: schedule,
    ...(collisionPolicy === undefined ? {} : { cronCollisionPolicy: collisionPolicy }),
    taskConfig: config,
    instanceCount,
  };
}

const NO_TASKS: JobStats = {
  activeTaskCount: 0,
  finishedTaskCount: 0,
  failedTaskCount: 0,
  pendingTaskCount: 0,
};

interface ReadJob {
  readonly job: JobConfiguration;
  readonly stats: JobStats;
  /** Of a cron job. */
  readonly cronSchedule?: string;
}

export function jobReads(deps: RpcDeps): RpcMethods {
  const { engine } = deps;
  const { db } = engine.options;

  /** Jobs as their tasks make them, and the cron jobs of exactly this role, which need no task. */
  function jobsOf(role: string | undefined, tasks: 'active' | 'stored'): Promise<ReadJob[]> {
    return db.snapshot(async (tx) => {
      const records = await findJobs(tx, role, tasks);
      const templates = await findCronJobs(tx, role);
      const configOf = await engine.configs.load(tx, [
        ...records.map((record) => record.latestConfigHash),
        ...templates.map((template) => template.configHash),
      ]);
      const jobs = new Map<string, ReadJob>();
      for (const record of records) {
        const job = synthesized(record, configOf(record.latestConfigHash).config);
        jobs.set(jobKeyText(record.key), { job, stats: record.stats });
      }
      for (const template of templates) {
        const text = jobKeyText(template.job);
        jobs.set(text, {
          job: cronJob(template, configOf(template.configHash).config),
          stats: jobs.get(text)?.stats ?? NO_TASKS,
          cronSchedule: template.schedule,
        });
      }
      return [...jobs.values()];
    });
  }

  /** @throws RefusedError ERROR for a stored text that is no schedule */
  function nextRunMs({ job, cronSchedule }: ReadJob): number | undefined {
    if (cronSchedule === undefined) return undefined;
    const { ok: schedule, problem } = parseCrontab(cronSchedule);
    if (problem === undefined) return engine.cron.nextRunMs(schedule);
    const text = job.key === undefined ? '' : jobKeyText(job.key);
    throw new RefusedError('ERROR', `The cron schedule of ${text} cannot be read: ${problem}.`);
  }

  return {
    /** Jobs with an active task, and cron jobs. Of every role without one; see `findCronJobs` for `""`. */
    async getJobs(args) {
      const role = args['ownerRole'] as string | undefined;
      const configs = (await jobsOf(role, 'active')).map(({ job }) => job);
      countResult(deps, 'getJobs', configs.length);
      return ok({ getJobsResult: { configs } });
    },

    /** Jobs with any stored task, counted by what became of the tasks, and cron jobs. */
    async getJobSummary(args) {
      const jobs = await jobsOf(args['role'] as string | undefined, 'stored');
      const summaries = jobs.map((read) => {
        const nextCronRunMs = nextRunMs(read);
        const { job, stats } = read;
        return nextCronRunMs === undefined ? { job, stats } : { job, stats, nextCronRunMs };
      });
      countResult(deps, 'getJobSummary', summaries.length);
      return ok({ jobSummaryResult: { summaries } });
    },

    /** Roles with any stored task or a cron template; a cron job with stored tasks counts as a job too. */
    async getRoleSummary() {
      const summaries = await db.read(findRoles);
      countResult(deps, 'getRoleSummary', summaries.length);
      return ok({ roleSummaryResult: { summaries } });
    },

    /** A job nobody knows has no groups, and that is no error. */
    async getConfigSummary(args) {
      const job = validJobKey('job', args['job'] as Partial<JobKey> | undefined);
      const groups = await db.snapshot(async (tx) => {
        const hashes = await findActiveConfigs(tx, job);
        return groupByConfig(hashes, await engine.configs.load(tx, hashes.values()));
      });
      countResult(deps, 'getConfigSummary', groups.length);
      return ok({
        configSummaryResult: {
          summary: {
            key: job,
            groups: groups.map(({ config, instances }) => ({ config: config.config, instances })),
          },
        },
      });
    },
  };
}
