/** Which kills of an update wait for an SLA, and for which (updates.md §3.10). */
import type { SlaPolicy } from '../model/config.js';
import type { UpdateStatus } from '../model/statuses.js';
import { isRolling } from '../model/statuses.js';
import type { Direction } from '../update/ordering.js';
import type { UpdatePlan } from '../update/plan.js';

/**
 * The policy that a kill of this instance must meet; undefined for a plain kill: the update is not
 * SLA-aware, or has no policy for it. Forward that is the desired config's, also for an instance that is
 * removed; backward the one the instance had, so none for an instance that the update created.
 */
export function slaPolicyOf(
  plan: UpdatePlan,
  direction: Direction,
  instanceId: number,
): SlaPolicy | undefined {
  if (!plan.settings.slaAware) return undefined;
  const config = direction === 'forward' ? plan.desired : plan.initial.get(instanceId);
  return config?.config.slaPolicy;
}

/**
 * Only an update that acts may ask for a kill.
 *
 * @throws RangeError in any other state: whoever asks has not looked at it
 */
export function requireRolling(state: UpdateStatus): void {
  if (!isRolling(state)) throw new RangeError(`an SLA-aware kill was requested in ${state}`);
}
