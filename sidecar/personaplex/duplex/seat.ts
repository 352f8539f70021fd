/** One NPC: what the model's numbers for it mean, and what it is made to do. */
import { fadeOut, rms, softLimit } from '../../audio';
import type { CharacterBrief, SeatEvent, SeatId, SeatInput, SeatOptions, SeatOutput } from '../../duplex';
import type { TurnState } from '../../wire/messages';
import { MOVED, type SeatTaken } from '../host';
import type { Tokenizer } from '../tokenizer';
import { Conversation } from './conversation';
import { Mouth, newMouthBytes } from './mouth';
import { recite } from './recital';
import { Turns } from './turns';
import { VoiceActivity, type Activity } from './voice-activity';
import { Words } from './words';

/** Frames that a cut NPC hears itself be silent before it may speak again. */
const INTERRUPTED_FRAMES = 6;
/** A word that has not ended by then is not waited for. */
const LONGEST_WORD_FRAMES = 8;

/** What the model is told of a seat's frame. */
export interface Orders {
  /** Text token of the next column; -1: its own. */
  forced: number;
  silenced: boolean;
}

interface Line {
  text: string;
  tokens: number[];
  /** Waits until nobody speaks. */
  waits: boolean;
}

export class Seat {
  readonly conversation: Conversation;
  readonly seed: number;
  /** The host holds its conversation. */
  live = true;
  brief: CharacterBrief;
  readonly #tokenizer: Tokenizer;
  readonly #pad: number;
  readonly #words: Words;
  readonly #turns = new Turns();
  readonly #ear = new VoiceActivity();
  readonly #mouth = new Mouth();
  readonly #mouthBytes = newMouthBytes();
  readonly #agenda: Line[] = [];
  readonly #output: { -readonly [key in keyof SeatOutput]: SeatOutput[key] };
  readonly #orders: Orders = { forced: -1, silenced: false };
  #reciting: Line | null = null;
  /** Whose token was forced in this frame. */
  #ordered: Line | null = null;
  #held = false;
  /** Frames the word it is in may still take. */
  #grace = 0;
  #interrupted = false;
  /** Frames it is still kept silent. */
  #hushed = 0;
  #wasSilenced = false;
  #picked = 0;

  constructor(
    id: SeatId,
    brief: CharacterBrief,
    { seed, greet }: SeatOptions,
    columns: SeatTaken['columns'],
    speaks: { tokenizer: Tokenizer; pad: number; window: number },
  ) {
    this.brief = brief;
    this.seed = seed;
    this.#tokenizer = speaks.tokenizer;
    this.#pad = speaks.pad;
    this.#words = new Words(speaks.tokenizer);
    this.conversation = new Conversation(columns, speaks.window);
    this.#output = {
      seat: id,
      pcm: null,
      text: '',
      mouth: null,
      turn: 'idle',
      heardSpeech: false,
      events: [],
    };
    const greeting = greet ? this.#pick(brief.lines.greeting) : undefined;
    if (greeting !== undefined) this.say(greeting, 'now');
  }

  /** Neither it nor the player speaks. */
  get quiet(): boolean {
    return this.#turns.quiet && this.#reciting === null;
  }

  // ------------------------------------------------------------------------------------------ what it is told

  /** Lines it has not begun. */
  get waiting(): number {
    return this.#agenda.length;
  }

  say(text: string, when: 'queue' | 'now'): void {
    const line = { text, tokens: recite(this.#tokenizer, text, this.#pad), waits: when === 'queue' };
    if (line.tokens.length === 0) return;
    if (when === 'now') this.#agenda.unshift(line);
    else this.#agenda.push(line);
  }

  farewell(): boolean {
    const text = this.#held ? undefined : this.#pick(this.brief.lines.farewell);
    if (text === undefined) return false;
    this.#agenda.length = 0;
    this.say(text, 'now');
    return true;
  }

  hold(on: boolean, manner: 'finish_word' | 'cut'): void {
    if (on === this.#held) return;
    this.#held = on;
    this.#grace = 0;
    if (!on) return;
    if (manner === 'cut') this.interrupt();
    else if (this.#speaks) this.#grace = LONGEST_WORD_FRAMES;
  }

  interrupt(): void {
    this.#interrupted = this.#speaks;
    this.#reciting = null;
  }

  get #speaks(): boolean {
    return this.#turns.state === 'speaking' || this.#turns.state === 'backchannel';
  }

  /** One of a persona's variations: another each time, the same for the same seed. */
  #pick(lines: readonly string[]): string | undefined {
    return lines[(this.seed + this.#picked++) % Math.max(1, lines.length)];
  }

  // ------------------------------------------------------------------------------------------ a frame

  /** What the model is to be told before the frame; valid until the next. */
  orders(): Orders {
    const isHeld = this.#held && this.#grace === 0;
    this.#orders.silenced = isHeld || this.#hushed > 0 || this.#interrupted;
    this.#ordered = this.#orders.silenced ? null : this.#nextLine();
    this.#orders.forced = this.#ordered?.tokens[0] ?? -1;
    return this.#orders;
  }

  #nextLine(): Line | null {
    if (this.#reciting) return this.#reciting;
    const next = this.#agenda[0];
    return !this.#held && next && (!next.waits || this.#turns.quiet) ? next : null;
  }

  /**
   * What came of it.
   * @param samples 1920, changed in place
   */
  took(input: SeatInput, samples: Float32Array, moved: Int32Array): SeatOutput {
    this.conversation.add(moved);
    const heard = this.#hear(input);
    const token = moved[MOVED.column]!;
    const text = this.#words.push(token, token === this.#pad || token === 0);
    if (this.#interrupted) return this.#cut(heard);
    if (this.#orders.silenced) return this.#beSilent(heard, samples, text);
    this.#wasSilenced = false;
    softLimit(samples);
    const events = this.#recite();
    const spoken = { level: rms(samples), text, scripted: this.#reciting !== null };
    events.push(...this.#turns.follow(heard, spoken));
    this.#shortenGrace(text);
    return this.#put(samples, text, heard, events);
  }

  /** A frame that the model had no part in. */
  missed(input: SeatInput): SeatOutput {
    const heard = this.#hear(input);
    const events = [...this.#turns.interrupt(false), ...this.#turns.listen(heard)];
    this.#reciting = null;
    return this.#put(null, '', heard, events);
  }

  #hear({ pcm }: SeatInput): Activity {
    return this.#ear.hear(pcm ? rms(pcm) : null);
  }

  /** Moves its line on by the token that was forced in this frame. */
  #recite(): SeatEvent[] {
    const line = this.#ordered;
    if (!line) return [];
    line.tokens.shift();
    const begins = line !== this.#reciting;
    if (begins) {
      const at = this.#agenda.indexOf(line);
      // It was taken off while the frame was computed.
      if (at < 0) return [];
      this.#agenda.splice(at, 1);
    }
    this.#reciting = line.tokens.length > 0 ? line : null;
    return begins ? this.#turns.recite(line.text) : [];
  }

  #cut(heard: Activity): SeatOutput {
    this.#interrupted = false;
    this.#hushed = INTERRUPTED_FRAMES;
    this.#wasSilenced = true;
    return this.#put(null, '', heard, [...this.#turns.interrupt(true), ...this.#turns.listen(heard)]);
  }

  #beSilent(heard: Activity, samples: Float32Array, text: string): SeatOutput {
    this.#hushed = Math.max(0, this.#hushed - 1);
    const events = [...this.#turns.stop(), ...this.#turns.listen(heard)];
    const isFirst = !this.#wasSilenced;
    this.#wasSilenced = true;
    if (!isFirst) return this.#put(null, '', heard, events);
    // Where it was not cut, what is left of its last sound dies away.
    softLimit(samples);
    fadeOut(samples);
    return this.#put(samples, text, heard, events);
  }

  #shortenGrace(text: string): void {
    if (this.#grace === 0) return;
    this.#grace--;
    if (text !== '' || !this.#speaks) this.#grace = 0;
    if (this.#grace === 0) this.#reciting = null;
  }

  #put(pcm: Float32Array | null, text: string, heard: Activity, events: readonly SeatEvent[]): SeatOutput {
    const out = this.#output;
    out.pcm = pcm;
    out.text = text;
    out.mouth = this.#mouth.follow(pcm, this.#mouthBytes) ? this.#mouthBytes : null;
    out.turn = this.#turnState();
    out.heardSpeech = heard.speaking;
    out.events = events;
    return out;
  }

  #turnState(): TurnState {
    const { state } = this.#turns;
    return this.#held && !this.#speaks ? 'held' : state;
  }
}
