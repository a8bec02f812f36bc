/** What a client reads from an answer without asking whether it is there (wire.md §6). */

/**
 * Looks at each path as a client would: members by name, `[]` for each element of a list, `[0]` for the
 * first. An element that is not there at all counts as missing, unless the path ends at the list.
 * @returns the paths at which something is missing
 */
export function missing(answer: unknown, paths: readonly string[]): readonly string[] {
  return paths.filter((path) => !isThere(answer, path.split(/\.|(?=\[)/)));
}

function isThere(value: unknown, [step, ...rest]: readonly string[]): boolean {
  if (value === undefined || value === null) return false;
  if (step === undefined) return true;
  if (step === '[]') {
    if (!Array.isArray(value)) return false;
    if (rest.length === 0) return true;
    return value.length > 0 && value.every((item) => isThere(item, rest));
  }
  const name = step.startsWith('[') ? step.slice(1, -1) : step;
  return isThere((value as Record<string, unknown>)[name], rest);
}
