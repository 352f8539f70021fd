/** ONNX Runtime's own operators (domain com.microsoft). */
import type { Attribute, Value } from './graph';
import { single } from './ops';
import { describeShape, sameShape } from './shape';

export const CONTRIB_DOMAIN = 'com.microsoft';

const contrib = (
  op: string,
  inputs: readonly (Value | null)[],
  result: Parameters<typeof single>[2],
  attributes: Record<string, Attribute> = {},
): Value => single(op, inputs, result, attributes, CONTRIB_DOMAIN);

/**
 * The sum of x and skip, and its RMS norm over the last axis: sum * scale / sqrt(mean(sum^2) + epsilon), computed in
 * float32 whatever the values are stored as.
 */
export function skipRmsNorm(
  x: Value,
  skip: Value,
  scale: Value,
  epsilon: number,
): { sum: Value; normed: Value } {
  const [normed, , , sum] = x.graph.node('SkipSimplifiedLayerNormalization', [x, skip, scale], [x, x, x, x], {
    domain: CONTRIB_DOMAIN,
    attributes: { epsilon: { float: epsilon } },
    omit: [1, 2],
  });
  return { normed: normed!, sum: sum! };
}

/** x * sigmoid(x). */
export const silu = (x: Value): Value => contrib('QuickGelu', [x], x, { alpha: { float: 1 } });

/**
 * scale * q times the transpose of k, head by head, with both kept row-major: read with a stride, not copied.
 * @param q [steps, batch, heads, size]
 * @param k [rows, batch, heads, size]
 * @returns [batch, heads, steps, rows]
 */
export function strideScores(q: Value, k: Value, scale: number): Value {
  const [steps, ...perHead] = q.shape;
  if (!sameShape(perHead, k.shape.slice(1)))
    q.graph.fail(`scores of ${describeShape(q.shape)} and ${describeShape(k.shape)}`);
  const shape = [...perHead.slice(0, -1), steps!, k.shape[0]!];
  return contrib(
    'FusedMatMul',
    [q, k],
    { type: q.type, shape },
    {
      transBatchA: { int: 1 },
      transBatchB: { int: 1 },
      transB: { int: 1 },
      alpha: { float: scale },
    },
  );
}

/**
 * Rows of v weighted and summed, head by head, with v kept row-major.
 * @param weights [batch, heads, steps, rows]
 * @param v [rows, batch, heads, size]
 * @returns [batch, heads, steps, size]
 */
export function strideContext(weights: Value, v: Value): Value {
  const [batch, heads, steps, rows] = weights.shape;
  const fits = rows === v.shape[0] && batch === v.shape[1] && heads === v.shape[2];
  if (!fits) v.graph.fail(`weights ${describeShape(weights.shape)} over ${describeShape(v.shape)}`);
  const shape = [batch!, heads!, steps!, v.shape[3]!];
  return contrib('FusedMatMul', [weights, v], { type: v.type, shape }, { transBatchB: { int: 1 } });
}

/**
 * softmax(q k^T / sqrt(size) + bias) v, head by head.
 * @param query [batch, steps, heads * size]
 * @param key [batch, rows, heads * size], or [batch, heads, rows, size]; `value` likewise
 * @param bias [batch, 1, steps, rows], or null
 */
export function multiHeadAttention(
  query: Value,
  key: Value,
  value: Value,
  bias: Value | null,
  heads: number,
): Value {
  const [batch, steps, width] = query.shape;
  const rows = key.shape.at(-2)!;
  const wanted =
    key.shape.length === 3 ? [batch!, rows, width!] : [batch!, heads, rows, (width as number) / heads];
  const biased = [batch!, 1, steps!, rows];
  if (
    !sameShape(key.shape, wanted) ||
    !sameShape(value.shape, wanted) ||
    (bias && !sameShape(bias.shape, biased))
  ) {
    const given = [query, key, value, bias].map((x) => (x ? describeShape(x.shape) : 'no bias')).join(', ');
    query.graph.fail(`MultiHeadAttention of ${given} with ${heads} heads`);
  }
  const inputs = bias ? [query, key, value, null, null, bias] : [query, key, value];
  return contrib('MultiHeadAttention', inputs, query, { num_heads: { int: heads } });
}

/**
 * Attention of one new row over those before it and itself; the rows come out joined.
 * @param query [batch, 1, heads * size], as are `key` and `value`
 * @param past [batch, heads, rows, size] each
 */
export function appendingAttention(
  { query, key, value }: { query: Value; key: Value; value: Value },
  past: { key: Value; value: Value },
  heads: number,
): { context: Value; key: Value; value: Value } {
  const [batch, count, rows, size] = past.key.shape;
  if (
    count !== heads ||
    query.shape.at(-1) !== heads * (size as number) ||
    !sameShape(past.key.shape, past.value.shape)
  ) {
    query.graph.fail(
      `MultiHeadAttention of ${describeShape(query.shape)} behind ${describeShape(past.key.shape)}`,
    );
  }
  const joined = { type: query.type, shape: [batch!, heads, (rows as number) + 1, size!] };
  const [context, nextKey, nextValue] = query.graph.node(
    'MultiHeadAttention',
    [query, key, value, null, null, null, past.key, past.value],
    [query, joined, joined],
    { domain: CONTRIB_DOMAIN, attributes: { num_heads: { int: heads } } },
  );
  return { context: context!, key: nextKey!, value: nextValue! };
}

/**
 * Causal attention over a cache that the operator itself appends to: new rows of batch entry b are written behind the
 * first `last[b] + 1 - steps`, and each query sees the `window` rows that end with its own. Given the same buffer for
 * past and present, nothing is copied.
 * @param query [batch, steps, heads * size], as are `key` and `value`
 * @param past [batch, heads, rows, size] each
 * @param last i32 [batch]: number of the last new row
 * @param total i32 [1]: the most rows any entry has, the new ones included
 * @param scale of the scores; the operator's own, 1 / sqrt(size), when absent
 */
export function groupQueryAttention(
  { query, key, value }: { query: Value; key: Value; value: Value },
  past: { key: Value; value: Value },
  last: Value,
  total: Value,
  heads: number,
  window: number,
  scale?: number,
): { context: Value; key: Value; value: Value } {
  const [batch, , width] = query.shape;
  const wanted = [batch!, heads, past.key.shape[2]!, (width as number) / heads];
  if (
    !sameShape(past.key.shape, wanted) ||
    !sameShape(past.value.shape, wanted) ||
    !sameShape(key.shape, query.shape)
  ) {
    const given = [query, key, value, past.key, past.value].map((x) => describeShape(x.shape)).join(', ');
    query.graph.fail(`GroupQueryAttention of ${given} with ${heads} heads`);
  }
  const [context, nextKey, nextValue] = query.graph.node(
    'GroupQueryAttention',
    [query, key, value, past.key, past.value, last, total],
    [query, past.key, past.value],
    {
      domain: CONTRIB_DOMAIN,
      attributes: {
        num_heads: { int: heads },
        kv_num_heads: { int: heads },
        local_window_size: { int: window },
        ...(scale === undefined ? {} : { scale: { float: scale } }),
      },
    },
  );
  return { context: context!, key: nextKey!, value: nextValue! };
}

/**
 * Rotates pairs (2i, 2i+1) of each head by the angle whose cosine and sine stand in row positions[b][s] of the tables.
 * @param x [batch, steps, heads * size]
 * @param positions i64 [batch, steps], rows of the tables
 * @param cos [rows, size / 2]
 */
export function rotaryEmbedding(x: Value, positions: Value, cos: Value, sin: Value, heads: number): Value {
  const size = 2 * (cos.shape[1] as number);
  if (x.shape.at(-1) !== heads * size)
    x.graph.fail(`rotation of ${describeShape(x.shape)} as ${heads} heads of ${size}`);
  return contrib('RotaryEmbedding', [x, positions, cos, sin], x, {
    interleaved: { int: 1 },
    num_heads: { int: heads },
  });
}

/** A weight matrix in blocks, as MatMulNBits reads it. */
export interface BlockMatrix {
  /** u8 [rows, columns / blockSize, blockSize * bits / 8]. */
  packed: Value;
  /** [rows * columns / blockSize]. */
  scales: Value;
  zeroPoints: Value | null;
  rows: number;
  columns: number;
  bits: 4 | 8;
  blockSize: number;
}

/**
 * x times the transpose of a matrix in blocks.
 * @param accuracy 0 computes in x's own type; 4 rounds x to int8, block by block, and multiplies integers
 */
export function matmulBlocks(x: Value, matrix: BlockMatrix, accuracy: 0 | 4): Value {
  if (x.shape.at(-1) !== matrix.columns) {
    x.graph.fail(`MatMulNBits of ${describeShape(x.shape)} and ${matrix.rows} x ${matrix.columns}`);
  }
  const result = { type: x.type, shape: [...x.shape.slice(0, -1), matrix.rows] };
  return contrib('MatMulNBits', [x, matrix.packed, matrix.scales, matrix.zeroPoints], result, {
    N: { int: matrix.rows },
    K: { int: matrix.columns },
    bits: { int: matrix.bits },
    block_size: { int: matrix.blockSize },
    accuracy_level: { int: accuracy },
  });
}

/**
 * Rows of a table in blocks, widened to the type of its scales.
 * @param packed u8 [rows, columns * bits / 8]
 * @param scales [rows, columns / blockSize]
 */
export function gatherBlocks(
  table: {
    packed: Value;
    scales: Value;
    zeroPoints: Value | null;
    columns: number;
    bits: 4 | 8;
    blockSize: number;
  },
  indices: Value,
): Value {
  const { packed, scales, zeroPoints, columns, bits, blockSize } = table;
  const inputs = zeroPoints ? [packed, indices, scales, zeroPoints] : [packed, indices, scales];
  return contrib(
    'GatherBlockQuantized',
    inputs,
    { type: scales.type, shape: [...indices.shape, columns] },
    {
      gather_axis: { int: 0 },
      quantize_axis: { int: 1 },
      block_size: { int: blockSize },
      bits: { int: bits },
    },
  );
}
