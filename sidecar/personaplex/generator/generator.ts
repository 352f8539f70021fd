/**
 * Conversations, frame by frame, for several NPCs in lockstep.
 *
 * The schedule is eager: column t is completed and consumed as soon as the user's frame t is there, and frame t of the
 * agent comes out of that very step; NVIDIA's server consumes it a step later, because its step must be able to force
 * what comes next. The model sees the same columns either way, 80 ms earlier here.
 */
import { NpcVoiceError } from '../../errors';
import { DEPTH_STEPS } from '../graphs';
import type { CacheSnapshot, LanguageModel, Outlook, KvCache } from '../runtime';
import { DrawBuffers } from './draws';
import {
  PERSONAPLEX_TOKENS,
  promptColumns,
  type Prompt,
  type PromptColumns,
  type SpeechTokens,
} from './prompt';
import { SeatState, type Sampling } from './seat';

/** A prompt computed once: attach as many seats as you like, each is a copy. */
export interface Primed {
  columns: PromptColumns;
  cache: CacheSnapshot;
  /** What follows the prompt. */
  outlook: Outlook;
}

/** One seat's frame. */
export interface SpokenFrame {
  /** Eight codes for Mimi. Valid until the next step. */
  codes: Int32Array;
  /** Text token of this frame. */
  text: number;
}

export interface GeneratorOptions {
  /** NPCs at once. */
  seats: number;
  /** Other than the published model's, for tests with small ones. */
  tokens?: SpeechTokens;
}

export class Generator {
  readonly tokens: SpeechTokens;
  readonly #model: LanguageModel;
  readonly #singleDraw: DrawBuffers;
  readonly #width: number;
  #cache: KvCache;
  #seats: (SeatState | null)[];
  #columns: Int32Array;
  #draws: DrawBuffers;
  #frames: SpokenFrame[];

  constructor(model: LanguageModel, options: GeneratorOptions) {
    this.#model = model;
    this.tokens = options.tokens ?? PERSONAPLEX_TOKENS;
    this.#width = 1 + model.config.audioStreams;
    this.#cache = model.newCache(options.seats);
    this.#seats = Array.from({ length: options.seats }, () => null);
    this.#columns = new Int32Array(options.seats * this.#width);
    this.#draws = new DrawBuffers(model.config, options.seats);
    this.#singleDraw = new DrawBuffers(model.config, 1);
    this.#frames = framesOf(options.seats);
  }

  /** Seats there are, free ones included. */
  get seats(): number {
    return this.#seats.length;
  }

  /**
   * Makes the batch larger or smaller; idle seats cost memory and time in every step.
   * @param from by new seat: the seat it is now; -1 for a free one. Conversations of seats left out end.
   */
  async rearrange(from: readonly number[]): Promise<void> {
    const cache = await this.#cache.rearranged(from.map((old) => (this.#seats[old] ? old : -1)));
    this.#cache.dispose();
    this.#cache = cache;
    this.#seats = from.map((old) => (old < 0 ? null : this.#seats[old]!));
    this.#columns = new Int32Array(from.length * this.#width);
    this.#draws = new DrawBuffers(this.#model.config, from.length);
    this.#frames = framesOf(from.length);
  }

  /** Computes a prompt (null: none, for plain Moshi) in as few passes as fit the cache. */
  async prime(prompt: Prompt | null): Promise<Primed> {
    const columns = promptColumns(this.#model.config, this.tokens, prompt);
    const cache = this.#model.newCache(1);
    const outlook = await consumeAll(this.#model, cache, columns.tokens, columns.embeddings);
    const snapshot = await cache.snapshot(0);
    cache.dispose();
    return { columns, cache: snapshot, outlook };
  }

  /** Puts an NPC in a free seat: a copy of the primed state, and the first draw. */
  async attach(seat: number, primed: Primed, options: { seed: number; sampling: Sampling }): Promise<void> {
    const state = new SeatState(this.#model.config, options);
    this.#singleDraw.prepare([state]);
    // The last prompt frame's acoustic codes belong into the first live column.
    this.#singleDraw.forcedAudio.set(primed.columns.agentAcoustic, 1);
    const drawn = await this.#model.draw(primed.outlook, this.#singleDraw);
    state.drawn++;
    state.text = drawn.text[0]!;
    state.agent.set(drawn.audio);
    state.user.set(primed.columns.userAcoustic, 1);
    await this.#cache.restore(seat, primed.cache);
    this.#seats[seat] = state;
  }

  /** Puts a conversation held elsewhere in a free seat. Its past is empty until a refresh has brought it there. */
  occupy(seat: number, state: SeatState): void {
    this.#cache.clear(seat);
    this.#seats[seat] = state;
  }

  /** Frees a seat. */
  detach(seat: number): void {
    this.#seats[seat] = null;
    this.#cache.clear(seat);
  }

  /** The seat's state; throws when it is free. */
  seat(seat: number): SeatState {
    return this.#seats[seat] ?? fail(seat);
  }

  /** Columns the seat has consumed, its prompt included. The prompt leaves the window at `window`. */
  position(seat: number): number {
    return this.#cache.positions[seat]!;
  }

  /** Counts columns as consumed that never were: for measuring what a past costs. */
  age(seat: number, columns: number): void {
    this.#cache.skip(seat, columns);
  }

  /** Columns a conversation sees at once. */
  get window(): number {
    return this.#cache.window;
  }

  /**
   * Moves seats one frame.
   * @param heard by seat: the user's eight codes; null for silence; undefined for a seat that does not move
   * @returns by seat, what it says in this frame; undefined for one that did not move
   */
  async step(heard: readonly (ArrayLike<number> | null | undefined)[]): Promise<(SpokenFrame | undefined)[]> {
    const moving = this.#seats.map((state, seat) => state !== null && heard[seat] !== undefined);
    if (!moving.includes(true)) return moving.map(() => undefined);
    this.#seats.forEach((state, seat) => {
      if (moving[seat])
        state!.completeColumn(heard[seat] ?? this.tokens.silence, this.#columns, seat * this.#width);
      else this.#columns.fill(-1, seat * this.#width, (seat + 1) * this.#width);
    });
    const outlook = await this.#model.consume(this.#cache, { tokens: this.#columns, steps: 1 }, moving);
    this.#draws.prepare(this.#seats.map((state, seat) => (moving[seat] ? state : null)));
    this.#seats.forEach((state, seat) => {
      if (!moving[seat]) return;
      if (state!.forcedText.length > 0) this.#draws.forcedText[seat] = state!.forcedText.shift()!;
      if (!state!.silenced) return;
      this.#draws.forcedText[seat] = this.tokens.textPad;
      this.#draws.forcedAudio.set(this.tokens.silence, seat * DEPTH_STEPS);
    });
    const drawn = await this.#model.draw(outlook, this.#draws);
    return this.#seats.map((state, seat) => {
      if (!moving[seat]) return undefined;
      const audio = drawn.audio.subarray(seat * DEPTH_STEPS, (seat + 1) * DEPTH_STEPS);
      const frame = this.#frames[seat]!;
      frame.text = state!.text;
      // Semantic code of the column just consumed; acoustic codes of it stand in the next one.
      frame.codes.set(audio);
      frame.codes[0] = state!.agent[0]!;
      state!.text = drawn.text[seat]!;
      state!.agent.set(audio);
      state!.drawn++;
      return frame;
    });
  }

  /**
   * Starts to move a seat's conversation behind another prompt: [prompt | the last `keep` columns]. The seat goes on
   * speaking meanwhile; call `advance` between frames until it is caught up, then `swap`.
   */
  async refresh(seat: number, primed: Primed, keep: number): Promise<Refresh> {
    const state = this.seat(seat);
    const room = this.window - primed.columns.count;
    const cache = this.#model.newCache(1);
    await cache.restore(0, primed.cache);
    return new Refresh(
      this.#model,
      cache,
      state,
      Math.max(0, Math.min(keep, room, state.remembered)),
      async (snapshot) => {
        const now = this.#seats.indexOf(state);
        if (now < 0) throw new NpcVoiceError('internal', `Seat ${seat} was freed during a refresh.`);
        await this.#cache.restore(now, snapshot);
      },
    );
  }
}

/** A conversation on its way behind another prompt. */
export class Refresh {
  #next: number;
  readonly #model: LanguageModel;
  readonly #cache: KvCache;
  readonly #state: SeatState;
  readonly #commit: (snapshot: CacheSnapshot) => Promise<void>;

  constructor(
    model: LanguageModel,
    cache: KvCache,
    state: SeatState,
    keep: number,
    commit: (snapshot: CacheSnapshot) => Promise<void>,
  ) {
    this.#model = model;
    this.#cache = cache;
    this.#state = state;
    this.#commit = commit;
    this.#next = state.columns - keep;
  }

  /** Columns still to be computed; each frame spoken meanwhile adds one. */
  get remaining(): number {
    return this.#state.columns - this.#next;
  }

  /** Leaves out the oldest of what remains, so that `most` do. */
  skip(most: number): void {
    this.#next = Math.max(this.#next, this.#state.columns - most);
  }

  /** Computes up to `limit` of them in one pass. */
  async advance(limit: number): Promise<void> {
    const steps = Math.min(limit, this.remaining, this.#cache.longestRun);
    if (steps < 1) return;
    const tokens = new Int32Array(steps * (1 + this.#model.config.audioStreams));
    this.#state.copyColumns(this.#next, this.#next + steps, tokens);
    await this.#model.consume(this.#cache, { tokens, steps }, [true]);
    this.#next += steps;
  }

  /** Gives the refresh up. */
  dispose(): void {
    this.#cache.dispose();
  }

  /** Takes the new past into use; between two frames, and with nothing remaining. */
  async swap(): Promise<void> {
    if (this.remaining > 0)
      throw new NpcVoiceError('internal', `A refresh was swapped in with ${this.remaining} columns to go.`);
    const snapshot = await this.#cache.snapshot(0);
    await this.#commit(snapshot);
    snapshot.dispose();
    this.dispose();
  }
}

const framesOf = (seats: number): SpokenFrame[] =>
  Array.from({ length: seats }, () => ({ codes: new Int32Array(DEPTH_STEPS), text: 0 }));

function fail(seat: number): never {
  throw new NpcVoiceError('internal', `Seat ${seat} is free.`);
}

/** Columns one prefill pass takes: attention scores of a pass grow with columns times rows. */
const PREFILL_COLUMNS = 256;

/** Consumes any number of columns for a one-seat cache. */
export async function consumeAll(
  model: LanguageModel,
  cache: KvCache,
  tokens: Int32Array,
  embeddings: Float32Array | null,
): Promise<Outlook> {
  const width = 1 + model.config.audioStreams;
  const { dim } = model.config;
  const count = tokens.length / width;
  let outlook: Outlook | undefined;
  for (let from = 0; from < count;) {
    const steps = Math.min(count - from, cache.longestRun, PREFILL_COLUMNS);
    const columns = { tokens: tokens.subarray(from * width, (from + steps) * width), steps };
    const embedded = embeddings ? { embeddings: embeddings.subarray(from * dim, (from + steps) * dim) } : {};
    outlook = await model.consume(cache, { ...columns, ...embedded }, [true]);
    from += steps;
  }
  return outlook!;
}
