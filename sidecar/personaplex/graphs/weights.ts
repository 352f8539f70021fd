/** Brings checkpoint tensors into a graph in the form its storage plan asks for. */
import {
  BYTES_PER_ELEMENT,
  contrib,
  elementCount,
  ops,
  type DataType,
  type GraphBuilder,
  type Value,
} from '../onnx';
import { floatToHalf } from '../checkpoint';
import type {
  BlockFormat,
  Storage,
  StoragePlan,
  WeightBlocks,
  WeightRole,
  WeightSlice,
  WeightSource,
} from './types';

/** What every part of a graph is built from. */
export interface Workbench {
  graph: GraphBuilder;
  weights: WeightSource;
  plan: StoragePlan;
}

/** Rows read at a time, so that a part of any weight is about 32 MB of floats. */
const PART_FLOATS = 8 * 1024 * 1024;

/** Side of the tiles a matrix is transposed by. */
const TILE = 64;

/** Row count and width of slices stacked on top of each other. */
function measure(bench: Workbench, slices: readonly WeightSlice[]): { rows: number; columns: number } {
  let rows = 0;
  let columns = -1;
  for (const { name, rows: range } of slices) {
    const shape = bench.weights.shapeOf(name) ?? bench.graph.fail(`the checkpoint has no ${name}`);
    const width = shape.slice(1).reduce((n, dim) => n * dim, 1);
    if (columns >= 0 && width !== columns)
      bench.graph.fail(`${name} is ${width} wide, others here ${columns}`);
    if (range && range[1] > shape[0]!) bench.graph.fail(`${name} has ${shape[0]} rows, not ${range[1]}`);
    columns = width;
    rows += range ? range[1] - range[0] : shape[0]!;
  }
  return { rows, columns };
}

/** The slices again, cut into parts that are comfortable to hold in memory. */
function inParts(bench: Workbench, slices: readonly WeightSlice[], columns: number): WeightSlice[] {
  const step = Math.max(1, Math.floor(PART_FLOATS / columns));
  return slices.flatMap(({ name, rows }) => {
    const [from, to] = rows ?? [0, bench.weights.shapeOf(name)![0]!];
    const parts: WeightSlice[] = [];
    for (let row = from; row < to; row += step) parts.push({ name, rows: [row, Math.min(to, row + step)] });
    return parts;
  });
}

/** A vector or small tensor as it is, in the given type and shape. */
export function plainWeight(
  bench: Workbench,
  name: string,
  shape: readonly number[],
  type: 'f32' | 'f16' = 'f32',
): Value {
  const found = bench.weights.shapeOf(name) ?? bench.graph.fail(`the checkpoint has no ${name}`);
  const count = (dims: readonly number[]) => dims.reduce((n, dim) => n * dim, 1);
  if (count(found) !== count(shape))
    bench.graph.fail(`${name} is [${found.join(', ')}], not [${shape.join(', ')}]`);
  return bench.graph.payload(
    [{ name, type, shape }],
    [async () => [await readBytes(bench, { name }, type)]],
  )[0]!;
}

async function readBytes(bench: Workbench, slice: WeightSlice, type: 'f32' | 'f16'): Promise<Uint8Array> {
  return asBytes(
    type === 'f16' ? await bench.weights.readHalves(slice) : await bench.weights.readFloats(slice),
  );
}

export const asBytes = (array: Float32Array | Uint16Array | Uint8Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/**
 * x times the transpose of the stacked slices: [.., columns] to [.., rows].
 * @param name what the stack is called in the model file
 */
export function linear(
  bench: Workbench,
  x: Value,
  name: string,
  slices: readonly WeightSlice[],
  role: WeightRole,
): Value {
  const { rows, columns } = measure(bench, slices);
  const storage = bench.plan.storage(role, columns);
  if (storage.kind === 'blocks') return blockLinear(bench, x, name, slices, storage, rows, columns);
  const matrix = bench.graph.payload(
    [{ name, type: storage.kind, shape: [columns, rows] }],
    [
      async () => {
        const stacked = await Promise.all(slices.map((slice) => readBytes(bench, slice, storage.kind)));
        return [transposeBytes(stacked, rows, columns, storage.kind)];
      },
    ],
  )[0]!;
  // On the CPU, which has no float16 kernels, ONNX Runtime widens the weights once, when it loads them.
  return ops.matmul(x, ops.cast(matrix, bench.plan.activations));
}

/** MatMul wants [columns, rows]; checkpoints keep [rows, columns]. */
function transposeBytes(
  parts: readonly Uint8Array[],
  rows: number,
  columns: number,
  type: 'f32' | 'f16',
): Uint8Array {
  const make = type === 'f16' ? Uint16Array : Float32Array;
  const result = new make(rows * columns);
  let row = 0;
  for (const part of parts) {
    const source = new make(
      part.buffer as ArrayBuffer,
      part.byteOffset,
      part.byteLength / make.BYTES_PER_ELEMENT,
    );
    const own = source.length / columns;
    // Tile by tile: a whole row at a time would touch a different page with every value written.
    for (let top = 0; top < own; top += TILE) {
      for (let left = 0; left < columns; left += TILE) {
        const [bottom, right] = [Math.min(own, top + TILE), Math.min(columns, left + TILE)];
        for (let r = top; r < bottom; r++) {
          for (let c = left; c < right; c++) result[c * rows + row + r] = source[r * columns + c]!;
        }
      }
    }
    row += own;
  }
  return asBytes(result);
}

/**
 * Values, scales and (if any) zero points of slices in blocks, with the values' shape as the kernel wants it.
 * @param rows rows in all, `zeroRows` of zeros at the end included
 */
function blockPayload(
  bench: Workbench,
  name: string,
  slices: readonly WeightSlice[],
  format: BlockFormat,
  rows: number,
  columns: number,
  packedShape: readonly number[],
  zeroRows = 0,
): { packed: Value; scales: Value; zeroPoints: Value | null } {
  const blocks = columns / format.blockSize;
  if (!Number.isInteger(blocks))
    bench.graph.fail(`${name} is ${columns} wide, not a multiple of ${format.blockSize}`);
  const zeroBytes = Math.ceil((blocks * format.bits) / 8);
  const tensors: { name: string; type: DataType; shape: readonly number[] }[] = [
    { name: `${name}.packed`, type: 'u8', shape: packedShape },
    { name: `${name}.scales`, type: format.scales, shape: [rows, blocks] },
  ];
  if (format.zeroPoints) tensors.push({ name: `${name}.zero_points`, type: 'u8', shape: [rows, zeroBytes] });
  const parts = inParts(bench, slices, columns).map((slice) => async () => {
    const read = await bench.weights.readBlocks(slice, format);
    const bytes = [read.packed, scaleBytes(read, format)];
    if (format.zeroPoints)
      bytes.push(read.zeroPoints ?? bench.graph.fail(`${name} came without zero points`));
    return bytes;
  });
  // A scale of zero makes a row zeros whatever its integers say.
  const zeros = async (): Promise<Uint8Array[]> =>
    tensors.map(({ type, shape }) => {
      const rowBytes = (elementCount(shape) / rows) * BYTES_PER_ELEMENT[type];
      return new Uint8Array(zeroRows * rowBytes);
    });
  const [packed, scales, zeroPoints] = bench.graph.payload(tensors, zeroRows > 0 ? [...parts, zeros] : parts);
  return { packed: packed!, scales: scales!, zeroPoints: zeroPoints ?? null };
}

function scaleBytes({ scales }: WeightBlocks, format: BlockFormat): Uint8Array {
  return asBytes(format.scales === 'f32' ? scales : Uint16Array.from(scales, floatToHalf));
}

function blockLinear(
  bench: Workbench,
  x: Value,
  name: string,
  slices: readonly WeightSlice[],
  format: Extract<Storage, { kind: 'blocks' }>,
  rows: number,
  columns: number,
): Value {
  const blob = (format.blockSize * format.bits) / 8;
  const payload = blockPayload(bench, name, slices, format, rows, columns, [
    rows,
    columns / format.blockSize,
    blob,
  ]);
  const { bits, blockSize } = format;
  return contrib.matmulBlocks(x, { ...payload, rows, columns, bits, blockSize }, bench.plan.accuracy);
}

/** A table whose rows are gathered; its last row is zeros, for "no input" (index -1). */
export interface EmbeddingTable {
  rows: number;
  /** Rows of the table for i32 or i64 indices, in the plan's activation type. */
  gather(indices: Value): Value;
}

export function embeddingTable(
  bench: Workbench,
  name: string,
  slices: readonly WeightSlice[],
): EmbeddingTable {
  const { rows, columns } = measure(bench, slices);
  const storage = bench.plan.storage('embedding', columns);
  const total = rows + 1;
  const { graph, plan } = bench;
  if (storage.kind !== 'blocks') {
    const type = storage.kind;
    const parts = inParts(bench, slices, columns).map((slice) => async () => [
      await readBytes(bench, slice, type),
    ]);
    const zeros = async () => [new Uint8Array(columns * (type === 'f16' ? 2 : 4))];
    const table = graph.payload([{ name, type, shape: [total, columns] }], [...parts, zeros])[0]!;
    return { rows: total, gather: (indices) => ops.cast(ops.gatherRows(table, indices), plan.activations) };
  }
  const { bits, blockSize } = storage;
  const payload = blockPayload(
    bench,
    name,
    slices,
    storage,
    total,
    columns,
    [total, (columns * bits) / 8],
    1,
  );
  const table = { ...payload, columns, bits, blockSize };
  return {
    rows: total,
    gather: (indices) => ops.cast(contrib.gatherBlocks(table, indices), plan.activations),
  };
}
