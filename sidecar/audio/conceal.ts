/**
 * Stands in for lost PCM packets: repeats the last pitch period, fading to silence, and cross-fades into the
 * first packet that arrives again. The method is that of ITU-T G.711 Appendix I, without its look-back delay:
 * the step between the last sample and the repeated period is ramped away instead.
 */
import { fadeWeight } from './mix';

const LOWEST_PITCH_HZ = 66;
const HIGHEST_PITCH_HZ = 400;
/** The stand-in is silent from here on. */
const FADE_SECONDS = 0.06;
const CROSSFADE_SECONDS = 0.005;

export class Concealer {
  readonly #shortest: number;
  readonly #longest: number;
  readonly #fade: number;
  readonly #crossfade: number;
  /** Samples between those that lags are judged by: a telephone's bandwidth tells pitch, on the event loop. */
  readonly #stride: number;
  /** The last samples heard, oldest first: two of the longest periods. */
  readonly #history: Float32Array;
  /** The period being repeated; its first `#period` samples count. */
  readonly #cycle: Float32Array;
  #period = 0;
  #step = 0;
  /** Samples made since the loss began; 0: nothing is lost. */
  #made = 0;

  /** @param rate Hz. */
  constructor(rate: number) {
    this.#shortest = Math.floor(rate / HIGHEST_PITCH_HZ);
    this.#longest = Math.ceil(rate / LOWEST_PITCH_HZ);
    this.#fade = Math.round(rate * FADE_SECONDS);
    this.#crossfade = Math.round(rate * CROSSFADE_SECONDS);
    this.#stride = Math.ceil(rate / 12_000);
    this.#history = new Float32Array(2 * this.#longest);
    this.#cycle = new Float32Array(this.#longest);
  }

  /** Takes note of samples that arrived, and joins them in place to what stood in before them. */
  heard(samples: Float32Array): void {
    if (this.#made > 0) {
      const length = Math.min(this.#crossfade, samples.length);
      for (let i = 0; i < length; i++) {
        const weight = fadeWeight(i, length);
        samples[i] = samples[i]! * weight + this.#next() * (1 - weight);
      }
      this.#made = 0;
    }
    const { length } = this.#history;
    if (samples.length >= length) {
      this.#history.set(samples.subarray(samples.length - length));
      return;
    }
    this.#history.copyWithin(0, samples.length);
    this.#history.set(samples, length - samples.length);
  }

  /** Fills `out` with what may have been lost. */
  fill(out: Float32Array): void {
    if (this.#made === 0) this.#begin();
    for (let i = 0; i < out.length; i++) out[i] = this.#next();
  }

  #begin(): void {
    const history = this.#history;
    const end = history.length;
    this.#period = this.#findPeriod();
    for (let i = 0; i < this.#period; i++) this.#cycle[i] = history[end - this.#period + i]!;
    this.#step = history[end - 1]! - history[end - 1 - this.#period]!;
  }

  /** The lag at which the end of the history resembles itself most (normalised cross-correlation). */
  #findPeriod(): number {
    const history = this.#history;
    const end = history.length;
    const window = this.#longest;
    let best = 0;
    let bestLag = this.#longest;
    for (let lag = this.#shortest; lag <= this.#longest; lag++) {
      let cross = 0;
      let energy = 1e-9;
      for (let i = end - window; i < end; i += this.#stride) {
        const past = history[i - lag]!;
        cross += history[i]! * past;
        energy += past * past;
      }
      const likeness = cross <= 0 ? 0 : (cross * cross) / energy;
      if (likeness > best) {
        best = likeness;
        bestLag = lag;
      }
    }
    return bestLag;
  }

  #next(): number {
    const k = this.#made++;
    if (k >= this.#fade) return 0;
    const joined = this.#cycle[k % this.#period]! + this.#step * (1 - fadeWeight(k, this.#crossfade));
    return joined * (1 - fadeWeight(k, this.#fade));
  }
}
