/** Order constraints between processes (thermos.md §1.3, "order"). */
import type { ProcessPlan } from './plan.js';
import { defect } from './problem.js';

/**
 * Pairs [before, after] of all `order` lists. A list belongs to the regular or to the final processes; one
 * that knows none of its names is ignored, as the reference does.
 */
export function orderPairs(
  processes: readonly ProcessPlan[],
  lists: readonly { readonly names: readonly string[]; readonly path: string }[],
): [string, string][] {
  const byName = new Map(processes.map((process) => [process.name, process] as const));
  const pairs: [string, string][] = [];
  for (const { names, path } of lists) {
    if (names.length === 0) defect(path, 'must not be empty');
    const known = names.flatMap((name) => byName.get(name) ?? []);
    if (known.length === 0) continue;
    const stranger = names.find((name) => !byName.has(name));
    if (stranger !== undefined) defect(path, `no process is named "${stranger}"`);
    if (known.some((process) => process.final !== known[0]?.final)) {
      defect(path, 'mixes regular and final processes');
    }
    for (const [at, after] of known.entries()) {
      const before = known[at - 1];
      if (before === undefined) continue;
      if (before.daemon) {
        defect(path, `"${after.name}" cannot follow "${before.name}", a daemon`);
      }
      if (before.ephemeral && !after.ephemeral) {
        defect(path, `"${after.name}" cannot follow "${before.name}", which is ephemeral`);
      }
      pairs.push([before.name, after.name]);
    }
  }
  refuseCycles(pairs);
  return pairs;
}

/** Takes away, again and again, what waits for nothing; what remains is on a cycle or behind one. */
function refuseCycles(pairs: readonly (readonly [string, string])[]): void {
  const waitsFor = new Map<string, number>();
  const followers = new Map<string, string[]>();
  for (const [before, after] of pairs) {
    waitsFor.set(before, waitsFor.get(before) ?? 0);
    waitsFor.set(after, (waitsFor.get(after) ?? 0) + 1);
    followers.set(before, [...(followers.get(before) ?? []), after]);
  }
  const free = [...waitsFor].filter(([, count]) => count === 0).map(([name]) => name);
  for (let name = free.pop(); name !== undefined; name = free.pop()) {
    waitsFor.delete(name);
    for (const after of followers.get(name) ?? []) {
      const left = (waitsFor.get(after) ?? 0) - 1;
      waitsFor.set(after, left);
      if (left === 0) free.push(after);
    }
  }
  const [stuck] = waitsFor.keys();
  if (stuck !== undefined) defect('$.task.constraints', `"${stuck}" waits for itself`);
}
