/**
 * Permissions as Apache Shiro writes and compares them (operations.md §1.5):
 * `thrift.AuroraSchedulerManager:killTasks:www:prod:web`, with `,` between alternatives of a part and `*`
 * for any.
 */

/** The parts in their order, each the set of its alternatives, in lower case. */
export type Permission = readonly ReadonlySet<string>[];

/** Splits, and drops what is empty at the end: `a:b:` is `a:b`. */
function split(text: string, divider: string): string[] {
  const parts = text.split(divider);
  while (parts.length > 1 && parts[parts.length - 1] === '') parts.pop();
  return parts;
}

/** @throws Error that says which rule the text breaks */
export function parsePermission(text: string): Permission {
  const trimmed = text.trim().toLowerCase();
  if (trimmed === '') throw new Error('a permission must not be empty');
  const parts = split(trimmed, ':');
  if (parts.length === 1 && parts[0] === '') {
    throw new Error(`permission "${trimmed}" has nothing but dividers`);
  }
  return parts.map((part) => {
    if (/^,+$/.test(part)) {
      throw new Error(`permission "${trimmed}" has a part of nothing but commas`);
    }
    return new Set(split(part, ','));
  });
}

const ANY = '*';

/**
 * Whether who holds `grant` may do `target`. A grant that is shorter covers all below it; one that is longer
 * covers the target only where its further parts are wildcards.
 */
export function implies(grant: Permission, target: Permission): boolean {
  for (const [index, wanted] of target.entries()) {
    const granted = grant[index];
    if (granted === undefined) return true;
    if (granted.has(ANY)) continue;
    for (const alternative of wanted) if (!granted.has(alternative)) return false;
  }
  return grant.slice(target.length).every((part) => part.has(ANY));
}

export function permits(grants: readonly Permission[], target: Permission): boolean {
  return grants.some((grant) => implies(grant, target));
}
