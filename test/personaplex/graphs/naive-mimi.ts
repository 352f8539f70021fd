/**
 * Mimi written plainly, in float64 and over a whole signal at once: an oracle for the streaming graphs of any
 * dimensions. The one thing that streaming changes, the reference's ring, is its attention window.
 */
import type { MimiConfig } from '../../../sidecar/personaplex/graphs';
import type { MemoryWeights } from './weights';

/** Channels of samples. */
type Signal = number[][];

const elu = (x: Signal): Signal => x.map((channel) => channel.map((v) => (v > 0 ? v : Math.expm1(v))));
const plus = (a: Signal, b: Signal): Signal => a.map((channel, c) => channel.map((v, t) => v + b[c]![t]!));

/** Abramowitz and Stegun would do; this is the series, to double precision. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum) && n < 400; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return Math.abs(x) > 5 ? Math.sign(x) : (2 / Math.sqrt(Math.PI)) * sum;
}

export class NaiveMimi {
  constructor(
    readonly config: MimiConfig,
    readonly weights: MemoryWeights,
  ) {}

  #tensor(name: string): { shape: readonly number[]; data: Float32Array } {
    return this.weights.tensors.get(name)!;
  }

  #bias(name: string): (channel: number) => number {
    const bias = this.weights.tensors.get(`${name}.bias`);
    return (channel) => bias?.data[channel] ?? 0;
  }

  /** Causal: K - S samples of padding on the left, zeros or copies of the first. */
  #conv(name: string, x: Signal, stride: number, replicate = false): Signal {
    const { shape, data } = this.#tensor(`${name}.weight`);
    const [out, into, kernel] = shape as [number, number, number];
    const bias = this.#bias(name);
    const pad = kernel - stride;
    const at = (c: number, t: number): number => (t >= pad ? x[c]![t - pad]! : replicate ? x[c]![0]! : 0);
    return Array.from({ length: out }, (_, o) =>
      Array.from({ length: x[0]!.length / stride }, (_, t) => {
        let sum = bias(o);
        for (let i = 0; i < into; i++) {
          for (let k = 0; k < kernel; k++) sum += data[(o * into + i) * kernel + k]! * at(i, t * stride + k);
        }
        return sum;
      }),
    );
  }

  /** Causal: K - S samples trimmed on the right. */
  #convTranspose(name: string, x: Signal, stride: number, depthwise = false): Signal {
    const { shape, data } = this.#tensor(`${name}.weight`);
    const [into, perGroup, kernel] = shape as [number, number, number];
    const bias = this.#bias(name);
    const out = depthwise ? into : perGroup;
    const length = x[0]!.length * stride;
    return Array.from({ length: out }, (_, o) => {
      const y = new Array<number>(length).fill(bias(o));
      for (let i = depthwise ? o : 0; i < (depthwise ? o + 1 : into); i++) {
        x[i]!.forEach((value, t) => {
          for (let k = 0; k < kernel && t * stride + k < length; k++) {
            y[t * stride + k]! += value * data[(i * perGroup + (depthwise ? 0 : o)) * kernel + k]!;
          }
        });
      }
      return y;
    });
  }

  #residual(name: string, x: Signal): Signal {
    const inner = this.#conv(`${name}.block.1.conv.conv`, elu(x), 1);
    return plus(x, this.#conv(`${name}.block.3.conv.conv`, elu(inner), 1));
  }

  #transformer(side: 'encoder' | 'decoder', x: Signal): Signal {
    const { dim, heads, layers, context, maxPeriod } = this.config;
    const size = dim / heads;
    let rows = x[0]!.map((_, t) => x.map((channel) => channel[t]!));
    const times = (name: string, row: number[]): number[] => {
      const { shape, data } = this.#tensor(name);
      return Array.from({ length: shape[0]! }, (_, o) =>
        row.reduce((sum, v, i) => sum + v * data[o * row.length + i]!, 0),
      );
    };
    for (let layer = 0; layer < layers; layer++) {
      const at = `${side}_transformer.transformer.layers.${layer}`;
      const norm = (row: number[], which: string): number[] => {
        const mean = row.reduce((a, b) => a + b, 0) / row.length;
        const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / row.length;
        const [scale, bias] = ['weight', 'bias'].map((part) => this.#tensor(`${at}.${which}.${part}`).data);
        return row.map((v, i) => ((v - mean) / Math.sqrt(variance + 1e-5)) * scale![i]! + bias![i]!);
      };
      const scaled = (row: number[], which: number): number[] =>
        row.map((v, i) => v * this.#tensor(`${at}.layer_scale_${which}.scale`).data[i]!);
      const packed = rows.map((row) => times(`${at}.self_attn.in_proj_weight`, norm(row, 'norm1')));
      const turned = (part: number): number[][] =>
        packed.map((row, t) => {
          const own = row.slice(part * dim, (part + 1) * dim);
          return own.map((v, i) => {
            const angle = t * maxPeriod ** (-((i % size) & ~1) / size);
            return i % 2 === 0
              ? v * Math.cos(angle) - own[i + 1]! * Math.sin(angle)
              : own[i - 1]! * Math.sin(angle) + v * Math.cos(angle);
          });
        });
      const [q, k] = [turned(0), turned(1)];
      rows = rows.map((row, t) => {
        const attended: number[] = [];
        // Both rows of a frame see from C - 2 rows before its second one.
        const oldest = Math.max(0, (t | 1) - (context - 2));
        for (let head = 0; head < dim; head += size) {
          const scores: number[] = [];
          for (let s = oldest; s <= t; s++) {
            let score = 0;
            for (let i = head; i < head + size; i++) score += q[t]![i]! * k[s]![i]!;
            scores.push(Math.exp(score / Math.sqrt(size)));
          }
          const total = scores.reduce((a, b) => a + b, 0);
          for (let i = head; i < head + size; i++) {
            attended.push(
              scores.reduce((sum, w, s) => sum + (w / total) * packed[oldest + s]![2 * dim + i]!, 0),
            );
          }
        }
        const mixed = scaled(times(`${at}.self_attn.out_proj.weight`, attended), 1);
        const y = row.map((v, i) => v + mixed[i]!);
        const wide = times(`${at}.linear1.weight`, norm(y, 'norm2')).map(
          (v) => (v / 2) * (1 + erf(v / Math.SQRT2)),
        );
        const added = scaled(times(`${at}.linear2.weight`, wide), 2);
        return y.map((v, i) => v + added[i]!);
      });
    }
    return x.map((_, c) => rows.map((row) => row[c]!));
  }

  #codebook(name: string): { entry: (bin: number) => number[]; bins: number } {
    const sums = this.#tensor(`${name}._codebook.embedding_sum`);
    const usage = this.#tensor(`${name}._codebook.cluster_usage`).data;
    const [bins, width] = sums.shape as [number, number];
    const entry = (bin: number): number[] =>
      [...sums.data.subarray(bin * width, (bin + 1) * width)].map((v) => v / Math.max(usage[bin]!, 1e-5));
    return { entry, bins };
  }

  #project(name: string, x: readonly number[]): number[] {
    const { shape, data } = this.#tensor(`quantizer.${name}.weight`);
    return Array.from({ length: shape[0]! }, (_, o) =>
      x.reduce((sum, v, i) => sum + v * data[o * x.length + i]!, 0),
    );
  }

  /** Latents and codes of each frame. */
  encode(samples: readonly number[]): { latents: number[][]; codes: number[][] } {
    const { ratios } = this.config;
    let x = this.#conv('encoder.model.0.conv.conv', [[...samples]], 1);
    [...ratios].reverse().forEach((stride, i) => {
      x = this.#residual(`encoder.model.${3 * i + 1}`, x);
      x = this.#conv(`encoder.model.${3 * i + 3}.conv.conv`, elu(x), stride);
    });
    x = this.#conv(`encoder.model.${3 * ratios.length + 2}.conv.conv`, elu(x), 1);
    x = this.#conv('downsample.conv.conv.conv', this.#transformer('encoder', x), 2, true);
    const latents = x[0]!.map((_, t) => x.map((channel) => channel[t]!));
    return { latents, codes: latents.map((latent) => this.#quantise(latent)) };
  }

  #quantise(latent: readonly number[]): number[] {
    const nearest = (name: string, target: readonly number[]): { bin: number; left: number[] } => {
      const { entry, bins } = this.#codebook(`quantizer.${name}`);
      const distances = Array.from({ length: bins }, (_, bin) =>
        entry(bin).reduce((sum, v, i) => sum + (v - target[i]!) ** 2, 0),
      );
      const bin = distances.indexOf(Math.min(...distances));
      return { bin, left: target.map((v, i) => v - entry(bin)[i]!) };
    };
    const codes = [nearest('rvq_first.vq.layers.0', this.#project('rvq_first.input_proj', latent)).bin];
    let rest = this.#project('rvq_rest.input_proj', latent);
    for (let layer = 0; layer < 7; layer++) {
      const { bin, left } = nearest(`rvq_rest.vq.layers.${layer}`, rest);
      codes.push(bin);
      rest = left;
    }
    return codes;
  }

  /** Samples of frames of eight codes. */
  decode(frames: readonly (readonly number[])[]): number[] {
    const { ratios } = this.config;
    const latents = frames.map((codes) => {
      const entries = codes.map((code, k) =>
        this.#codebook(
          k === 0 ? 'quantizer.rvq_first.vq.layers.0' : `quantizer.rvq_rest.vq.layers.${k - 1}`,
        ).entry(code),
      );
      const rest = entries.slice(1).reduce((sum, own) => sum.map((v, i) => v + own[i]!));
      const [a, b] = [
        this.#project('rvq_first.output_proj', entries[0]!),
        this.#project('rvq_rest.output_proj', rest),
      ];
      return a.map((v, i) => v + b[i]!);
    });
    let x: Signal = latents[0]!.map((_, c) => latents.map((latent) => latent[c]!));
    x = this.#transformer('decoder', this.#convTranspose('upsample.convtr.convtr.convtr', x, 2, true));
    x = this.#conv('decoder.model.0.conv.conv', x, 1);
    ratios.forEach((stride, i) => {
      x = this.#convTranspose(`decoder.model.${3 * i + 2}.convtr.convtr`, elu(x), stride);
      x = this.#residual(`decoder.model.${3 * i + 3}`, x);
    });
    return this.#conv(`decoder.model.${3 * ratios.length + 2}.conv.conv`, elu(x), 1)[0]!;
  }
}
