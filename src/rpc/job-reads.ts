/** getJobs and the summaries of roles, jobs and configs: jobs as their tasks make them (rpc.md §10). */
import type { JobConfiguration, TaskConfig } from '../core/model/config.js';
import type { JobKey } from '../core/model/keys.js';
import { groupByConfig } from '../core/update/diff.js';
import type { JobRecord } from '../store/task-queries.js';
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

export function jobReads(deps: RpcDeps): RpcMethods {
  const { engine } = deps;
  const { db } = engine.options;

  function jobsOf(
    role: unknown,
    tasks: 'active' | 'stored',
  ): Promise<{ job: JobConfiguration; record: JobRecord }[]> {
    return db.snapshot(async (tx) => {
      const records = await findJobs(tx, role as string | undefined, tasks);
      const configOf = await engine.configs.load(
        tx,
        records.map((record) => record.latestConfigHash),
      );
      return records.map((record) => ({
        job: synthesized(record, configOf(record.latestConfigHash).config),
        record,
      }));
    });
  }

  return {
    /** Jobs with an active task. No role and a blank one: of every role. */
    async getJobs(args) {
      const configs = (await jobsOf(args['ownerRole'], 'active')).map(({ job }) => job);
      countResult(deps, 'getJobs', configs.length);
      return ok({ getJobsResult: { configs } });
    },

    /** Jobs with any stored task, counted by what became of the tasks. */
    async getJobSummary(args) {
      const summaries = (await jobsOf(args['role'], 'stored')).map(({ job, record }) => ({
        job,
        stats: record.stats,
      }));
      countResult(deps, 'getJobSummary', summaries.length);
      return ok({ jobSummaryResult: { summaries } });
    },

    /** Roles with any stored task; of cron jobs there are none yet. */
    async getRoleSummary() {
      const summaries = (await db.read(findRoles)).map((role) => ({ ...role, cronJobCount: 0 }));
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
