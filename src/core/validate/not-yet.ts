/**
 * Requests this version would have to get wrong: refused with a clear text, never half done. Whoever
 * builds one of these features deletes its function here and the calls the compiler then names.
 */
import type { TaskConfig } from '../model/config.js';
import type { Refusal } from './refusals.js';
import { invalid } from './refusals.js';

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

/** The quota of a cron template: the one place to put it. Dedicated production crons count as well. */
export function cronQuotaNotYet(config: TaskConfig): Refusal | undefined {
  return config.production
    ? invalid(
        `tier ${config.tier} needs quota for a cron job, and quota is not built yet: ` +
          'use a preemptible tier',
      )
    : undefined;
}
