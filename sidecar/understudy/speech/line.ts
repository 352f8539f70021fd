/** One thing an NPC says: its clauses, each to be had as sound, and what becomes of them when the persona changes. */
import type { CharacterBrief } from '../../duplex';
import { splitClauses, type Clause } from '../text/clauses';
import { URGENCY, type SpeechSource, type Urgency, type Utterance } from '../tts/synthesiser';
import { voiceKey, type TtsVoice } from '../tts/voice';

/** Where a line comes from: a list of the persona's, or the game. */
export type LineKind = 'greeting' | 'replies' | 'interrupted' | 'idle' | 'farewell' | 'backchannels' | 'said';

export class Line {
  readonly kind: LineKind;
  #index: number;
  #text: string;
  #clauses: readonly Clause[];
  #voice: TtsVoice;
  #utterances: (Utterance | undefined)[] = [];
  readonly #source: SpeechSource;

  /** @param index of the variation in the persona's list; -1 for what the game has said */
  constructor(kind: LineKind, index: number, text: string, voice: TtsVoice, source: SpeechSource) {
    this.kind = kind;
    this.#index = index;
    this.#text = text;
    this.#clauses = splitClauses(text);
    this.#voice = voice;
    this.#source = source;
  }

  get text(): string {
    return this.#text;
  }
  get length(): number {
    return this.#clauses.length;
  }

  /** Asks for a clause, unless it is there. Undefined past the end. */
  utterance(at: number, urgency: Urgency): Utterance | undefined {
    const clause = this.#clauses[at];
    if (!clause) return undefined;
    const known = this.#utterances[at];
    if (known && known.state !== 'failed') return known;
    return (this.#utterances[at] = this.#source.request(clause, this.#voice, urgency));
  }

  /** Asks for a clause as urgently as said, and for the two that follow it: time enough to make more. */
  prepare(from: number, urgency: Urgency): void {
    this.utterance(from, urgency);
    this.utterance(from + 1, Math.max(urgency, URGENCY.next) as Urgency);
    this.utterance(from + 2, Math.max(urgency, URGENCY.line) as Urgency);
  }

  /** It can begin at this clause without a wait. A clause that failed is passed over, so that it holds up nothing. */
  isReady(from: number): boolean {
    return from >= this.#clauses.length || this.#utterances[from]?.state !== 'waiting';
  }

  /** Nobody will say it any more. */
  drop(): void {
    for (const utterance of this.#utterances) utterance?.drop();
    this.#utterances = [];
  }

  /**
   * Takes on the voice and the words of a changed brief, from clause `from` on.
   * @returns the clause to go on with, or undefined when nothing changed
   */
  revise(brief: CharacterBrief, from: number): number | undefined {
    const voice = brief.voice.understudy;
    const text = this.#revisedText(brief);
    const newVoice = voiceKey(voice) !== voiceKey(this.#voice);
    if (!newVoice && text === this.#text) return undefined;
    const before = this.#clauses;
    this.drop();
    this.#voice = voice;
    if (text === this.#text) return from;
    this.#text = text;
    this.#clauses = splitClauses(text);
    return placeAfter(before, this.#clauses, from);
  }

  /** The same variation as it now stands; as it was when it is no longer there. */
  #revisedText(brief: CharacterBrief): string {
    if (this.kind === 'said') return this.#text;
    const list = brief.lines[this.kind];
    const moved = list.indexOf(this.#text);
    if (moved >= 0) this.#index = moved;
    return list[this.#index] ?? this.#text;
  }
}

/**
 * Where to go on in changed words when `from` would have been next: after the clause just said if it is still
 * there (the nearest, if more than once), else at the same place.
 */
function placeAfter(before: readonly Clause[], after: readonly Clause[], from: number): number {
  const said = before[from - 1]?.text;
  if (said === undefined) return from;
  let nearest = -1;
  after.forEach((clause, at) => {
    if (clause.text === said && (nearest < 0 || Math.abs(at + 1 - from) < Math.abs(nearest - from)))
      nearest = at + 1;
  });
  return nearest >= 0 ? nearest : Math.min(from, after.length);
}
