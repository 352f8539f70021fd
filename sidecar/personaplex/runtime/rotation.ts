/**
 * Cosines and sines of rotary position embeddings for absolute positions, which never wrap.
 * theta_i = maxPeriod^(-2i/size), angle = position * theta_i, rounded to float32 at each step as the reference does:
 * in float64 the angles of late positions would differ from those the model was trained with.
 */
export class Rotation {
  readonly #frequencies: Float32Array;

  constructor(
    readonly size: number,
    maxPeriod: number,
  ) {
    this.#frequencies = Float32Array.from({ length: size / 2 }, (_, i) =>
      Math.exp((-Math.log(maxPeriod) * 2 * i) / size),
    );
  }

  /** Fills one row of size/2 of each table. */
  fill(position: number, row: number, cos: Float32Array, sin: Float32Array): void {
    const half = this.size / 2;
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(position * this.#frequencies[i]!);
      cos[row * half + i] = Math.cos(angle);
      sin[row * half + i] = Math.sin(angle);
    }
  }
}
