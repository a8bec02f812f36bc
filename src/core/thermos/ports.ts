/** Named ports and their aliases (thermos.md §2.9). */
import { defect } from './problem.js';

export type PortMap = Readonly<Record<string, string | number>>;

const NUMBER = /^\s*\d+\s*$/;

/**
 * Follows every alias to its root: a number, or a name that nothing defines. Throws on a cycle.
 * `{aurora: 'http', http: '80'}` → both 80; `{aurora: 'http', http: 'unbound'}` → both `unbound`.
 */
export function resolveAliases(
  map: PortMap,
  path = '$.announce.portmap',
): Record<string, string | number> {
  const roots = new Map<string, string | number>();
  for (const start of Object.keys(map)) {
    const chain: string[] = [];
    const seen = new Set<string>();
    let at: string | number = start;
    while (typeof at === 'string') {
      if (NUMBER.test(at)) {
        at = Number(at);
        break;
      }
      const known = roots.get(at);
      if (known !== undefined) {
        at = known;
        break;
      }
      if (seen.has(at)) return defect(path, `the alias ${at} leads back to itself`);
      const next: string | number | undefined = Object.hasOwn(map, at) ? map[at] : undefined;
      if (next === undefined) break;
      seen.add(at);
      chain.push(at);
      at = next;
    }
    for (const name of chain) roots.set(name, at);
  }
  const resolved = Object.create(null) as Record<string, string | number>;
  for (const [name, root] of roots) resolved[name] = root;
  return resolved;
}

/** The ports a task sees: the port map, assigned ports laid over it, names without a number dropped. */
export function resolvePorts(
  portmap: PortMap,
  assigned: Readonly<Record<string, number>>,
): Record<string, number> {
  const merged = Object.create(null) as Record<string, string | number>;
  Object.assign(merged, portmap, assigned);
  const ports = Object.create(null) as Record<string, number>;
  for (const [name, root] of Object.entries(resolveAliases(merged))) {
    if (typeof root === 'number') ports[name] = root;
  }
  return ports;
}
