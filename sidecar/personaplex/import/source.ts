/** Finds the files of a checkpoint in a folder, and reads and matches them. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { NpcVoiceError } from '../../errors';
import {
  planLanguageModel,
  planMimi,
  readTensors,
  type DroppedTensor,
  type LmHints,
  type MimiHints,
  type MimiDimensions,
} from '../checkpoint';
import type { LmConfig } from '../graphs/types';
import { readVoiceArchive, readVoiceEmbeddings, type VoiceEmbeddings } from '../voice';
import type { SourcedTensor } from './weights';

export interface CheckpointFiles {
  languageModel: string;
  codec: string;
  /** SentencePiece model; none for checkpoints that are only measured. */
  tokenizer?: string;
  /** `voices.tgz`, or a folder of `.pt` files. */
  voices?: string;
  /** `config.json`, for what shapes cannot tell. */
  config?: string;
}

export interface Checkpoint {
  lm: LmConfig;
  mimi: MimiDimensions;
  tensors: ReadonlyMap<string, SourcedTensor>;
  dropped: readonly DroppedTensor[];
}

const WANTED =
  'Give the folder that holds the files of nvidia/personaplex-7b-v1 under their published names.';
const CODEC = /^(tokenizer-.*|.*mimi.*)\.safetensors$/;

/**
 * The files of a published checkpoint, by the names they are published under.
 * @throws NpcVoiceError `io` when there is no such folder, `model_invalid` naming what is missing
 */
export function findCheckpoint(folder: string): CheckpointFiles {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const what =
      code === 'ENOENT' ? `There is no folder ${folder}.` : `${folder} could not be read: ${message}.`;
    throw new NpcVoiceError('io', what, { hint: WANTED, cause });
  }
  const at = (name: string): string => path.join(folder, name);
  const codec = names.find((name) => CODEC.test(name));
  const weights = names.filter((name) => name.endsWith('.safetensors') && name !== codec);
  const languageModel = weights.find((name) => name === 'model.safetensors') ?? weights[0];
  const tokenizer = names.find((name) => name.endsWith('.model'));
  const missing = [
    languageModel ? '' : 'model.safetensors',
    codec ? '' : 'tokenizer-e351c8d8-checkpoint125.safetensors (the codec)',
    tokenizer ? '' : 'tokenizer_spm_32k_3.model',
  ].filter(Boolean);
  if (!languageModel || !codec || !tokenizer)
    throw new NpcVoiceError('model_invalid', `${folder} lacks ${missing.join(' and ')}.`, { hint: WANTED });
  const voices = ['voices.tgz', 'voices'].find((name) => existsSync(at(name)));
  return {
    languageModel: at(languageModel),
    codec: at(codec),
    tokenizer: at(tokenizer),
    ...(voices ? { voices: at(voices) } : {}),
    ...(names.includes('config.json') ? { config: at('config.json') } : {}),
  };
}

/**
 * Reads the headers, and checks every tensor's name and shape. No weights are read.
 * @param hints what a caller knows better than shapes and config.json
 * @throws NpcVoiceError `model_invalid`
 */
export function readCheckpoint(
  files: CheckpointFiles,
  hints: { lm?: LmHints; mimi?: MimiHints } = {},
): Checkpoint {
  const { languageModel, codec } = files;
  const lm = readTensors(languageModel, (tensors) =>
    planLanguageModel(languageModel, tensors, { ...configHints(files.config), ...hints.lm }),
  );
  const mimi = readTensors(codec, (tensors) => planMimi(codec, tensors, hints.mimi));
  checkCodecFits(files, lm.config.card, mimi.config.bins);
  const tensors = new Map<string, SourcedTensor>();
  for (const [name, tensor] of lm.tensors) tensors.set(name, { ...tensor, file: files.languageModel });
  for (const [name, tensor] of mimi.tensors) tensors.set(name, { ...tensor, file: files.codec });
  return { lm: lm.config, mimi: mimi.config, tensors, dropped: [...lm.dropped, ...mimi.dropped] };
}

/** The language model speaks in the codec's codes. */
function checkCodecFits({ languageModel, codec }: CheckpointFiles, card: number, bins: number): void {
  if (card === bins) return;
  throw new NpcVoiceError(
    'model_invalid',
    `The codec ${codec} has codebooks of ${bins} codes; the language model ${languageModel} speaks ${card}.`,
    {
      hint: 'Use the codec that was published with the checkpoint: tokenizer-e351c8d8-checkpoint125.safetensors.',
    },
  );
}

/** What a config.json says of these things; NVIDIA's says none of them, and the defaults are right for it. */
function configHints(file: string | undefined): LmHints {
  if (!file) return {};
  let config: Record<string, unknown>;
  try {
    config = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  } catch {
    return {};
  }
  const hints: LmHints = {};
  const take = (key: keyof LmHints, name: string): void => {
    const value = config?.[name];
    if (typeof value === 'number' && value > 0) hints[key] = value;
  };
  take('heads', 'num_heads');
  take('depthHeads', 'depformer_num_heads');
  take('context', 'context');
  take('maxPeriod', 'max_period');
  return hints;
}

/**
 * The voices that come with a checkpoint, checked, by file name.
 * @param dim width of the model, which a voice's rows must have
 * @throws NpcVoiceError `voice_invalid`
 */
export function readVoices(source: string | undefined, dim: number): Map<string, Uint8Array> {
  if (!source) return new Map();
  const voices = statSync(source).isDirectory()
    ? new Map(
        readdirSync(source)
          .filter((name) => /^[A-Za-z0-9_-]{1,64}\.pt$/.test(name))
          .map((name) => [name, readFileSync(path.join(source, name))] as const),
      )
    : readVoiceArchive(readFileSync(source));
  for (const [name, bytes] of voices) {
    const voice = readVoice(name, bytes);
    if (voice.dim !== dim)
      throw new NpcVoiceError(
        'voice_invalid',
        `The voice ${name} is ${voice.dim} wide; this model is ${dim} wide.`,
        {
          hint: 'Use the voices that come with the checkpoint.',
        },
      );
  }
  return voices;
}

function readVoice(name: string, bytes: Uint8Array): VoiceEmbeddings {
  try {
    return readVoiceEmbeddings(bytes);
  } catch (error) {
    if (!(error instanceof NpcVoiceError)) throw error;
    // Among many voices it matters which.
    const { code, message, hint } = error;
    throw new NpcVoiceError(code, `The voice ${name} cannot be imported. ${message}`, {
      ...(hint ? { hint } : {}),
      cause: error,
    });
  }
}
