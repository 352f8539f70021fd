/**
 * A line → clauses: what is synthesised in one piece, and the smallest thing that changes when a voice or the
 * words change. Short clauses start sooner and change sooner; each keeps its own intonation.
 */
import { interjectionPhones, normaliseWord, respell, writtenWords } from './normalise';

export interface ClauseWord {
  /** As written, punctuation kept: what captions show. */
  text: string;
  /** As flite is given it, without punctuation around it. */
  spoken: string;
}

export interface Clause {
  /** As written. */
  text: string;
  words: readonly ClauseWord[];
  /** Text for flite. */
  spoken: string;
  /** Phones for flite instead of text; absent for text. */
  phones?: readonly string[];
  /** Silence after it when another clause follows, ms. */
  pauseMs: number;
}

/** Longer clauses are broken before a conjunction. */
const LONG_CLAUSE_WORDS = 12;
const SHORT_SIDE_WORDS = 4;
const CONJUNCTIONS = new Set(
  'and but or so because that which who when where while until unless though for if then'.split(' '),
);
const ABBREVIATIONS = new Set(
  'mr mrs ms dr st prof vs capt sgt lt col gen rev hon messrs e.g i.e'.split(' '),
);
const PAUSE_MS = {
  ',': 110,
  ';': 180,
  ':': 180,
  '—': 180,
  '.': 260,
  '!': 260,
  '?': 260,
  '...': 340,
} as const;
type Break = keyof typeof PAUSE_MS;
const BROKEN_PAUSE_MS = 40;
/** What flite is told the clause ends with: it has a fall, a rise and a continuation. */
const CADENCE: Readonly<Record<Break, string>> = { ',': ',', ';': ',', ':': ',', '—': ',', '.': '.', '!': '!', '?': '?', '...': '.' }; // prettier-ignore
const EDGES = /^[^a-z0-9$]+|[^a-z0-9]+$/gi;
const CLOSERS = /["')\]]+$/;

/** How a clause ends after a written word, if it does. */
function breakAfter(written: string): Break | undefined {
  if (written.endsWith('—')) return '—';
  const open = normaliseWord(written).replace(CLOSERS, '');
  if (open.endsWith('...')) return '...';
  const last = open.at(-1) ?? '';
  if (last === '.') {
    const stem = open.slice(0, -1).toLowerCase().replace(/^\W+/, '');
    // "Dr." and the initial of "J. Smith" end no clause; "I." does, as in "you and I."
    if (ABBREVIATIONS.has(stem) || (/^[a-z]$/.test(stem) && stem !== 'i')) return undefined;
  }
  return last in PAUSE_MS ? (last as Break) : undefined;
}

/** Splits a line at its punctuation, and long stretches before a conjunction. Nothing speakable: no clauses. */
export function splitClauses(line: string): Clause[] {
  const clauses: Clause[] = [];
  let words: ClauseWord[] = [];
  let silent = '';
  const close = (end: Break | undefined) => {
    const pieces = breakLong(words);
    pieces.forEach((piece, index) => {
      const isLast = index === pieces.length - 1;
      if (piece.length > 0) clauses.push(asClause(piece, isLast ? end : undefined, !isLast));
    });
    words = [];
  };
  for (const written of writtenWords(line)) {
    const spoken = respell(normaliseWord(written)).replace(EDGES, '');
    if (/[a-z0-9]/i.test(spoken)) {
      words.push({ text: silent + written, spoken });
      silent = '';
    } else if (words.length > 0) {
      const last = words[words.length - 1]!;
      words[words.length - 1] = { ...last, text: `${last.text} ${written}` };
    } else silent += `${written} `;
    const end = breakAfter(written);
    if (end) close(end);
  }
  close(undefined);
  return clauses;
}

function breakLong(words: readonly ClauseWord[]): (readonly ClauseWord[])[] {
  if (words.length <= LONG_CLAUSE_WORDS) return [words];
  const middle = words.length / 2;
  let best = -1;
  for (let at = SHORT_SIDE_WORDS; at <= words.length - SHORT_SIDE_WORDS; at++) {
    if (!CONJUNCTIONS.has(words[at]!.spoken.toLowerCase())) continue;
    if (best < 0 || Math.abs(at - middle) < Math.abs(best - middle)) best = at;
  }
  if (best < 0) {
    if (words.length <= 2 * LONG_CLAUSE_WORDS) return [words];
    best = Math.floor(middle);
  }
  return [...breakLong(words.slice(0, best)), ...breakLong(words.slice(best))];
}

function asClause(words: readonly ClauseWord[], end: Break | undefined, broken: boolean): Clause {
  const phones = words.map((word) => interjectionPhones(word.text));
  return {
    text: words.map((word) => word.text).join(' '),
    words,
    spoken: words.map((word) => word.spoken).join(' ') + (end ? CADENCE[end] : broken ? ',' : '.'),
    ...(phones.every((known) => known !== undefined) ? { phones: phones.flat() as string[] } : {}),
    pauseMs: broken ? BROKEN_PAUSE_MS : end ? PAUSE_MS[end] : 0,
  };
}
