/**
 * Requests this version would have to get wrong: refused with a clear text, never half done. Whoever
 * builds one of these features deletes its function here and the calls the compiler then names.
 */
import type { TaskConfig } from '../model/config.js';
import type { Refusal } from './refusals.js';
import { invalid } from './refusals.js';

/** The quota of a cron template: the one place to put it. Dedicated production crons count as well. */
export function cronQuotaNotYet(config: TaskConfig): Refusal | undefined {
  return config.production
    ? invalid(
        `tier ${config.tier}: the quota of cron jobs is not built yet, use a preemptible tier`,
      )
    : undefined;
}
