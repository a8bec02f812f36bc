/**
 * Requests this version would have to get wrong: refused with a clear text, never half done. Whoever
 * builds one of these features deletes its function here and the calls the compiler then names.
 */
import type { Refusal } from './refusals.js';
import { invalid } from './refusals.js';

/** scheduleCronJob, replaceCronTemplate; where no template exists, the other cron RPCs need none. */
export function cronNotYet(): Refusal {
  return invalid('cron jobs are not supported yet');
}
