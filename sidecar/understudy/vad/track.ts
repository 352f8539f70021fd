/** One listener: the audio it has heard, at Silero's rate, and Silero's memory of it. */
import { FRAME_SAMPLES, SAMPLE_RATE } from '../../audio/frame';
import { Resampler } from '../../audio/resampler';
import { BLOCK_SAMPLES, BLOCKS, VAD_RATE, WINDOW_SAMPLES } from './shared';
import { CONTEXT_SAMPLES, INPUT_SAMPLES, STATE_FLOATS } from './silero';

const FRAME_AT_VAD_RATE = (FRAME_SAMPLES * VAD_RATE) / SAMPLE_RATE;
/** Less than this of a window is not worth judging ahead of time. */
const LEAST_PARTIAL = 128;
const HIGH_PASS_HZ = 200;
const K = Math.tan((Math.PI * HIGH_PASS_HZ) / SAMPLE_RATE);
const B0 = 1 / (1 + Math.SQRT2 * K + K * K);
const A1 = 2 * (K * K - 1) * B0;
const A2 = (1 - Math.SQRT2 * K + K * K) * B0;

export class Track {
  readonly state = new Float32Array(STATE_FLOATS);
  readonly #resampler = new Resampler(SAMPLE_RATE, VAD_RATE);
  readonly #audio = new Float32Array(INPUT_SAMPLES + WINDOW_SAMPLES + FRAME_AT_VAD_RATE + 8);
  /** Samples held, and how many of them whole windows have taken in. */
  #held = INPUT_SAMPLES;
  #taken = INPUT_SAMPLES;
  #frameStart = INPUT_SAMPLES;
  #highPass = { s1: 0, s2: 0 };

  /** Goes on from another's memory. Its filter starts anew: two milliseconds nobody can hear. */
  copyFrom(other: Track): void {
    this.state.set(other.state);
    this.#audio.set(other.#audio);
    this.#held = other.#held;
    this.#taken = other.#taken;
    this.#resampler.reset();
    this.#highPass = other.#highPass;
  }

  /** @param frame 1920 samples at 24 kHz */
  hear(frame: Float32Array): void {
    const gone = Math.min(this.#held - INPUT_SAMPLES, this.#taken - CONTEXT_SAMPLES);
    this.#audio.copyWithin(0, gone, this.#held);
    this.#held -= gone;
    this.#taken -= gone;
    this.#frameStart = this.#held;
    const heard = this.#resampler.process(frame);
    this.#audio.set(heard, this.#held);
    this.#held += heard.length;
  }

  /** A whole window waits. */
  get hasWindow(): boolean {
    return this.#held - this.#taken >= WINDOW_SAMPLES;
  }
  /** Part of a window waits that is worth judging. */
  get hasPartial(): boolean {
    return this.#held - this.#taken >= LEAST_PARTIAL;
  }

  /**
   * Mean square of each 5 ms of a frame, without what lies below speech: hum and rumble sway energies most.
   * The filter is a second-order Butterworth high-pass.
   */
  energies(frame: Float32Array, out: Float32Array, at: number): void {
    let { s1, s2 } = this.#highPass;
    for (let block = 0; block < BLOCKS; block++) {
      let sum = 0;
      const from = block * BLOCK_SAMPLES;
      for (let i = from; i < from + BLOCK_SAMPLES; i++) {
        const x = frame[i]!;
        const y = B0 * x + s1;
        s1 = -2 * B0 * x - A1 * y + s2;
        s2 = B0 * x - A2 * y;
        sum += y * y;
      }
      out[at + block] = sum / BLOCK_SAMPLES;
    }
    this.#highPass = { s1, s2 };
  }

  /** Writes the next window and what came before it; returns its end, ms from the frame's start. */
  takeWindow(input: Float32Array, at: number): number {
    this.#taken += WINDOW_SAMPLES;
    return this.#write(input, at, this.#taken);
  }
  /** Writes the last 32 ms, which whole windows have taken in only in part. */
  peek(input: Float32Array, at: number): number {
    return this.#write(input, at, this.#held);
  }

  #write(input: Float32Array, at: number, end: number): number {
    input.set(this.#audio.subarray(end - INPUT_SAMPLES, end), at);
    return ((end - this.#frameStart) * 1000) / VAD_RATE - this.#resampler.latency * 1000;
  }
}
