/**
 * Requests this version would have to get wrong: refused with a clear text, never half done. Whoever
 * builds one of these features deletes its function here and the calls the compiler then names.
 */
import type { TaskConfig } from '../model/config.js';
import type { Refusal } from './refusals.js';
import { invalid } from './refusals.js';

/** scheduleCronJob, replaceCronTemplate; where no template exists, the other cron RPCs need none. */
export function cronNotYet(): Refusal {
  return invalid('cron jobs are not supported yet');
}

/** Without quota a production task would run that the reference refuses (rpc.md §9). */
export function quotaNotYet(config: TaskConfig): Refusal | undefined {
  const isDedicated = config.constraints.some(({ name }) => name === 'dedicated');
  return config.production && !isDedicated
    ? invalid(
        `tier ${config.tier} needs quota, and quota is not built yet: ` +
          'use a preemptible tier or dedicated hosts',
      )
    : undefined;
}
