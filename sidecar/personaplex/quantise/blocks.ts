/**
 * Rounds weights to 4 or 8 bits in blocks, in the layout of ONNX Runtime's MatMulNBits and GatherBlockQuantized:
 * value = (q − zero) · scale, with one scale (and zero point) for each block of neighbouring columns.
 *
 * Not round-to-nearest: for each block several ranges are tried, some that clip its extremes and some wider than them.
 * For the integers d = q − zero that a range gives, the scale of least weighted error Σ w (x − s·d)² is
 * s = Σ w·x·d / Σ w·d², and its error falls short of Σ w·x² by (Σ w·x·d)² / Σ w·d²: the range with the most wins.
 */
import { floatToHalf, halfToFloat } from '../checkpoint';
import type { BlockFormat, WeightBlocks } from '../graphs/types';
import { blockKernel, type BlockKernel } from './kernel';

/** How like the rounded weights are to the exact ones, in sums that add up over parts of a tensor. */
export interface Likeness {
  /** Σ x², Σ x·y and Σ y² of the exact x and the rounded y. */
  xx: number;
  xy: number;
  yy: number;
}

export const noLikeness = (): Likeness => ({ xx: 0, xy: 0, yy: 0 });
export const addLikeness = (a: Likeness, b: Likeness): Likeness => ({
  xx: a.xx + b.xx,
  xy: a.xy + b.xy,
  yy: a.yy + b.yy,
});
/** Cosine of the angle between the exact and the rounded weights, -1..1; 1 for a tensor of zeros. */
export const cosineOf = ({ xx, xy, yy }: Likeness): number =>
  xx === 0 && yy === 0 ? 1 : xy / Math.sqrt(xx * yy || 1);

/**
 * Widths tried, relative to a block's own range; found by measuring. With 16 levels most blocks gain from levels that
 * lie off their extremes; with 256 there is next to nothing to gain.
 */
const RANGES = {
  4: [0.8, 0.84, 0.885, 0.925, 0.97, 1.01, 1.055, 1.1],
  8: [0.99, 1, 1.004],
} as const;
/** Without zero points: the value the extreme of a block is put at, of −8..7 or −128..127; either sign is tried. */
const EXTREMES = {
  4: [-9.5, -8.5, -8, -7.5, -7, -6.5, -6, 6.5, 7, 7.5],
  8: [-129, -128, -127],
} as const;

/** Bytes a row's zero points take: 4-bit ones are packed in pairs, and a row begins at a byte. */
export const zeroPointBytes = (columns: number, { bits, blockSize }: BlockFormat): number =>
  Math.ceil(((columns / blockSize) * bits) / 8);

/** Narrower than this, a block counts as zeros: its squares would vanish in float32. */
const LEAST_RANGE = 1e-18;

/** The largest magnitude a scale can have in half precision. */
const LARGEST_HALF = 65504;
const roundScale = (scale: number, format: BlockFormat): number =>
  format.scales === 'f16'
    ? halfToFloat(floatToHalf(Math.max(-LARGEST_HALF, Math.min(LARGEST_HALF, scale))))
    : Math.fround(scale);

const WASM_PAGE = 65536;
const align = (bytes: number): number => Math.ceil(bytes / 16) * 16;

/** Quantises parts of tensors one after another in memory it keeps; one for each thread. */
export class BlockQuantiser {
  private readonly memory = new WebAssembly.Memory({ initial: 1 });
  private readonly kernel = blockKernel(this.memory);

  /** Room for `count` values, to be filled before `run`; valid until the next call. */
  input(count: number): Float32Array {
    this.reserve(INPUT + 4 * count);
    return new Float32Array(this.memory.buffer, INPUT, count);
  }

  private reserve(bytes: number): void {
    const missing = bytes - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / WASM_PAGE));
  }

  /**
   * Rounds the rows × columns values put into `input`, all finite; columns is a multiple of the block size.
   * @param importance weight w of each column in the error, positive; null for 1 everywhere
   */
  run(
    rows: number,
    columns: number,
    format: BlockFormat,
    importance: Float32Array | null = null,
  ): WeightBlocks & { likeness: Likeness } {
    const { bits, blockSize, zeroPoints: hasZeros } = format;
    if (columns % blockSize !== 0 || blockSize % 16 !== 0)
      throw new RangeError(`rows of ${columns} values do not divide into blocks of ${blockSize}`);
    const blocks = columns / blockSize;
    const packedBytes = (rows * columns * bits) / 8;
    const importanceAt = INPUT + align(4 * rows * columns);
    const packedAt = importanceAt + align(4 * columns);
    this.reserve(packedAt + packedBytes);
    const { buffer } = this.memory;
    const weights = new Float32Array(buffer, importanceAt, columns);
    if (importance) weights.set(importance);
    else weights.fill(1);

    const scales = new Float32Array(rows * blocks);
    const zeroRow = zeroPointBytes(columns, format);
    const zeroPoints = hasZeros ? new Uint8Array(rows * zeroRow) : null;
    const likeness = noLikeness();
    const search = new BlockSearch(this.kernel, buffer, format);
    const pack = bits === 4 ? this.kernel.pack4 : this.kernel.pack8;
    const sums = new Float32Array(buffer, SUMS, 3);
    const blockBytes = 4 * blockSize;
    const levels = 2 ** bits - 1;
    for (let row = 0, at = INPUT, packed = packedAt; row < rows; row++)
      for (let block = 0; block < blocks; block++, at += blockBytes, packed += (blockSize * bits) / 8) {
        search.run(at, importanceAt + block * blockBytes);
        const { zero } = search;
        const scale = roundScale(search.scale, format);
        scales[row * blocks + block] = scale;
        if (zeroPoints) {
          if (bits === 8) zeroPoints[row * zeroRow + block] = zero;
          else zeroPoints[row * zeroRow + (block >> 1)]! |= zero << (block % 2 ? 4 : 0);
        }
        pack(at, at + blockBytes, packed, scale === 0 ? 0 : 1 / scale, zero, scale, levels, SUMS);
        likeness.xx += sums[0]!;
        likeness.xy += sums[1]!;
        likeness.yy += sums[2]!;
      }
    return {
      packed: new Uint8Array(buffer).slice(packedAt, packedAt + packedBytes),
      scales,
      zeroPoints,
      likeness,
    };
  }
}

/** Places in the kernel's memory, in bytes: ranges and sums of one block, candidates and their results, the values. */
const SUMS = 0;
const CANDIDATES = 64;
const RESULTS = 512;
const INPUT = 1024;

/** Finds scale and zero point of one block after another. */
class BlockSearch {
  scale = 0;
  zero = 0;
  private readonly levels: number;
  private readonly ranges: readonly number[];
  private readonly extent: Float32Array;
  private readonly candidates: Float32Array;
  private readonly results: Float32Array;

  constructor(
    private readonly kernel: BlockKernel,
    buffer: ArrayBuffer,
    private readonly format: BlockFormat,
  ) {
    this.levels = 2 ** format.bits - 1;
    this.ranges = format.zeroPoints ? RANGES[format.bits] : EXTREMES[format.bits];
    this.extent = new Float32Array(buffer, SUMS, 8);
    this.candidates = new Float32Array(buffer, CANDIDATES, 2 * this.ranges.length);
    this.results = new Float32Array(buffer, RESULTS, 2 * this.ranges.length);
  }

  /** @param at address of the block's values; @param importance address of their columns' weights */
  run(at: number, importance: number): void {
    const { levels, ranges, extent, candidates, results } = this;
    const { blockSize, zeroPoints } = this.format;
    const end = at + 4 * blockSize;
    this.kernel.range(at, end, SUMS);
    // Zero is always within the range: its integer is the zero point, which must be one of the levels.
    const low = Math.min(extent[0]!, extent[1]!, extent[2]!, extent[3]!);
    const high = Math.max(extent[4]!, extent[5]!, extent[6]!, extent[7]!);
    const middle = (levels + 1) / 2;
    this.scale = 0;
    this.zero = middle;
    if (high - low < LEAST_RANGE) return;

    const extreme = -low > high ? low : high;
    for (let r = 0; r < ranges.length; r++) {
      const inverse = zeroPoints ? levels / ((high - low) * ranges[r]!) : ranges[r]! / extreme;
      // The zero point that puts the middle of the range in the middle of the levels.
      const zero = zeroPoints ? Math.round(levels / 2 - ((low + high) / 2) * inverse) : middle;
      candidates[2 * r] = inverse;
      candidates[2 * r + 1] = zero < 0 ? 0 : zero > levels ? levels : zero;
    }
    this.kernel.explain(at, end, importance, CANDIDATES, CANDIDATES + 8 * ranges.length, RESULTS, levels);
    let best = 0;
    for (let r = 0; r < ranges.length; r++) {
      const wxd = results[2 * r]!;
      const wdd = results[2 * r + 1]!;
      const explained = wdd === 0 ? 0 : (wxd * wxd) / wdd;
      if (explained > best) {
        best = explained;
        this.scale = wxd / wdd;
        this.zero = candidates[2 * r + 1]!;
      }
    }
  }
}

let shared: BlockQuantiser | undefined;

/** Quantises values that are not in a quantiser's memory yet; see BlockQuantiser.run. */
export function quantiseBlocks(
  x: Float32Array,
  rows: number,
  columns: number,
  format: BlockFormat,
  importance: Float32Array | null = null,
): WeightBlocks & { likeness: Likeness } {
  shared ??= new BlockQuantiser();
  shared.input(rows * columns).set(x.subarray(0, rows * columns));
  return shared.run(rows, columns, format, importance);
}

/** The values that blocks stand for: what the kernels compute with. */
export function dequantiseBlocks(
  { packed, scales, zeroPoints }: WeightBlocks,
  rows: number,
  columns: number,
  format: BlockFormat,
): Float32Array {
  const { bits, blockSize } = format;
  const blocks = columns / blockSize;
  const zeroRow = zeroPointBytes(columns, format);
  const values = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const block = Math.floor(column / blockSize);
      const at = row * columns + column;
      const nibble = (bytes: Uint8Array, index: number, half: number): number =>
        (bytes[index]! >> (half % 2 ? 4 : 0)) & 15;
      const level = bits === 8 ? packed[at]! : nibble(packed, at >> 1, column);
      const zero = !zeroPoints
        ? 2 ** (bits - 1)
        : bits === 8
          ? zeroPoints[row * zeroRow + block]!
          : nibble(zeroPoints, row * zeroRow + (block >> 1), block);
      values[at] = (level - zero) * scales[row * blocks + block]!;
    }
  return values;
}
