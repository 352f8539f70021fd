/**
 * Mimi's decoder: eight codes in, 1920 samples out.
 * Mathematics: NVIDIA's moshi/modules/seanet.py, moshi/models/compression.py and moshi/quantization.
 */
import { GraphBuilder, ops, type Value } from '../onnx';
import { codebookName, frameSamples, readCodebook, residualBlock } from './mimi-encoder';
import { mimiTransformer } from './mimi-transformer';
import {
  derivedWeight,
  matrix,
  shapeOf,
  streamingConv,
  streamingConvTranspose,
  streamingUpsample,
  type CodecBench,
} from './streaming';
import { DEPTH_STEPS, type MimiConfig, type Provider, type WeightSource } from './types';

/**
 * Builds the graph.
 *
 * In: `codes` i32 [batch, 8]; the transformer's inputs (mimiTransformer); the convolutions' `state_*`.
 *
 * Out: `samples` f32 [batch, 1920], not clipped; new cache rows; `next_state_*`.
 */
export function buildMimiDecoder(
  config: MimiConfig,
  weights: WeightSource,
  provider: Provider = 'cpu',
): GraphBuilder {
  const graph = new GraphBuilder('mimi-decoder');
  const bench: CodecBench = { graph, weights, provider };
  const codes = graph.input('codes', 'i32', ['batch', DEPTH_STEPS]);
  const latent = graph.scope('dequantise', () => decodeCodes(bench, config, codes));
  let x = ops.reshape(latent, ['batch', 1, config.dim]);
  x = streamingUpsample(bench, 'upsample.convtr.convtr.convtr', x);
  x = graph.scope('transformer', () => mimiTransformer(bench, config, 'decoder', x));
  x = graph.scope('conv', () => decoderConvolutions(bench, config, x));
  graph.output('samples', ops.reshape(x, ['batch', frameSamples(config)]));
  return graph;
}

/** Sum of the codes' entries, semantic and acoustic ones projected apart. */
function decodeCodes(bench: CodecBench, config: MimiConfig, codes: Value): Value {
  const { graph } = bench;
  const acoustic = DEPTH_STEPS - 1;
  const [semanticCode, acousticCodes] = ops.split(codes, 1, [1, acoustic]);
  const entries = (group: 'rvq_first' | 'rvq_rest', layers: number): Value => {
    const names = Array.from({ length: layers }, (_, layer) => codebookName(group, layer));
    const [bins, width] = shapeOf(bench, `${names[0]}.embedding_sum`) as [number, number];
    return derivedWeight(bench, `quantizer.${group}.entries`, [layers * bins, width], async () => {
      const tables = await Promise.all(names.map((name) => readCodebook(bench, name)));
      const stacked = new Float32Array(layers * bins * width);
      tables.forEach((table, layer) => stacked.set(table, layer * bins * width));
      return stacked;
    });
  };
  const projected = (group: string, sum: Value): Value =>
    ops.matmul(sum, matrix(bench, `quantizer.${group}.output_proj.weight`));
  const offsets = graph.constant(
    'i32',
    [acoustic],
    Array.from({ length: acoustic }, (_, i) => i * config.bins),
  );
  const semantic = ops.sumOver(ops.gatherRows(entries('rvq_first', 1), semanticCode!), 1);
  const rest = ops.sumOver(
    ops.gatherRows(entries('rvq_rest', acoustic), ops.add(acousticCodes!, offsets)),
    1,
  );
  return ops.add(projected('rvq_first', semantic), projected('rvq_rest', rest));
}

function decoderConvolutions(bench: CodecBench, config: MimiConfig, rows: Value): Value {
  const at = (index: number): string => `decoder.model.${index}`;
  let x = streamingConv(bench, `${at(0)}.conv.conv`, rows, 1);
  config.ratios.forEach((stride, i) => {
    x = streamingConvTranspose(bench, `${at(3 * i + 2)}.convtr.convtr`, ops.elu(x), stride);
    x = residualBlock(bench, at(3 * i + 3), x);
  });
  return streamingConv(bench, `${at(3 * config.ratios.length + 2)}.conv.conv`, ops.elu(x), 1);
}
