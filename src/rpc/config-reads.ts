/** getTierConfigs and populateJobConfig: answers that need no stored state (rpc.md §10). */
import type { JobConfiguration } from '../core/model/config.js';
import { validateJob } from '../core/validate/job.js';
import type { RpcDeps, RpcMethods } from './deps.js';
import { given, validOf } from './deps.js';
import { ok } from './outcome.js';

export function configReads({ limits }: RpcDeps): RpcMethods {
  return {
    /** `settings` holds exactly two keys with `true` or `false` as text, which Python reads. */
    async getTierConfigs() {
      const { defaultName, tiers } = limits.tiers;
      return ok({
        getTierConfigResult: {
          defaultTierName: defaultName,
          tiers: [...tiers].map(([name, { preemptible, revocable }]) => ({
            name,
            settings: { preemptible: String(preemptible), revocable: String(revocable) },
          })),
        },
      });
    },

    /** Cron jobs and others alike; their executor data is not looked into. */
    async populateJobConfig(args) {
      const job = given<JobConfiguration>(args, 'description');
      const taskConfig = validOf(validateJob(job, limits, { checkExecutorData: false }));
      return ok({ populateJobResult: { taskConfig } });
    },
  };
}
