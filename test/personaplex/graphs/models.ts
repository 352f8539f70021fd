/** Small random language models for tests. */
import { lmLayout } from '../../../sidecar/personaplex/checkpoint';
import {
  buildDepth,
  buildTemporal,
  storagePlan,
  type LmConfig,
  type Provider,
  type Tier,
  type WeightSource,
  type StoragePlan,
} from '../../../sidecar/personaplex/graphs';
import { modelBytes } from '../../../sidecar/personaplex/onnx';
import { LanguageModel } from '../../../sidecar/personaplex/runtime';
import { MemoryWeights, type MemoryTensor } from './weights';

export const SMALL: LmConfig = {
  dim: 32,
  layers: 2,
  heads: 2,
  ffnHidden: 48,
  card: 24,
  textCard: 40,
  audioStreams: 16,
  depthDim: 16,
  depthLayers: 2,
  depthHeads: 2,
  depthFfnHidden: 32,
  depthStepsStored: 8,
  context: 20,
  maxPeriod: 10000,
};

/** A generator of floats between -1 and 1. */
export function uniform(seed: number): () => number {
  let state = (seed * 2654435761 + 12345) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 31 - 1;
  };
}

export function randomWeights(config: LmConfig, seed = 1): MemoryWeights {
  const next = uniform(seed);
  const tensors = new Map<string, MemoryTensor>();
  for (const [name, shape] of lmLayout(config)) {
    const count = shape.reduce((n, dim) => n * dim, 1);
    const spread = Math.sqrt(3 / shape.at(-1)!);
    const value = (): number =>
      name.endsWith('alpha') ? 1 + next() / 2 : next() * (name.includes('emb') ? 0.5 : spread);
    tensors.set(name, { shape, data: Float32Array.from({ length: count }, value) });
  }
  return new MemoryWeights(tensors);
}

export async function openModel(
  config: LmConfig,
  weights: WeightSource,
  options: {
    tier?: Tier;
    provider?: Provider;
    activations?: 'f32' | 'f16';
    /** Other than the tier's own. */
    plan?: Partial<StoragePlan>;
  } = {},
): Promise<LanguageModel> {
  const { tier = 'f32', provider = 'cpu' } = options;
  const plan = { ...storagePlan(tier, provider, options.activations), ...options.plan };
  const temporal = await modelBytes(buildTemporal(config, weights, plan));
  const depth = await modelBytes(buildDepth(config, weights, plan));
  return LanguageModel.open({ config, temporal, depth }, { provider, threads: 1, cpuFallback: false });
}

/** A column of random tokens. */
export function randomColumn(config: LmConfig, next: () => number): Int32Array {
  const below = (count: number): number => Math.min(count - 1, Math.floor(((next() + 1) / 2) * count));
  return Int32Array.from({ length: 1 + config.audioStreams }, (_, stream) =>
    below(stream === 0 ? config.textCard + 1 : config.card + 1),
  );
}

export const largestError = (ours: ArrayLike<number>, theirs: ArrayLike<number>): number => {
  let largest = ours.length === theirs.length ? 0 : Infinity;
  for (let i = 0; i < theirs.length; i++) largest = Math.max(largest, Math.abs(ours[i]! - theirs[i]!));
  return largest;
};

export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i]! * b[i]!;
    aa += a[i]! * a[i]!;
    bb += b[i]! * b[i]!;
  }
  return ab / Math.sqrt(aa * bb);
}
