/** Which phones of a clause belong to which of its words. */

const VOWELS = new Set('aa ae ah ao aw ax axr ay eh er ey ih iy ow oy uh uw'.split(' '));

/** 0: the same phone; 1: another. Vowels weaken into one another in running speech. */
function difference(a: string, b: string): number {
  if (a === b) return 0;
  return VOWELS.has(a) && VOWELS.has(b) ? 0.4 : 1;
}

/**
 * Aligns the phones as spoken with those of the words said one by one, by least edit distance.
 * @param spoken phones of the clause, silence left out
 * @param words phones of each word
 * @returns for each word the index in `spoken` where it begins; never decreasing, the first 0
 */
export function alignWords(spoken: readonly string[], words: readonly (readonly string[])[]): number[] {
  const expected = words.flat();
  const rows = expected.length + 1;
  const columns = spoken.length + 1;
  const cost = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      if (i === 0 || j === 0) {
        cost[i * columns + j] = i + j;
        continue;
      }
      cost[i * columns + j] = Math.min(
        cost[(i - 1) * columns + j - 1]! + difference(expected[i - 1]!, spoken[j - 1]!),
        cost[(i - 1) * columns + j]! + 1,
        cost[i * columns + j - 1]! + 1,
      );
    }
  }
  const place = new Int32Array(rows);
  place[expected.length] = spoken.length;
  for (let i = rows - 1, j = columns - 1; i > 0;) {
    const here = cost[i * columns + j]!;
    if (j > 0 && here === cost[(i - 1) * columns + j - 1]! + difference(expected[i - 1]!, spoken[j - 1]!)) {
      place[--i] = --j;
    } else if (here === cost[(i - 1) * columns + j]! + 1) {
      place[--i] = j;
    } else j--;
  }
  const starts: number[] = [];
  let at = 0;
  for (const word of words) {
    starts.push(starts.length === 0 ? 0 : Math.min(place[at]!, Math.max(0, spoken.length - 1)));
    at += word.length;
  }
  return starts;
}
