/** Weights for graph tests: tensors held in memory, and the tiny checkpoints of test/fixtures. */
import { readFileSync } from 'node:fs';
import { floatToHalf, parseHeader } from '../../../sidecar/personaplex/checkpoint';
import type {
  BlockFormat,
  WeightBlocks,
  WeightSlice,
  WeightSource,
} from '../../../sidecar/personaplex/graphs';

export interface MemoryTensor {
  shape: readonly number[];
  data: Float32Array;
}

/** A weight source over tensors in memory; rounds to blocks the plain way, nearest value between the extremes. */
export class MemoryWeights implements WeightSource {
  constructor(readonly tensors: ReadonlyMap<string, MemoryTensor>) {}

  shapeOf(name: string): readonly number[] | undefined {
    return this.tensors.get(name)?.shape;
  }

  async readFloats({ name, rows }: WeightSlice): Promise<Float32Array> {
    const { shape, data } = this.tensors.get(name)!;
    if (!rows) return data;
    const width = data.length / shape[0]!;
    return data.slice(rows[0] * width, rows[1] * width);
  }

  async readHalves(slice: WeightSlice): Promise<Uint16Array> {
    return Uint16Array.from(await this.readFloats(slice), floatToHalf);
  }

  async readBlocks(slice: WeightSlice, format: BlockFormat): Promise<WeightBlocks> {
    const values = await this.readFloats(slice);
    const columns = this.tensors.get(slice.name)!.shape.at(-1)!;
    return roundToBlocks(values, columns, format);
  }
}

export function roundToBlocks(
  values: Float32Array,
  columns: number,
  { bits, blockSize, zeroPoints }: BlockFormat,
): WeightBlocks {
  const rows = values.length / columns;
  const blocks = columns / blockSize;
  const top = 2 ** bits - 1;
  const packed = new Uint8Array((values.length * bits) / 8);
  const scales = new Float32Array(rows * blocks);
  const zeroRow = Math.ceil((blocks * bits) / 8);
  const zeros = new Uint8Array(rows * zeroRow);
  const put = (into: Uint8Array, base: number, index: number, value: number): void => {
    if (bits === 8) into[base + index] = value;
    else into[base + (index >> 1)]! |= value << (4 * (index & 1));
  };
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const at = row * columns + block * blockSize;
      const own = values.subarray(at, at + blockSize);
      const low = Math.min(0, ...own);
      const high = Math.max(0, ...own);
      const scale = (zeroPoints ? (high - low) / top : (2 * Math.max(high, -low)) / (top - 1)) || 1;
      const zero = zeroPoints ? Math.round(-low / scale) : 2 ** (bits - 1);
      scales[row * blocks + block] = scale;
      put(zeros, row * zeroRow, block, zero);
      own.forEach((value, i) => {
        const q = Math.min(top, Math.max(0, Math.round(value / scale) + zero));
        put(packed, (row * columns * bits) / 8, block * blockSize + i, q);
      });
    }
  }
  return { packed, scales, zeroPoints: zeroPoints ? zeros : null };
}

/** The float32 tensors of a small safetensors file. */
export function readTinyCheckpoint(file: string): MemoryWeights {
  const bytes = readFileSync(file);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<
    string,
    { shape: number[]; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, MemoryTensor>();
  for (const [name, { shape, data_offsets }] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [from, to] = data_offsets;
    tensors.set(name, {
      shape,
      data: new Float32Array(new Uint8Array(bytes.subarray(8 + length + from, 8 + length + to)).buffer),
    });
  }
  return new MemoryWeights(tensors);
}
