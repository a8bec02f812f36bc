/** What a role uses, by bucket (rpc.md §9): its tasks, active updates and cron templates. */
import type { ConfigGroup, TaskConfig } from '../model/config.js';
import type { JobKey } from '../model/keys.js';
import { jobKeyText } from '../model/keys.js';
import { countRanges, fromRanges } from '../model/ranges.js';
import type { QuotaAmounts } from './amounts.js';
import { NOTHING, amountsOf, larger, plus } from './amounts.js';

/** In the words of GetQuotaResult; quota is compared with the first alone. */
export const BUCKETS = [
  'prodShared',
  'nonProdShared',
  'prodDedicated',
  'nonProdDedicated',
] as const;
export type Bucket = (typeof BUCKETS)[number];

/** `production` must be what the tier made it (rpc.md §5, T2). */
export function bucketOf(config: Pick<TaskConfig, 'production' | 'constraints'>): Bucket {
  const isDedicated = config.constraints.some(({ name }) => name === 'dedicated');
  if (config.production) return isDedicated ? 'prodDedicated' : 'prodShared';
  return isDedicated ? 'nonProdDedicated' : 'nonProdShared';
}

/** Active tasks of a job that have the same config. */
export interface TasksInUse {
  readonly job: JobKey;
  readonly config: TaskConfig;
  readonly count: number;
  /** All of them; needed only where an update of the job is active or proposed. */
  readonly instanceIds?: readonly number[];
}

/** An active or proposed update: what it replaces and what it puts there, if anything. */
export interface UpdateInUse {
  readonly job: JobKey;
  readonly initial: readonly ConfigGroup[];
  readonly desired?: ConfigGroup;
}

export interface TemplateInUse {
  readonly job: JobKey;
  readonly config: TaskConfig;
  readonly instanceCount: number;
}

/** Everything of one role that counts. */
export interface RoleInUse {
  readonly tasks: readonly TasksInUse[];
  /** One for each job at most. */
  readonly updates: readonly UpdateInUse[];
  readonly templates: readonly TemplateInUse[];
}

/** The role as it would be with this update active; it takes the place of the job's own, if there is one. */
export function withUpdate(role: RoleInUse, proposed: UpdateInUse): RoleInUse {
  const job = jobKeyText(proposed.job);
  const others = role.updates.filter((update) => jobKeyText(update.job) !== job);
  return { ...role, updates: [...others, proposed] };
}

export function consumption(role: RoleInUse): Readonly<Record<Bucket, QuotaAmounts>> {
  const used = Object.fromEntries(BUCKETS.map((bucket) => [bucket, NOTHING])) as Record<
    Bucket,
    QuotaAmounts
  >;
  const add = (bucket: Bucket, amounts: QuotaAmounts): void => {
    used[bucket] = plus(used[bucket], amounts);
  };
  const inHand = new Map(
    role.updates.map((update) => [jobKeyText(update.job), workingSet(update)] as const),
  );
  // Of each cron job what its tasks use in the bucket of its template; in another one they count nowhere.
  const ofCron = new Map(role.templates.map(({ job }) => [jobKeyText(job), new InBucket()]));
  for (const tasks of role.tasks) {
    const job = jobKeyText(tasks.job);
    const bucket = bucketOf(tasks.config);
    const cron = ofCron.get(job);
    if (cron === undefined) {
      add(bucket, amountsOf(tasks.config, countOutside(tasks, inHand.get(job))));
    } else {
      cron.add(bucket, amountsOf(tasks.config, tasks.count));
    }
  }
  for (const { initial, desired } of role.updates) {
    const before = new InBucket();
    const after = new InBucket();
    for (const group of initial) before.addGroup(group);
    if (desired !== undefined) after.addGroup(desired);
    for (const bucket of BUCKETS) add(bucket, larger(before.of(bucket), after.of(bucket)));
  }
  for (const { job, config, instanceCount } of role.templates) {
    const bucket = bucketOf(config);
    const running = ofCron.get(jobKeyText(job))?.of(bucket) ?? NOTHING;
    add(bucket, larger(amountsOf(config, instanceCount), running));
  }
  return used;
}

/** Sums by bucket. */
class InBucket {
  private readonly sums = new Map<Bucket, QuotaAmounts>();

  of(bucket: Bucket): QuotaAmounts {
    return this.sums.get(bucket) ?? NOTHING;
  }

  add(bucket: Bucket, amounts: QuotaAmounts): void {
    this.sums.set(bucket, plus(this.of(bucket), amounts));
  }

  addGroup({ config, instances }: ConfigGroup): void {
    this.add(bucketOf(config), amountsOf(config, countRanges(instances)));
  }
}

/** The instances an update has in hand, whose tasks are counted with it. */
function workingSet({ initial, desired }: UpdateInUse): ReadonlySet<number> {
  const groups = desired === undefined ? initial : [...initial, desired];
  return new Set(groups.flatMap(({ instances }) => fromRanges(instances)));
}

function countOutside(tasks: TasksInUse, inHand: ReadonlySet<number> | undefined): number {
  if (inHand === undefined) return tasks.count;
  return (tasks.instanceIds ?? []).filter((id) => !inHand.has(id)).length;
}
