/** What a persona has to say, by kind: variations drawn from shuffled bags, the next one begun to be made ahead of time. */
import type { CharacterBrief } from '../../duplex';
import { URGENCY, type SpeechSource } from '../tts/synthesiser';
import { Bag, type Chance } from '../turns/bag';
import { Line, type LineKind } from './line';

export type Kind = Exclude<LineKind, 'said'>;
const KINDS: readonly Kind[] = ['greeting', 'replies', 'interrupted', 'idle', 'farewell', 'backchannels'];

export class Repertoire {
  readonly #chance: Chance;
  readonly #source: SpeechSource;
  readonly #bags = new Map<Kind, Bag>();
  readonly #prepared = new Map<Kind, Line>();
  #brief: CharacterBrief;

  constructor(brief: CharacterBrief, chance: Chance, source: SpeechSource) {
    this.#brief = brief;
    this.#chance = chance;
    this.#source = source;
    for (const kind of KINDS) this.#bags.set(kind, new Bag(brief.lines[kind].length, chance));
  }

  /** Chooses the next of a kind and has its first clause made while there is time. */
  prepare(kind: Kind): void {
    if (this.#prepared.has(kind)) return;
    const line = this.#choose(kind);
    if (!line) return;
    line.utterance(0, URGENCY.ahead);
    this.#prepared.set(kind, line);
  }

  /** The next of a kind; undefined when the persona has none. */
  take(kind: Kind): Line | undefined {
    const line = this.#prepared.get(kind) ?? this.#choose(kind);
    this.#prepared.delete(kind);
    return line;
  }

  /** Takes on a changed brief. What was chosen stays chosen, in its new voice and words. */
  revise(brief: CharacterBrief): void {
    const before = this.#brief;
    this.#brief = brief;
    for (const kind of KINDS) {
      const size = brief.lines[kind].length;
      if (before.lines[kind].length !== size) this.#bags.set(kind, new Bag(size, this.#chance));
      const line = this.#prepared.get(kind);
      if (!line) continue;
      if (size === 0) {
        line.drop();
        this.#prepared.delete(kind);
      } else if (line.revise(brief, 0) !== undefined) line.utterance(0, URGENCY.ahead);
    }
  }

  drop(): void {
    for (const line of this.#prepared.values()) line.drop();
    this.#prepared.clear();
  }

  #choose(kind: Kind): Line | undefined {
    const index = this.#bags.get(kind)!.draw();
    if (index === undefined) return undefined;
    const text = this.#brief.lines[kind][index]!;
    return new Line(kind, index, text, this.#brief.voice.understudy, this.#source);
  }
}
