/** One NPC of a scene: its seat in the duplex model, what it has been told, and the frames it makes. */
import { FRAME_RATE, FRAME_SAMPLES, mixInto, rms, softLimit } from '../audio';
import type { SeatEvent, SeatId, SeatInput, SeatOutput } from '../duplex';
import { NpcVoiceError } from '../errors';
import type { Persona } from '../personas/schema';
import type { HoldReason, SoundSource, StateValue, TranscriptLine, TurnState } from '../wire/messages';
import { CueMatcher } from './cues';
import type { Sound } from './ear';
import type { BriefOverrides, NpcStatus, SceneFrame } from './ports';
import { Overheard } from './overheard';
import { Transcript } from './transcript';

/** A farewell that has not ended by then is cut off. */
export const FAREWELL_FRAMES = Math.ceil(15 * FRAME_RATE);
/** How long a farewell that has been said may take to be played. */
export const FAREWELL_HEARD_FRAMES = Math.ceil(1 * FRAME_RATE);
/** What a level keeps of itself from one frame to the next: long enough to outlast a detector's lag. */
const LEVEL_DECAY = 0.85;

/** Where an NPC is in its life. */
export type NpcLife =
  | { phase: 'priming' }
  | { phase: 'live'; seat: SeatId }
  | { phase: 'leaving'; seat: SeatId; farewell: Farewell }
  | { phase: 'gone' };

interface Farewell {
  /** A line it was in when told to leave; its end is not the farewell's. */
  begun: boolean;
  /** Frame by which it has to be over. */
  by: number;
  said: boolean;
  done: Promise<void>;
  finish: () => void;
}

const NO_CUES: readonly string[] = [];

export class Npc implements Sound {
  readonly id: string;
  readonly source: SoundSource;
  readonly transcript: Transcript;
  readonly vars: Record<string, StateValue>;
  readonly holds = new Set<HoldReason>();
  readonly input: SeatInput = { seat: -1, ear: '', pcm: null };
  life: NpcLife = { phase: 'priming' };
  persona: Persona;
  overrides: BriefOverrides = {};
  gain = 1;
  muted = false;
  primeMs = 0;
  /** Frames made; the next frame's number. */
  n = 0;
  recentLevel = 0;
  heardSpeech = false;
  /** The frame being emitted, or emitted last. */
  readonly frame: SceneFrame;
  #cues: CueMatcher;
  #gain = 1;
  readonly #samples = new Float32Array(FRAME_SAMPLES);
  /** What kind of line the transcript is following. */
  #line: 'none' | 'line' | 'ending' | 'backchannel' = 'none';
  /** A line begins in the last frame. */
  #begins = false;
  /** Whose turn it hears. */
  #talker: SoundSource | undefined;
  readonly #overheard = new Overheard();

  constructor(
    id: string,
    persona: Persona,
    vars: Readonly<Record<string, StateValue>>,
    onLine: (line: TranscriptLine) => void,
  ) {
    this.id = id;
    this.source = `npc:${id}`;
    this.persona = persona;
    this.vars = { ...vars };
    this.transcript = new Transcript(id, onLine);
    this.#cues = new CueMatcher(persona.cues);
    this.frame = { npc: id, n: 0, pcm: null, turn: 'idle', level: 0, text: '', mouth: null, cues: NO_CUES };
  }

  /** Its last frame, as others hear it: without backchannels, which would count as cutting in on them. */
  get pcm(): Float32Array | null {
    return this.frame.turn === 'backchannel' ? null : this.frame.pcm;
  }
  get guarded(): Float32Array | null {
    return this.pcm;
  }

  /** The frame that `other` made last came in. */
  overhear(other: Npc): void {
    if (other.frame.turn === 'backchannel') return;
    this.#overheard.add(other.source, other.frame.text, other.#begins && this.#talker === undefined);
  }
  /** Another NPC is gone. */
  forget(other: SoundSource): void {
    this.#overheard.forget(other);
  }

  /** Its seat, or null while it has none. */
  get seat(): SeatId | null {
    return this.life.phase === 'live' || this.life.phase === 'leaving' ? this.life.seat : null;
  }

  /** Throws NpcVoiceError `unknown_npc` while it is being primed. */
  needSeat(): SeatId {
    const { seat } = this;
    if (seat === null)
      throw new NpcVoiceError('unknown_npc', `The NPC "${this.id}" is not ready yet.`, {
        hint: 'Wait for the answer to attach.',
      });
    return seat;
  }

  get status(): NpcStatus {
    return {
      npc: this.id,
      persona: this.persona.id,
      name: this.persona.name,
      held: this.holds.size > 0,
      muted: this.muted,
      primeMs: this.primeMs,
    };
  }

  /** Primed: its frames begin. */
  goLive(seat: SeatId, primeMs: number): void {
    this.life = { phase: 'live', seat };
    this.input.seat = seat;
    this.primeMs = primeMs;
    this.#gain = this.#wantedGain;
  }

  /** It says its farewell; `done` resolves when `finish` is called. */
  leave(): Farewell {
    const seat = this.needSeat();
    let finish = () => {};
    const done = new Promise<void>((resolve) => (finish = resolve));
    const speaking = this.frame.turn === 'speaking' || this.#line === 'line';
    const farewell = { begun: !speaking, by: this.n + FAREWELL_FRAMES, said: false, done, finish };
    this.life = { phase: 'leaving', seat, farewell };
    return farewell;
  }

  /** Takes note of what in a changed persona the model is not told. */
  recast(): void {
    this.#cues = new CueMatcher(this.persona.cues);
  }

  get #wantedGain(): number {
    return this.muted ? 0 : this.gain;
  }

  /**
   * Makes frame `n` of what the model gave; null: the model failed, and the frame is silent.
   * @param loudest the source that was loudest in its ear
   */
  take(output: SeatOutput | null, loudest: SoundSource | undefined): void {
    const { frame } = this;
    frame.n = this.n;
    frame.turn = output?.turn ?? (this.holds.size > 0 ? 'held' : 'idle');
    frame.pcm = this.#voiced(output?.pcm ?? null);
    frame.level = frame.pcm ? rms(frame.pcm) : 0;
    frame.mouth = this.muted ? null : (output?.mouth ?? null);
    frame.text = this.muted ? '' : (output?.text ?? '');
    this.recentLevel = Math.max(this.pcm ? frame.level : 0, this.recentLevel * LEVEL_DECAY);
    this.heardSpeech = output?.heardSpeech ?? false;
    frame.cues = NO_CUES;
    this.#begins = false;
    if (!output) return;
    for (const event of output.events) this.#follow(event, loudest);
    if (output.text !== '') this.transcript.said(this.n, output.text, !this.muted);
    this.#noticeEnd(output.turn);
    const cues = this.#cues.heard(output.text);
    if (!this.muted) frame.cues = cues;
  }

  /** The frame has been emitted. True: the farewell is over, and the NPC can go. */
  emitted(): boolean {
    this.transcript.sent(this.n);
    this.n++;
    if (this.life.phase !== 'leaving') return false;
    const { farewell } = this.life;
    return (farewell.said && this.transcript.waiting === 0) || this.n >= farewell.by;
  }

  #follow(event: SeatEvent, loudest: SoundSource | undefined): void {
    switch (event.kind) {
      case 'player_started':
        this.#talker = loudest;
        this.transcript.playerStarted(this.n, nameOf(loudest));
        break;
      case 'player_stopped':
        this.transcript.playerStopped(this.n, event.ms, this.#overheard.take(this.#talker));
        this.#talker = undefined;
        break;
      case 'npc_started':
      case 'npc_backchannelled':
        this.#begin(event.kind === 'npc_started' ? 'line' : 'backchannel', event.text);
        break;
      case 'npc_interrupted':
        if (event.flush) {
          this.transcript.flushed(this.n);
          this.#end();
        } else if (this.#line === 'line') this.#line = 'ending';
        break;
      case 'npc_stopped':
        this.transcript.ended(this.n);
        this.#end();
        break;
    }
  }

  #begin(kind: 'line' | 'backchannel', text: string): void {
    this.#cues.restart();
    this.transcript.started(this.n, text);
    this.#line = kind;
    this.#begins = kind === 'line';
    if (kind === 'line' && this.life.phase === 'leaving') this.life.farewell.begun = true;
  }

  #end(): void {
    const wasLine = this.#line !== 'backchannel';
    this.#line = 'none';
    if (this.life.phase !== 'leaving' || !wasLine) return;
    const { farewell } = this.life;
    if (!farewell.begun || farewell.said) return;
    farewell.said = true;
    farewell.by = Math.min(farewell.by, this.n + FAREWELL_HEARD_FRAMES);
  }

  /** Backchannels, and lines cut in on that end their word first, are over when the turn is. */
  #noticeEnd(turn: TurnState): void {
    const over =
      (this.#line === 'backchannel' && turn !== 'backchannel') ||
      (this.#line === 'ending' && turn !== 'speaking');
    if (!over) return;
    this.transcript.ended(this.n);
    this.#end();
  }

  /** The model's samples at this NPC's gain, in a buffer of its own; a changed gain is reached over the frame. */
  #voiced(pcm: Float32Array | null): Float32Array | null {
    const from = this.#gain;
    const gain = (this.#gain = this.#wantedGain);
    if (!pcm || (from === 0 && gain === 0)) return null;
    const out = this.#samples;
    if (from === 1 && gain === 1) {
      out.set(pcm);
      return out;
    }
    out.fill(0);
    mixInto(out, pcm, gain, from);
    if (gain > 1 || from > 1) softLimit(out);
    return out;
  }
}

/** Who it was, for a transcript. */
const nameOf = (source: SoundSource | undefined): string =>
  source?.startsWith('npc:') ? source.slice('npc:'.length) : 'player';
