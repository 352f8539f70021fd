/**
 * What the graph builders ask of a checkpoint. The importer implements `WeightSource` over safetensors; benches
 * and tests implement it over random numbers. Nothing is read while a graph is being built: each weight is read
 * once, when the model file is written, several ahead of the writer so that a source may work on many threads.
 */

/** How good against how small; chosen when a checkpoint is imported. */
export type Tier = 'f32' | 'f16' | 'q8' | 'mixed' | 'q4';

/** Where a graph runs. Kernels and state handling differ, so a graph is built for one of them. */
export type Provider = 'cpu' | 'webgpu';

/** Some or all rows (first axis) of a checkpoint tensor. */
export interface WeightSlice {
  name: string;
  /** Rows [from, to); all of them when absent. */
  rows?: readonly [from: number, to: number];
}

/** Integers in blocks along the last axis, as MatMulNBits and GatherBlockQuantized read them. */
export interface BlockFormat {
  bits: 4 | 8;
  /** Values that share a scale: 16, 32, 64, 128 or 256. Divides the last axis. */
  blockSize: number;
  /** Each block has a zero point of its own; otherwise it is 2^(bits-1). */
  zeroPoints: boolean;
  /** What the scales are stored as: round to it before searching. */
  scales: 'f32' | 'f16';
}

/** How one weight is stored. */
export type Storage = { kind: 'f32' } | { kind: 'f16' } | ({ kind: 'blocks' } & BlockFormat);

/**
 * A weight of R rows and K columns in blocks: value[r][k] = (q[r][k] - zero[r][b]) * scale[r][b], b = floor(k / blockSize).
 */
export interface WeightBlocks {
  /** R x K*bits/8 bytes, row-major; with 4 bits the even column is the low nibble. */
  packed: Uint8Array;
  /** R x K/blockSize. Already rounded to f16 where the format says so. */
  scales: Float32Array;
  /** R x ceil(K/blockSize*bits/8) bytes, packed like the values; null without zero points. */
  zeroPoints: Uint8Array | null;
}

export interface WeightSource {
  /** Row-major shape of a checkpoint tensor; undefined when there is none of that name. */
  shapeOf(name: string): readonly number[] | undefined;
  /** The values, row-major. */
  readFloats(slice: WeightSlice): Promise<Float32Array>;
  /** The values as IEEE half floats, row-major, rounded to nearest even. */
  readHalves(slice: WeightSlice): Promise<Uint16Array>;
  /** The values rounded to blocks; the weight counts as 2-D, its last axis K. */
  readBlocks(slice: WeightSlice, format: BlockFormat): Promise<WeightBlocks>;
}

/** What part of the model a weight belongs to: quantisation and kernels are decided by it. */
export type WeightRole =
  | 'temporal' // the layers' attention and feed-forward matrices
  | 'late-ffn' // the feed-forward matrices of the last half of the layers
  | 'text-head' // text_linear
  | 'depth' // the depth transformer's matrices and input projections
  | 'audio-head' // linears.N
  | 'embedding'; // every table that is gathered from

/** How each weight of a graph is stored: a tier, for a provider. See plan.ts. */
export interface StoragePlan {
  tier: Tier;
  provider: Provider;
  /** Activations between the kernels. */
  activations: 'f32' | 'f16';
  /** Of matrices in blocks: 4 rounds activations to 8 bits on the way, 0 does not. */
  accuracy: 0 | 4;
  storage(role: WeightRole, columns: number): Storage;
}

/** Dimensions of the language model; `lmConfig` reads them off a checkpoint's shapes. */
export interface LmConfig {
  /** Temporal width (4096). */
  dim: number;
  layers: number;
  heads: number;
  /** Hidden width of the gated feed-forward block (11264). */
  ffnHidden: number;
  /** Audio codes a codebook (2048); the table has one row more, the initial token. */
  card: number;
  /** Text tokens (32000); the table has one row more, the initial token. */
  textCard: number;
  /** Audio streams heard and spoken together (16). */
  audioStreams: number;
  depthDim: number;
  depthLayers: number;
  depthHeads: number;
  depthFfnHidden: number;
  /** Steps the checkpoint has (16, or 8 for plain Moshi); `DEPTH_STEPS` of them are used. */
  depthStepsStored: number;
  /** Nominal ring capacity C (3000): C - 1 rows are visible. */
  context: number;
  /** RoPE base (10000). */
  maxPeriod: number;
}

/** Dimensions of the Mimi codec; `mimiConfig` reads them off a checkpoint's shapes. */
export interface MimiConfig {
  /** Latent width (512). */
  dim: number;
  /** Upsampling factors in decoder order (8, 6, 5, 4). */
  ratios: readonly number[];
  layers: number;
  heads: number;
  /** Ring capacity C in 25 Hz rows (250). */
  context: number;
  maxPeriod: number;
  /** Codes a codebook (2048). */
  bins: number;
  /** Width of a codebook entry (256). */
  codeDim: number;
}

/** Codebooks spoken, and depth steps that matter: steps 8..15 only predict the player. */
export const DEPTH_STEPS = 8;
