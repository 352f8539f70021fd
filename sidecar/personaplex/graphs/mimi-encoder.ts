/**
 * Mimi's encoder: 1920 samples in, eight codes out.
 * Mathematics: NVIDIA's moshi/modules/seanet.py, moshi/models/compression.py and moshi/quantization.
 */
import { GraphBuilder, ops, type Value } from '../onnx';
import { idsAsFloats } from './ids';
import { mimiTransformer, ROWS_PER_FRAME } from './mimi-transformer';
import { derivedWeight, matrix, shapeOf, streamingConv, type CodecBench } from './streaming';
import { DEPTH_STEPS, type MimiConfig, type Provider, type WeightSource } from './types';

/** Samples of a frame: what the convolutions and the two rows of the transformer make of it. */
export const frameSamples = (config: MimiConfig): number =>
  ROWS_PER_FRAME * config.ratios.reduce((product, ratio) => product * ratio, 1);

/**
 * Builds the graph.
 *
 * In: `samples` f32 [batch, 1920]; `first` f32 [batch], 1 in the first frame after a reset, else 0; the transformer's
 * inputs (mimiTransformer); the convolutions' `state_*`.
 *
 * Out: `codes` i32 [batch, 8]; `latent` f32 [batch, dim], what the codes stand for; new cache rows; `next_state_*`.
 */
export function buildMimiEncoder(
  config: MimiConfig,
  weights: WeightSource,
  provider: Provider = 'cpu',
): GraphBuilder {
  const graph = new GraphBuilder('mimi-encoder');
  const bench: CodecBench = { graph, weights, provider };
  const samples = graph.input('samples', 'f32', ['batch', frameSamples(config)]);
  const first = graph.input('first', 'f32', ['batch']);

  let x = ops.reshape(samples, ['batch', frameSamples(config), 1]);
  x = graph.scope('conv', () => encoderConvolutions(bench, config, x));
  x = graph.scope('transformer', () => mimiTransformer(bench, config, 'encoder', x));
  const latent = graph.scope('downsample', () => {
    const isFirst = ops.less(graph.constant('f32', [1], [0]), ops.reshape(first, ['batch', 1, 1]));
    // Before the first frame stand copies of its first row.
    const past = (kept: Value): Value => ops.where(isFirst, ops.slice(x, 1, 0, 1), kept);
    const down = streamingConv(bench, 'downsample.conv.conv.conv', x, ROWS_PER_FRAME, { bias: false, past });
    return ops.reshape(down, ['batch', config.dim]);
  });
  graph.output(
    'codes',
    graph.scope('quantise', () => encodeLatent(bench, config, latent)),
  );
  graph.output('latent', latent);
  return graph;
}

function encoderConvolutions(bench: CodecBench, config: MimiConfig, samples: Value): Value {
  const at = (index: number): string => `encoder.model.${index}`;
  let x = streamingConv(bench, `${at(0)}.conv.conv`, samples, 1);
  [...config.ratios].reverse().forEach((stride, i) => {
    x = residualBlock(bench, at(3 * i + 1), x);
    x = streamingConv(bench, `${at(3 * i + 3)}.conv.conv`, ops.elu(x), stride);
  });
  return streamingConv(bench, `${at(3 * config.ratios.length + 2)}.conv.conv`, ops.elu(x), 1);
}

/** x + conv1(elu(conv3(elu(x)))). */
export function residualBlock(bench: CodecBench, name: string, x: Value): Value {
  const inner = streamingConv(bench, `${name}.block.1.conv.conv`, ops.elu(x), 1);
  return ops.add(x, streamingConv(bench, `${name}.block.3.conv.conv`, ops.elu(inner), 1));
}

/**
 * Split residual quantisation: the semantic code and the first acoustic one both start from the latent itself; each
 * acoustic code takes what those before it left over.
 */
function encodeLatent(bench: CodecBench, config: MimiConfig, latent: Value): Value {
  const projected = (group: string): Value =>
    ops.matmul(latent, matrix(bench, `quantizer.${group}.input_proj.weight`));
  const codes = [nearest(bench, codebookName('rvq_first', 0), projected('rvq_first')).code];
  let rest = projected('rvq_rest');
  for (let i = 0; i < DEPTH_STEPS - 1; i++) {
    const { code, entry } = nearest(bench, codebookName('rvq_rest', i), rest, i < DEPTH_STEPS - 2);
    codes.push(code);
    if (entry) rest = ops.sub(rest, entry);
  }
  return ops.cast(
    ops.concat(
      codes.map((code) => idsAsFloats(code, config.bins)),
      1,
    ),
    'i32',
  );
}

/** Prefix of a codebook's tensors. */
export const codebookName = (group: 'rvq_first' | 'rvq_rest', layer: number): string =>
  `quantizer.${group}.vq.layers.${layer}._codebook`;

/** Entries [bins, width] of a codebook: sums over how often each was used, as training keeps them. */
export async function readCodebook({ weights }: CodecBench, name: string): Promise<Float32Array> {
  const sums = await weights.readFloats({ name: `${name}.embedding_sum` });
  const usage = await weights.readFloats({ name: `${name}.cluster_usage` });
  const width = sums.length / usage.length;
  return sums.map((sum, i) => sum / Math.max(usage[Math.floor(i / width)]!, USAGE_FLOOR));
}
const USAGE_FLOOR = Math.fround(1e-5);

/** The entry e nearest to x: the smallest of |e|^2 - 2 e.x. */
function nearest(
  bench: CodecBench,
  name: string,
  x: Value,
  wanted = false,
): { code: Value; entry: Value | null } {
  const [bins, width] = shapeOf(bench, `${name}.embedding_sum`) as [number, number];
  const products = derivedWeight(bench, `${name}.products`, [width, bins], async () => {
    const entries = await readCodebook(bench, name);
    return entries.map((_, i) => -2 * entries[(i % bins) * width + Math.floor(i / bins)]!);
  });
  const norms = derivedWeight(bench, `${name}.norms`, [bins], async () => {
    const entries = await readCodebook(bench, name);
    return Float32Array.from({ length: bins }, (_, bin) =>
      entries.subarray(bin * width, (bin + 1) * width).reduce((sum, value) => sum + value * value, 0),
    );
  });
  const code = ops.argMin(ops.add(ops.matmul(x, products), norms));
  if (!wanted) return { code, entry: null };
  const entries = derivedWeight(bench, `${name}.entries`, [bins, width], () => readCodebook(bench, name));
  return { code, entry: ops.reshape(ops.gatherRows(entries, code), ['batch', width]) };
}
