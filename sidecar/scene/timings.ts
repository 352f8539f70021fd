/** A rolling window of durations: written every tick without allocating, sorted only when somebody asks. */
export class Timings {
  readonly #ring: Float64Array;
  #written = 0;

  constructor(window: number) {
    this.#ring = new Float64Array(window);
  }

  add(ms: number): void {
    this.#ring[this.#written++ % this.#ring.length] = ms;
  }

  /** Milliseconds over the window; zeros before the first. Nearest-rank percentiles. */
  summary(): { p50: number; p99: number; max: number } {
    const count = Math.min(this.#written, this.#ring.length);
    if (count === 0) return { p50: 0, p99: 0, max: 0 };
    const sorted = this.#ring.slice(0, count).sort();
    const rank = (p: number) => sorted[Math.max(0, Math.ceil(p * count) - 1)]!;
    return { p50: rank(0.5), p99: rank(0.99), max: sorted[count - 1]! };
  }
}
