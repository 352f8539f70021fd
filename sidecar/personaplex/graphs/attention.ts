/** Causal self-attention over rows the host keeps: of operators for the CPU, and of those WebGPU has. */
import { contrib, ops, type Dim, type Value } from '../onnx';
import type { LmConfig } from './types';

export interface Heads {
  count: number;
  size: number;
}

/** Queries, keys and values of the columns being computed, each [batch, steps, heads * size], rotated. */
export interface Projected {
  query: Value;
  key: Value;
  value: Value;
}

/**
 * Attention over pages of cached rows and the new rows, without copying the cache: pages are read where they lie
 * ([rows, batch, heads, size]; FusedMatMul walks them with a stride), and the new rows are returned for the host to
 * append. Pages are short enough for their addresses to stay in the processor's translation cache while every head
 * walks them: one page of 3000 rows is three times slower than three of 1000.
 * @param pages at least one row each (ONNX Runtime divides by zero on none); masked where they hold nothing
 * @param pageRows i64 [pages + 1]: rows of each page, then of the new columns
 * @param mask [batch, 1, steps, all pages' rows + steps], 0 or -infinity
 */
export function pagedAttention(
  { query, key, value }: Projected,
  pages: readonly { key: Value; value: Value }[],
  pageRows: Value,
  mask: Value,
  { count, size }: Heads,
): { context: Value; newKey: Value; newValue: Value } {
  const [batch, steps] = query.shape as [Dim, Dim];
  const rowMajor = (x: Value): Value =>
    ops.transpose(ops.reshape(x, [batch, steps, count, size]), [1, 0, 2, 3]);
  const [q, newKey, newValue] = [rowMajor(query), rowMajor(key), rowMajor(value)];
  const keys = [...pages.map((page) => page.key), newKey];
  const values = [...pages.map((page) => page.value), newValue];
  const scores = ops.concat(
    keys.map((rows) => contrib.strideScores(q, rows, 1 / Math.sqrt(size))),
    -1,
  );
  const weights = ops.softmax(ops.add(scores, mask));
  const pieces = ops.splitBy(
    weights,
    -1,
    pageRows,
    keys.map((rows) => rows.shape[0]!),
  );
  const context = pieces
    .map((piece, i) => contrib.strideContext(piece, values[i]!))
    .reduce((sum, part) => ops.add(sum, part));
  return {
    context: ops.reshape(ops.transpose(context, [0, 2, 1, 3]), [batch, steps, count * size]),
    newKey,
    newValue,
  };
}

/** What `pagedAttention` computes for one page, of operators that WebGPU has; the page is copied on the way. */
export function joinedAttention(
  { query, key, value }: Projected,
  page: { key: Value; value: Value },
  mask: Value,
  { count, size }: Heads,
): { context: Value; newKey: Value; newValue: Value } {
  const [batch, steps] = query.shape as [Dim, Dim];
  const rowMajor = (x: Value): Value =>
    ops.transpose(ops.reshape(x, [batch, steps, count, size]), [1, 0, 2, 3]);
  const [newKey, newValue] = [rowMajor(key), rowMajor(value)];
  const joined = (rows: Value, added: Value): Value =>
    ops.transpose(ops.concat([rows, added], 0), [1, 2, 0, 3]);
  const [keys, values] = [joined(page.key, newKey), joined(page.value, newValue)];
  return { context: contrib.multiHeadAttention(query, keys, values, mask, count), newKey, newValue };
}

/** GroupQueryAttention takes heads of a multiple of this many features. */
const DEVICE_UNIT = 8;

/** Features of a head as the device's cache holds it; those beyond the head's own are zeros. */
export const deviceHeadSize = ({ dim, heads }: Pick<LmConfig, 'dim' | 'heads'>): number =>
  Math.ceil(dim / heads / DEVICE_UNIT) * DEVICE_UNIT;

/** Widens every head of x [batch, steps, count * size] with zeros, or cuts it back. */
export function resizeHeads(x: Value, { count, size }: Heads, to: number): Value {
  if (to === size) return x;
  const [batch, steps] = x.shape as [Dim, Dim];
  const diagonal = Array.from({ length: size * to }, (_, i) => (Math.floor(i / to) === i % to ? 1 : 0));
  const each = ops.reshape(x, [batch, steps, count, size]);
  const resized = ops.matmul(each, ops.cast(x.graph.constant('f32', [size, to], diagonal), x.type));
  return ops.reshape(resized, [batch, steps, count * to]);
}
