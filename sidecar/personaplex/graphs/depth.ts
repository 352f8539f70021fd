/**
 * The depth transformer: from one column's hidden vector to the next column's text token and eight audio codes,
 * sampled inside the graph. Eight steps are unrolled, each with weights of its own; the checkpoint's other eight
 * predict the player, whose codes are always given, and never matter.
 * Mathematics: NVIDIA's moshi/models/lm.py (depformer_step) and moshi/utils/sampling.py.
 */
import { contrib, GraphBuilder, ops, type Value } from '../onnx';
import { idsAsFloats } from './ids';
import { RMS_EPSILON } from './temporal';
import { DEPTH_STEPS, type LmConfig, type StoragePlan, type WeightSlice, type WeightSource } from './types';
import { embeddingTable, linear, plainWeight, type Workbench } from './weights';

/**
 * Builds the graph.
 *
 * In: `hidden` f32 [batch, dim]; `text_logits` f32 [batch, textCard]; `forced_text` i32 [batch, 1] and `forced_audio`
 * i32 [batch, 8], -1 where free; for text and audio each: `*_top_k` i64 [1], candidates kept (the most any row wants);
 * `*_sharpness` f32 [batch, 1], one over the temperature; `*_noise` f32 [batch, (8,) candidates], Gumbel noise, or
 * -infinity for a candidate beyond a row's own top-k. A row with one candidate decodes greedily.
 *
 * Out: `text` i32 [batch, 1] and `audio` i32 [batch, 8], forced where forced; `sampled_audio` i32 [batch, 8], what
 * would have been said instead.
 */
export function buildDepth(config: LmConfig, weights: WeightSource, plan: StoragePlan): GraphBuilder {
  const graph = new GraphBuilder('depth');
  const bench: Workbench = { graph, weights, plan };
  const { dim, depthDim } = config;
  const hidden = graph.input('hidden', 'f32', ['batch', dim]);
  const textLogits = graph.input('text_logits', 'f32', ['batch', config.textCard]);
  const forcedText = graph.input('forced_text', 'i32', ['batch', 1]);
  const forcedAudio = graph.input('forced_audio', 'i32', ['batch', DEPTH_STEPS]);
  const textSampler = sampler(graph, 'text');
  const audioSampler = sampler(graph, 'audio', DEPTH_STEPS);
  const steps = Array.from({ length: DEPTH_STEPS }, (_, step) => step);

  const text = graph.scope('text', () => forcedOr(forcedText, textSampler(textLogits, 0)));
  const projected = ops.split(
    linear(
      bench,
      ops.reshape(ops.cast(hidden, plan.activations), ['batch', 1, dim]),
      'depformer_in',
      steps.map((k) => ({ name: `depformer_in.${k}.weight` })),
      'depth',
    ),
    -1,
    steps.map(() => depthDim),
  );
  const norms = depthNorms(bench, config);
  const past: (Past | null)[] = norms.map(() => null);
  const forced = ops.split(
    forcedAudio,
    -1,
    steps.map(() => 1),
  );
  const audio: Value[] = [];
  const sampled: Value[] = [];
  let previous = text;
  for (const step of steps) {
    graph.scope(`step${step}`, () => {
      const name = step === 0 ? 'depformer_text_emb' : `depformer_emb.${step - 1}`;
      const embedded = embeddingTable(bench, name, [{ name: `${name}.weight` }]).gather(previous);
      let stream: Stream = { sum: projected[step]!, added: embedded };
      norms.forEach((layerNorms, layer) => {
        const made = graph.scope(`layer${layer}`, () =>
          depthLayer(bench, config, { step, layer }, stream, layerNorms, past[layer]!),
        );
        stream = made.stream;
        past[layer] = made.past;
      });
      const head = { name: `linears.${step}.weight` };
      const logits = linear(
        bench,
        ops.add(stream.sum, stream.added),
        `linears.${step}`,
        [head],
        'audio-head',
      );
      sampled.push(audioSampler(ops.cast(ops.reshape(logits, ['batch', config.card]), 'f32'), step));
      previous = forcedOr(forced[step]!, sampled[step]!);
      audio.push(previous);
    });
  }
  graph.output('text', text);
  graph.output('audio', ops.concat(audio, -1));
  graph.output('sampled_audio', ops.concat(sampled, -1));
  return graph;
}

/** Keys and values [batch, heads, steps, size] of the steps so far. */
interface Past {
  key: Value;
  value: Value;
}

/** The residual stream [batch, 1, width]: its sum, and what the last block adds to it. */
interface Stream {
  sum: Value;
  added: Value;
}

/** Norm weights of a layer's two blocks; all steps share them. */
type LayerNorms = readonly [attention: Value, gating: Value];

function depthNorms(bench: Workbench, { depthLayers, depthDim }: LmConfig): LayerNorms[] {
  const norm = (layer: number, which: 1 | 2): Value =>
    plainWeight(bench, `depformer.layers.${layer}.norm${which}.alpha`, [depthDim], bench.plan.activations);
  return Array.from({ length: depthLayers }, (_, layer) => [norm(layer, 1), norm(layer, 2)]);
}

function depthLayer(
  bench: Workbench,
  config: LmConfig,
  { step, layer }: { step: number; layer: number },
  stream: Stream,
  [norm1, norm2]: LayerNorms,
  past: Past | null,
): { stream: Stream; past: Past } {
  const { depthDim: width, depthFfnHidden: hidden, depthHeads: heads } = config;
  const at = `depformer.layers.${layer}`;
  /** This step's rows of a matrix that stacks all steps. */
  const ofStep = (name: string, rows: number): WeightSlice => ({
    name,
    rows: [step * rows, (step + 1) * rows],
  });
  const matrix = (x: Value, slice: WeightSlice): Value =>
    linear(bench, x, `${slice.name}${slice.rows ? `.${step}` : ''}`, [slice], 'depth');

  const before = contrib.skipRmsNorm(stream.sum, stream.added, norm1, RMS_EPSILON);
  const packed = matrix(before.normed, ofStep(`${at}.self_attn.in_proj_weight`, 3 * width));
  const [q, k, v] = ops.split(packed, -1, [width, width, width]);
  // No positions, and every step sees all before it. The only row of the first step has all the weight.
  const asPast = (row: Value): Value => ops.reshape(row, ['batch', heads, 1, width / heads]);
  const attended = past
    ? contrib.appendingAttention({ query: q!, key: k!, value: v! }, past, heads)
    : { context: v!, key: asPast(k!), value: asPast(v!) };
  const mixed = matrix(attended.context, ofStep(`${at}.self_attn.out_proj.weight`, width));
  const between = contrib.skipRmsNorm(before.sum, mixed, norm2, RMS_EPSILON);
  const gated = matrix(between.normed, { name: `${at}.gating.${step}.linear_in.weight` });
  const [gate, up] = ops.split(gated, -1, [hidden, hidden]);
  const added = matrix(ops.mul(contrib.silu(gate!), up!), { name: `${at}.gating.${step}.linear_out.weight` });
  return { stream: { sum: between.sum, added }, past: attended };
}

const forcedOr = (forced: Value, sampled: Value): Value =>
  ops.where(ops.less(forced, forced.graph.constant('i32', [1], [0])), sampled, forced);

/**
 * Draws from softmax(logits / temperature) restricted to the likeliest candidates: the largest of logit / temperature
 * + Gumbel noise among them is such a draw.
 * @param draws how many draws one run makes; their noise stands side by side
 */
function sampler(
  graph: GraphBuilder,
  kind: 'text' | 'audio',
  draws = 1,
): (logits: Value, draw: number) => Value {
  const topK = graph.input(`${kind}_top_k`, 'i64', [1]);
  const sharpness = graph.input(`${kind}_sharpness`, 'f32', ['batch', 1]);
  const kept = `${kind}_candidates`;
  const noise = graph.input(`${kind}_noise`, 'f32', draws === 1 ? ['batch', kept] : ['batch', draws, kept]);
  return (logits, draw) => {
    const { values, indices } = ops.topK(logits, topK, kept);
    const ids = idsAsFloats(indices, logits.shape.at(-1) as number);
    const own = draws === 1 ? noise : ops.reshape(ops.slice(noise, 1, draw, draw + 1), ['batch', kept]);
    const chosen = ops.argMax(ops.add(ops.mul(values, sharpness), own));
    return ops.cast(ops.gatherLast(ids, chosen), 'i32');
  };
}
