/** Cron templates, and runs that wait for the tasks of the former one to end (tasks.md §7). */
import { sql } from 'kysely';
import type { JobConfiguration } from '../core/model/config.js';
import type { JobKey } from '../core/model/keys.js';
import type { Queries, WriteTransaction } from './database.js';
import { query } from './database.js';
import type { CronFollowUpsTable, CronJobsTable } from './schema.js';
import { ensureJob, IS_ACTIVE } from './tasks.js';

export type CollisionPolicy = NonNullable<JobConfiguration['cronCollisionPolicy']>;

/** A template as its row has it. */
export interface CronJobRecord {
  readonly job: JobKey;
  readonly configHash: string;
  /** As the client sent it. */
  readonly schedule: string;
  /** Unset where the client left it so: KILL_EXISTING. */
  readonly collisionPolicy?: CollisionPolicy;
  readonly instanceCount: number;
  /** JobConfiguration.owner.user. */
  readonly ownerUser?: string;
}

/** A run whose tasks start when others have ended. */
export interface CronFollowUp {
  readonly job: JobKey;
  readonly configHash: string;
  readonly instanceCount: number;
  /** Ids of the tasks that must no longer be active. */
  readonly waitsFor: readonly string[];
}

const keyOf = (row: { role: string; environment: string; job_name: string }): JobKey => ({
  role: row.role,
  environment: row.environment,
  name: row.job_name,
});

const isJob = (job: JobKey) =>
  sql`role = ${job.role} AND environment = ${job.environment} AND job_name = ${job.name}`;

type CronJobRow = Omit<CronJobsTable, 'created_by' | 'created_at' | 'changed_by' | 'changed_at'>;

const COLUMNS = sql.raw(`role, environment, job_name, config_hash, schedule, collision_policy,
  instance_count, owner_user`);

function toRecord(row: CronJobRow): CronJobRecord {
  return {
    job: keyOf(row),
    configHash: row.config_hash,
    schedule: row.schedule,
    ...(row.collision_policy === null ? {} : { collisionPolicy: row.collision_policy }),
    instanceCount: row.instance_count,
    ...(row.owner_user === null ? {} : { ownerUser: row.owner_user }),
  };
}

/** By key. A role that is given must be equal: here the empty one is no wildcard (rpc.md §10, "Trap"). */
export async function findCronJobs(queries: Queries, role?: string): Promise<CronJobRecord[]> {
  const rows = await queries.run<CronJobRow>(sql`
    SELECT ${COLUMNS} FROM cron_jobs WHERE ${role ?? null}::text IS NULL OR role = ${role ?? null}
     ORDER BY role, environment, job_name`);
  return rows.map(toRecord);
}

/** One template, undefined when the job has none. */
export async function findCronJob(
  queries: Queries,
  job: JobKey,
): Promise<CronJobRecord | undefined> {
  const [row] = await queries.run<CronJobRow>(sql`
    SELECT ${COLUMNS} FROM cron_jobs WHERE ${isJob(job)}`);
  return row && toRecord(row);
}

/** Creates the template or replaces it; who created it first, and when, stays. The config is stored. */
export async function saveCronJob(
  tx: WriteTransaction,
  record: CronJobRecord,
  by: { readonly user: string; readonly atMs: number },
): Promise<void> {
  const { job } = record;
  const at = new Date(by.atMs);
  const changeable = {
    config_hash: record.configHash,
    schedule: record.schedule,
    collision_policy: record.collisionPolicy ?? null,
    instance_count: record.instanceCount,
    owner_user: record.ownerUser ?? null,
    changed_by: by.user,
    changed_at: at,
  };
  await ensureJob(tx, job);
  await tx.run(
    query
      .insertInto('cron_jobs')
      .values({
        ...{ role: job.role, environment: job.environment, job_name: job.name },
        ...changeable,
        ...{ created_by: by.user, created_at: at },
      })
      .onConflict((conflict) =>
        conflict.columns(['role', 'environment', 'job_name']).doUpdateSet(changeable),
      ),
  );
}

/** Whether there was one. */
export async function deleteCronJob(tx: WriteTransaction, job: JobKey): Promise<boolean> {
  const rows = await tx.run(sql`DELETE FROM cron_jobs WHERE ${isJob(job)} RETURNING 1 AS one`);
  return rows.length > 0;
}

/** All runs that wait, of all jobs or of one. */
export async function findFollowUps(queries: Queries, job?: JobKey): Promise<CronFollowUp[]> {
  const rows = await queries.run<Omit<CronFollowUpsTable, 'triggered_at'>>(sql`
    SELECT role, environment, job_name, config_hash, instance_count, waits_for FROM cron_follow_ups
     WHERE ${job === undefined ? sql`true` : isJob(job)} ORDER BY role, environment, job_name`);
  return rows.map((row) => ({
    job: keyOf(row),
    configHash: row.config_hash,
    instanceCount: row.instance_count,
    waitsFor: row.waits_for,
  }));
}

/** @throws when the job has one already */
export async function insertFollowUp(
  tx: WriteTransaction,
  { job, configHash, instanceCount, waitsFor }: CronFollowUp,
  triggeredAtMs: number,
): Promise<void> {
  await tx.run(sql`
    INSERT INTO cron_follow_ups
      (role, environment, job_name, config_hash, instance_count, waits_for, triggered_at)
    VALUES (${job.role}, ${job.environment}, ${job.name}, ${configHash}, ${instanceCount},
            ${waitsFor}::text[], ${new Date(triggeredAtMs)})`);
}

export async function deleteFollowUp(tx: WriteTransaction, job: JobKey): Promise<void> {
  await tx.run(sql`DELETE FROM cron_follow_ups WHERE ${isJob(job)}`);
}

/** Whether any of these tasks is active. */
export async function anyActive(queries: Queries, taskIds: readonly string[]): Promise<boolean> {
  const rows = await queries.run(sql`
    SELECT 1 AS one FROM tasks t WHERE t.task_id = ANY (${taskIds}::text[]) AND ${IS_ACTIVE} LIMIT 1`);
  return rows.length > 0;
}
