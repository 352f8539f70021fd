/**
 * Makes a checkpoint of random weights with the real names, shapes and formats, for benches and tests where the real
 * one cannot be had. Its statistics are those that make rounding hard in real models: heavier tails than a Gaussian,
 * rows of unequal size, and a few input channels many times larger than the others, in weights and in norms.
 */
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { lmLayout, mimiLayout, type MimiDimensions, type Shape } from '../checkpoint';
import type { LmConfig } from '../graphs/types';
import { ProtobufWriter } from '../onnx';
import { PUBLISHED_VOICES, writeVoiceArchive, writeVoiceEmbeddings } from '../voice';

/** PersonaPlex-7B-v1. */
export const PERSONAPLEX: LmConfig = {
  dim: 4096,
  layers: 32,
  heads: 32,
  ffnHidden: 11264,
  card: 2048,
  textCard: 32000,
  audioStreams: 16,
  depthDim: 1024,
  depthLayers: 6,
  depthHeads: 16,
  depthFfnHidden: 2816,
  depthStepsStored: 16,
  context: 3000,
  maxPeriod: 10000,
};
/** Mimi as Moshi and PersonaPlex use it. */
export const MIMI: MimiDimensions = {
  dim: 512,
  ratios: [8, 6, 5, 4],
  layers: 8,
  heads: 8,
  context: 250,
  maxPeriod: 10000,
  bins: 2048,
  codeDim: 256,
  filters: 64,
  hidden: 2048,
  acousticInCheckpoint: 31,
};

export interface SynthesiseOptions {
  lm: LmConfig;
  mimi: MimiDimensions;
  seed: number;
  /** Elements written so far, and in all. */
  progress?: (written: number, total: number) => void;
}

/** Random numbers 0..1 from a seed: T. Ettinger's mulberry32. */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A prime, so that rows taken from the pool at strides of a power of two do not repeat. */
const POOL = 1_048_583;
const CHUNK_ELEMENTS = 4 * 2 ** 20;
/** One input channel in 400 is an outlier, 6 to 20 times as large. */
const OUTLIER_RATE = 1 / 400;

class RandomWeights {
  private readonly random: () => number;
  /** Heavy-tailed values of unit mean square. */
  private readonly pool = new Float32Array(POOL);

  constructor(seed: number) {
    this.random = uniform(seed);
    let square = 0;
    for (let i = 0; i < POOL; i++) {
      // A Gaussian whose spread itself varies has the tails of trained weights.
      this.pool[i] = this.gaussian() * Math.exp(0.35 * this.gaussian());
      square += this.pool[i]! ** 2;
    }
    const scale = 1 / Math.sqrt(square / POOL);
    for (let i = 0; i < POOL; i++) this.pool[i]! *= scale;
  }

  private gaussian(): number {
    return Math.sqrt(-2 * Math.log(1 - this.random())) * Math.cos(2 * Math.PI * this.random());
  }

  /** A whole number 0..below − 1. */
  integer(below: number): number {
    return Math.floor(below * this.random());
  }

  /** Calls `write` with the tensor's values, chunk by chunk; a chunk is valid until the next. */
  fill(name: string, shape: Shape, write: (values: Float32Array) => void): void {
    const columns = shape.length > 1 ? shape.slice(1).reduce((a, b) => a * b, 1) : shape[0]!;
    const rows = shape.length > 1 ? shape[0]! : 1;
    if (isVector(name, shape)) return write(this.vector(name, columns * rows));

    const spread = spreadOf(name, columns);
    const channels = Float32Array.from({ length: columns }, () =>
      this.random() < OUTLIER_RATE ? 6 + 14 * this.random() : Math.exp(0.2 * this.gaussian()),
    );
    const rowsAtOnce = Math.max(1, Math.floor(CHUNK_ELEMENTS / columns));
    const chunk = new Float32Array(Math.min(rows, rowsAtOnce) * columns);
    for (let first = 0; first < rows; first += rowsAtOnce) {
      const n = Math.min(rows, first + rowsAtOnce) - first;
      for (let row = 0; row < n; row++) this.row(chunk, row * columns, columns, channels, spread);
      write(chunk.subarray(0, n * columns));
    }
  }

  private row(into: Float32Array, at: number, columns: number, channels: Float32Array, spread: number): void {
    const { pool } = this;
    let from = Math.floor(this.random() * POOL);
    const size = spread * Math.exp(0.25 * this.gaussian());
    for (let column = 0; column < columns; column++) {
      into[at + column] = pool[from]! * channels[column]! * size;
      if (++from === POOL) from = 0;
    }
  }

  private vector(name: string, length: number): Float32Array {
    if (name.endsWith('_initialized')) return new Float32Array(length).fill(1);
    if (name.endsWith('cluster_usage')) return Float32Array.from({ length }, () => 1 + 9 * this.random());
    if (name.endsWith('.bias')) return Float32Array.from({ length }, () => 0.01 * this.gaussian());
    if (name.includes('layer_scale'))
      return Float32Array.from({ length }, () => 0.01 * (1 + 0.1 * this.gaussian()));
    // A norm's gains: around 1, with outlier channels.
    return Float32Array.from({ length }, () => {
      const gain = Math.exp(0.3 * this.gaussian());
      return this.random() < OUTLIER_RATE ? gain * 8 : gain;
    });
  }
}

const isVector = (name: string, shape: Shape): boolean =>
  shape.length === 1 || name.endsWith('.alpha') || name.endsWith('cluster_usage');

const EMBEDDING_SPREAD = 0.25;
/** Keeps what flows through the network of the size of its input. */
function spreadOf(name: string, columns: number): number {
  if (/^(depformer_)?(text_)?emb\./.test(name)) return EMBEDDING_SPREAD;
  // What the network heard of a voice: the embeddings of 17 tokens, summed.
  if (name.endsWith('.pt')) return EMBEDDING_SPREAD * Math.sqrt(STREAMS);
  if (name.endsWith('embedding_sum')) return 5;
  const shrink = /out_proj|linear_out|linear2/.test(name) ? 0.2 : 1;
  return shrink / Math.sqrt(columns);
}

/** Writes one safetensors file of random tensors. */
function writeTensors(
  file: string,
  layout: ReadonlyMap<string, Shape>,
  dtype: 'BF16' | 'F32',
  random: RandomWeights,
  written: (elements: number) => void,
): void {
  const width = dtype === 'BF16' ? 2 : 4;
  const header: Record<string, { dtype: string; shape: Shape; data_offsets: [number, number] }> = {};
  let end = 0;
  for (const [name, shape] of layout) {
    const begin = end;
    end += shape.reduce((a, b) => a * b, 1) * width;
    header[name] = { dtype, shape, data_offsets: [begin, end] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const fd = openSync(file, 'w');
  try {
    writeSync(fd, length);
    writeSync(fd, json);
    for (const [name, shape] of layout)
      random.fill(name, shape, (values) => {
        const bytes =
          dtype === 'BF16'
            ? toBf16(values)
            : new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
        for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
        written(values.length);
      });
  } finally {
    closeSync(fd);
  }
}

let halves = new Uint16Array(0);
/** Rounds to bfloat16, half up; the result is valid until the next call. */
function toBf16(values: Float32Array): Uint8Array {
  if (halves.length < values.length) halves = new Uint16Array(values.length);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) halves[i] = (bits[i]! + 0x8000) >>> 16;
  return new Uint8Array(halves.buffer, 0, 2 * values.length);
}

/** A SentencePiece model of `size` pieces: marks, bytes, letters, and pieces nobody writes. */
export function syntheticTokenizer(size: number): Uint8Array {
  const NORMAL = 1;
  const UNKNOWN = 2;
  const CONTROL = 3;
  const BYTE = 6;
  const pieces: [text: string, score: number, type: number][] = [
    ['<unk>', 0, UNKNOWN], ['<s>', 0, CONTROL], ['</s>', 0, CONTROL], ['<pad>', 0, CONTROL],
  ]; // prettier-ignore
  for (let byte = 0; byte < 256; byte++)
    pieces.push([`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`, 0, BYTE]);
  for (const letter of '▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?<>')
    pieces.push([letter, -8, NORMAL]);
  while (pieces.length < size) pieces.push([`▁w${pieces.length}`, -10, NORMAL]);
  pieces.length = size;
  const model = new ProtobufWriter();
  for (const [text, score, type] of pieces)
    model.message(1, (piece) => piece.text(1, text).float(2, score).integer(3, type));
  const byteFallback = size >= 260 ? 1 : 0;
  model.message(2, (trainer) => trainer.integer(3, 1).integer(35, byteFallback));
  model.message(3, (normaliser) => normaliser.text(1, 'identity'));
  return model.finish().slice();
}

const STREAMS = 17;
/** As many as NVIDIA's NATF2 has. */
const VOICE_ROWS = 51;
const TEXT_PAD = 3;

/** A voice of no one: random embeddings, and random codes in the columns after them. */
function randomVoice(name: string, { dim, card }: LmConfig, random: RandomWeights): Uint8Array {
  const rows = new Uint16Array(VOICE_ROWS * dim);
  const bytes = new Uint8Array(rows.buffer);
  let at = 0;
  random.fill(name, [VOICE_ROWS, dim], (values) => {
    bytes.set(toBf16(values), at);
    at += 2 * values.length;
  });
  const cache = Int32Array.from({ length: STREAMS * 4 }, (_, i) => (i < 4 ? TEXT_PAD : random.integer(card)));
  return writeVoiceEmbeddings({ rows, dim, cache });
}

/** Plain Moshi, which has 8 steps, takes no voice. */
const takesVoice = (lm: LmConfig): boolean => lm.depthStepsStored === 16;

/**
 * Writes `model.safetensors` (bfloat16), the codec (float32), a tokenizer and, for a model that takes them, voices under
 * their published names. The same options make the same bytes.
 */
export function synthesiseCheckpoint(folder: string, { lm, mimi, seed, progress }: SynthesiseOptions): void {
  mkdirSync(folder, { recursive: true });
  const layouts = [lmLayout(lm), mimiLayout(mimi)] as const;
  const total = layouts.reduce((sum, layout) => sum + elementsOf(layout), 0);
  let done = 0;
  const written = (elements: number): void => progress?.((done += elements), total);
  const random = new RandomWeights(seed);
  writeTensors(path.join(folder, 'model.safetensors'), layouts[0], 'BF16', random, written);
  writeTensors(
    path.join(folder, 'tokenizer-e351c8d8-checkpoint125.safetensors'),
    layouts[1],
    'F32',
    random,
    written,
  );
  writeFileSync(path.join(folder, 'tokenizer_spm_32k_3.model'), syntheticTokenizer(lm.textCard));
  writeFileSync(
    path.join(folder, 'config.json'),
    JSON.stringify({
      num_heads: lm.heads,
      depformer_num_heads: lm.depthHeads,
      context: lm.context,
      max_period: lm.maxPeriod,
    }),
  );
  if (!takesVoice(lm)) return;
  const voices = PUBLISHED_VOICES.map((name) => `${name}.pt`);
  writeFileSync(
    path.join(folder, 'voices.tgz'),
    writeVoiceArchive(new Map(voices.map((name) => [name, randomVoice(name, lm, random)]))),
  );
}

const elementsOf = (layout: ReadonlyMap<string, Shape>): number =>
  [...layout.values()].reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);

/** Bytes that synthesiseCheckpoint writes, but for headers. */
export const syntheticBytes = (lm: LmConfig, mimi: MimiDimensions): number =>
  2 * elementsOf(lmLayout(lm)) +
  4 * elementsOf(mimiLayout(mimi)) +
  (takesVoice(lm) ? PUBLISHED_VOICES.length * 2 * VOICE_ROWS * lm.dim : 0);
