/** What one draw for a batch of seats is made of: buffers filled anew each frame and kept between frames. */
import { DEPTH_STEPS, type LmConfig } from '../graphs';
import type { Candidates, Draw } from '../runtime';
import { fillGumbel } from './noise';
import type { Sampling, SeatState } from './seat';

/** Noise streams of a frame: one for text, then one for each codebook. */
const TEXT_STREAM = 0;
const AUDIO_STREAM = 1;

export class DrawBuffers implements Draw {
  readonly forcedText: Int32Array;
  readonly forcedAudio: Int32Array;
  readonly text: Candidates;
  readonly audio: Candidates;
  readonly #config: LmConfig;

  constructor(config: LmConfig, seats: number) {
    this.#config = config;
    this.forcedText = new Int32Array(seats);
    this.forcedAudio = new Int32Array(seats * DEPTH_STEPS);
    this.text = { count: 0, sharpness: new Float32Array(seats), noise: new Float32Array(0) };
    this.audio = { count: 0, sharpness: new Float32Array(seats), noise: new Float32Array(0) };
  }

  /** Prepares a draw: nothing forced, noise for each seat that draws. Null stands for a seat that does not. */
  prepare(seats: readonly (SeatState | null)[]): void {
    this.forcedText.fill(-1);
    this.forcedAudio.fill(-1);
    this.#fill(this.text, seats, 1, TEXT_STREAM, (sampling) => [
      sampling.textTemperature,
      Math.min(sampling.textTopK, this.#config.textCard),
    ]);
    this.#fill(this.audio, seats, DEPTH_STEPS, AUDIO_STREAM, (sampling) => [
      sampling.audioTemperature,
      Math.min(sampling.audioTopK, this.#config.card),
    ]);
  }

  #fill(
    candidates: Candidates,
    seats: readonly (SeatState | null)[],
    draws: number,
    stream: number,
    settings: (sampling: Sampling) => [temperature: number, topK: number],
  ): void {
    const own = seats.map((seat) => (seat ? settings(seat.sampling) : ([0, 1] as const)));
    const keep = own.map(([temperature, topK]) => (temperature > 0 ? Math.max(1, topK) : 1));
    const count = keep.reduce((a, b) => Math.max(a, b), 1);
    if (count !== candidates.count) {
      candidates.count = count;
      candidates.noise = new Float32Array(seats.length * draws * count);
    }
    candidates.noise.fill(-Infinity);
    seats.forEach((seat, row) => {
      const [temperature] = own[row]!;
      candidates.sharpness[row] = temperature > 0 ? 1 / temperature : 1;
      for (let draw = 0; draw < draws; draw++) {
        const at = (row * draws + draw) * count;
        if (seat && keep[row]! > 1)
          fillGumbel(candidates.noise, at, keep[row]!, seat.seed, seat.drawn, stream + draw);
        else candidates.noise[at] = 0;
      }
    });
  }
}
