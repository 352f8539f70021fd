import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEPTH_STEPS, type LmConfig } from '../../../sidecar/personaplex/graphs';
import {
  CheckpointWeights,
  findCheckpoint,
  jobRunner,
  readCheckpoint,
  synthesiseCheckpoint,
} from '../../../sidecar/personaplex/import';
import { Balance } from '../../../sidecar/personaplex/import/balance';
import { largestError, openModel, randomColumn, SMALL, uniform } from '../graphs/models';

const LM: LmConfig = { ...SMALL, dim: 64, ffnHidden: 96, textCard: 280, depthStepsStored: 16 };
const CODEC = {
  dim: 16, ratios: [8, 6, 5, 4], layers: 2, heads: 2, context: 10, maxPeriod: 10000, bins: LM.card, codeDim: 8,
  filters: 4, hidden: 32, acousticInCheckpoint: 7,
}; // prettier-ignore

let folder: string;
let plain: CheckpointWeights;
let balanced: CheckpointWeights;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'npc-voice-balance-'));
  synthesiseCheckpoint(folder, { lm: LM, mimi: CODEC, seed: 3 });
  const { tensors, lm } = readCheckpoint(findCheckpoint(folder));
  plain = new CheckpointWeights(tensors, jobRunner(0));
  balanced = new CheckpointWeights(tensors, jobRunner(0), lm);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Root mean squares of a matrix's columns. */
function columnSizes(values: Float32Array, columns: number): number[] {
  const rows = values.length / columns;
  return Array.from({ length: columns }, (_, c) => {
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += values[row * columns + c]! ** 2;
    return Math.sqrt(sum / rows);
  });
}

const spread = (values: readonly number[]): number => Math.max(...values) / Math.min(...values);

describe('a balanced checkpoint', () => {
  it('computes what the checkpoint computes: hidden vectors, logits and codes', async () => {
    const [theirs, ours] = await Promise.all([openModel(LM, plain), openModel(LM, balanced)]);
    const [before, after] = [theirs.newCache(1), ours.newCache(1)];
    const next = uniform(4);
    for (let t = 0; t < 12; t++) {
      const tokens = randomColumn(LM, next);
      const expected = await theirs.consume(before, { tokens, steps: 1 }, [true]);
      const outlook = await ours.consume(after, { tokens, steps: 1 }, [true]);
      for (const name of ['hidden', 'textLogits'] as const) {
        const exact = expected[name].data as Float32Array;
        const peak = Math.max(...exact.map(Math.abs));
        expect(largestError(outlook[name].data as Float32Array, exact) / peak).toBeLessThan(2e-5);
      }
      const greedy = {
        forcedText: Int32Array.of(-1),
        forcedAudio: new Int32Array(DEPTH_STEPS).fill(-1),
        text: { count: 1, sharpness: Float32Array.of(1), noise: new Float32Array(1) },
        audio: { count: 1, sharpness: Float32Array.of(1), noise: new Float32Array(DEPTH_STEPS) },
      };
      const codes = (await theirs.draw(expected, greedy)).audio;
      expect((await ours.draw(outlook, greedy)).audio).toEqual(codes);
    }
  });

  it.each([
    ['transformer.layers.1.norm1.alpha', ['transformer.layers.1.self_attn.in_proj_weight']],
    ['transformer.layers.0.norm2.alpha', ['transformer.layers.0.gating.linear_in.weight']],
    ['depformer.layers.1.norm1.alpha', ['depformer.layers.1.self_attn.in_proj_weight']],
    [
      'depformer.layers.0.norm2.alpha',
      Array.from({ length: DEPTH_STEPS }, (_, k) => `depformer.layers.0.gating.${k}.linear_in.weight`),
    ],
  ])('shares %s out between its gains and their readers’ columns', async (norm, readers) => {
    const [before, after] = [
      await plain.readFloats({ name: norm }),
      await balanced.readFloats({ name: norm }),
    ];
    const read = new Array<number>(before.length).fill(0);
    for (const name of readers)
      columnSizes(await plain.readFloats({ name }), before.length).forEach(
        (size, c) => (read[c]! += size ** 2),
      );
    const shares = [...before].map((gain, c) => gain / after[c]!);
    const wanted = [...before].map((gain, c) => Math.sqrt(gain / Math.sqrt(read[c]!)));
    expect(spread(wanted)).toBeGreaterThan(1.5);
    expect(spread(shares.map((share, c) => share / wanted[c]!))).toBeCloseTo(1, 5);
  });

  it('leaves alone what others see: embeddings, the last norm and the heads', async () => {
    for (const name of ['emb.3.weight', 'text_emb.weight', 'out_norm.alpha', 'text_linear.weight', 'depformer_in.2.weight', 'linears.7.weight'])
      expect(await balanced.readFloats({ name }), name).toEqual(await plain.readFloats({ name }));
  }); // prettier-ignore

  it('is the same by rows as whole', async () => {
    const name = 'transformer.layers.0.self_attn.in_proj_weight';
    const whole = await balanced.readFloats({ name });
    expect(await balanced.readFloats({ name, rows: [120, 140] })).toEqual(whole.slice(120 * 64, 140 * 64));
  });
});

describe('shares', () => {
  /** A checkpoint of ones, but for what is given. */
  const balanceOf = (gains: Float32Array, columns: Float64Array): Balance =>
    new Balance(
      { ...LM, dim: 4, ffnHidden: 6, layers: 1, depthLayers: 0 },
      {
        shapeOf: (name) => (name.endsWith('alpha') ? [1, 1, 4] : [12, 4]),
        vector: async () => gains,
        sizes: async () => ({ rows: new Float64Array(12).fill(1), columns }),
      },
    );
  const reader = 'transformer.layers.0.gating.linear_in.weight';

  it('are the square root of made over read, level on the whole', async () => {
    const { columns } = await balanceOf(Float32Array.of(4, 1, 1, 1), Float64Array.of(1, 1, 16, 1)).factorsOf(
      reader,
    );
    // sqrt(4 / 1), 1, sqrt(1 / 4), 1: their geometric mean is 1 already.
    expect(columns).toEqual(Float32Array.of(2, 1, 0.5, 1));
  });

  it('of a channel that is dead on either side are 1', async () => {
    const { columns } = await balanceOf(Float32Array.of(0, 1, 1, 4), Float64Array.of(1, 0, 1, 1)).factorsOf(
      reader,
    );
    expect([...columns!.slice(0, 2)]).toEqual([1, 1]);
    expect(columns![3]! / columns![2]!).toBeCloseTo(2, 6);
  });

  it('move no channel without end', async () => {
    const { columns } = await balanceOf(
      Float32Array.of(1e12, 1, 1, 1),
      Float64Array.of(1, 1, 1, 1),
    ).factorsOf(reader);
    expect(Math.max(...columns!)).toBe(64);
  });

  it('weigh a column’s error by what it reads then', async () => {
    const importance = await balanceOf(
      Float32Array.of(4, 1, 1, 1),
      Float64Array.of(1, 1, 16, 1),
    ).importanceOf(reader);
    // Gains 2, 1, 2, 1 after sharing.
    expect([...importance!]).toEqual([1.6, 0.4, 1.6, 0.4].map(Math.fround));
  });
});
