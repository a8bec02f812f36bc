/** What an update would change (updates.md §2.2). Configs are compared by hash (design D11). */
import type { StoredConfig } from '../model/config.js';
import { toRanges } from '../model/ranges.js';
import type { InstanceConfigGroup } from '../model/update.js';

export interface JobDiff {
  /** Instance → old config's hash: what goes away or is replaced. */
  readonly replaced: ReadonlyMap<number, string>;
  /** Instances that get the new config. */
  readonly replacements: ReadonlySet<number>;
  /** Instance → hash of its current config: what stays as it is, also when out of scope. */
  readonly unchanged: ReadonlyMap<number, string>;
}

/**
 * @param current instance → config hash of the job's active tasks (KILLING included)
 * @param proposedHash config of instances 0 to `instanceCount` − 1
 * @param scope instances the update is limited to; undefined means all
 */
export function jobDiff(
  current: ReadonlyMap<number, string>,
  proposedHash: string,
  instanceCount: number,
  scope?: ReadonlySet<number>,
): JobDiff {
  const inScope = (id: number): boolean => scope === undefined || scope.has(id);
  const replaced = new Map<number, string>();
  const unchanged = new Map<number, string>();
  for (const [id, hash] of current) {
    const differs = id >= instanceCount || hash !== proposedHash;
    if (differs && inScope(id)) replaced.set(id, hash);
    else unchanged.set(id, hash);
  }
  const replacements = new Set<number>();
  for (let id = 0; id < instanceCount; id++) {
    if (current.get(id) !== proposedHash && inScope(id)) replacements.add(id);
  }
  return { replaced, replacements, unchanged };
}

export function isNoop(diff: JobDiff): boolean {
  return diff.replaced.size === 0 && diff.replacements.size === 0;
}

/** Scope ids that the job neither has nor would get (updates.md §2.1 row 7), ascending. */
export function outOfScope(diff: JobDiff, scope: Iterable<number>): number[] {
  const outside: number[] = [];
  for (const id of scope) {
    if (!diff.replaced.has(id) && !diff.replacements.has(id) && !diff.unchanged.has(id)) {
      outside.push(id);
    }
  }
  return outside.sort((a, b) => a - b);
}

/** Instances by config, each group's ids as minimal ranges; groups in order of their first id. */
export function groupByConfig(
  hashes: ReadonlyMap<number, string>,
  configOf: (hash: string) => StoredConfig,
): InstanceConfigGroup[] {
  const byHash = new Map<string, number[]>();
  for (const [id, hash] of hashes) {
    const ids = byHash.get(hash);
    if (ids === undefined) byHash.set(hash, [id]);
    else ids.push(id);
  }
  return [...byHash.entries()]
    .map(([hash, ids]) => ({ config: configOf(hash), instances: toRanges(ids) }))
    .sort((a, b) => (a.instances[0]?.first ?? 0) - (b.instances[0]?.first ?? 0));
}
