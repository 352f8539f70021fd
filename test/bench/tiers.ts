/**
 * What each tier loses: checkpoints of random weights with the statistics that make rounding hard (heavy tails, rows
 * of unequal size, outlier channels in weights and norms), as deep as the real one, imported in every tier and run
 * beside float32.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { lmLayout, type MimiDimensions } from '../../sidecar/personaplex/checkpoint';
import { DEPTH_STEPS, type LmConfig, type Tier } from '../../sidecar/personaplex/graphs';
import {
  findCheckpoint,
  importModel,
  MIMI,
  PERSONAPLEX,
  synthesiseCheckpoint,
  type ModelManifest,
} from '../../sidecar/personaplex/import';
import { LanguageModel, type Draw } from '../../sidecar/personaplex/runtime';
import { openModel } from '../../sidecar/personaplex/store';
import { cosine } from '../personaplex/graphs/models';
import { percentile, type BenchReport, type BenchRow } from './report';

/** Hidden cosines aimed at. What 4 bits cost is told, not limited. */
const AIM: Partial<Record<Tier, number>> = { q8: 0.999, mixed: 0.995 };
const TIERS: readonly Tier[] = ['f16', 'q8', 'mixed', 'q4'];
const COLUMNS = 32;

/** As deep as PersonaPlex, an eighth as wide: narrower layers average less, so that these figures are the harder ones. */
const DEEP: LmConfig = {
  ...PERSONAPLEX,
  dim: 512,
  heads: 4,
  ffnHidden: 1408,
  card: 256,
  textCard: 512,
  depthDim: 256,
  depthHeads: 4,
  depthFfnHidden: 704,
  depthStepsStored: 8,
};

/** A codec of as many codes; it is float32 in every tier. */
const CODEC: MimiDimensions = {
  ...MIMI,
  dim: 16,
  layers: 2,
  heads: 2,
  context: 10,
  bins: DEEP.card,
  codeDim: 8,
  filters: 4,
  hidden: 32,
  acousticInCheckpoint: 7,
};

interface Answers {
  hidden: Float32Array;
  logits: Float32Array;
  codes: Int32Array;
}

/** What a model answers to the same columns, each depth step told the same codes before it. */
async function answers(id: string, models: string): Promise<Answers> {
  const { manifest, graphs } = openModel(id, models);
  const model = await LanguageModel.open(
    { config: manifest.lm, temporal: graphs.temporal, depth: graphs.depth },
    { provider: manifest.provider },
  );
  const { lm } = manifest;
  const cache = model.newCache(1);
  const width = 1 + lm.audioStreams;
  const [hidden, logits, codes]: [number[], number[], number[]] = [[], [], []];
  for (let t = 0; t < COLUMNS; t++) {
    const tokens = Int32Array.from(
      { length: width },
      (_, k) => (7919 * (t * width + k)) % (k === 0 ? lm.textCard : lm.card),
    );
    const outlook = await model.consume(cache, { tokens, steps: 1 }, [true]);
    hidden.push(...(outlook.hidden.data as Float32Array));
    logits.push(...(outlook.textLogits.data as Float32Array));
    const told = Int32Array.from(
      { length: DEPTH_STEPS },
      (_, k) => (104729 * (t * DEPTH_STEPS + k)) % lm.card,
    );
    const greedy: Draw = {
      forcedText: Int32Array.of(t % lm.textCard),
      forcedAudio: told,
      text: { count: 1, sharpness: Float32Array.of(1), noise: new Float32Array(1) },
      audio: { count: 1, sharpness: Float32Array.of(1), noise: new Float32Array(DEPTH_STEPS) },
    };
    codes.push(...(await model.draw(outlook, greedy)).sampledAudio);
  }
  cache.dispose();
  await model.close();
  return {
    hidden: Float32Array.from(hidden),
    logits: Float32Array.from(logits),
    codes: Int32Array.from(codes),
  };
}

const bytesOf = ({ files }: ModelManifest): number =>
  files.filter(({ name }) => /^(temporal|depth)/.test(name)).reduce((sum, { size }) => sum + size, 0);

interface Likeness {
  /** Cosines of every column's hidden vector and text logits. */
  hidden: number[];
  logits: number[];
  /** Codes that agree, of all. */
  agreeing: number;
  codes: number;
  /** Cosines of tensors. */
  weights: number[];
  bytes: number;
}

/** Cosines of vectors that stand one after another. */
const cosines = (ours: Float32Array, exact: Float32Array): number[] =>
  Array.from({ length: COLUMNS }, (_, t) => {
    const width = exact.length / COLUMNS;
    const own = (all: Float32Array): Float32Array => all.subarray(t * width, (t + 1) * width);
    return cosine(own(ours), own(exact));
  });

/** Hidden vectors, text logits and audio codes of each tier against float32's. */
export async function benchTiers(seeds: readonly number[] = [1, 2, 3]): Promise<BenchReport> {
  const found = new Map<Tier, Likeness>();
  const folder = mkdtempSync(path.join(os.tmpdir(), 'npc-voice-tiers-'));
  const checkpoint = path.join(folder, '.checkpoint');
  try {
    for (const seed of seeds) {
      synthesiseCheckpoint(checkpoint, { lm: DEEP, mimi: CODEC, seed });
      const importAs = (tier: Tier): Promise<ModelManifest> =>
        importModel({
          files: findCheckpoint(checkpoint),
          models: folder,
          id: tier,
          name: tier,
          tier,
          provider: 'cpu',
          origin: { from: `random weights, seed ${seed}` },
        });
      await importAs('f32');
      const exact = await answers('f32', folder);
      for (const tier of TIERS) {
        const manifest = await importAs(tier);
        const ours = await answers(tier, folder);
        const of = found.get(tier) ?? {
          hidden: [],
          logits: [],
          agreeing: 0,
          codes: 0,
          weights: [],
          bytes: 0,
        };
        of.hidden.push(...cosines(ours.hidden, exact.hidden));
        of.logits.push(...cosines(ours.logits, exact.logits));
        of.agreeing += ours.codes.filter((code, i) => code === exact.codes[i]).length;
        of.codes += ours.codes.length;
        of.weights.push(...Object.values(manifest.cosines));
        of.bytes = bytesOf(manifest);
        found.set(tier, of);
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return {
    title: 'PersonaPlex: what a tier loses',
    how: `${DEEP.layers} layers ${DEEP.dim} wide, random weights with outlier channels, seeds ${seeds.join(', ')}, ${COLUMNS} columns each, CPU; cosines with float32, medians`,
    rows: [...found].map(([tier, likeness]) => rowOf(tier, likeness)),
  };
}

function rowOf(tier: Tier, { hidden, logits, agreeing, codes, weights, bytes }: Likeness): BenchRow {
  const aim = AIM[tier];
  const fine = (value: number): string => value.toFixed(4);
  return {
    what: `${tier}: hidden vectors`,
    value: percentile(hidden, 0.5),
    unit: 'cosine',
    ...(aim ? { limit: aim, atLeast: true } : {}),
    note:
      `one in 20 below ${fine(percentile(hidden, 0.05))}; text logits ${fine(percentile(logits, 0.5))}; ` +
      `${((100 * agreeing) / codes).toFixed(0)} % of the likeliest codes agree; ` +
      `weights ${fine(percentile(weights, 0.5))}, worst ${fine(Math.min(...weights))}; ` +
      `${((8 * bytes) / PARAMETERS).toFixed(1)} bits a weight`,
  };
}

const PARAMETERS = [...lmLayout(DEEP).values()].reduce(
  (sum, shape) => sum + shape.reduce((a, b) => a * b, 1),
  0,
);
