/** What the benches run: PersonaPlex at full width with fewer layers, of random weights. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { lmLayout } from '../../../sidecar/personaplex/checkpoint';
import {
  buildDepth,
  buildTemporal,
  DEPTH_STEPS,
  storagePlan,
  type LmConfig,
  type Provider,
  type Tier,
} from '../../../sidecar/personaplex/graphs';
import { PERSONAPLEX } from '../../../sidecar/personaplex/import';
import { writeModel, type GraphBuilder } from '../../../sidecar/personaplex/onnx';
import { LanguageModel, type Draw } from '../../../sidecar/personaplex/runtime';
import { RandomWeights } from './random-weights';

/** Temporal layers of the bench; the model has 32. */
export const LAYERS = 8;

export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'npc-voice-bench-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Bytes of a graph's weights that every frame reads: all but the tables, of which it reads rows. */
export const bytesRead = (graph: GraphBuilder): number =>
  graph.payloads
    .flatMap((payload) => payload.tensors)
    .filter(({ name }) => !/emb/.test(name))
    .reduce((sum, { shape, type }) => {
      const width = type === 'f32' ? 4 : type === 'f16' ? 2 : 1;
      return sum + width * shape.reduce<number>((n, dim) => n * (dim as number), 1);
    }, 0);

export interface BenchModel {
  model: LanguageModel;
  temporalBytes: number;
  depthBytes: number;
  close(): Promise<void>;
}

export const WIDE: LmConfig = { ...PERSONAPLEX, layers: LAYERS };

export async function openBenchModel(
  tier: Tier,
  folder: string,
  options: { provider?: Provider; config?: LmConfig; activations?: 'f32' | 'f16' } = {},
): Promise<BenchModel> {
  const { provider = 'cpu', config = WIDE } = options;
  const weights = new RandomWeights(lmLayout(config));
  const plan = storagePlan(tier, provider, options.activations);
  const [temporal, depth] = [buildTemporal(config, weights, plan), buildDepth(config, weights, plan)];
  const files = {
    temporal: path.join(folder, `${tier}-temporal.onnx`),
    depth: path.join(folder, `${tier}-depth.onnx`),
  };
  await writeModel(temporal, files.temporal);
  await writeModel(depth, files.depth);
  const model = await LanguageModel.open({ config, ...files }, { provider });
  return {
    model,
    temporalBytes: bytesRead(temporal),
    depthBytes: bytesRead(depth),
    close: async () => {
      await model.close();
      for (const file of Object.values(files)) {
        rmSync(file);
        rmSync(`${file}.data`);
      }
    },
  };
}

/** The published sampling: 25 candidates of text, 250 of audio. */
export function publishedDraw(): Draw {
  return {
    forcedText: Int32Array.of(-1),
    forcedAudio: new Int32Array(DEPTH_STEPS).fill(-1),
    text: { count: 25, sharpness: Float32Array.of(1 / 0.7), noise: new Float32Array(25) },
    audio: { count: 250, sharpness: Float32Array.of(1 / 0.8), noise: new Float32Array(DEPTH_STEPS * 250) },
  };
}

export const columnsOf = (steps: number, card = 2048): { tokens: Int32Array; steps: number } => ({
  tokens: Int32Array.from({ length: steps * 17 }, (_, i) => (i * 37) % card),
  steps,
});
