/** What a worker of the importer does: read rows of a tensor in one of three forms, or hash a file. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { NpcVoiceError } from '../../errors';
import {
  dtypeBytes,
  firstNonFinite,
  floatToHalf,
  halfToFloat,
  readExactly,
  widenToFloat32,
  type Dtype,
} from '../checkpoint';
import type { BlockFormat, WeightBlocks } from '../graphs/types';
import type { Factors, Sizes } from './balance';
import { BlockQuantiser, noLikeness, type Likeness } from '../quantise';

/** A run of elements in a file. */
export interface Segment {
  file: string;
  position: number;
  elements: number;
  dtype: Dtype;
}

export interface ReadJob {
  kind: 'read';
  /** Named when its values cannot be used. */
  tensor: string;
  segments: readonly Segment[];
  columns: number;
  /** Multiplied into the rows and columns read; see balance.ts. */
  factors?: Factors;
  want:
    | { form: 'floats' }
    | { form: 'halves' }
    | { form: 'blocks'; format: BlockFormat; importance: Float32Array | null }
    | { form: 'sizes'; columnWeights: Float32Array };
}
export interface HashJob {
  kind: 'hash';
  file: string;
}
export type Job = ReadJob | HashJob;

export type JobResult =
  | { form: 'floats'; floats: Float32Array }
  | { form: 'halves'; halves: Uint16Array; likeness: Likeness }
  | { form: 'blocks'; blocks: WeightBlocks; likeness: Likeness }
  | { form: 'sizes'; sizes: Sizes }
  | { form: 'hash'; sha256: string };

const HASH_CHUNK = 4 * 2 ** 20;

/** Does jobs one after another, keeping files open and memory at hand between them. */
export class Labourer {
  private readonly files = new Map<string, number>();
  private readonly quantiser = new BlockQuantiser();
  private raw = new Uint8Array(0);

  /** @throws NpcVoiceError `model_invalid` naming a tensor with values that are not finite, `io` when reading fails */
  perform(job: Job): JobResult {
    if (job.kind === 'hash') return { form: 'hash', sha256: hashFile(job.file) };
    const count = job.segments.reduce((sum, segment) => sum + segment.elements, 0);
    const { want } = job;
    if (want.form === 'blocks') {
      this.fill(job, this.quantiser.input(count));
      const { likeness, ...blocks } = this.quantiser.run(
        count / job.columns,
        job.columns,
        want.format,
        want.importance,
      );
      if (!Number.isFinite(likeness.xx)) throw tooLarge(job.tensor, 'be rounded to blocks');
      return { form: 'blocks', blocks, likeness };
    }
    const floats = new Float32Array(count);
    this.fill(job, floats);
    if (want.form === 'sizes') return { form: 'sizes', sizes: sizesOf(floats, want.columnWeights) };
    return want.form === 'floats' ? { form: 'floats', floats } : toHalves(job.tensor, floats);
  }

  private fill(job: ReadJob, into: Float32Array): void {
    let at = 0;
    for (const { file, position, elements, dtype } of job.segments) {
      const bytes = elements * dtypeBytes(dtype);
      if (this.raw.length < bytes) this.raw = new Uint8Array(bytes);
      const raw = this.raw.subarray(0, bytes);
      reading(file, () => readExactly(this.open(file), raw, position, file));
      widenToFloat32(raw, dtype, elements, into.subarray(at, at + elements));
      at += elements;
    }
    const bad = firstNonFinite(into);
    if (bad >= 0)
      throw new NpcVoiceError(
        'model_invalid',
        `Tensor ${job.tensor} holds ${Number.isNaN(into[bad]!) ? 'a NaN' : 'an infinity'}; the checkpoint is damaged.`,
        { hint: 'Download the checkpoint again.' },
      );
    if (job.factors) scale(into, job.columns, job.factors);
  }

  private open(file: string): number {
    const known = this.files.get(file);
    if (known !== undefined) return known;
    const fd = openSync(file, 'r');
    this.files.set(file, fd);
    return fd;
  }

  /** Closes what it opened. */
  close(): void {
    for (const fd of this.files.values()) closeSync(fd);
    this.files.clear();
  }
}

const tooLarge = (tensor: string, purpose: string, hint?: string): NpcVoiceError =>
  new NpcVoiceError('model_invalid', `Tensor ${tensor} holds values too large to ${purpose}.`, {
    hint: hint ?? 'No trained weight is so large: download the checkpoint again.',
  });

/** Multiplies factors into rows of `width` values. */
function scale(values: Float32Array, width: number, { rows, columns }: Factors): void {
  for (let row = 0, at = 0; at < values.length; row++, at += width) {
    const factor = rows ? rows[row]! : 1;
    if (columns) for (let c = 0; c < width; c++) values[at + c]! *= factor * columns[c]!;
    else for (let c = 0; c < width; c++) values[at + c]! *= factor;
  }
}

function sizesOf(values: Float32Array, weights: Float32Array): Sizes {
  const width = weights.length;
  const rows = new Float64Array(values.length / width);
  const columns = new Float64Array(width);
  for (let row = 0, at = 0; at < values.length; row++, at += width) {
    let sum = 0;
    for (let c = 0; c < width; c++) {
      const value = values[at + c]!;
      const weighted = value * weights[c]!;
      columns[c]! += value * value;
      sum += weighted * weighted;
    }
    rows[row] = sum;
  }
  return { rows, columns };
}

/** Rounds to nearest even. */
function toHalves(tensor: string, floats: Float32Array): JobResult {
  const halves = new Uint16Array(floats.length);
  const likeness = noLikeness();
  for (let i = 0; i < floats.length; i++) {
    const value = floats[i]!;
    const bits = floatToHalf(value);
    halves[i] = bits;
    const rounded = halfToFloat(bits);
    likeness.xx += value * value;
    likeness.xy += value * rounded;
    likeness.yy += rounded * rounded;
  }
  if (!Number.isFinite(likeness.yy))
    throw tooLarge(tensor, 'be 16-bit floats', 'Import it in another tier: q8, mixed or q4.');
  return { form: 'halves', halves, likeness };
}

function hashFile(file: string): string {
  const hash = createHash('sha256');
  const chunk = new Uint8Array(HASH_CHUNK);
  reading(file, () => {
    const fd = openSync(file, 'r');
    try {
      for (let got: number; (got = readSync(fd, chunk)) > 0;) hash.update(chunk.subarray(0, got));
    } finally {
      closeSync(fd);
    }
  });
  return hash.digest('hex');
}

/** What fails for the system's reasons fails as `io`, naming the file. */
function reading(file: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (syscall === undefined) throw error;
    throw new NpcVoiceError('io', `${file} could not be read: ${code}.`, { cause: error });
  }
}

/** Buffers of a result that may move to another thread instead of being copied. */
export function transferable(result: JobResult): ArrayBuffer[] {
  return viewsOf(result).flatMap((view) => (view ? [view.buffer as ArrayBuffer] : []));
}

function viewsOf(result: JobResult): (ArrayBufferView | null)[] {
  switch (result.form) {
    case 'floats':
      return [result.floats];
    case 'halves':
      return [result.halves];
    case 'blocks':
      return [result.blocks.packed, result.blocks.scales, result.blocks.zeroPoints];
    case 'sizes':
      return [result.sizes.rows, result.sizes.columns];
    case 'hash':
      return [];
  }
}
