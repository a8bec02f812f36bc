/** The diff that lists nothing beyond the job's instances, against the one that lists everything. */
import fc from 'fast-check';
import type { StoredConfig } from '../../src/core/model/config.js';
import type { Range } from '../../src/core/model/ranges.js';
import { fromRanges, toRanges } from '../../src/core/model/ranges.js';
import { jobDiff } from '../../src/core/update/diff.js';
import { diffOf } from '../../src/rpc/update-diff.js';
import { version } from './support.js';

const CONFIGS: Readonly<Record<string, StoredConfig>> = {
  new: { hash: 'new', config: version('new') },
  old: { hash: 'old', config: version('old') },
  older: { hash: 'older', config: version('older') },
};

type Group = ReturnType<typeof diffOf>['add'][number];

/** `id:data` of every instance of the groups, whose ranges must be minimal. */
function instances(groups: readonly Group[]): string[] {
  return groups
    .flatMap((group) => {
      const ids = fromRanges(group.instances);
      expect(group.instances).toEqual(toRanges(ids));
      expect(ids.length).toBeGreaterThan(0);
      return ids.map((id) => `${id}:${group.config.executorConfig?.data}`);
    })
    .sort();
}

const ids = fc.uniqueArray(fc.integer({ min: 0, max: 15 }), { maxLength: 12 });

/** Ranges that do not overlap, in any order, adjacent ones left apart. */
const scopes = fc
  .tuple(ids, fc.boolean())
  .map(([some, apart]): Range[] =>
    apart ? some.map((id) => ({ first: id, last: id })) : toRanges(some).reverse(),
  );

test('RPC-083, RPC-084, RPC-085 every job, count and scope gives the sets of the diff of updates', () => {
  fc.assert(
    fc.property(
      ids,
      fc.array(fc.constantFrom('new', 'old', 'older'), { minLength: 12, maxLength: 12 }),
      fc.integer({ min: 0, max: 18 }),
      scopes,
      (running, hashes, instanceCount, scope) => {
        const current = new Map(
          [...running].sort((a, b) => a - b).map((id, index) => [id, hashes[index] ?? 'old']),
        );
        const diff = diffOf({ instanceCount, scope }, CONFIGS['new']!, current, (hash) => {
          return CONFIGS[hash]!;
        });
        const listed = jobDiff(
          current,
          'new',
          instanceCount,
          scope.length === 0 ? undefined : new Set(fromRanges(scope)),
        );
        const replaced = [...listed.replaced];
        const text = (entries: (readonly [number, string])[]): string[] =>
          entries.map(([id, hash]) => `${id}:${hash}`).sort();
        expect(instances(diff.add)).toEqual(
          text(
            [...listed.replacements]
              .filter((id) => !listed.replaced.has(id))
              .map((id) => [id, 'new'] as const),
          ),
        );
        expect(instances(diff.remove)).toEqual(
          text(replaced.filter(([id]) => !listed.replacements.has(id))),
        );
        expect(instances(diff.update)).toEqual(
          text(replaced.filter(([id]) => listed.replacements.has(id))),
        );
        expect(instances(diff.unchanged)).toEqual(text([...listed.unchanged]));
      },
    ),
    { numRuns: 500 },
  );
});
