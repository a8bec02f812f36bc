/** How many instances a job may have (rpc.md §3, `-max_tasks_per_job`). */
import type { Refusal } from './refusals.js';
import { invalid } from './refusals.js';

/**
 * Refuses a total outside 1..max. It has a place of its own in each RPC (rpc.md §11): createJob after the
 * job was found not to exist, startJobUpdate after the no-op check, addInstances for active + new.
 */
export function instanceCountProblem(total: number, max: number): Refusal | undefined {
  if (total < 1) return invalid(`a job needs at least one instance, ${total} were asked for`);
  if (total > max)
    return invalid(`a job may have at most ${max} instances, ${total} were asked for`);
  return undefined;
}
