/** A checkpoint as the graph builders ask for it: every reading is a job for the importer's threads. */
import { dtypeBytes, elementCount, type CanonicalTensor } from '../checkpoint';
import type { BlockFormat, LmConfig, WeightBlocks, WeightSlice, WeightSource } from '../graphs/types';
import { addLikeness, cosineOf, type Likeness } from '../quantise';
import { Balance, type Sizes, type Unbalanced } from './balance';
import type { JobResult, ReadJob, Segment } from './job';
import type { JobRunner } from './pool';

/** A canonical tensor and the file it is in. */
export interface SourcedTensor extends CanonicalTensor {
  file: string;
}

/** Elements read by one job of floats or halves; larger slices are put together from several. */
const PART_ELEMENTS = 8 * 2 ** 20;
export class CheckpointWeights implements WeightSource {
  private readonly likeness = new Map<string, Likeness>();
  private readonly read = new Set<string>();

  private readonly balance: Balance | null;

  /** @param balanced dimensions of the language model whose channels are shared out before rounding; see balance.ts */
  constructor(
    private readonly tensors: ReadonlyMap<string, SourcedTensor>,
    private readonly runner: JobRunner,
    balanced: LmConfig | null = null,
  ) {
    this.balance = balanced && new Balance(balanced, this.unbalanced());
  }

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
    const importance = (await this.balance?.importanceOf(slice.name)) ?? null;
    const job = await this.job(slice, { form: 'blocks', format, importance });
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

  private async job(slice: WeightSlice, want: ReadJob['want']): Promise<ReadJob> {
    const job = this.plainJob(slice, want);
    if (!this.balance) return job;
    const { rows, columns } = await this.balance.factorsOf(slice.name);
    if (!rows && !columns) return job;
    return { ...job, factors: { rows: rows && slice.rows ? rows.slice(...slice.rows) : rows, columns } };
  }

  /** A reading of the checkpoint as it is. */
  private plainJob(slice: WeightSlice, want: ReadJob['want']): ReadJob {
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
      const part = async (): Promise<void> => {
        const result = await this.perform(await this.job({ name: slice.name, rows }, want));
        const values = valuesOf(result);
        if (!values) throw new TypeError(`${slice.name} came as ${result.form}`);
        all.set(values, (row - from) * columns);
      };
      parts.push(part());
    }
    await Promise.all(parts);
    return all;
  }

  /** The checkpoint as it is, for the balance to measure. */
  private unbalanced(): Unbalanced {
    const read = async <F extends JobResult['form']>(
      slice: WeightSlice,
      want: ReadJob['want'] & { form: F },
    ): Promise<Extract<JobResult, { form: F }>> => {
      const result = await this.runner.run(this.plainJob(slice, want));
      if (result.form !== want.form) throw new TypeError(`${slice.name} came as ${result.form}`);
      return result as Extract<JobResult, { form: F }>;
    };
    return {
      shapeOf: (name) => this.shapeOf(name),
      vector: async (name) => (await read({ name }, { form: 'floats' })).floats,
      sizes: async (name, columnWeights) => {
        const [rows = 0] = this.shapeOf(name)!;
        const step = Math.max(1, Math.floor(PART_ELEMENTS / columnWeights.length));
        const parts = Array.from({ length: Math.ceil(rows / step) }, (_, part) => {
          const range = [part * step, Math.min(rows, (part + 1) * step)] as const;
          return read({ name, rows: range }, { form: 'sizes', columnWeights });
        });
        const whole: Sizes = {
          rows: new Float64Array(rows),
          columns: new Float64Array(columnWeights.length),
        };
        // In order, so that the same checkpoint gives the same bits on any number of threads.
        for (const [part, { sizes }] of (await Promise.all(parts)).entries()) {
          whole.rows.set(sizes.rows, part * step);
          sizes.columns.forEach((size, c) => (whole.columns[c]! += size));
        }
        return whole;
      },
    };
  }
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
