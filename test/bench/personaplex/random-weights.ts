/** Weights made up on the spot, of real shapes: benches measure speed, not sense. */
import type {
  BlockFormat,
  WeightBlocks,
  WeightSlice,
  WeightSource,
} from '../../../sidecar/personaplex/graphs';

export class RandomWeights implements WeightSource {
  #state = 0x2545f491;

  constructor(readonly shapes: ReadonlyMap<string, readonly number[]>) {}

  shapeOf(name: string): readonly number[] | undefined {
    return this.shapes.get(name);
  }

  async readFloats(slice: WeightSlice): Promise<Float32Array> {
    const { rows, columns } = this.#size(slice);
    const values = new Float32Array(rows * columns);
    // About what an initialised layer has; usage counts and norms are positive.
    const isPositive = /cluster_usage|alpha|norm\d\.weight|scale$/.test(slice.name);
    const spread = 2 * Math.sqrt(3 / Math.max(columns, 2));
    for (let i = 0; i < values.length; i++) {
      const uniform = (this.#next() >>> 8) / 2 ** 24;
      values[i] = isPositive ? 0.5 + uniform : (uniform - 0.5) * spread;
    }
    return values;
  }

  async readHalves(slice: WeightSlice): Promise<Uint16Array> {
    const { rows, columns } = this.#size(slice);
    // Halves between 2^-7 and 2^-5, of either sign.
    return Uint16Array.from({ length: rows * columns }, () => 0x2000 | (this.#next() & 0x87ff));
  }

  async readBlocks(slice: WeightSlice, { bits, blockSize, zeroPoints }: BlockFormat): Promise<WeightBlocks> {
    const { rows, columns } = this.#size(slice);
    const blocks = columns / blockSize;
    const spread = 2 * Math.sqrt(3 / columns);
    return {
      packed: this.#bytes((rows * columns * bits) / 8),
      scales: new Float32Array(rows * blocks).fill(spread / 2 ** bits),
      zeroPoints: zeroPoints
        ? new Uint8Array(rows * Math.ceil((blocks * bits) / 8)).fill(bits === 4 ? 0x88 : 128)
        : null,
    };
  }

  #size({ name, rows }: WeightSlice): { rows: number; columns: number } {
    const [all = 1, ...rest] = this.shapes.get(name)!;
    return { rows: rows ? rows[1] - rows[0] : all, columns: rest.reduce((n, dim) => n * dim, 1) };
  }

  #bytes(length: number): Uint8Array {
    const words = new Int32Array(Math.ceil(length / 4));
    for (let i = 0; i < words.length; i++) words[i] = this.#next();
    return new Uint8Array(words.buffer, 0, length);
  }

  /** xorshift32. */
  #next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (this.#state = x);
  }
}
