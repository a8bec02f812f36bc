/** Quotas of roles, and what is in use of them (rpc.md §9). */
import { sql } from 'kysely';
import type { ConfigGroup } from '../core/model/config.js';
import type { JobKey } from '../core/model/keys.js';
import type { QuotaAmounts } from '../core/quota/amounts.js';
import { NOTHING } from '../core/quota/amounts.js';
import type { RoleInUse } from '../core/quota/consumption.js';
import type { ConfigStore } from './configs.js';
import type { Queries, WriteTransaction } from './database.js';
import { IS_ACTIVE } from './tasks.js';
import { ACTIVE_UPDATE } from './updates.js';

export interface QuotaFacts {
  /** Zeros for a role without a row. */
  readonly quota: QuotaAmounts;
  readonly inUse: RoleInUse;
}

/**
 * Waits for other checks of the role's quota and keeps them waiting until the transaction ends, so that no
 * two of them count on the same room. The facts must be read in a later statement.
 */
export async function lockQuota(tx: WriteTransaction, role: string): Promise<void> {
  await tx.run(sql`SELECT pg_advisory_xact_lock(hashtext('aurora-shim quota'), hashtext(${role}))`);
}

type Pairs = readonly (readonly [number, number])[];

interface FactsRow {
  quota: QuotaAmounts | null;
  updates:
    | {
        environment: string;
        name: string;
        desired: { hash: string; instances: Pairs } | null;
        initial: { hash: string; instances: Pairs }[] | null;
      }[]
    | null;
  templates: { environment: string; name: string; hash: string; n: number }[];
  tasks: { environment: string; name: string; hash: string; n: number; ids: number[] | null }[];
}

/**
 * A role's quota and what counts against it, all of one moment: one statement, and one more for configs
 * that are not in memory. Tasks come by job and config; their instance ids only where an update needs them.
 *
 * @param proposedFor the job of an update that is to be counted as if it were active
 */
export async function findQuotaFacts(
  queries: Queries,
  configs: ConfigStore,
  role: string,
  proposedFor?: JobKey,
): Promise<QuotaFacts> {
  const [row] = await queries.run<FactsRow>(sql`
    WITH updates AS MATERIALIZED (
      SELECT u.update_id, u.environment, u.job_name, u.desired_config_hash, u.desired_instances
        FROM job_updates u WHERE u.role = ${role} AND ${ACTIVE_UPDATE})
    SELECT
      (SELECT jsonb_build_object('cpus', q.cpus, 'ramMb', q.ram_mb, 'diskMb', q.disk_mb)
         FROM quotas q WHERE q.role = ${role}) AS quota,
      (SELECT jsonb_agg(jsonb_build_object(
                'environment', u.environment, 'name', u.job_name,
                'desired', CASE WHEN u.desired_config_hash IS NOT NULL THEN jsonb_build_object(
                  'hash', u.desired_config_hash, 'instances', u.desired_instances) END,
                'initial', (
                  SELECT jsonb_agg(jsonb_build_object('hash', i.config_hash, 'instances', i.instances))
                    FROM job_update_initial_configs i WHERE i.update_id = u.update_id)))
         FROM updates u) AS updates,
      (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'environment', c.environment, 'name', c.job_name,
                'hash', c.config_hash, 'n', c.instance_count)), '[]')
         FROM cron_jobs c WHERE c.role = ${role}) AS templates,
      (SELECT coalesce(jsonb_agg(to_jsonb(g)), '[]') FROM (
         SELECT t.environment, t.job_name AS name, t.config_hash AS hash, count(*) AS n,
                array_agg(t.instance_id) FILTER (
                  WHERE (t.environment, t.job_name) IN (SELECT u.environment, u.job_name FROM updates u)
                     OR t.environment = ${proposedFor?.environment ?? null}
                        AND t.job_name = ${proposedFor?.name ?? null}) AS ids
           FROM tasks t WHERE t.role = ${role} AND ${IS_ACTIVE}
          GROUP BY t.environment, t.job_name, t.config_hash) g) AS tasks`);
  if (row === undefined) throw new Error('a statement that always has a row had none');
  const updates = row.updates ?? [];
  const configOf = await configs.load(queries, [
    ...row.tasks.map(({ hash }) => hash),
    ...row.templates.map(({ hash }) => hash),
    ...updates.flatMap(({ desired, initial }) =>
      [...(initial ?? []), ...(desired === null ? [] : [desired])].map(({ hash }) => hash),
    ),
  ]);
  const group = ({ hash, instances }: { hash: string; instances: Pairs }): ConfigGroup => ({
    config: configOf(hash).config,
    instances: instances.map(([first, last]) => ({ first, last })),
  });
  return {
    quota: row.quota ?? NOTHING,
    inUse: {
      tasks: row.tasks.map(({ environment, name, hash, n, ids }) => ({
        job: { role, environment, name },
        config: configOf(hash).config,
        count: n,
        ...(ids === null ? {} : { instanceIds: ids }),
      })),
      updates: updates.map(({ environment, name, desired, initial }) => ({
        job: { role, environment, name },
        initial: (initial ?? []).map(group),
        ...(desired === null ? {} : { desired: group(desired) }),
      })),
      templates: row.templates.map(({ environment, name, hash, n }) => ({
        job: { role, environment, name },
        config: configOf(hash).config,
        instanceCount: n,
      })),
    },
  };
}

/** Writes the quota of a role over the one it had. */
export async function saveQuota(
  tx: WriteTransaction,
  role: string,
  { cpus, ramMb, diskMb }: QuotaAmounts,
): Promise<void> {
  await tx.run(sql`
    INSERT INTO quotas (role, cpus, ram_mb, disk_mb) VALUES (${role}, ${cpus}, ${ramMb}, ${diskMb})
    ON CONFLICT (role) DO UPDATE
      SET cpus = excluded.cpus, ram_mb = excluded.ram_mb, disk_mb = excluded.disk_mb,
          updated_at = shim_clock()`);
}
