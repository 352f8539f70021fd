/** "Did you mean": the known word nearest to a mistyped one. */

/**
 * Edit distance with transposed neighbours counted as one edit (optimal string alignment: Levenshtein's
 * distance with Damerau's transposition).
 */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, beforeLast[j - 2]! + 1);
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}

/** As many words are compared with; there may be a thousand variables. */
const MOST_KNOWN = 300;

/** The nearest of `known` within a third of the word's length, or undefined. Case, `-` and `_` count for nothing. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  if (word.length > 100) return undefined;
  const plain = (s: string) => s.toLowerCase().replace(/[-_ ]/g, '');
  const target = plain(word);
  const candidates = [...known].slice(0, MOST_KNOWN);
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(target.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(target, plain(candidate));
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** `did you mean 'x'?`, or what there is to choose from. */
export function didYouMean(word: string, known: Iterable<string>): string | undefined {
  const all = [...known];
  const near = nearest(word, all);
  if (near !== undefined) return `Did you mean '${near}'?`;
  if (all.length === 0) return undefined;
  const shown = all.slice(0, 12).map((k) => `'${k}'`);
  return `Known here: ${shown.join(', ')}${all.length > shown.length ? ', …' : ''}.`;
}
