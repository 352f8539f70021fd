/** The layout of Mimi, the audio codec: its tensors, those in use, and the older names some files still carry. */
import { NpcVoiceError } from '../../errors';
import { compareWithLayout, type DroppedTensor, type Shape } from './compare';
import type { CanonicalTensor } from './language-model';
import type { MimiConfig } from '../graphs/types';
import type { TensorEntry } from './safetensors';

/** Codebooks in use: one semantic, seven acoustic. */
export const CODEBOOKS = 8;
/** Up-sampling factors of the published decoder; the encoder runs them backwards. 8·6·5·4·2 = 1920 samples a frame. */
const RATIOS = [8, 6, 5, 4] as const;

export interface MimiDimensions extends MimiConfig {
  /** Channels of the first convolution. */
  filters: number;
  /** Width of a transformer's feed-forward. */
  hidden: number;
  /** Acoustic codebooks in the file: 31 as published, of which 7 are used. */
  acousticInCheckpoint: number;
}

export interface MimiPlan {
  config: MimiDimensions;
  tensors: ReadonlyMap<string, CanonicalTensor>;
  dropped: readonly DroppedTensor[];
}

/** What shapes cannot tell; the defaults are those of the published codec. */
export type MimiHints = Partial<Pick<MimiConfig, 'heads' | 'context' | 'maxPeriod' | 'ratios'>>;

const HEAD_DIM = 64;
const LEAST_CONTEXT = 3;

/** Names of older files, which Kyutai's loader takes too. */
const ALIASES: Record<string, string> = {
  inited: '_initialized',
  cluster_size: 'cluster_usage',
  embed_avg: 'embedding_sum',
  embed_sum: 'embedding_sum',
};
const canonicalName = (name: string): string =>
  name.replace(
    /(\._codebook\.)(inited|cluster_size|embed_avg|embed_sum)$/,
    (_, at: string, old: string) => at + ALIASES[old],
  );

function measure(file: string, found: ReadonlyMap<string, TensorEntry>, hints: MimiHints): MimiDimensions {
  const size = (name: string, axis: number): number => {
    const value = found.get(name)?.shape[axis];
    if (value === undefined || value < 1)
      throw new NpcVoiceError('model_invalid', `${file} is not a Mimi codec: it has no ${name}.`, {
        hint: 'The codec is the file tokenizer-e351c8d8-checkpoint125.safetensors.',
      });
    return value;
  };
  const count = (pattern: RegExp): number => {
    let highest = -1;
    for (const name of found.keys()) highest = Math.max(highest, Number(pattern.exec(name)?.[1] ?? -1));
    return highest + 1;
  };
  const dim = size('downsample.conv.conv.conv.weight', 0);
  const dimensions: MimiDimensions = {
    dim,
    ratios: hints.ratios ?? RATIOS,
    context: hints.context ?? 250,
    maxPeriod: hints.maxPeriod ?? 10000,
    filters: size('encoder.model.0.conv.conv.weight', 0),
    layers: count(/^encoder_transformer\.transformer\.layers\.(\d{1,3})\./),
    heads: hints.heads ?? Math.max(1, Math.floor(dim / HEAD_DIM)),
    hidden: size('encoder_transformer.transformer.layers.0.linear1.weight', 0),
    codeDim: size('quantizer.rvq_first.input_proj.weight', 0),
    bins: size('quantizer.rvq_first.vq.layers.0._codebook.embedding_sum', 0),
    acousticInCheckpoint: count(/^quantizer\.rvq_rest\.vq\.layers\.(\d{1,3})\./),
  };
  if (dimensions.acousticInCheckpoint < CODEBOOKS - 1)
    throw new NpcVoiceError(
      'model_invalid',
      `${file} has ${dimensions.acousticInCheckpoint} acoustic codebooks; at least ${CODEBOOKS - 1} are needed.`,
    );
  // The reference's ring hides its oldest row from both rows of a frame; of two it would leave the first row nothing.
  if (dimensions.context < LEAST_CONTEXT)
    throw new NpcVoiceError(
      'model_invalid',
      `${file}: a context of ${dimensions.context} rows is too short; it has at least ${LEAST_CONTEXT}.`,
    );
  if (!Number.isInteger(dimensions.heads) || dim % (2 * dimensions.heads) !== 0)
    throw new NpcVoiceError(
      'model_invalid',
      `${file}: width ${dim} does not divide into ${dimensions.heads} heads.`,
    );
  return dimensions;
}

/** Every tensor of a Mimi of these dimensions. */
export function mimiLayout(dimensions: MimiDimensions): Map<string, Shape> {
  const { dim, filters, ratios, layers, hidden, codeDim, bins, acousticInCheckpoint } = dimensions;
  const widest = filters * 2 ** ratios.length;
  const last = 3 * ratios.length + 2;
  const layout = new Map<string, Shape>();
  const conv = (name: string, out: number, into: number, kernel: number, biasOf = out): void => {
    layout.set(`${name}.weight`, [out, into, kernel]);
    layout.set(`${name}.bias`, [biasOf]);
  };
  const residual = (name: string, channels: number): void => {
    conv(`${name}.block.1.conv.conv`, channels / 2, channels, 3);
    conv(`${name}.block.3.conv.conv`, channels, channels / 2, 1);
  };

  conv('encoder.model.0.conv.conv', filters, 1, 7);
  [...ratios].reverse().forEach((stride, i) => {
    const channels = filters * 2 ** i;
    residual(`encoder.model.${3 * i + 1}`, channels);
    conv(`encoder.model.${3 * i + 3}.conv.conv`, 2 * channels, channels, 2 * stride);
  });
  conv(`encoder.model.${last}.conv.conv`, dim, widest, 3);

  conv('decoder.model.0.conv.conv', widest, dim, 7);
  ratios.forEach((stride, i) => {
    const channels = widest / 2 ** i;
    // A transposed convolution's weight is [in, out, kernel].
    conv(`decoder.model.${3 * i + 2}.convtr.convtr`, channels, channels / 2, 2 * stride, channels / 2);
    residual(`decoder.model.${3 * i + 3}`, channels / 2);
  });
  conv(`decoder.model.${last}.conv.conv`, 1, filters, 3);

  for (const side of ['encoder', 'decoder'])
    for (let l = 0; l < layers; l++) {
      const at = `${side}_transformer.transformer.layers.${l}`;
      layout.set(`${at}.self_attn.in_proj_weight`, [3 * dim, dim]);
      layout.set(`${at}.self_attn.out_proj.weight`, [dim, dim]);
      for (const norm of ['norm1', 'norm2'])
        for (const part of ['weight', 'bias']) layout.set(`${at}.${norm}.${part}`, [dim]);
      layout.set(`${at}.linear1.weight`, [hidden, dim]);
      layout.set(`${at}.linear2.weight`, [dim, hidden]);
      layout.set(`${at}.layer_scale_1.scale`, [dim]);
      layout.set(`${at}.layer_scale_2.scale`, [dim]);
    }

  const codebook = (at: string): void => {
    layout.set(`${at}._codebook._initialized`, [1]);
    layout.set(`${at}._codebook.cluster_usage`, [bins]);
    layout.set(`${at}._codebook.embedding_sum`, [bins, codeDim]);
  };
  for (const [group, n] of [['rvq_first', 1], ['rvq_rest', acousticInCheckpoint]] as const) {
    layout.set(`quantizer.${group}.input_proj.weight`, [codeDim, dim, 1]);
    layout.set(`quantizer.${group}.output_proj.weight`, [dim, codeDim, 1]);
    for (let i = 0; i < n; i++) codebook(`quantizer.${group}.vq.layers.${i}`);
  } // prettier-ignore
  layout.set('downsample.conv.conv.conv.weight', [dim, dim, 4]);
  layout.set('upsample.convtr.convtr.convtr.weight', [dim, 1, 4]);
  return layout;
}

function reasonToDrop(name: string): string | null {
  const acoustic = /^quantizer\.rvq_rest\.vq\.layers\.(\d+)\./.exec(name);
  if (acoustic && Number(acoustic[1]) >= CODEBOOKS - 1)
    return 'the language model speaks 8 codebooks; the finer ones are not used';
  return name.endsWith('._codebook._initialized') ? 'a flag of training' : null;
}

/**
 * Matches a codec file's tensors with Mimi's layout.
 * @throws NpcVoiceError `model_invalid` naming every tensor that is missing, unknown or misshapen
 */
export function planMimi(
  file: string,
  found: ReadonlyMap<string, TensorEntry>,
  hints: MimiHints = {},
): MimiPlan {
  const renamed = new Map<string, TensorEntry>();
  for (const [name, entry] of found) {
    const canonical = canonicalName(name);
    if (renamed.has(canonical))
      throw new NpcVoiceError('model_invalid', `${file} holds ${canonical} twice, also as ${name}.`);
    renamed.set(canonical, entry);
  }
  const dimensions = measure(file, renamed, hints);
  compareWithLayout(file, 'a Mimi codec', renamed, mimiLayout(dimensions));

  const tensors = new Map<string, CanonicalTensor>();
  const dropped: DroppedTensor[] = [];
  for (const [name, entry] of renamed) {
    const reason = reasonToDrop(name);
    if (reason) dropped.push({ name: entry.name, reason });
    else tensors.set(name, { name, shape: entry.shape, parts: [{ entry, rows: entry.shape[0]! }] });
  }
  return { config: dimensions, tensors, dropped };
}
