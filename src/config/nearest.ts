/** The one of `words` that `word` was probably meant to be; undefined when none is close. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  const tolerance = Math.min(3, Math.floor(word.length / 4));
  let best: { word: string; distance: number } | undefined;
  for (const candidate of words) {
    const far = distance(word, candidate);
    if (far <= tolerance && (!best || far < best.distance))
      best = { word: candidate, distance: far };
  }
  return best?.word;
}

/** Insertions, deletions, replacements and swaps of neighbours between two words. */
function distance(a: string, b: string): number {
  let [beforeLast, last]: number[][] = [[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(
        (row[j - 1] ?? 0) + 1,
        (last?.[j] ?? 0) + 1,
        (last?.[j - 1] ?? 0) + (same ? 0 : 1),
      );
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] && i > 1 && j > 1) {
        cost = Math.min(cost, (beforeLast?.[j - 2] ?? 0) + 1);
      }
      row.push(cost);
    }
    [beforeLast, last] = [last, row];
  }
  return last?.[b.length] ?? 0;
}
