/**
 * Imports a checkpoint: reads it lazily, rounds it to a tier on all cores, and writes the model's graphs. What is
 * written appears in one rename; an import that is killed leaves a folder that nothing reads and the next one removes.
 */
import { copyFileSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { NpcVoiceError } from '../../errors';
import { version } from '../../paths';
import type { LmHints, MimiHints } from '../checkpoint';
import {
  buildDepth,
  buildMimiDecoder,
  buildMimiEncoder,
  buildTemporal,
  storagePlan,
  type Provider,
  type StoragePlan,
  type Tier,
  type WeightSource,
} from '../graphs';
import { weightBytes, writeModel, type GraphBuilder } from '../onnx';
import { Tokenizer } from '../tokenizer';
import { MANIFEST_FILE, MANIFEST_FORMAT, requireModelId, type ModelManifest } from './manifest';
import { beginFolder, checkSpace, diskFailure, replaceFolder } from './models-folder';
import { jobRunner, type JobRunner } from './pool';
import { readCheckpoint, readVoices, type Checkpoint, type CheckpointFiles } from './source';
import { CheckpointWeights } from './weights';

export { MANIFEST_FILE, MODEL_ID, readManifest, requireModelId, type ModelManifest } from './manifest';
export { beginFolder, checkSpace, diskFailure, makeModelsFolder, sweepLeftovers } from './models-folder';
export { defaultThreads, jobRunner, type JobRunner } from './pool';
export { findCheckpoint, readCheckpoint, type Checkpoint, type CheckpointFiles } from './source';
export {
  MIMI,
  PERSONAPLEX,
  syntheticBytes,
  syntheticTokenizer,
  synthesiseCheckpoint,
  type SynthesiseOptions,
} from './synthesise';
export { CheckpointWeights } from './weights';

/** The graphs of a model folder; each is `<name>.onnx` with its weights in `<name>.onnx.data`. */
export const GRAPHS = ['mimi-encoder', 'mimi-decoder', 'depth', 'temporal'] as const;
export type GraphName = (typeof GRAPHS)[number];
export const TOKENIZER_FILE = 'tokenizer.model';
export const VOICES_FOLDER = 'voices';

export interface ImportProgress {
  step: GraphName | 'hashes';
  /** Bytes of weights written so far, and in all. */
  written: number;
  total: number;
}

export interface ImportOptions {
  files: CheckpointFiles;
  /** Folder that holds the models, one folder each. */
  models: string;
  id: string;
  name: string;
  tier: Tier;
  provider: Provider;
  /** What the graphs compute in; by default what the provider is best at. */
  activations?: StoragePlan['activations'];
  /** Where the checkpoint is from, for the manifest. */
  origin: Pick<ModelManifest['source'], 'from' | 'revision' | 'licence'>;
  /** SHA-256 of source files that are known already, by path. */
  sourceHashes?: ReadonlyMap<string, string>;
  hints?: { lm?: LmHints; mimi?: MimiHints };
  /** Worker threads; 0 works on this thread. Default: one for each core, 8 at most. */
  threads?: number;
  progress?: (progress: ImportProgress) => void;
}

/**
 * Imports a checkpoint as the model `id`, replacing one of that name.
 * @throws NpcVoiceError `model_invalid` when the checkpoint cannot be used, `io` when the disk is full or fails
 */
export async function importModel(options: ImportOptions): Promise<ModelManifest> {
  const { files, models, id } = options;
  requireModelId(id);
  const checkpoint = readCheckpoint(files, options.hints);
  if (files.tokenizer) checkTokenizer(files.tokenizer, checkpoint.lm.textCard);
  const voices = readVoices(files.voices, checkpoint.lm.dim);

  const folder = beginFolder(models, 'import', id);
  const runner = jobRunner(options.threads);
  try {
    const manifest = await writeFolder(folder.at, options, checkpoint, voices, runner);
    await replaceFolder(path.join(models, id), folder.at);
    return manifest;
  } catch (error) {
    throw diskFailure(error, models);
  } finally {
    await runner.close();
    folder.end();
  }
}

async function writeFolder(
  folder: string,
  options: ImportOptions,
  checkpoint: Checkpoint,
  voices: ReadonlyMap<string, Uint8Array>,
  runner: JobRunner,
): Promise<ModelManifest> {
  const { tier, provider } = options;
  const isRounded = tier !== 'f32' && tier !== 'f16';
  const weights = new CheckpointWeights(checkpoint.tensors, runner, isRounded ? checkpoint.lm : null);
  const plan = storagePlan(tier, provider, options.activations);
  const graphs = buildGraphs(checkpoint, weights, plan);
  const total = Object.values(graphs).reduce((sum, graph) => sum + weightBytes(graph), 0);
  await checkSpace(options.models, total);

  // Weights that are not rounded to blocks are transposed whole on this thread: reading ahead of that would only
  // pile them up.
  const ahead = isRounded ? runner.width + 1 : 1;
  let before = 0;
  for (const name of GRAPHS) {
    const graph = graphs[name];
    await writeModel(graph, path.join(folder, `${name}.onnx`), {
      ahead,
      progress: (written) => options.progress?.({ step: name, written: before + written, total }),
    });
    before += weightBytes(graph);
  }
  const unused = weights.unread();
  if (unused.length > 0)
    throw new NpcVoiceError('internal', `No graph uses the tensors ${unused.slice(0, 5).join(', ')}.`);

  if (options.files.tokenizer) copyFileSync(options.files.tokenizer, path.join(folder, TOKENIZER_FILE));
  if (voices.size > 0) mkdirSync(path.join(folder, VOICES_FOLDER));
  for (const [name, bytes] of voices) writeFileSync(path.join(folder, VOICES_FOLDER, name), bytes);

  options.progress?.({ step: 'hashes', written: total, total });
  const manifest: ModelManifest = {
    format: MANIFEST_FORMAT,
    id: options.id,
    name: options.name,
    form: checkpoint.lm.depthStepsStored === 16 ? 'personaplex' : 'moshi',
    tier,
    provider,
    activations: plan.activations,
    imported: new Date().toISOString(),
    version,
    source: { ...options.origin, files: sourceFiles(options) },
    lm: checkpoint.lm,
    mimi: mimiConfig(checkpoint),
    files: await hashFolder(folder, runner),
    voices: [...voices.keys()].map((name) => name.replace(/\.pt$/, '')).sort(),
    cosines: Object.fromEntries(
      // By name: threads finish in any order.
      [...weights.cosines()]
        .map(([name, cosine]) => [name, Math.round(cosine * 1e7) / 1e7] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
    dropped: checkpoint.dropped.map(({ name, rows, reason }) =>
      rows ? { name, rows: [rows[0], rows[1]], reason } : { name, reason },
    ),
  };
  writeFileSync(path.join(folder, MANIFEST_FILE), `${JSON.stringify(manifest, null, 1)}\n`, { flush: true });
  return manifest;
}

function buildGraphs(
  { lm, mimi }: Checkpoint,
  weights: WeightSource,
  plan: StoragePlan,
): Record<GraphName, GraphBuilder> {
  return {
    'mimi-encoder': buildMimiEncoder(mimi, weights),
    'mimi-decoder': buildMimiDecoder(mimi, weights),
    depth: buildDepth(lm, weights, plan),
    temporal: buildTemporal(lm, weights, plan),
  };
}

function mimiConfig({ mimi }: Checkpoint): ModelManifest['mimi'] {
  const { dim, ratios, layers, heads, context, maxPeriod, bins, codeDim } = mimi;
  return { dim, ratios: [...ratios], layers, heads, context, maxPeriod, bins, codeDim };
}

function checkTokenizer(file: string, textCard: number): void {
  const { size } = Tokenizer.open(file);
  if (size !== textCard)
    throw new NpcVoiceError(
      'model_invalid',
      `The tokenizer has ${size} pieces; the model speaks ${textCard}.`,
      {
        hint: 'Use the tokenizer that was published with the checkpoint.',
      },
    );
}

const sourceFiles = ({ files, sourceHashes }: ImportOptions): ModelManifest['source']['files'] =>
  [files.languageModel, files.codec, files.tokenizer, files.voices]
    .filter((file): file is string => file !== undefined && statSync(file).isFile())
    .map((file) => {
      const sha256 = sourceHashes?.get(file);
      return { name: path.basename(file), size: statSync(file).size, ...(sha256 ? { sha256 } : {}) };
    });

/** Every file below the folder with its size and SHA-256, in the order of their names. */
async function hashFolder(folder: string, runner: JobRunner): Promise<ModelManifest['files']> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(path.join(folder, name)).isFile())
    .sort();
  return Promise.all(
    names.map(async (name) => {
      const file = path.join(folder, name);
      const result = await runner.run({ kind: 'hash', file });
      if (result.form !== 'hash') throw new TypeError(`${name} came as ${result.form}`);
      return { name: name.split(path.sep).join('/'), size: statSync(file).size, sha256: result.sha256 };
    }),
  );
}
