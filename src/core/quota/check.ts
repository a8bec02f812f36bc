/** Whether a request fits into its role's quota (rpc.md §9). */
import type { TaskConfig } from '../model/config.js';
import type { Refusal } from '../validate/refusals.js';
import { invalid } from '../validate/refusals.js';
import type { QuotaAmounts } from './amounts.js';
import { QUOTA_RESOURCES, amountsOf, minus, plus } from './amounts.js';
import type { RoleInUse, TemplateInUse, UpdateInUse } from './consumption.js';
import { bucketOf, consumption, withUpdate } from './consumption.js';

/**
 * What rounding may add to a sum of fractions of a core: three tasks of 0.1 fit into 0.3, although their
 * sum in binary is larger.
 */
const ROUNDING = 1e-6;

/** Whether such tasks cost quota; the others need not be checked, and nothing need be read for them. */
export function costsQuota(config: Pick<TaskConfig, 'production' | 'constraints'>): boolean {
  return bucketOf(config) === 'prodShared';
}

/** What would be in use with so many more tasks of a config that costs quota: createJob, addInstances. */
export function needWithTasks(role: RoleInUse, config: TaskConfig, count: number): QuotaAmounts {
  return plus(consumption(role).prodShared, amountsOf(config, count));
}

/** The same with an update active: startJobUpdate. */
export function needWithUpdate(role: RoleInUse, update: UpdateInUse): QuotaAmounts {
  return consumption(withUpdate(role, update)).prodShared;
}

/** An update costs quota when what it puts there does: not one that only removes. */
export function updateCostsQuota({ desired }: Pick<UpdateInUse, 'desired'>): boolean {
  return desired !== undefined && costsQuota(desired.config);
}

/** A cron template is checked when it is for production, on dedicated hosts too. */
export function templateIsChecked({ production }: Pick<TaskConfig, 'production'>): boolean {
  return production;
}

/**
 * The same with a cron template stored, which takes the place of the one its job has, if it has one: the
 * old one's amounts are taken off whatever its bucket. To be asked of every template that is checked:
 * scheduleCronJob, replaceCronTemplate.
 */
export function needWithTemplate(role: RoleInUse, template: TemplateInUse): QuotaAmounts {
  const { environment, name } = template.job;
  const old = role.templates.find(
    ({ job }) => job.environment === environment && job.name === name,
  );
  const need = needWithTasks(role, template.config, template.instanceCount);
  return old === undefined ? need : minus(need, amountsOf(old.config, old.instanceCount));
}

/** Each resource of which more is needed than there is, and by how much; undefined when it all fits. */
function overage(need: QuotaAmounts, quota: QuotaAmounts): string | undefined {
  // The comparison is this way round so that what is no number is never enough.
  const short = QUOTA_RESOURCES.filter(({ key }) => !(need[key] <= quota[key] + ROUNDING));
  if (short.length === 0) return undefined;
  return short
    .map(
      ({ key, name, unit }) =>
        `${name} quota exceeded by ${(need[key] - quota[key]).toFixed(2)} ${unit}`,
    )
    .join('; ');
}

/** INVALID_REQUEST when a role needs more than its quota. */
export function quotaProblem(need: QuotaAmounts, quota: QuotaAmounts): Refusal | undefined {
  const text = overage(need, quota);
  return text === undefined ? undefined : invalid(`Insufficient resource quota: ${text}`);
}

/** INVALID_REQUEST when a quota would be less than what its role uses already (rpc.md §12, setQuota). */
export function lowQuotaProblem(role: RoleInUse, quota: QuotaAmounts): Refusal | undefined {
  const text = overage(consumption(role).prodShared, quota);
  return text === undefined
    ? undefined
    : invalid(`quota: less than what the role's production tasks use: ${text}`);
}
