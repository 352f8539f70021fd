/** A checkpoint as the graph builders ask for it: every reading is a job for the importer's threads. */
import { dtypeBytes, elementCount, type CanonicalTensor } from '../checkpoint';
import type { BlockFormat, WeightBlocks, WeightSlice, WeightSource } from '../graphs/types';
import { addLikeness, cosineOf, type Likeness } from '../quantise';
import type { JobResult, ReadJob, Segment } from './job';
import type { JobRunner } from './pool';

/** A canonical tensor and the file it is in. */
export interface SourcedTensor extends CanonicalTensor {
  file: string;
}

/** Elements read by one job of floats or halves; larger slices are put together from several. */
const PART_ELEMENTS = 8 * 2 ** 20;
/** The least weight of a column relative to the mean: no column's error is free. */
const LEAST_IMPORTANCE = 1e-3;

/**
 * The norm a matrix reads through, if any. RMSNorm makes every input channel of unit mean square and then scales it by
 * `alpha`; so the output error that a column's rounding causes grows with alpha². That much is known about the
 * activations without running the model, and the search for blocks' ranges weights its errors by it.
 */
function normBefore(name: string): string | null {
  const layer = /^((?:transformer|depformer)\.layers\.\d+)\.(?:(self_attn\.in_proj_weight)|gating\.(?:\d+\.)?linear_in\.weight)$/.exec(name);
  if (layer) return `${layer[1]}.${layer[2] ? 'norm1' : 'norm2'}.alpha`;
  return name === 'text_linear.weight' || name.startsWith('depformer_in.') ? 'out_norm.alpha' : null;
} // prettier-ignore

export class CheckpointWeights implements WeightSource {
  private readonly likeness = new Map<string, Likeness>();
  private readonly read = new Set<string>();
  private readonly importances = new Map<string, Promise<Float32Array>>();

  constructor(
    private readonly tensors: ReadonlyMap<string, SourcedTensor>,
    private readonly runner: JobRunner,
  ) {}

  shapeOf(name: string): readonly number[] | undefined {
    return this.tensors.get(name)?.shape;
  }

  async readFloats(slice: WeightSlice): Promise<Float32Array> {
    return this.gather(slice, { form: 'floats' }, Float32Array, (result) =>
      result.form === 'floats' ? result.floats : null,
    );
  }

  async readHalves(slice: WeightSlice): Promise<Uint16Array> {
    return this.gather(slice, { form: 'halves' }, Uint16Array, (result) =>
      result.form === 'halves' ? result.halves : null,
    );
  }

  async readBlocks(slice: WeightSlice, format: BlockFormat): Promise<WeightBlocks> {
    const importance = await this.importanceOf(slice.name);
    const job = this.job(slice, { form: 'blocks', format, importance });
    const result = await this.perform(job);
    if (result.form !== 'blocks') throw new TypeError(`${slice.name} came as ${result.form}`);
    return result.blocks;
  }

  /** Cosine between each tensor as read and as stored, for those that were rounded. */
  cosines(): Map<string, number> {
    return new Map([...this.likeness].map(([name, likeness]) => [name, cosineOf(likeness)]));
  }

  /** Tensors nobody has asked for. */
  unread(): string[] {
    return [...this.tensors.keys()].filter((name) => !this.read.has(name));
  }

  private job(slice: WeightSlice, want: ReadJob['want']): ReadJob {
    const tensor = this.tensors.get(slice.name);
    if (!tensor) throw new RangeError(`there is no tensor ${slice.name}`);
    const columns = elementCount(tensor.shape.slice(1));
    const [from, to] = slice.rows ?? [0, tensor.shape[0]!];
    return {
      kind: 'read',
      tensor: slice.name,
      segments: segmentsOf(tensor, from, to, columns),
      columns,
      want,
    };
  }

  private async perform(job: ReadJob): Promise<JobResult> {
    this.read.add(job.tensor);
    const result = await this.runner.run(job);
    if ('likeness' in result) {
      const before = this.likeness.get(job.tensor);
      this.likeness.set(job.tensor, before ? addLikeness(before, result.likeness) : result.likeness);
    }
    return result;
  }

  private async gather<T extends Float32Array | Uint16Array>(
    slice: WeightSlice,
    want: ReadJob['want'],
    make: new (length: number) => T,
    valuesOf: (result: JobResult) => T | null,
  ): Promise<T> {
    const tensor = this.tensors.get(slice.name);
    if (!tensor) throw new RangeError(`there is no tensor ${slice.name}`);
    const [from, to] = slice.rows ?? [0, tensor.shape[0]!];
    const columns = elementCount(tensor.shape.slice(1));
    const step = Math.max(1, Math.floor(PART_ELEMENTS / columns));
    const all = new make((to - from) * columns);
    const parts: Promise<void>[] = [];
    for (let row = from; row < to; row += step) {
      const rows = [row, Math.min(to, row + step)] as const;
      const part = this.perform(this.job({ name: slice.name, rows }, want)).then((result) => {
        const values = valuesOf(result);
        if (!values) throw new TypeError(`${slice.name} came as ${result.form}`);
        all.set(values, (row - from) * columns);
      });
      parts.push(part);
    }
    await Promise.all(parts);
    return all;
  }

  private importanceOf(name: string): Promise<Float32Array | null> {
    const norm = normBefore(name);
    if (!norm || !this.tensors.has(norm)) return Promise.resolve(null);
    let importance = this.importances.get(norm);
    if (!importance) this.importances.set(norm, (importance = this.readFloats({ name: norm }).then(squares)));
    return importance;
  }
}

/** alpha² relative to its mean. */
function squares(alpha: Float32Array): Float32Array {
  const squared = alpha.map((value) => value * value);
  const mean = squared.reduce((sum, value) => sum + value, 0) / squared.length || 1;
  return squared.map((value) => Math.max(LEAST_IMPORTANCE, value / mean));
}

/** Where rows [from, to) of a tensor lie: in one place, or in several where it is kept in parts. */
function segmentsOf(tensor: SourcedTensor, from: number, to: number, columns: number): Segment[] {
  const segments: Segment[] = [];
  let first = 0;
  for (const { entry, rows } of tensor.parts) {
    const begin = Math.max(from, first);
    const end = Math.min(to, first + rows);
    if (begin < end)
      segments.push({
        file: tensor.file,
        position: entry.position + (begin - first) * columns * dtypeBytes(entry.dtype),
        elements: (end - begin) * columns,
        dtype: entry.dtype,
      });
    first += rows;
  }
  return segments;
}
