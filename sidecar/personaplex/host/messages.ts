/**
 * What the sidecar asks of the model host, and what it answers. Both ends are this package's, in one version, so the
 * messages are plain objects in Node's structured clone format ('advanced' serialisation): typed arrays travel as
 * bytes. Numbers only: text and turn-taking are the sidecar's.
 */
import type { ErrorCode } from '../../errors';
import type { PromptColumns, Sampling } from '../generator';
import type { Provider } from '../graphs/types';

/** What a seat's conversation is made of after a step, in a row of `SteppedSeats.moved`. */
export const MOVED = {
  /** The column the model has taken in: text, 8 codes of the NPC, 8 of the player. */
  column: 0,
  /** Text token of the next column. */
  text: 17,
  /** 8 codes of the NPC: the semantic one of the next column, and 7 acoustic ones of this frame. */
  agent: 18,
  /** 8 codes of the player in this frame. */
  user: 26,
} as const;
export const COLUMN_INTS = 17;
export const MOVED_INTS = 34;

export interface LoadModel {
  /** Folder of an imported model. */
  folder: string;
  /** `auto`: what it was imported for. */
  ep: Provider | 'auto';
  /** Bytes that primed prompts may take. */
  primedBytes: number;
  /** True: long work is cut into slices between steps. False: it is done when it is asked for. */
  realtime: boolean;
}
export interface LoadedModel {
  /** What people call it. */
  name: string;
  provider: Provider;
  /** A role and a voice mean something to it; false for plain Moshi. */
  takesPrompt: boolean;
  /** Path of the SentencePiece model. */
  tokenizer: string;
  /** Folder of the voices that came with the model; it need not exist. */
  voices: string;
  /** Columns a conversation sees at once, its prompt included. */
  window: number;
  /** Text token of a frame in which no word begins. */
  textPad: number;
  /** Milliseconds a frame takes at most with one NPC, and what each further one adds; null: nothing has to be in time. */
  speed: { stepMs: number; addedMs: number } | null;
}

/** Whom a seat is for. */
export interface HostPrompt {
  /** Path of a voice prompt; null: the model's own voice. */
  voice: string | null;
  /** Token ids of the role in its <system> tags. */
  text: readonly number[];
}

export interface TakeSeat {
  seat: number;
  prompt: HostPrompt;
  sampling: Sampling;
  seed: number;
}
export interface SeatTaken {
  columns: PromptColumns;
  /** The prompt had been computed before. */
  wasPrimed: boolean;
}

/** A conversation that another host held. */
export interface RestoreSeat {
  seat: number;
  columns: PromptColumns;
  sampling: Sampling;
  seed: number;
  /** Columns of the conversation so far. */
  count: number;
  /** The newest of them, each COLUMN_INTS. */
  last: Int32Array;
  /** As in `MOVED`; absent when the conversation had not begun. */
  next: { text: number; agent: Int32Array; user: Int32Array } | null;
}

export interface StepSeats {
  seats: Int32Array;
  /** By row: 1 when the row hears `heard`'s next frame, 0 when it hears nothing. */
  hears: Uint8Array;
  /** 1920 samples for each row that hears. */
  heard: Float32Array;
  /** By row: text token of the next column, -1 for the model's own choice. */
  forced: Int32Array;
  /** By row: 1 when the NPC is to say nothing. */
  silenced: Uint8Array;
}
export interface SteppedSeats {
  /** 1920 samples a row, not clipped. */
  samples: Float32Array;
  /** MOVED_INTS a row. */
  moved: Int32Array;
  /** Conversations moved behind their prompt again since the last step, for they were about to lose it. */
  refreshed: number;
}

export interface Reprime {
  seat: number;
  prompt: HostPrompt;
}

/** What is held for prompts that were computed. */
export interface PrimedFigures {
  prompts: number;
  bytes: number;
  hits: number;
  misses: number;
  evictions: number;
}

/** Everything a host can be asked. */
export interface HostCalls {
  load: { ask: LoadModel; answer: LoadedModel };
  seat: { ask: TakeSeat; answer: SeatTaken };
  restore: { ask: RestoreSeat; answer: null };
  unseat: { ask: { seat: number }; answer: null };
  step: { ask: StepSeats; answer: SteppedSeats };
  tune: { ask: { seat: number; sampling: Sampling }; answer: null };
  /** Computes a prompt and takes the conversation there; answers when that is ready to be swapped in. */
  reprime: { ask: Reprime; answer: null };
  /** Swaps a re-primed conversation in. */
  swap: { ask: { seat: number }; answer: { columns: PromptColumns } };
  figures: { ask: null; answer: PrimedFigures };
}
export type HostCall = keyof HostCalls;
export type Ask<K extends HostCall> = HostCalls[K]['ask'];
export type Answer<K extends HostCall> = HostCalls[K]['answer'];

export interface HostRequest<K extends HostCall = HostCall> {
  id: number;
  call: K;
  ask: Ask<K>;
}
export type HostReply =
  | { id: number; answer: unknown }
  | { id: number; failure: { code: ErrorCode; message: string; hint?: string; fatal: boolean } };
