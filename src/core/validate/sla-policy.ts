/** Rule T20 of rpc.md §5: an SLA policy its tier supports, and that leaves something to kill. */
import type { TaskConfig } from '../model/config.js';
import type { ValidationLimits } from './limits.js';

/**
 * The first of T20 (a) to (e) that a config's policy breaks. `config.production` must be filled from the
 * tier. Coordinator policies are only checked for their tier.
 */
export function slaPolicyRules(
  config: TaskConfig,
  { limits, instanceCount }: { limits: ValidationLimits; instanceCount: number },
): string | undefined {
  const policy = config.slaPolicy;
  if (policy === undefined) return undefined;
  if (!config.production && !limits.slaAwareKillNonProd) {
    return `taskConfig.slaPolicy is not supported by tier ${config.tier}`;
  }
  const { percentageSlaPolicy: percentage, countSlaPolicy: count } = policy;
  const timed = percentage ?? count;
  if (timed === undefined) return undefined;
  if (instanceCount < limits.minRequiredInstancesForSlaCheck) {
    return (
      `taskConfig.slaPolicy needs at least ${limits.minRequiredInstancesForSlaCheck} instances, ` +
      `the job has ${instanceCount}`
    );
  }
  if (count !== undefined && !(instanceCount - count.count >= 1)) {
    return (
      `taskConfig.slaPolicy.countSlaPolicy.count ${count.count} would block every kill: ` +
      `it must be less than the ${instanceCount} instances`
    );
  }
  if (
    percentage !== undefined &&
    !(instanceCount - (instanceCount * percentage.percentage) / 100 >= 1)
  ) {
    const bound = ((instanceCount - 1) / instanceCount) * 100;
    return (
      `taskConfig.slaPolicy.percentageSlaPolicy.percentage ${percentage.percentage} would block ` +
      `every kill: it must be at most ${bound} for ${instanceCount} instances`
    );
  }
  return timed.durationSecs <= limits.maxSlaDurationSecs
    ? undefined
    : `taskConfig.slaPolicy: durationSecs ${timed.durationSecs} exceeds the cluster's maximum of ${limits.maxSlaDurationSecs}`;
}
