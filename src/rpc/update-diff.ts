/** getJobUpdateDiff: what an update of these instances to that config would do (rpc.md §8, §10). */
import { RefusedError } from '../core/errors.js';
import type { StoredConfig } from '../core/model/config.js';
import type { Range } from '../core/model/ranges.js';
import { groupByConfig, jobDiff } from '../core/update/diff.js';
import type { ApiJobUpdateRequest } from '../core/validate/update-request.js';
import { validateDiffRequest } from '../core/validate/update-request.js';
import { findActiveConfigs } from '../store/tasks.js';
import type { RpcDeps, RpcMethods } from './deps.js';
import { validOf } from './deps.js';
import { ok } from './outcome.js';

/** A bound on the instances one request may make us list; no limit of a job applies to a diff. */
const MOST_INSTANCES = 1_000_000;

/**
 * The ids of the scope that the job has or would get: only they can differ, and a scope is free to name
 * others, billions of them. Undefined for the empty scope, which means every instance.
 *
 * @param scope ranges that do not overlap
 * @param current ids ascending
 */
function idsInScope(
  scope: readonly Range[],
  current: ReadonlyMap<number, string>,
  instanceCount: number,
): Set<number> | undefined {
  if (scope.length === 0) return undefined;
  const ids = new Set<number>();
  const ranges = [...scope].sort((a, b) => a.first - b.first);
  for (const { first, last } of ranges) {
    const end = Math.min(last, instanceCount - 1);
    for (let id = Math.max(0, first); id <= end; id++) ids.add(id);
  }
  let next = 0;
  for (const id of current.keys()) {
    if (id < instanceCount) continue;
    while ((ranges[next]?.last ?? Infinity) < id) next++;
    if ((ranges[next]?.first ?? Infinity) <= id) ids.add(id);
  }
  return ids;
}

/** A set of the IDL's ConfigGroup. */
function groups(
  hashes: Iterable<readonly [number, string]>,
  configOf: (hash: string) => StoredConfig,
): Readonly<Record<string, unknown>>[] {
  return groupByConfig(new Map(hashes), configOf).map(({ config, instances }) => ({
    config: config.config,
    instances,
  }));
}

export function updateDiff({ engine, limits }: RpcDeps): RpcMethods {
  const { db } = engine.options;
  return {
    /** Removed and replaced instances with their old config, added ones with the new one. */
    async getJobUpdateDiff(args) {
      const request = args['request'] as ApiJobUpdateRequest | undefined;
      const { config, instanceCount, scope } = validOf(validateDiffRequest(request, limits));
      if (instanceCount > MOST_INSTANCES) {
        throw new RefusedError('INVALID_REQUEST', `instanceCount ${instanceCount} is too large`);
      }
      const proposed = engine.configs.identify(config);
      const [current, configOf] = await db.snapshot(async (tx) => {
        const hashes = await findActiveConfigs(tx, config.job);
        return [hashes, await engine.configs.load(tx, hashes.values())] as const;
      });
      const { replaced, replacements, unchanged } = jobDiff(
        current,
        proposed.hash,
        instanceCount,
        idsInScope(scope, current, instanceCount),
      );
      const added = [...replacements].filter((id) => !replaced.has(id));
      return ok({
        getJobUpdateDiffResult: {
          add: groups(
            added.map((id) => [id, proposed.hash] as const),
            () => proposed,
          ),
          remove: groups(
            [...replaced].filter(([id]) => !replacements.has(id)),
            configOf,
          ),
          update: groups(
            [...replaced].filter(([id]) => replacements.has(id)),
            configOf,
          ),
          unchanged: groups(unchanged, configOf),
        },
      });
    },
  };
}
