/**
 * The temporal transformer: columns of 17 tokens in, the last column's hidden vector and text logits out. One graph
 * is both the step (one column) and the prefill (all of a prompt's columns in one pass).
 * Mathematics: NVIDIA's moshi/models/lm.py and moshi/modules/transformer.py.
 */
import { contrib, GraphBuilder, ops, type Value } from '../onnx';
import { deviceHeadSize, pagedAttention, resizeHeads, type Heads } from './attention';
import type { LmConfig, StoragePlan, WeightRole, WeightSource } from './types';
import { embeddingTable, linear, plainWeight, type Workbench } from './weights';

/** Added to the mean square; float32 throughout, since it vanishes in float16. */
export const RMS_EPSILON = 1e-8;

/** Rows of cache in one page of the CPU graph. */
const PAGE_ROWS = 1024;

/** How the rows a step may see are laid out over pages. */
export function pageLayout(context: number): { pages: number; pageRows: number } {
  const rows = Math.max(1, context - 1);
  const pageRows = Math.min(PAGE_ROWS, rows);
  return { pages: Math.ceil(rows / pageRows), pageRows };
}

/** Names of the graph's cache inputs and outputs: pages and added rows on the CPU, whole caches on the device. */
export const cacheName = {
  page: (kind: 'key' | 'value', layer: number, page: number): string => `past_${kind}_${layer}_${page}`,
  added: (kind: 'key' | 'value', layer: number): string => `new_${kind}_${layer}`,
  resident: (kind: 'key' | 'value', layer: number): string => `past_${kind}_${layer}`,
  next: (kind: 'key' | 'value', layer: number): string => `next_${kind}_${layer}`,
};

/**
 * Builds the graph.
 *
 * In: `tokens` i32 [batch, steps, 17], -1 for no input; `embeddings` f32 [batch, steps, dim], added to the tokens'
 * (a stored voice has these and tokens of -1); `positions` i64 [batch, steps], the rows of `cos` and `sin` f32
 * [angles, headSize/2] that belong to each column; the cache, and where in it the columns stand.
 *
 * Out: `hidden` f32 [batch, dim] and `text_logits` f32 [batch, textCard] of the last column; the new cache rows.
 */
export function buildTemporal(config: LmConfig, weights: WeightSource, plan: StoragePlan): GraphBuilder {
  const graph = new GraphBuilder('temporal');
  const bench: Workbench = { graph, weights, plan };
  const heads: Heads = { count: config.heads, size: config.dim / config.heads };
  const tokens = graph.input('tokens', 'i32', ['batch', 'steps', 1 + config.audioStreams]);
  const embeddings = graph.input('embeddings', 'f32', ['batch', 'steps', config.dim]);
  const rotation: Rotation = {
    positions: graph.input('positions', 'i64', ['batch', 'steps']),
    cos: ops.cast(graph.input('cos', 'f32', ['angles', heads.size / 2]), plan.activations),
    sin: ops.cast(graph.input('sin', 'f32', ['angles', heads.size / 2]), plan.activations),
  };
  const attend =
    plan.provider === 'cpu' ? cpuAttention(graph, config, heads) : deviceAttention(bench, config, heads);

  const [embedded, given] = graph.scope('embed', () => embedColumns(bench, config, tokens, embeddings));
  let stream: Stream = { sum: embedded, added: given };
  for (let layer = 0; layer < config.layers; layer++) {
    stream = graph.scope(`layer${layer}`, () =>
      temporalLayer(bench, config, layer, stream, rotation, heads, attend),
    );
  }
  graph.scope('heads', () => {
    const last = (x: Value): Value => ops.slice(x, 1, -1);
    const scale = plainWeight(bench, 'out_norm.alpha', [config.dim], plan.activations);
    const { normed } = contrib.skipRmsNorm(last(stream.sum), last(stream.added), scale, RMS_EPSILON);
    const hidden = ops.reshape(normed, ['batch', config.dim]);
    const logits = linear(bench, hidden, 'text_linear', [{ name: 'text_linear.weight' }], 'text-head');
    graph.output('text_logits', ops.cast(logits, 'f32'));
    graph.output('hidden', ops.cast(hidden, 'f32'));
  });
  return graph;
}

/** The residual stream [batch, steps, dim]: its sum, and what the last block adds to it. */
interface Stream {
  sum: Value;
  added: Value;
}

interface Rotation {
  positions: Value;
  cos: Value;
  sin: Value;
}

/** Attention of a layer over its cache and its new rows; [batch, steps, dim]. */
type Attend = (layer: number, query: Value, key: Value, value: Value) => Value;

/** The sum of one row of each of the 17 tables, and the embeddings given. */
function embedColumns(bench: Workbench, config: LmConfig, tokens: Value, embeddings: Value): [Value, Value] {
  const { graph } = bench;
  const text = embeddingTable(bench, 'text_emb', [{ name: 'text_emb.weight' }]);
  const names = Array.from({ length: config.audioStreams }, (_, k) => ({ name: `emb.${k}.weight` }));
  const audio = embeddingTable(bench, 'emb', names);
  const [textToken, audioTokens] = ops.split(tokens, 2, [1, config.audioStreams]);
  const offsets = names.map((_, k) => k * (config.card + 1));
  const zero = graph.constant('i32', [1], [0]);
  /** A token's row of the stacked table; the table's last row, zeros, for -1. */
  const rowsOf = (ids: Value, offset: Value, tableRows: number): Value =>
    ops.where(ops.less(ids, zero), graph.constant('i32', [1], [tableRows - 1]), ops.add(ids, offset));
  const textRows = text.gather(rowsOf(textToken!, zero, text.rows));
  const audioRows = audio.gather(
    rowsOf(audioTokens!, graph.constant('i32', [offsets.length], offsets), audio.rows),
  );
  const summed = ops.sumOver(ops.concat([audioRows, textRows], 2), 2);
  return [summed, ops.cast(embeddings, summed.type)];
}

function temporalLayer(
  bench: Workbench,
  config: LmConfig,
  layer: number,
  stream: Stream,
  { positions, cos, sin }: Rotation,
  heads: Heads,
  attend: Attend,
): Stream {
  const { dim, ffnHidden } = config;
  const at = `transformer.layers.${layer}`;
  const norm = (sum: Value, added: Value, name: string): { sum: Value; normed: Value } => {
    const scale = plainWeight(bench, `${at}.${name}.alpha`, [dim], bench.plan.activations);
    return contrib.skipRmsNorm(sum, added, scale, RMS_EPSILON);
  };
  const ffn: WeightRole = 2 * layer >= config.layers ? 'late-ffn' : 'temporal';
  const matrix = (input: Value, name: string, role: WeightRole = 'temporal'): Value =>
    linear(bench, input, `${at}.${name}`, [{ name: `${at}.${name}` }], role);

  const before = norm(stream.sum, stream.added, 'norm1');
  const packed = matrix(before.normed, 'self_attn.in_proj_weight');
  const [q, k, v] = ops.split(packed, -1, [dim, dim, dim]);
  const turn = (value: Value): Value => contrib.rotaryEmbedding(value, positions, cos, sin, heads.count);
  const attended = attend(layer, turn(q!), turn(k!), v!);
  const between = norm(before.sum, matrix(attended, 'self_attn.out_proj.weight'), 'norm2');
  const gated = matrix(between.normed, 'gating.linear_in.weight', ffn);
  const [gate, up] = ops.split(gated, -1, [ffnHidden, ffnHidden]);
  const added = matrix(ops.mul(contrib.silu(gate!), up!), 'gating.linear_out.weight', ffn);
  return { sum: between.sum, added };
}

/** On the CPU the cache stays with the host: pages in, new rows out. */
function cpuAttention(graph: GraphBuilder, config: LmConfig, heads: Heads): Attend {
  const { pages } = pageLayout(config.context);
  const numbers = Array.from({ length: pages }, (_, page) => page);
  const pageRows = graph.input('page_rows', 'i64', [pages + 1]);
  const allRows = [...numbers.map((page) => `rows${page}`), 'steps'].sort().join('+');
  const mask = graph.input('mask', 'f32', ['batch', 1, 'steps', allRows]);
  return (layer, query, key, value) => {
    const cached = numbers.map((page) => {
      const shape = [`rows${page}`, 'batch', heads.count, heads.size];
      return {
        key: graph.input(cacheName.page('key', layer, page), 'f32', shape),
        value: graph.input(cacheName.page('value', layer, page), 'f32', shape),
      };
    });
    const { context, newKey, newValue } = pagedAttention(
      { query, key, value },
      cached,
      pageRows,
      mask,
      heads,
    );
    graph.output(cacheName.added('key', layer), newKey);
    graph.output(cacheName.added('value', layer), newValue);
    return context;
  };
}

/** With WebGPU the cache lives on the device: buffers in, the same buffers out. */
function deviceAttention({ graph, plan }: Workbench, config: LmConfig, heads: Heads): Attend {
  const last = graph.input('last_row', 'i32', ['batch']);
  const total = graph.input('total_rows', 'i32', [1]);
  const held: Heads = { count: heads.count, size: deviceHeadSize(config) };
  return (layer, query, key, value) => {
    const past = (kind: 'key' | 'value'): Value =>
      graph.input(cacheName.resident(kind, layer), plan.activations, [
        'batch',
        held.count,
        'rows',
        held.size,
      ]);
    const widened = (x: Value): Value => resizeHeads(x, heads, held.size);
    const attended = contrib.groupQueryAttention(
      { query: widened(query), key: widened(key), value: widened(value) },
      { key: past('key'), value: past('value') },
      last,
      total,
      held.count,
      config.context - 1,
      held.size === heads.size ? undefined : 1 / Math.sqrt(heads.size),
    );
    graph.output(cacheName.next('key', layer), attended.key);
    graph.output(cacheName.next('value', layer), attended.value);
    return resizeHeads(attended.context, held, heads.size);
  };
}
