/** One NPC's place in the generator: the tokens between two frames, and the columns to go back to. */
import { DEPTH_STEPS, type LmConfig } from '../graphs';
import { writeColumn } from './prompt';

/** How a persona speaks. A temperature of 0 always takes the likeliest token. */
export interface Sampling {
  textTemperature: number;
  textTopK: number;
  audioTemperature: number;
  audioTopK: number;
}

export const GREEDY: Sampling = { textTemperature: 0, textTopK: 1, audioTemperature: 0, audioTopK: 1 };

export class SeatState {
  sampling: Sampling;
  readonly seed: number;
  /** Frames drawn since the seat was taken: the counter of its noise, which a refresh does not turn back. */
  drawn = 0;
  /** Text token of the column that the next frame completes. */
  text = 0;
  /** Agent's semantic code of that column in [0]; its acoustic codes, of the frame before, in [1..7]. */
  readonly agent = new Int32Array(DEPTH_STEPS);
  /** The user's codes of the frame before. */
  readonly user = new Int32Array(DEPTH_STEPS);
  /** Text tokens to be said whatever the model would say, one a frame. */
  readonly forcedText: number[] = [];
  /** Draws padding and silence, whatever the model would say. */
  silenced = false;
  /** Columns of the conversation so far, prompt not counted. */
  columns = 0;
  /** First column that was ever known here. */
  #first = 0;
  readonly #history: Int32Array;
  readonly #width: number;
  readonly #kept: number;

  constructor(config: LmConfig, options: { seed: number; sampling: Sampling }) {
    this.seed = options.seed;
    this.sampling = options.sampling;
    this.#width = 1 + config.audioStreams;
    this.#kept = config.context;
    this.#history = new Int32Array(this.#kept * this.#width);
  }

  /** Completes the column with what the user said, writes it to `into[at..]`, and remembers it. */
  completeColumn(user: ArrayLike<number>, into: Int32Array, at: number): void {
    writeColumn(
      into,
      at,
      { text: this.text, agent: this.agent, user },
      { agent: this.agent, user: this.user },
    );
    this.#history.set(into.subarray(at, at + this.#width), (this.columns % this.#kept) * this.#width);
    this.columns++;
    this.user.set(user);
  }

  /** Takes over a conversation of `columns` columns, of which the last ones are given. */
  recall(columns: number, last: Int32Array): void {
    const given = last.length / this.#width;
    for (let i = Math.max(0, given - this.#kept); i < given; i++) {
      const column = last.subarray(i * this.#width, (i + 1) * this.#width);
      this.#history.set(column, ((columns - given + i) % this.#kept) * this.#width);
    }
    this.columns = columns;
    this.#first = columns - Math.min(given, this.#kept);
  }

  /** Conversation columns still remembered. */
  get remembered(): number {
    return Math.min(this.columns - this.#first, this.#kept);
  }

  /** Copies the conversation's columns [from, to) into `into`; they must still be remembered. */
  copyColumns(from: number, to: number, into: Int32Array): void {
    if (from < this.columns - this.remembered || to > this.columns)
      throw new RangeError(`columns ${from}..${to} are forgotten`);
    for (let column = from; column < to; column++) {
      const at = (column % this.#kept) * this.#width;
      into.set(this.#history.subarray(at, at + this.#width), (column - from) * this.#width);
    }
  }
}
