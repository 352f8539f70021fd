/**
 * Mimi's transformers, which run at 25 Hz: two rows a frame, attending over the last ten seconds.
 * Mathematics: NVIDIA's moshi/modules/transformer.py.
 */
import { contrib, ops, type Value } from '../onnx';
import { joinedAttention, pagedAttention, type Heads } from './attention';
import { matrix, vector, type CodecBench } from './streaming';
import { cacheName } from './temporal';
import type { MimiConfig } from './types';

const LAYER_NORM_EPSILON = 1e-5;

/** Rows of a transformer in one frame. */
export const ROWS_PER_FRAME = 2;

/**
 * Rows of the past a frame sees: C - 3 for a context of C. The reference's ring hides its oldest row from both of a
 * frame's rows, so with the two themselves, C - 1 are seen.
 */
export const visibleRows = (config: MimiConfig): number => config.context - 1 - ROWS_PER_FRAME;

/** Rows of the past that are kept: at least one, for ONNX Runtime divides by zero on none. */
export const pastRows = (config: MimiConfig): number => Math.max(1, visibleRows(config));

/**
 * Builds a transformer over x [batch, 2, dim]. Adds the inputs `positions` i64 [batch, 2], `cos` and `sin` f32
 * [angles, size/2], `mask` f32 [batch, 1, 2, past + 2] and for each layer the past's keys and values [past, batch,
 * heads, size], and the outputs of each layer's two new ones.
 * @param side which of the codec's two transformers
 */
export function mimiTransformer(
  bench: CodecBench,
  config: MimiConfig,
  side: 'encoder' | 'decoder',
  x: Value,
): Value {
  const { graph } = bench;
  const heads: Heads = { count: config.heads, size: config.dim / config.heads };
  const past = pastRows(config);
  const shared: Shared = {
    heads,
    past,
    positions: graph.input('positions', 'i64', ['batch', ROWS_PER_FRAME]),
    cos: graph.input('cos', 'f32', ['angles', heads.size / 2]),
    sin: graph.input('sin', 'f32', ['angles', heads.size / 2]),
    mask: graph.input('mask', 'f32', ['batch', 1, ROWS_PER_FRAME, past + ROWS_PER_FRAME]),
    pageRows: graph.constant('i64', [2], [past, ROWS_PER_FRAME]),
  };
  let rows = x;
  for (let layer = 0; layer < config.layers; layer++) {
    const name = `${side}_transformer.transformer.layers.${layer}`;
    rows = graph.scope(`layer${layer}`, () => transformerLayer(bench, name, layer, rows, shared));
  }
  return rows;
}

interface Shared {
  heads: Heads;
  past: number;
  positions: Value;
  cos: Value;
  sin: Value;
  mask: Value;
  pageRows: Value;
}

function transformerLayer(bench: CodecBench, name: string, layer: number, x: Value, shared: Shared): Value {
  const { graph } = bench;
  const { heads, past, positions, cos, sin, mask, pageRows } = shared;
  const dim = heads.count * heads.size;
  const norm = (value: Value, which: string): Value =>
    ops.layerNorm(
      value,
      vector(bench, `${name}.${which}.weight`),
      vector(bench, `${name}.${which}.bias`),
      LAYER_NORM_EPSILON,
    );
  const turn = (value: Value): Value => contrib.rotaryEmbedding(value, positions, cos, sin, heads.count);

  const packed = ops.matmul(norm(x, 'norm1'), matrix(bench, `${name}.self_attn.in_proj_weight`));
  const [q, k, v] = ops.split(packed, -1, [dim, dim, dim]);
  const cached = (kind: 'key' | 'value'): Value =>
    graph.input(cacheName.page(kind, layer, 0), 'f32', [past, 'batch', heads.count, heads.size]);
  const page = { key: cached('key'), value: cached('value') };
  const projected = { query: turn(q!), key: turn(k!), value: v! };
  const { context, newKey, newValue } =
    bench.provider === 'cpu'
      ? pagedAttention(projected, [page], pageRows, mask, heads)
      : joinedAttention(projected, page, mask, heads);
  graph.output(cacheName.added('key', layer), newKey);
  graph.output(cacheName.added('value', layer), newValue);

  // The layer scales are folded into the matrices before them.
  const attended = ops.matmul(
    context,
    matrix(bench, `${name}.self_attn.out_proj.weight`, `${name}.layer_scale_1.scale`),
  );
  const y = ops.add(x, attended);
  const widened = ops.gelu(ops.matmul(norm(y, 'norm2'), matrix(bench, `${name}.linear1.weight`)));
  return ops.add(
    y,
    ops.matmul(widened, matrix(bench, `${name}.linear2.weight`, `${name}.layer_scale_2.scale`)),
  );
}
