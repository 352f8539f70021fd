/**
 * The language model's layout: which tensors a PersonaPlex (16 depth steps) or Moshi (8 depth steps) checkpoint holds,
 * which of them matter, and why the others do not. Every dimension is read off the shapes.
 */
import { NpcVoiceError } from '../../errors';
import { compareWithLayout, type DroppedTensor, type Shape } from './compare';
import { DEPTH_STEPS, type LmConfig } from '../graphs/types';
import type { TensorEntry } from './safetensors';

/** Audio streams the temporal transformer reads: 8 of the agent, 8 of the user. */
export const AUDIO_STREAMS = 16;

/** What shapes cannot tell; the defaults are PersonaPlex's and Moshi's. */
export type LmHints = Partial<Pick<LmConfig, 'heads' | 'depthHeads' | 'context' | 'maxPeriod'>>;

/** Rows of a file's tensor that make up (a part of) a canonical tensor. */
export interface TensorPart {
  entry: TensorEntry;
  /** Rows of `entry` taken: [0, rows). */
  rows: number;
}

/** A tensor under its PersonaPlex name, of the rows that matter. Newer Kyutai files keep it in several parts. */
export interface CanonicalTensor {
  name: string;
  /** [rows, columns], or the tensor's own shape when it has another rank. */
  shape: Shape;
  parts: readonly TensorPart[];
}

export interface LmPlan {
  config: LmConfig;
  tensors: ReadonlyMap<string, CanonicalTensor>;
  dropped: readonly DroppedTensor[];
}

const HEAD_DIM = 128;
const DEPTH_HEAD_DIM = 64;
/** Columns the ring may have, 87 minutes of them: every 1024 have their own inputs in the graph of each layer. */
const MOST_CONTEXT = 65_536;

const USER_STEPS =
  'depth steps 8 to 15 predict the user’s own audio, which is always given; their results are never read';

/** Reads the dimensions off the tensors. */
function measure(file: string, found: ReadonlyMap<string, TensorEntry>, hints: LmHints): LmConfig {
  const size = (name: string, axis: number): number => {
    const value = found.get(name)?.shape[axis];
    if (value === undefined || value < 1)
      throw new NpcVoiceError(
        'model_invalid',
        `${file} is not a PersonaPlex or Moshi model: it has no ${name}.`,
        {
          hint: 'Import the folder that holds model.safetensors, as published.',
        },
      );
    return value;
  };
  const count = (pattern: RegExp): number => {
    let highest = -1;
    for (const name of found.keys()) highest = Math.max(highest, Number(pattern.exec(name)?.[1] ?? -1));
    return highest + 1;
  };
  const dim = size('text_emb.weight', 1);
  const depthDim = size('depformer_text_emb.weight', 1);
  const depthStepsStored = count(/^depformer_in\.(\d{1,3})\.weight$/);
  if (depthStepsStored !== 8 && depthStepsStored !== 16)
    throw new NpcVoiceError(
      'model_invalid',
      `${file} has ${depthStepsStored} depth steps; PersonaPlex has 16 and Moshi 8.`,
    );
  return {
    dim,
    layers: count(/^transformer\.layers\.(\d{1,3})\./),
    heads: hints.heads ?? Math.max(1, Math.floor(dim / HEAD_DIM)),
    ffnHidden: size('transformer.layers.0.gating.linear_out.weight', 1),
    card: size('emb.0.weight', 0) - 1,
    textCard: size('text_emb.weight', 0) - 1,
    audioStreams: AUDIO_STREAMS,
    depthDim,
    depthLayers: count(/^depformer\.layers\.(\d{1,3})\./),
    depthHeads: hints.depthHeads ?? Math.max(1, Math.floor(depthDim / DEPTH_HEAD_DIM)),
    depthFfnHidden: size('depformer.layers.0.gating.0.linear_out.weight', 1),
    depthStepsStored,
    context: hints.context ?? 3000,
    maxPeriod: hints.maxPeriod ?? 10000,
  };
}

/** Every tensor of a checkpoint of these dimensions, with its shape, in the order of NVIDIA's modules. */
export function lmLayout(config: LmConfig): Map<string, Shape> {
  const {
    dim,
    layers,
    ffnHidden,
    card,
    textCard,
    depthDim,
    depthFfnHidden,
    depthStepsStored: steps,
  } = config;
  const layout = new Map<string, Shape>();
  const each = (n: number, name: (i: number) => string, shape: Shape): void => {
    for (let i = 0; i < n; i++) layout.set(name(i), shape);
  };
  each(AUDIO_STREAMS, (k) => `emb.${k}.weight`, [card + 1, dim]);
  layout.set('text_emb.weight', [textCard + 1, dim]);
  layout.set('text_linear.weight', [textCard, dim]);
  for (let l = 0; l < layers; l++) {
    const at = `transformer.layers.${l}`;
    layout.set(`${at}.self_attn.in_proj_weight`, [3 * dim, dim]);
    layout.set(`${at}.self_attn.out_proj.weight`, [dim, dim]);
    layout.set(`${at}.norm1.alpha`, [1, 1, dim]);
    layout.set(`${at}.norm2.alpha`, [1, 1, dim]);
    layout.set(`${at}.gating.linear_in.weight`, [2 * ffnHidden, dim]);
    layout.set(`${at}.gating.linear_out.weight`, [dim, ffnHidden]);
  }
  layout.set('out_norm.alpha', [1, 1, dim]);
  each(steps, (k) => `depformer_in.${k}.weight`, [depthDim, dim]);
  each(steps - 1, (k) => `depformer_emb.${k}.weight`, [card + 1, depthDim]);
  layout.set('depformer_text_emb.weight', [textCard + 1, depthDim]);
  for (let l = 0; l < config.depthLayers; l++) {
    const at = `depformer.layers.${l}`;
    layout.set(`${at}.self_attn.in_proj_weight`, [steps * 3 * depthDim, depthDim]);
    layout.set(`${at}.self_attn.out_proj.weight`, [steps * depthDim, depthDim]);
    layout.set(`${at}.norm1.alpha`, [1, 1, depthDim]);
    layout.set(`${at}.norm2.alpha`, [1, 1, depthDim]);
    each(steps, (k) => `${at}.gating.${k}.linear_in.weight`, [2 * depthFfnHidden, depthDim]);
    each(steps, (k) => `${at}.gating.${k}.linear_out.weight`, [depthDim, depthFfnHidden]);
  }
  each(steps, (k) => `linears.${k}.weight`, [card, depthDim]);
  return layout;
}

/** Newer Kyutai files split an attention projection by step: `self_attn.in_projs.3.weight`. */
const SPLIT = /^(.*\.self_attn\.)(in|out)_projs\.(\d{1,2})\.weight$/;
const joinedName = (prefix: string, side: string): string =>
  side === 'in' ? `${prefix}in_proj_weight` : `${prefix}out_proj.weight`;

interface JoinedTensors {
  /** Split projections stand here as one tensor of all their rows. */
  whole: Map<string, TensorEntry>;
  parts: Map<string, TensorEntry[]>;
}

function joinSplitProjections(found: ReadonlyMap<string, TensorEntry>): JoinedTensors {
  const whole = new Map<string, TensorEntry>();
  const parts = new Map<string, TensorEntry[]>();
  for (const [name, entry] of found) {
    const match = SPLIT.exec(name);
    if (!match) whole.set(name, entry);
    else {
      const joined = joinedName(match[1]!, match[2]!);
      const list = parts.get(joined) ?? [];
      list[Number(match[3])] = entry;
      parts.set(joined, list);
    }
  }
  for (const [name, list] of parts) {
    const first = list[0];
    const uniform =
      first?.shape.length === 2 &&
      Object.keys(list).length === list.length && // no gap in the numbering
      list.every((part) => part.dtype === first.dtype && part.shape.join() === first.shape.join());
    if (uniform && !whole.has(name))
      whole.set(name, { ...first, name, shape: [first.shape[0]! * list.length, first.shape[1]!] });
    // Anything else stays under its own names, so that the comparison names it.
    else {
      for (const entry of Object.values(list)) whole.set(entry.name, entry);
      parts.delete(name);
    }
  }
  return { whole, parts };
}

/** Why a whole tensor is not imported; null when it is. */
function reasonToDrop(name: string): string | null {
  const step = /^(?:depformer_in|linears|depformer\.layers\.\d+\.gating)\.(\d+)\./.exec(name);
  if (step && Number(step[1]) >= DEPTH_STEPS) return USER_STEPS;
  const embedding = /^depformer_emb\.(\d+)\./.exec(name);
  // Table k feeds step k + 1.
  return embedding && Number(embedding[1]) >= DEPTH_STEPS - 1 ? USER_STEPS : null;
}

/**
 * Matches a checkpoint's tensors with the model's layout.
 * @param found the file's tensors; both the 16-step and the 8-step form are taken
 * @throws NpcVoiceError `model_invalid` naming every tensor that is missing, unknown or misshapen
 */
export function planLanguageModel(
  file: string,
  found: ReadonlyMap<string, TensorEntry>,
  hints: LmHints = {},
): LmPlan {
  const { whole, parts } = joinSplitProjections(found);
  const config = measure(file, whole, hints);
  compareWithLayout(file, 'a PersonaPlex or Moshi model', whole, lmLayout(config));
  checkHeads(file, config);

  const steps = config.depthStepsStored;
  const tensors = new Map<string, CanonicalTensor>();
  const dropped: DroppedTensor[] = [];
  for (const [name, entry] of whole) {
    const reason = reasonToDrop(name);
    if (reason) {
      dropped.push({ name, reason });
      continue;
    }
    const isStepped = /^depformer\..*\.self_attn\./.test(name) && steps > DEPTH_STEPS;
    const [allRows = 1, ...rest] = entry.shape;
    const rows = isStepped ? (allRows / steps) * DEPTH_STEPS : allRows;
    if (isStepped) dropped.push({ name, rows: [rows, allRows], reason: USER_STEPS });
    tensors.set(name, { name, shape: [rows, ...rest], parts: takeRows(parts.get(name) ?? [entry], rows) });
  }
  return { config, tensors, dropped };
}

function takeRows(entries: readonly TensorEntry[], rows: number): TensorPart[] {
  const taken: TensorPart[] = [];
  for (let left = rows, i = 0; left > 0; i++) {
    const entry = entries[i]!;
    const take = Math.min(left, entry.shape[0]!);
    taken.push({ entry, rows: take });
    left -= take;
  }
  return taken;
}

function checkHeads(file: string, { dim, heads, depthDim, depthHeads, context }: LmConfig): void {
  /** Whether heads of whole multiples of `unit` features fill the width. */
  const fits = (width: number, n: number, unit: number): boolean =>
    Number.isInteger(n) && n > 0 && width % (unit * n) === 0;
  // Rotary positions turn pairs of features; the depth transformer has none.
  if (!fits(dim, heads, 2) || !fits(depthDim, depthHeads, 1))
    throw new NpcVoiceError(
      'model_invalid',
      `${file}: widths ${dim} and ${depthDim} do not divide into ${heads} and ${depthHeads} heads.`,
      { hint: 'Say num_heads and depformer_num_heads in a config.json beside the checkpoint.' },
    );
  // The reference's ring hides its oldest row, and of one it would leave nothing.
  if (!Number.isInteger(context) || context < 2 || context > MOST_CONTEXT)
    throw new NpcVoiceError(
      'model_invalid',
      `${file}: a context of ${context} columns cannot be; it is a whole number from 2 to ${MOST_CONTEXT}.`,
      { hint: 'Say context in a config.json beside the checkpoint.' },
    );
}
