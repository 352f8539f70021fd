/** The float16 graphs that WebGPU gets, computed by the CPU: the software GPU of the other tests has no float16. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import {
  buildDepth,
  buildTemporal,
  cacheName,
  DEPTH_STEPS,
  storagePlan,
} from '../../../sidecar/personaplex/graphs';
import { modelBytes, type GraphBuilder } from '../../../sidecar/personaplex/onnx';
import { Rotation } from '../../../sidecar/personaplex/runtime/rotation';
import { cosine, openModel, randomColumn, randomWeights, SMALL, uniform } from './models';

const config = { ...SMALL, dim: 64, ffnHidden: 128, depthDim: 64, depthFfnHidden: 64 };
const weights = randomWeights(config, 9);
const size = config.dim / config.heads;
const ROWS = 16;

const open = async (graph: GraphBuilder): Promise<InferenceSession> =>
  InferenceSession.create(await modelBytes(graph));
const ints = (values: readonly number[], shape: readonly number[]): Tensor =>
  new Tensor('int32', Int32Array.from(values), shape);
const longs = (values: readonly number[], shape: readonly number[]): Tensor =>
  new Tensor('int64', BigInt64Array.from(values, BigInt), shape);
const floats = (values: Float32Array, shape: readonly number[]): Tensor =>
  new Tensor('float32', values, shape);

describe.each([
  ['f16', 0.9999],
  ['q8', 0.999],
  ['mixed', 0.97],
] as const)('tier %s in float16', (tier, least) => {
  it('stays near the float32 graphs of the CPU', async () => {
    const plan = storagePlan(tier, 'webgpu');
    const temporal = await open(buildTemporal(config, weights, plan));
    const depth = await open(buildDepth(config, weights, plan));
    const exact = await openModel(config, weights);
    const exactCache = exact.newCache(1);
    const rotation = new Rotation(size, config.maxPeriod);
    const cache = new Map<string, Tensor>();
    for (let layer = 0; layer < config.layers; layer++) {
      for (const kind of ['key', 'value'] as const) {
        const empty = new Uint16Array(config.heads * ROWS * size);
        cache.set(
          cacheName.resident(kind, layer),
          new Tensor('float16', empty, [1, config.heads, ROWS, size]),
        );
      }
    }
    const next = uniform(9);
    for (let column = 0; column < 6; column++) {
      const tokens = randomColumn(config, next);
      const [cos, sin] = [new Float32Array(size / 2), new Float32Array(size / 2)];
      rotation.fill(column, 0, cos, sin);
      const ours = await temporal.run({
        ...Object.fromEntries(cache),
        tokens: new Tensor('int32', tokens, [1, 1, tokens.length]),
        embeddings: floats(new Float32Array(config.dim), [1, 1, config.dim]),
        positions: longs([0], [1, 1]),
        cos: floats(cos, [1, size / 2]),
        sin: floats(sin, [1, size / 2]),
        last_row: ints([column], [1]),
        total_rows: ints([column + 1], [1]),
      });
      for (const name of cache.keys()) cache.set(name, ours[name.replace('past', 'next')] as Tensor);
      const expected = await exact.consume(exactCache, { tokens, steps: 1 }, [true]);
      const hidden = ours.hidden!.data as Float32Array;
      expect(cosine(hidden, expected.hidden.data as Float32Array)).toBeGreaterThan(least);

      const drawn = await depth.run({
        hidden: ours.hidden!,
        text_logits: ours.text_logits!,
        forced_text: ints([-1], [1, 1]),
        forced_audio: ints(Array<number>(DEPTH_STEPS).fill(-1), [1, DEPTH_STEPS]),
        text_top_k: longs([1], [1]),
        audio_top_k: longs([1], [1]),
        text_sharpness: floats(Float32Array.of(1), [1, 1]),
        audio_sharpness: floats(Float32Array.of(1), [1, 1]),
        text_noise: floats(new Float32Array(1), [1, 1]),
        audio_noise: floats(new Float32Array(DEPTH_STEPS), [1, DEPTH_STEPS, 1]),
      });
      const codes = drawn.audio!.data as Int32Array;
      expect(codes.every((code) => code >= 0 && code < config.card)).toBe(true);
    }
  });
});
