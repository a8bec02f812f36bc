/**
 * Quota where requests meet the store (rpc.md §9): checks inside the transaction of what they check, one at
 * a time for a role, and setQuota (§12).
 */
import type { TaskConfig } from '../core/model/config.js';
import type { JobKey } from '../core/model/keys.js';
import type { UpdateInstructions } from '../core/model/update.js';
import type { QuotaAmounts } from '../core/quota/amounts.js';
import {
  costsQuota,
  lowQuotaProblem,
  needWithTasks,
  needWithTemplate,
  needWithUpdate,
  quotaProblem,
  templateIsChecked,
  updateCostsQuota,
} from '../core/quota/check.js';
import type { UpdateInUse } from '../core/quota/consumption.js';
import { refuseIf } from '../core/validate/refusals.js';
import type { ConfigStore } from '../store/configs.js';
import type { Database, WriteTransaction } from '../store/database.js';
import type { QuotaFacts } from '../store/quota.js';
import { findQuotaFacts, lockQuota, saveQuota } from '../store/quota.js';

export class Quotas {
  constructor(
    private readonly db: Database,
    private readonly configs: ConfigStore,
  ) {}

  /** A role's quota and what is in use of it. */
  find(role: string): Promise<QuotaFacts> {
    return this.db.snapshot((tx) => findQuotaFacts(tx, this.configs, role));
  }

  /**
   * Before so many tasks of a config are added to those that are active; nothing is read for tasks that
   * cost no quota.
   *
   * @throws RefusedError INVALID_REQUEST when the quota of the config's role does not suffice
   */
  async requireForTasks(tx: WriteTransaction, config: TaskConfig, count: number): Promise<void> {
    if (!costsQuota(config)) return;
    const { quota, inUse } = await this.lockedFacts(tx, config.job.role);
    refuseIf(quotaProblem(needWithTasks(inUse, config, count), quota));
  }

  /**
   * Before an update of a job becomes active; nothing is read for one whose desired config costs no quota.
   *
   * @throws RefusedError INVALID_REQUEST when the quota of the job's role does not suffice
   */
  async requireForUpdate(
    tx: WriteTransaction,
    job: JobKey,
    { initialState, desiredState }: UpdateInstructions,
  ): Promise<void> {
    const update: UpdateInUse = {
      job,
      initial: initialState.map(plainGroup),
      ...(desiredState === undefined ? {} : { desired: plainGroup(desiredState) }),
    };
    if (!updateCostsQuota(update)) return;
    const { quota, inUse } = await this.lockedFacts(tx, job.role, job);
    refuseIf(quotaProblem(needWithUpdate(inUse, update), quota));
  }

  /**
   * Before a cron template is stored in the place of the one its job has, if it has one; nothing is read
   * for one that is not for production.
   *
   * @throws RefusedError INVALID_REQUEST when the quota of the config's role does not suffice
   */
  async requireForTemplate(
    tx: WriteTransaction,
    config: TaskConfig,
    instanceCount: number,
  ): Promise<void> {
    if (!templateIsChecked(config)) return;
    const { job } = config;
    const { quota, inUse } = await this.lockedFacts(tx, job.role);
    refuseIf(quotaProblem(needWithTemplate(inUse, { job, config, instanceCount }), quota));
  }

  /** @throws RefusedError INVALID_REQUEST for less than what the role uses already */
  async set(role: string, quota: QuotaAmounts): Promise<void> {
    await this.db.write({}, async (tx) => {
      const { inUse } = await this.lockedFacts(tx, role);
      refuseIf(lowQuotaProblem(inUse, quota));
      await saveQuota(tx, role, quota);
    });
  }

  private async lockedFacts(
    tx: WriteTransaction,
    role: string,
    proposedFor?: JobKey,
  ): Promise<QuotaFacts> {
    await lockQuota(tx, role);
    return findQuotaFacts(tx, this.configs, role, proposedFor);
  }
}

type InstanceGroup = UpdateInstructions['initialState'][number];

function plainGroup({ config, instances }: InstanceGroup): UpdateInUse['initial'][number] {
  return { config: config.config, instances };
}
