/** Persona cues: events for the game, set off by what an NPC says. */

export interface CueDefinition {
  id: string;
  /** Phrases; `*` stands for any one word. */
  says: readonly string[];
}

const ANY = '*';

/** The words of a text as cues compare them: lower case, no punctuation, hyphens and dashes apart. */
export function cueWords(text: string): string[] {
  const words: string[] = [];
  for (const piece of text
    .normalize('NFKC')
    .toLowerCase()
    .split(/[\s\p{Pd}/…]+/u)) {
    const word = piece.replace(/[^\p{L}\p{N}\p{M}]/gu, '');
    if (word) words.push(word);
  }
  return words;
}

function phraseWords(phrase: string): string[] {
  return phrase.split(/\s+/).flatMap((piece) => (piece === ANY ? [ANY] : cueWords(piece)));
}

interface Watched {
  id: string;
  phrases: string[][];
  /** Words of the line that belong to this cue's last occurrence, or precede it. */
  spent: number;
}

/** Follows the words of one NPC's line. Occurrences of one cue do not overlap; a phrase does not span lines. */
export class CueMatcher {
  readonly #watched: Watched[];
  readonly #longest: number;
  /** The last words of the line, at most as many as the longest phrase has. */
  readonly #recent: string[] = [];
  #said = 0;

  constructor(cues: readonly CueDefinition[]) {
    this.#watched = cues.map(({ id, says }) => ({
      id,
      phrases: says.map(phraseWords).filter((words) => words.length > 0),
      spent: 0,
    }));
    this.#longest = Math.max(0, ...this.#watched.flatMap((cue) => cue.phrases.map((p) => p.length)));
  }

  /** A new line begins. */
  restart(): void {
    this.#recent.length = 0;
    this.#said = 0;
    for (const cue of this.#watched) cue.spent = 0;
  }

  /** Ids of the cues completed by these words, in order, once per occurrence. */
  heard(text: string): readonly string[] {
    if (this.#longest === 0 || text === '') return NONE;
    let completed: string[] | null = null;
    for (const word of cueWords(text)) {
      this.#said++;
      this.#recent.push(word);
      if (this.#recent.length > this.#longest) this.#recent.shift();
      for (const cue of this.#watched) {
        if (!cue.phrases.some((phrase) => this.#ends(phrase, cue.spent))) continue;
        cue.spent = this.#said;
        (completed ??= []).push(cue.id);
      }
    }
    return completed ?? NONE;
  }

  #ends(phrase: readonly string[], spent: number): boolean {
    if (this.#said - phrase.length < spent) return false;
    const from = this.#recent.length - phrase.length;
    return phrase.every((word, i) => word === ANY || word === this.#recent[from + i]);
  }
}

const NONE: readonly string[] = [];
