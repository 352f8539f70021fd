/**
 * Who has the floor, made out from what is heard and said. The model takes turns by itself and tells nobody; games
 * want to know. Guesses, then, from level and text: a short utterance while the player speaks is a backchannel until it
 * turns out to be more.
 */
import type { SeatEvent } from '../../duplex';
import type { TurnState } from '../../wire/messages';
import type { Activity } from './voice-activity';

/** A voice is heard above this: about -40 dBFS. */
export const AUDIBLE = 0.01;
/** Sound without words for so long is speech too: laughter, a hum. */
const WORDLESS_FRAMES = 4;
/** Frames of quiet, without a new word, that end an utterance. */
const QUIET_FRAMES = 8;
/** Frames without a new word that end one, however noisy: breath and room are no speech. */
const NO_WORD_FRAMES = 38;
/** What is longer than this was no backchannel. */
const BACKCHANNEL_FRAMES = 12;
const BACKCHANNEL_WORDS = 3;
const FRAME_MS = 80;

/** What an NPC did in a frame. */
export interface Spoken {
  /** Root mean square of its sound. */
  level: number;
  /** Words it completed. */
  text: string;
  /** Pieces of a line it was told to say are still to come. */
  scripted: boolean;
}

type Utterance = {
  kind: 'speaking' | 'backchannel';
  frames: number;
  words: number;
  quiet: number;
  sinceWord: number;
};

export class Turns {
  #utterance: Utterance | null = null;
  #wordless = 0;
  #playerSpeaks = false;

  /** What it is doing. */
  get state(): Exclude<TurnState, 'held'> {
    return this.#utterance?.kind ?? (this.#playerSpeaks ? 'listening' : 'idle');
  }
  /** Nobody speaks. */
  get quiet(): boolean {
    return this.#utterance === null && !this.#playerSpeaks;
  }

  /** A frame that the NPC may speak in; events of it. */
  follow(heard: Activity, spoken: Spoken): SeatEvent[] {
    const events = this.listen(heard);
    const words = spoken.text === '' ? 0 : spoken.text.trim().split(/\s+/).length;
    const audible = spoken.level > AUDIBLE;
    this.#wordless = audible ? this.#wordless + 1 : 0;
    if (!this.#utterance) {
      if (words > 0 || this.#wordless >= WORDLESS_FRAMES) this.#begin(words, events);
      return events;
    }
    this.#goOn(this.#utterance, words, audible, spoken.scripted, events);
    return events;
  }

  /** A frame that the NPC has no part in. */
  listen(heard: Activity): SeatEvent[] {
    const events: SeatEvent[] = [];
    this.#playerSpeaks = heard.speaking;
    if (heard.started) events.push({ kind: 'player_started' });
    if (heard.endedMs > 0) events.push({ kind: 'player_stopped', ms: heard.endedMs });
    return events;
  }

  /** It is told to say a line: what it was saying is over. */
  recite(text: string): SeatEvent[] {
    const events = this.stop();
    this.#utterance = { kind: 'speaking', frames: 0, words: 0, quiet: 0, sinceWord: 0 };
    events.push({ kind: 'npc_started', text });
    return events;
  }

  /** It was cut in on by the game; events of that. */
  interrupt(flush: boolean): SeatEvent[] {
    if (!this.#utterance) return [];
    this.#utterance = null;
    return [{ kind: 'npc_interrupted', flush }];
  }

  /** It has fallen silent. */
  stop(): SeatEvent[] {
    const utterance = this.#utterance;
    this.#utterance = null;
    // A backchannel is over when the turn is; nobody is told.
    if (utterance?.kind !== 'speaking') return [];
    return [{ kind: 'npc_stopped', ms: utterance.frames * FRAME_MS }];
  }

  #begin(words: number, events: SeatEvent[]): void {
    const kind = this.#playerSpeaks ? 'backchannel' : 'speaking';
    this.#utterance = { kind, frames: 1, words, quiet: 0, sinceWord: 0 };
    events.push({ kind: kind === 'speaking' ? 'npc_started' : 'npc_backchannelled', text: '' });
  }

  #goOn(now: Utterance, words: number, audible: boolean, scripted: boolean, events: SeatEvent[]): void {
    now.frames++;
    now.words += words;
    now.sinceWord = words > 0 || scripted ? 0 : now.sinceWord + 1;
    now.quiet = audible || words > 0 || scripted ? 0 : now.quiet + 1;
    if (now.kind === 'backchannel' && (now.frames > BACKCHANNEL_FRAMES || now.words > BACKCHANNEL_WORDS)) {
      now.kind = 'speaking';
      events.push({ kind: 'npc_started', text: '' });
    }
    if (now.quiet >= QUIET_FRAMES || now.sinceWord >= NO_WORD_FRAMES) {
      // The quiet that ended it was no part of it.
      now.frames -= now.quiet;
      events.push(...this.stop());
      this.#wordless = 0;
    }
  }
}
