/** Imports the fixtures' checkpoints the way `npc-voice model import` does, in tier f32. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  planLanguageModel,
  planMimi,
  SafetensorsFile,
  type CanonicalTensor,
  type LmHints,
  type MimiHints,
} from '../checkpoint';
import {
  buildDepth,
  buildMimiDecoder,
  buildMimiEncoder,
  buildTemporal,
  storagePlan,
  type LmConfig,
  type MimiConfig,
  type Provider,
} from '../graphs';
import { CheckpointWeights, jobRunner } from '../import';
import { writeModel, type GraphBuilder } from '../onnx';

/** A folder for model files that goes away with the process. */
export function workFolder(): { path: string; remove: () => void } {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'npc-voice-parity-'));
  return { path: folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Writes the language model's two graphs; `weights` are those they were made from. */
export async function importLanguageModel(
  file: string,
  hints: LmHints,
  provider: Provider,
  folder: string,
): Promise<{ config: LmConfig; temporal: string; depth: string; weights: CheckpointWeights }> {
  const { config, tensors } = planLanguageModel(file, tensorsOf(file), hints);
  const weights = weightsOf(file, tensors);
  const plan = storagePlan('f32', provider);
  return {
    config,
    temporal: await write(buildTemporal(config, weights, plan), folder),
    depth: await write(buildDepth(config, weights, plan), folder),
    weights,
  };
}

/** Writes the codec's two graphs. */
export async function importCodec(
  file: string,
  hints: MimiHints,
  provider: Provider,
  folder: string,
): Promise<{ config: MimiConfig; encoder: string; decoder: string }> {
  const { config, tensors } = planMimi(file, tensorsOf(file), hints);
  const weights = weightsOf(file, tensors);
  return {
    config,
    encoder: await write(buildMimiEncoder(config, weights, provider), folder),
    decoder: await write(buildMimiDecoder(config, weights, provider), folder),
  };
}

function tensorsOf(file: string): SafetensorsFile['tensors'] {
  const opened = SafetensorsFile.open(file);
  opened.close();
  return opened.tensors;
}

function weightsOf(file: string, tensors: ReadonlyMap<string, CanonicalTensor>): CheckpointWeights {
  const sourced = new Map([...tensors].map(([name, tensor]) => [name, { ...tensor, file }]));
  // Small enough to be read on this thread.
  return new CheckpointWeights(sourced, jobRunner(0));
}

async function write(graph: GraphBuilder, folder: string): Promise<string> {
  const file = path.join(mkdtempSync(path.join(folder, 'graph-')), `${graph.name}.onnx`);
  await writeModel(graph, file);
  return file;
}
