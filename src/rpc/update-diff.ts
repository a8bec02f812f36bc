/** getJobUpdateDiff: what an update of these instances to that config would do (rpc.md §8, §10). */
import type { StoredConfig, TaskConfig } from '../core/model/config.js';
import type { Range } from '../core/model/ranges.js';
import { toRanges } from '../core/model/ranges.js';
import { groupByConfig, jobDiff } from '../core/update/diff.js';
import type { ApiJobUpdateRequest, ValidDiffRequest } from '../core/validate/update-request.js';
import { validateDiffRequest } from '../core/validate/update-request.js';
import { findActiveConfigs } from '../store/tasks.js';
import type { RpcDeps, RpcMethods } from './deps.js';
import { validOf } from './deps.js';
import { ok } from './outcome.js';

/** The IDL's ConfigGroup. */
interface Group {
  readonly config: TaskConfig;
  readonly instances: readonly Range[];
}

/** The IDL's GetJobUpdateDiffResult; all four sets are always set. */
interface Diff {
  readonly add: readonly Group[];
  readonly remove: readonly Group[];
  readonly update: readonly Group[];
  readonly unchanged: readonly Group[];
}

/**
 * The ids of the scope below `end`, and those the job has. Undefined for the empty scope, which means
 * every instance.
 *
 * @param scope ascending ranges that do not overlap; they may name billions of ids
 * @param current by ascending id
 */
function idsInScope(
  scope: readonly Range[],
  current: ReadonlyMap<number, string>,
  end: number,
): Set<number> | undefined {
  if (scope.length === 0) return undefined;
  const ids = new Set<number>();
  for (const { first, last } of scope) {
    for (let id = Math.max(0, first); id <= last && id < end; id++) ids.add(id);
  }
  let next = 0;
  for (const id of current.keys()) {
    if (id < end) continue;
    while ((scope[next]?.last ?? Infinity) < id) next++;
    if ((scope[next]?.first ?? Infinity) <= id) ids.add(id);
  }
  return ids;
}

/** What the scope has from `first` to `last`; all of it if the scope is empty. */
function cut(scope: readonly Range[], first: number, last: number): Range[] {
  const ranges = scope.length === 0 ? [{ first, last }] : scope;
  return ranges
    .map((range) => ({ first: Math.max(range.first, first), last: Math.min(range.last, last) }))
    .filter((range) => range.first <= range.last);
}

/** Minimal ranges of the same ids; the given ones ascend and do not overlap. */
function joined(ranges: readonly Range[]): Range[] {
  const minimal: { first: number; last: number }[] = [];
  for (const range of ranges) {
    const open = minimal[minimal.length - 1];
    if (open !== undefined && open.last + 1 === range.first) open.last = range.last;
    else minimal.push({ ...range });
  }
  return minimal;
}

/**
 * The diff of an update (`core/update/diff.ts`), to which no limit of a job applies: what lies beyond the
 * job's last instance is new, and is handled as a range however long it is.
 *
 * @param current instance → config hash of the job's active tasks, by ascending id
 * @param configOf for the hashes in `current`
 */
export function diffOf(
  request: Pick<ValidDiffRequest, 'instanceCount' | 'scope'>,
  proposed: StoredConfig,
  current: ReadonlyMap<number, string>,
  configOf: (hash: string) => StoredConfig,
): Diff {
  const scope = [...request.scope].sort((a, b) => a.first - b.first);
  const known = ([...current.keys()].at(-1) ?? -1) + 1;
  const listed = Math.min(request.instanceCount, known);
  const inScope = idsInScope(scope, current, listed);
  const { replaced, replacements, unchanged } = jobDiff(current, proposed.hash, listed, inScope);
  const groups = (hashes: Iterable<readonly [number, string]>): Group[] =>
    groupByConfig(new Map(hashes), configOf).map(({ config, instances }) => ({
      config: config.config,
      instances,
    }));
  const added = joined([
    ...toRanges([...replacements].filter((id) => !replaced.has(id))),
    ...cut(scope, listed, request.instanceCount - 1),
  ]);
  return {
    add: added.length === 0 ? [] : [{ config: proposed.config, instances: added }],
    remove: groups([...replaced].filter(([id]) => !replacements.has(id))),
    update: groups([...replaced].filter(([id]) => replacements.has(id))),
    unchanged: groups(unchanged),
  };
}

export function updateDiff({ engine, limits }: RpcDeps): RpcMethods {
  const { db } = engine.options;
  return {
    /** Removed and replaced instances with their old config, added ones with the new one. */
    async getJobUpdateDiff(args) {
      const sent = args['request'] as ApiJobUpdateRequest | undefined;
      const request = validOf(validateDiffRequest(sent, limits, (job) => engine.cron.has(job)));
      const proposed = engine.configs.identify(request.config);
      const [current, configOf] = await db.snapshot(async (tx) => {
        const hashes = await findActiveConfigs(tx, request.config.job);
        return [hashes, await engine.configs.load(tx, hashes.values())] as const;
      });
      return ok({ getJobUpdateDiffResult: { ...diffOf(request, proposed, current, configOf) } });
    },
  };
}
