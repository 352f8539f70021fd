/** Tensor shapes whose sizes may be names (`batch`, `past`), resolved by ONNX Runtime when a graph is run. */

/** A size known now, or a name; sums of names are written `past+steps`. */
export type Dim = number | string;
export type Shape = readonly Dim[];

export type DataType = 'f32' | 'f16' | 'u8' | 'i8' | 'i32' | 'i64' | 'bool';

/** TensorProto.DataType of the ONNX format. */
export const DATA_TYPE_CODE: Record<DataType, number> = {
  f32: 1,
  u8: 2,
  i8: 3,
  i32: 6,
  i64: 7,
  bool: 9,
  f16: 10,
};

export const BYTES_PER_ELEMENT: Record<DataType, number> = {
  f32: 4,
  u8: 1,
  i8: 1,
  i32: 4,
  i64: 8,
  bool: 1,
  f16: 2,
};

export const describeShape = (shape: Shape): string => `[${shape.join(', ')}]`;

/** Elements in a shape without names. Throws when it has one. */
export function elementCount(shape: Shape): number {
  let count = 1;
  for (const dim of shape) {
    if (typeof dim !== 'number')
      throw new Error(`${describeShape(shape)} has a size that is not known yet: ${dim}`);
    count *= dim;
  }
  return count;
}

/** a + b; sums of names come out sorted, so equal sums are equal strings. */
export function addDims(a: Dim, b: Dim): Dim {
  if (a === 0) return b;
  if (b === 0) return a;
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  const parts = [...`${a}`.split('+'), ...`${b}`.split('+')];
  const known = parts.filter((part) => /^\d+$/.test(part)).reduce((sum, part) => sum + Number(part), 0);
  const names = parts.filter((part) => !/^\d+$/.test(part)).sort();
  return [...names, ...(known > 0 ? [`${known}`] : [])].join('+');
}

/** The shape of an element-wise operation's result (NumPy's rule). Throws, naming both shapes, when there is none. */
export function broadcastShapes(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  const result: Dim[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new Error(`${describeShape(a)} and ${describeShape(b)} do not broadcast: ${x} against ${y}`);
    }
    result.push(x === 1 ? y : x);
  }
  return result;
}

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((dim, i) => dim === b[i]);

/** An axis counted from the end when negative. Throws when the shape has no such axis. */
export function resolveAxis(shape: Shape, axis: number): number {
  const resolved = axis < 0 ? shape.length + axis : axis;
  if (!Number.isInteger(resolved) || resolved < 0 || resolved >= shape.length) {
    throw new Error(`${describeShape(shape)} has no axis ${axis}`);
  }
  return resolved;
}

/**
 * The `shape` operand of an ONNX Reshape from one shape to another: 0 keeps a size, -1 stands for at most one name.
 * Throws when the element counts cannot be equal.
 */
export function reshapeOperand(from: Shape, to: Shape): number[] {
  const known = (shape: Shape) =>
    shape.reduce<number>((n, dim) => (typeof dim === 'number' ? n * dim : n), 1);
  const names = (shape: Shape) =>
    shape
      .filter((dim) => typeof dim === 'string')
      .sort()
      .join(',');
  if (known(from) !== known(to) || names(from) !== names(to)) {
    throw new Error(`${describeShape(from)} cannot be reshaped to ${describeShape(to)}`);
  }
  let inferred = 0;
  const operand = to.map((dim, i) => {
    if (typeof dim === 'number') return dim;
    if (from[i] === dim) return 0;
    inferred++;
    return -1;
  });
  if (inferred > 1)
    throw new Error(`reshaping ${describeShape(from)} to ${describeShape(to)} moves two names`);
  return operand;
}
