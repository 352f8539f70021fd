/**
 * The duplex model: what turns (heard frame, character) into (spoken frame, text, mouth). `understudy`,
 * `personaplex` and `moshi` implement it. It knows nothing of sockets, files being saved, or clocks: it is
 * stepped one 80 ms frame at a time, for all its seats at once.
 */
import type { TurnState } from '../wire/messages';

/** Where one NPC lives in a model. */
export type SeatId = number;

/** How an NPC behaves when a player speaks into its line. */
export type OverlapPolicy =
  | 'yield' // falls silent at once
  | 'finish_word' // ends the word it is in
  | 'hold' // ends the clause it is in
  | 'talk_over'; // goes on

/** What a duplex model needs to sound like a voice; see voices/. */
export interface DuplexVoice {
  id: string;
  /** What the understudy's TTS needs. */
  understudy: {
    /** flite voice inside the package. */
    base: 'slt' | 'rms' | 'awb' | 'kal16';
    /** Mean pitch in Hz, 60..300; `rms` ignores it and is pitched by resampling. */
    pitch_hz?: number;
    /** Pitch spread in Hz. */
    pitch_range_hz?: number;
    /** Speaking rate relative to the base voice, 0.5..2. */
    rate?: number;
    /** Semitones the finished sound is shifted by (larger or smaller body), -12..12. */
    shift_semitones?: number;
    /** Linear gain, 0..4. */
    gain?: number;
  };
  /** What PersonaPlex needs: a voice prompt (`.pt` embeddings' or WAV's path inside the voices folder). */
  personaplex?: {
    prompt: string;
    /** Differs when the file does, though its name is the same. */
    version?: string;
  };
}

/** A character with the game's state filled in: what a duplex model is told about it. */
export interface CharacterBrief {
  persona: string;
  name: string;
  language: string;
  /** Role text and facts, in PersonaPlex's prompt style, without <system> tags. */
  prompt: string;
  facts: readonly string[];
  voice: DuplexVoice;
  turnTaking: {
    /** Silence after the player's last sound before the NPC takes the turn, ms. */
    patienceMs: number;
    overlap: OverlapPolicy;
    /** After it was cut in on: take the line up again where it stopped, or let it go. */
    resume: boolean;
    /** Backchannels a minute of player speech, 0..20. */
    backchannelsPerMinute: number;
  };
  sampling: { textTemperature: number; textTopK: number; audioTemperature: number; audioTopK: number };
  /** What the understudy says. Every kind is a list of variations. */
  lines: {
    greeting: readonly string[];
    replies: readonly string[];
    interrupted: readonly string[];
    idle: readonly string[];
    /** Seconds of quiet before an idle line; 0: never. */
    idleEverySeconds: number;
    farewell: readonly string[];
    backchannels: readonly string[];
  };
}

export interface SeatInput {
  seat: SeatId;
  /** Names what is heard: seats with equal ears in one step heard the same samples. */
  ear: string;
  /** 1920 samples, -1..1; null: silence. Valid until step() resolves. */
  pcm: Float32Array | null;
}

export type SeatEvent =
  | { kind: 'player_started' }
  | { kind: 'player_stopped'; ms: number }
  /** `text` is all of the line the NPC begins to say. */
  | { kind: 'npc_started'; text: string }
  | { kind: 'npc_stopped'; ms: number }
  /** Cut in on. Whoever plays this seat's frames must drop those before this one, when `flush`. */
  | { kind: 'npc_interrupted'; flush: boolean }
  | { kind: 'npc_backchannelled'; text: string };

export interface SeatOutput {
  seat: SeatId;
  /** 1920 samples, or null for silence. Valid until the next step(). */
  pcm: Float32Array | null;
  /** Words whose speech begins in this frame, each with a space before it; '' for none. */
  text: string;
  /** MOUTH_BYTES viseme weights, or null: at rest. Valid until the next step(). */
  mouth: Uint8Array | null;
  turn: TurnState;
  /** Speech was heard in this frame (the model's own detector). */
  heardSpeech: boolean;
  events: readonly SeatEvent[];
}

/** How and when a change of brief took hold. */
export interface UpdateReceipt {
  speed: 'instant' | 'quiet' | 'reprime';
  /** Milliseconds of work it cost. */
  costMs: number;
}

export interface DuplexModelInfo {
  id: string;
  name: string;
  scripted: boolean;
  about: string;
  /** Seats this machine sustains in real time, and how that is known. */
  capacity: { npcs: number; why: string };
}

export interface SeatOptions {
  /** Seed of everything the seat chooses. */
  seed: number;
  /** Speak first, with a greeting. */
  greet: boolean;
}

export interface DuplexModel {
  readonly info: DuplexModelInfo;
  /** Loads what it needs. Rejects with NpcVoiceError `model_unavailable`. */
  start(): Promise<void>;
  /** Primes a character into a new seat. */
  seat(brief: CharacterBrief, options: SeatOptions): Promise<SeatId>;
  /** Frees a seat; unknown seats are ignored. */
  unseat(seat: SeatId): void;
  /**
   * Moves every given seat one frame. Calls must not overlap. Outputs come in the order of the inputs.
   * A seat left out of a step does not move.
   */
  step(inputs: readonly SeatInput[]): Promise<readonly SeatOutput[]>;
  /** Gives a seat a changed brief; resolves when it is in force. */
  update(seat: SeatId, brief: CharacterBrief): Promise<UpdateReceipt>;
  /** Has a seat say a given line. */
  say(seat: SeatId, text: string, when: 'queue' | 'now'): void;
  /** Lines it was told to say and has not begun. */
  linesWaiting(seat: SeatId): number;
  /** Says the farewell. `npc_stopped` tells when it is over; nothing to say: resolves false. */
  farewell(seat: SeatId): boolean;
  /** Silences a seat until released: nothing is begun, and a line in progress ends as `manner` says. */
  hold(seat: SeatId, on: boolean, manner: 'finish_word' | 'cut'): void;
  /** Stops what the seat is saying, now; the next step reports `npc_interrupted` with flush. */
  interrupt(seat: SeatId): void;
  stop(): Promise<void>;
}
