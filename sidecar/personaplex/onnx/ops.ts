/** ONNX operators as functions of values: each infers its result's type and shape, and refuses what would not run. */
import type { Attribute, Value } from './graph';
import {
  addDims,
  broadcastShapes,
  describeShape,
  reshapeOperand,
  resolveAxis,
  type DataType,
  type Dim,
  type Shape,
} from './shape';

type Attributes = Record<string, Attribute>;

/** A node with one result. */
export function single(
  op: string,
  inputs: readonly (Value | null)[],
  result: { type: DataType; shape: Shape },
  attributes: Attributes = {},
  domain = '',
): Value {
  const graph = inputs.find((input) => input !== null)!.graph;
  return graph.node(op, inputs, [result], { attributes, domain })[0]!;
}

/** Runs a shape rule, putting the operator's name before what it throws. */
export function infer<T>(op: string, at: Value, rule: () => T): T {
  try {
    return rule();
  } catch (cause) {
    return at.graph.fail(`${op}: ${(cause as Error).message}`);
  }
}

function sameType(op: string, a: Value, b: Value): void {
  if (a.type !== b.type) a.graph.fail(`${op} of ${a.type} and ${b.type} (${a.name}, ${b.name})`);
}

function elementwise(op: string, a: Value, b: Value, type?: DataType): Value {
  sameType(op, a, b);
  return single(op, [a, b], {
    type: type ?? a.type,
    shape: infer(op, a, () => broadcastShapes(a.shape, b.shape)),
  });
}

export const add = (a: Value, b: Value): Value => elementwise('Add', a, b);
export const sub = (a: Value, b: Value): Value => elementwise('Sub', a, b);
export const mul = (a: Value, b: Value): Value => elementwise('Mul', a, b);
export const less = (a: Value, b: Value): Value => elementwise('Less', a, b, 'bool');

const unary = (op: string, x: Value, attributes: Attributes = {}): Value => single(op, [x], x, attributes);

/** x where positive, e^x - 1 elsewhere. */
export const elu = (x: Value): Value => unary('Elu', x, { alpha: { float: 1 } });
/** x * Phi(x), with the error function and not its tanh approximation. */
export const gelu = (x: Value): Value => unary('Gelu', x, { approximate: { text: 'none' } });
export const softmax = (x: Value, axis = -1): Value =>
  unary('Softmax', x, { axis: { int: resolveAxis(x.shape, axis) } });

export const cast = (x: Value, type: DataType): Value => {
  const codes: Partial<Record<DataType, number>> = { f32: 1, i32: 6, i64: 7, f16: 10 };
  const to = codes[type] ?? x.graph.fail(`Cast to ${type} is not used here`);
  return x.type === type ? x : single('Cast', [x], { type, shape: x.shape }, { to: { int: to } });
};

/** `yes` where `condition`, else `no`. */
export function where(condition: Value, yes: Value, no: Value): Value {
  sameType('Where', yes, no);
  if (condition.type !== 'bool') condition.graph.fail(`Where on ${condition.type}`);
  const shape = infer('Where', yes, () =>
    broadcastShapes(condition.shape, broadcastShapes(yes.shape, no.shape)),
  );
  return single('Where', [condition, yes, no], { type: yes.type, shape });
}

/** Matrix product over the last two axes; the axes before them broadcast. */
export function matmul(a: Value, b: Value): Value {
  sameType('MatMul', a, b);
  return single('MatMul', [a, b], {
    type: a.type,
    shape: infer('MatMul', a, () => matmulShape(a.shape, b.shape)),
  });
}

function matmulShape(a: Shape, b: Shape): Shape {
  const [rows, inner] = [a.at(-2), a.at(-1)];
  const [innerB, columns] = [b.at(-2), b.at(-1)];
  if (rows === undefined || columns === undefined || inner !== innerB) {
    throw new Error(`${describeShape(a)} times ${describeShape(b)}`);
  }
  return [...broadcastShapes(a.slice(0, -2), b.slice(0, -2)), rows, columns];
}

export function transpose(x: Value, order: readonly number[]): Value {
  if ([...order].sort((a, b) => a - b).some((axis, i) => axis !== i) || order.length !== x.shape.length) {
    x.graph.fail(`Transpose of ${describeShape(x.shape)} by ${describeShape(order)}`);
  }
  const shape = order.map((axis) => x.shape[axis]!);
  return single('Transpose', [x], { type: x.type, shape }, { perm: { ints: order } });
}

/** The same elements in another shape; a name may move only if it is the only one to move. */
export function reshape(x: Value, to: Shape): Value {
  const operand = infer('Reshape', x, () => reshapeOperand(x.shape, to));
  return single('Reshape', [x, x.graph.constant('i64', [operand.length], operand)], {
    type: x.type,
    shape: to,
  });
}

export function concat(values: readonly Value[], axis: number): Value {
  const first = values[0]!;
  const at = infer('Concat', first, () => resolveAxis(first.shape, axis));
  const shape = [...first.shape];
  for (const value of values.slice(1)) {
    sameType('Concat', first, value);
    const fits =
      value.shape.length === shape.length && value.shape.every((dim, i) => i === at || dim === shape[i]);
    if (!fits)
      first.graph.fail(
        `Concat of ${describeShape(first.shape)} and ${describeShape(value.shape)} on axis ${axis}`,
      );
    shape[at] = addDims(shape[at]!, value.shape[at]!);
  }
  return single('Concat', values, { type: first.type, shape }, { axis: { int: at } });
}

/** Rows [from, to) of an axis. Negative ends count from the axis' end; leave `to` out to go to it. */
export function slice(x: Value, axis: number, from: number, to?: number): Value {
  const at = infer('Slice', x, () => resolveAxis(x.shape, axis));
  const size = x.shape[at]!;
  const shape = [...x.shape];
  if (typeof size === 'number') {
    const start = from < 0 ? size + from : from;
    const end = to === undefined ? size : to < 0 ? size + to : to;
    if (start < 0 || end > size || start >= end)
      x.graph.fail(`Slice ${from}..${to ?? ''} of ${describeShape(x.shape)} on axis ${axis}`);
    shape[at] = end - start;
  } else if (from < 0 && to === undefined) shape[at] = -from;
  else if (from >= 0 && to !== undefined && to > from) shape[at] = to - from;
  else x.graph.fail(`Slice ${from}..${to ?? ''} of the unknown size ${size}`);
  const ints = (value: number): Value => x.graph.constant('i64', [1], [value]);
  return single('Slice', [x, ints(from), ints(to ?? Number.MAX_SAFE_INTEGER), ints(at)], {
    type: x.type,
    shape,
  });
}

/** Consecutive pieces of an axis, of the given sizes. */
export function split(x: Value, axis: number, sizes: readonly number[]): Value[] {
  const at = infer('Split', x, () => resolveAxis(x.shape, axis));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (x.shape[at] !== total)
    x.graph.fail(`Split of ${describeShape(x.shape)} on axis ${axis} into ${sizes.join('+')}`);
  const outputs = sizes.map((size) => ({
    type: x.type,
    shape: x.shape.map((dim, i) => (i === at ? size : dim)),
  }));
  return x.graph.node('Split', [x, x.graph.constant('i64', [sizes.length], sizes)], outputs, {
    attributes: { axis: { int: at } },
  });
}

/** Consecutive pieces of an axis whose sizes are known when the graph is run: `sizes` is i64 [pieces]. */
export function splitBy(x: Value, axis: number, sizes: Value, dims: readonly Dim[]): Value[] {
  const at = infer('Split', x, () => resolveAxis(x.shape, axis));
  if (dims.reduce(addDims, 0) !== x.shape[at])
    x.graph.fail(`Split of ${describeShape(x.shape)} on axis ${axis} into ${describeShape(dims)}`);
  const outputs = dims.map((dim) => ({ type: x.type, shape: x.shape.map((d, i) => (i === at ? dim : d)) }));
  return x.graph.node('Split', [x, sizes], outputs, { attributes: { axis: { int: at } } });
}

/** Rows of the first axis of `table`, one for each index; negative indices count from the end. */
export function gatherRows(table: Value, indices: Value): Value {
  if (indices.type !== 'i32' && indices.type !== 'i64')
    table.graph.fail(`Gather with ${indices.type} indices`);
  const shape = [...indices.shape, ...table.shape.slice(1)];
  return single('Gather', [table, indices], { type: table.type, shape }, { axis: { int: 0 } });
}

/** One element along the last axis for each index: out[.., i] = x[.., indices[.., i]]. */
export const gatherLast = (x: Value, indices: Value): Value =>
  single(
    'GatherElements',
    [x, indices],
    { type: x.type, shape: indices.shape },
    { axis: { int: x.shape.length - 1 } },
  );

/** Sum over an axis, which disappears. */
export function sumOver(x: Value, axis: number): Value {
  const at = infer('ReduceSum', x, () => resolveAxis(x.shape, axis));
  const shape = x.shape.filter((_, i) => i !== at);
  return single(
    'ReduceSum',
    [x, x.graph.constant('i64', [1], [at])],
    { type: x.type, shape },
    { keepdims: { int: 0 } },
  );
}

/** The k largest of the last axis, largest first, the lower index first among equals. `k` is an i64 value of shape [1]. */
export function topK(x: Value, k: Value, kept: Dim): { values: Value; indices: Value } {
  const shape = [...x.shape.slice(0, -1), kept];
  const [values, indices] = x.graph.node(
    'TopK',
    [x, k],
    [
      { type: x.type, shape },
      { type: 'i64', shape },
    ],
    {
      attributes: { axis: { int: x.shape.length - 1 } },
    },
  );
  return { values: values!, indices: indices! };
}

/** Index of the largest (or smallest) of the last axis, the first among equals; the axis stays, with size 1. */
export const argMax = (x: Value): Value => argExtreme('ArgMax', x);
export const argMin = (x: Value): Value => argExtreme('ArgMin', x);
const argExtreme = (op: string, x: Value): Value =>
  single(
    op,
    [x],
    { type: 'i64', shape: [...x.shape.slice(0, -1), 1] },
    { axis: { int: x.shape.length - 1 } },
  );

/** (x - mean) / sqrt(variance + epsilon) * scale + bias over the last axis. */
export const layerNorm = (x: Value, scale: Value, bias: Value, epsilon: number): Value =>
  single('LayerNormalization', [x, scale, bias], x, { axis: { int: -1 }, epsilon: { float: epsilon } });

/** Writes updates at positions given over the leading axes: out = x, out[indices[..]] = updates[..]. */
export const scatterND = (x: Value, indices: Value, updates: Value): Value =>
  single('ScatterND', [x, indices, updates], x);
