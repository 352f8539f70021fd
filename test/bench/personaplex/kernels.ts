/**
 * ONNX Runtime's kernels alone, back to back on the memory that a step walks through: what no graph around them can
 * undercut.
 */
import path from 'node:path';
import { Tensor, type InferenceSession } from 'onnxruntime-node';
import { storagePlan, type Tier } from '../../../sidecar/personaplex/graphs';
import { linear, type Workbench } from '../../../sidecar/personaplex/graphs/weights';
import { PERSONAPLEX } from '../../../sidecar/personaplex/import';
import { contrib, GraphBuilder, modelBytes, writeModel } from '../../../sidecar/personaplex/onnx';
import { openSession } from '../../../sidecar/personaplex/runtime';
import { bytesRead, timed } from './model';
import { RandomWeights } from './random-weights';

export interface Kernels {
  what: string;
  /** Bytes that a run reads. */
  bytes: number;
  /** Milliseconds of a run. */
  run(): Promise<number>;
  close(): Promise<void>;
}

const MATRICES = 6;
const PAGES = 6;
const PAGE_ROWS = 1000;
const { dim, heads, ffnHidden } = PERSONAPLEX;

/** One vector times matrices of the temporal transformer's most frequent format. */
export async function weightKernels(tier: Tier, folder: string): Promise<Kernels> {
  const names = Array.from({ length: MATRICES }, (_, i) => `matrix${i}`);
  const weights = new RandomWeights(new Map(names.map((name) => [name, [ffnHidden, dim]])));
  const bench: Workbench = { graph: new GraphBuilder('weights'), weights, plan: storagePlan(tier, 'cpu') };
  const x = bench.graph.input('x', 'f32', [1, 1, dim]);
  for (const name of names) bench.graph.output(`${name}.x`, linear(bench, x, name, [{ name }], 'temporal'));
  const file = path.join(folder, `${tier}-kernels.onnx`);
  await writeModel(bench.graph, file);
  return kernels(`${MATRICES} matrices`, bytesRead(bench.graph), file, {
    x: new Tensor('float32', new Float32Array(dim).fill(0.5), [1, 1, dim]),
  });
}

/** One query over pages of keys, and its weights over pages of values. */
export async function pastKernels(): Promise<Kernels> {
  const graph = new GraphBuilder('past');
  const size = dim / heads;
  const query = graph.input('query', 'f32', [1, 1, heads, size]);
  const weights = graph.input('weights', 'f32', [1, heads, 1, 'rows']);
  const floats = (shape: number[]): Tensor =>
    new Tensor('float32', new Float32Array(shape.reduce((a, b) => a * b)).fill(0.5), shape);
  const feeds: Record<string, Tensor> = {
    query: floats([1, 1, heads, size]),
    weights: floats([1, heads, 1, PAGE_ROWS]),
  };
  for (let i = 0; i < PAGES; i++) {
    const page = (kind: string) => graph.input(`${kind}${i}`, 'f32', ['rows', 1, heads, size]);
    graph.output(`scores${i}`, contrib.strideScores(query, page('key'), 1 / Math.sqrt(size)));
    graph.output(`context${i}`, contrib.strideContext(weights, page('value')));
    for (const kind of ['key', 'value']) feeds[`${kind}${i}`] = floats([PAGE_ROWS, 1, heads, size]);
  }
  const bytes = 2 * PAGES * PAGE_ROWS * dim * 4;
  return kernels(`${PAGES} pages of ${PAGE_ROWS} rows`, bytes, await modelBytes(graph), feeds);
}

async function kernels(
  what: string,
  bytes: number,
  model: string | Uint8Array,
  feeds: InferenceSession.FeedsType,
): Promise<Kernels> {
  const session = await openSession(model, { provider: 'cpu' });
  return {
    what: `the kernels alone, ${what}`,
    bytes,
    run: () => timed(() => session.run(feeds)),
    close: () => session.release(),
  };
}
