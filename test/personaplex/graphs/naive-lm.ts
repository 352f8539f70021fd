/**
 * The language model written plainly, in float64, one column after the other over its whole past: an oracle for graphs
 * of any dimensions. Only what the reference document says, nothing of how the graphs do it.
 */
import type { LmConfig } from '../../../sidecar/personaplex/graphs';
import type { MemoryWeights } from './weights';

type Vector = number[];

const dot = (matrix: Float32Array, row: number, x: Vector): number =>
  x.reduce((sum, value, i) => sum + value * matrix[row * x.length + i]!, 0);

const times = (matrix: Float32Array, x: Vector, from = 0, rows = matrix.length / x.length): Vector =>
  Array.from({ length: rows }, (_, row) => dot(matrix, from + row, x));

const plus = (a: Vector, b: Vector): Vector => a.map((value, i) => value + b[i]!);

function rms(x: Vector, alpha: Float32Array): Vector {
  const scale = 1 / Math.sqrt(1e-8 + x.reduce((sum, value) => sum + value * value, 0) / x.length);
  return x.map((value, i) => value * alpha[i]! * scale);
}

function rotate(x: Vector, position: number, size: number, maxPeriod: number): Vector {
  const out = [...x];
  for (let head = 0; head < x.length; head += size) {
    for (let i = 0; i < size; i += 2) {
      const angle = position * maxPeriod ** (-i / size);
      const [a, b] = [x[head + i]!, x[head + i + 1]!];
      out[head + i] = a * Math.cos(angle) - b * Math.sin(angle);
      out[head + i + 1] = a * Math.sin(angle) + b * Math.cos(angle);
    }
  }
  return out;
}

function attend(q: Vector, keys: readonly Vector[], values: readonly Vector[], size: number): Vector {
  const out: Vector = [];
  for (let head = 0; head < q.length; head += size) {
    const part = (row: Vector): Vector => row.slice(head, head + size);
    const query = part(q);
    const scores = keys.map(
      (key) => part(key).reduce((sum, k, i) => sum + k * query[i]!, 0) / Math.sqrt(size),
    );
    const top = Math.max(...scores);
    const weights = scores.map((score) => Math.exp(score - top));
    const total = weights.reduce((a, b) => a + b, 0);
    for (let i = 0; i < size; i++) {
      out.push(weights.reduce((sum, weight, row) => sum + (weight / total) * values[row]![head + i]!, 0));
    }
  }
  return out;
}

const gated = (x: Vector): Vector => {
  const half = x.length / 2;
  return x.slice(0, half).map((a, i) => (a / (1 + Math.exp(-a))) * x[half + i]!);
};

export class NaiveLm {
  readonly #past: { keys: Vector[]; values: Vector[] }[];
  #position = 0;

  constructor(
    readonly config: LmConfig,
    readonly weights: MemoryWeights,
  ) {
    this.#past = Array.from({ length: config.layers }, () => ({ keys: [], values: [] }));
  }

  #tensor(name: string): Float32Array {
    return this.weights.tensors.get(name)!.data;
  }

  #row(name: string, row: number, width: number): Vector {
    return row < 0
      ? new Array<number>(width).fill(0)
      : [...this.#tensor(name).subarray(row * width, (row + 1) * width)];
  }

  /** Consumes a column of 17 tokens. */
  consume(tokens: ArrayLike<number>): { hidden: Vector; textLogits: Vector } {
    const { dim, layers, heads, context, maxPeriod, audioStreams } = this.config;
    const size = dim / heads;
    let x = this.#row('text_emb.weight', tokens[0]!, dim);
    for (let k = 0; k < audioStreams; k++) x = plus(x, this.#row(`emb.${k}.weight`, tokens[k + 1]!, dim));
    for (let layer = 0; layer < layers; layer++) {
      const at = `transformer.layers.${layer}`;
      const packed = times(
        this.#tensor(`${at}.self_attn.in_proj_weight`),
        rms(x, this.#tensor(`${at}.norm1.alpha`)),
      );
      const past = this.#past[layer]!;
      past.keys.push(rotate(packed.slice(dim, 2 * dim), this.#position, size, maxPeriod));
      past.values.push(packed.slice(2 * dim));
      const q = rotate(packed.slice(0, dim), this.#position, size, maxPeriod);
      const seen = attend(q, past.keys.slice(-(context - 1)), past.values.slice(-(context - 1)), size);
      x = plus(x, times(this.#tensor(`${at}.self_attn.out_proj.weight`), seen));
      const wide = times(
        this.#tensor(`${at}.gating.linear_in.weight`),
        rms(x, this.#tensor(`${at}.norm2.alpha`)),
      );
      x = plus(x, times(this.#tensor(`${at}.gating.linear_out.weight`), gated(wide)));
    }
    this.#position++;
    const hidden = rms(x, this.#tensor('out_norm.alpha'));
    return { hidden, textLogits: times(this.#tensor('text_linear.weight'), hidden) };
  }

  /** Logits of depth step k, given the tokens of the steps before: text first, then codes. */
  depthLogits(hidden: Vector, told: readonly number[]): Vector[] {
    const { depthDim: width, depthLayers, depthHeads } = this.config;
    const past = Array.from({ length: depthLayers }, () => ({
      keys: [] as Vector[],
      values: [] as Vector[],
    }));
    return told.map((token, step) => {
      const table = step === 0 ? 'depformer_text_emb.weight' : `depformer_emb.${step - 1}.weight`;
      let d = plus(
        times(this.#tensor(`depformer_in.${step}.weight`), hidden),
        this.#row(table, token, width),
      );
      for (let layer = 0; layer < depthLayers; layer++) {
        const at = `depformer.layers.${layer}`;
        const x = rms(d, this.#tensor(`${at}.norm1.alpha`));
        const packed = times(this.#tensor(`${at}.self_attn.in_proj_weight`), x, step * 3 * width, 3 * width);
        past[layer]!.keys.push(packed.slice(width, 2 * width));
        past[layer]!.values.push(packed.slice(2 * width));
        const seen = attend(
          packed.slice(0, width),
          past[layer]!.keys,
          past[layer]!.values,
          width / depthHeads,
        );
        d = plus(d, times(this.#tensor(`${at}.self_attn.out_proj.weight`), seen, step * width, width));
        const wide = times(
          this.#tensor(`${at}.gating.${step}.linear_in.weight`),
          rms(d, this.#tensor(`${at}.norm2.alpha`)),
        );
        d = plus(d, times(this.#tensor(`${at}.gating.${step}.linear_out.weight`), gated(wide)));
      }
      return times(this.#tensor(`linears.${step}.weight`), d);
    });
  }
}
