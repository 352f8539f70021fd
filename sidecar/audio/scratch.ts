/**
 * A buffer that grows to the largest size ever asked for and hands out views of its start. Views are kept, so
 * that the few lengths a stream settles on cost no allocation. No Node imports: the web worklet bundles this.
 */
export class Scratch {
  #buffer: Float32Array;
  readonly #views = new Map<number, Float32Array>();

  /** @param samples expected largest request. */
  constructor(samples = 0) {
    this.#buffer = new Float32Array(samples);
  }

  /** The first `samples` samples, with what they last held. Valid until the next call. */
  take(samples: number): Float32Array {
    const known = this.#views.get(samples);
    if (known) return known;
    if (samples > this.#buffer.length) {
      this.#buffer = new Float32Array(samples);
      this.#views.clear();
    }
    // A sender that varies its lengths at random must not fill the map.
    if (this.#views.size >= 32) this.#views.clear();
    const view = this.#buffer.subarray(0, samples);
    this.#views.set(samples, view);
    return view;
  }
}
