/**
 * Causal convolutions that run frame by frame, written as matrix products over channels-last rows [batch, time,
 * channels]: with a frame's few columns, that is many times faster on a CPU than ONNX's Conv. What a convolution still
 * needs of the past goes in and comes out as `state_*`, zeros at the start (the causal padding).
 */
import { GraphBuilder, ops, type Dim, type Value } from '../onnx';
import type { Provider, WeightSource } from './types';
import { asBytes } from './weights';

/** A graph of float32 weights that are rearranged on the way in. */
export interface CodecBench {
  graph: GraphBuilder;
  weights: WeightSource;
  provider: Provider;
}

/** Prefixes of what a run takes from the run before. */
export const STATE_IN = 'state_';
export const STATE_OUT = 'next_state_';

/** Shape of a checkpoint tensor. */
export const shapeOf = ({ graph, weights }: CodecBench, name: string): readonly number[] =>
  weights.shapeOf(name) ?? graph.fail(`the checkpoint has no ${name}`);

/** A weight computed from checkpoint tensors when the model is written. */
export function derivedWeight(
  { graph }: CodecBench,
  name: string,
  shape: readonly number[],
  derive: () => Promise<Float32Array>,
): Value {
  return graph.payload([{ name, type: 'f32', shape }], [async () => [asBytes(await derive())]])[0]!;
}

/** A vector as it is. */
export const vector = (bench: CodecBench, name: string): Value =>
  derivedWeight(bench, name, [shapeOf(bench, name)[0]!], () => bench.weights.readFloats({ name }));

/** A [rows, columns(, 1)] matrix, transposed for `matmul`; each output row times its `scale`, where one is given. */
export function matrix(bench: CodecBench, name: string, scale?: string): Value {
  const [rows, columns] = shapeOf(bench, name) as [number, number];
  return derivedWeight(bench, name, [columns, rows], async () => {
    const source = await bench.weights.readFloats({ name });
    const factors = scale ? await bench.weights.readFloats({ name: scale }) : undefined;
    const result = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      const factor = factors ? factors[row]! : 1;
      for (let column = 0; column < columns; column++)
        result[column * rows + row] = source[row * columns + column]! * factor;
    }
    return result;
  });
}

/** Rows of the run before, and the rows to hand to the next. */
function state(
  graph: GraphBuilder,
  name: string,
  shape: readonly Dim[],
): { past: Value; keep: (next: Value) => void } {
  return {
    past: graph.input(`${STATE_IN}${name}`, 'f32', shape),
    keep: (next) => graph.output(`${STATE_OUT}${name}`, next),
  };
}

/**
 * Convolution of kernel K and stride S, either S = 1 or K = 2S; keeps the last K - S rows of its input.
 * @param name the tensor's name without `.weight`
 * @param x [batch, time, in], time a multiple of S
 * @param past what stands before the first row in place of the kept rows, if not always those
 * @returns [batch, time / S, out]
 */
export function streamingConv(
  bench: CodecBench,
  name: string,
  x: Value,
  stride: number,
  options: { bias?: boolean; past?: (kept: Value) => Value } = {},
): Value {
  const { graph, weights } = bench;
  const [out, into, kernel] = shapeOf(bench, `${name}.weight`) as [number, number, number];
  const [batch, time] = x.shape as [Dim, number];
  if (stride !== 1 && kernel !== 2 * stride) graph.fail(`${name}: kernel ${kernel} with stride ${stride}`);
  const taps = derivedWeight(bench, `${name}.weight`, [kernel * into, out], async () => {
    const source = await weights.readFloats({ name: `${name}.weight` });
    const result = new Float32Array(source.length);
    for (let o = 0; o < out; o++) {
      for (let i = 0; i < into; i++) {
        for (let k = 0; k < kernel; k++)
          result[(k * into + i) * out + o] = source[(o * into + i) * kernel + k]!;
      }
    }
    return result;
  });
  const windows = kernel === 1 ? x : windowed();
  const y = ops.matmul(windows, taps);
  return options.bias === false ? y : ops.add(y, vector(bench, `${name}.bias`));

  function windowed(): Value {
    const { past, keep } = state(graph, name, [batch, kernel - stride, into]);
    const rows = ops.concat([options.past ? options.past(past) : past, x], 1);
    keep(ops.slice(rows, 1, time, time + kernel - stride));
    if (stride === 1) {
      return ops.concat(
        Array.from({ length: kernel }, (_, k) => ops.slice(rows, 1, k, k + time)),
        2,
      );
    }
    // Two neighbouring blocks of S rows are one window.
    const count = time / stride;
    const blocks = ops.reshape(rows, [batch, count + 1, stride * into]);
    return ops.concat([ops.slice(blocks, 1, 0, count), ops.slice(blocks, 1, 1, count + 1)], 2);
  }
}

/**
 * Transposed convolution of kernel 2S and stride S; each input row makes 2S output rows, the later S of which are
 * added to those of the next row, and kept for the next run after the last.
 * @returns [batch, time * S, out]
 */
export function streamingConvTranspose(bench: CodecBench, name: string, x: Value, stride: number): Value {
  const { graph, weights } = bench;
  const [into, out, kernel] = shapeOf(bench, `${name}.weight`) as [number, number, number];
  const [batch, time] = x.shape as [Dim, number];
  if (kernel !== 2 * stride) graph.fail(`${name}: kernel ${kernel} with stride ${stride}`);
  const taps = derivedWeight(bench, `${name}.weight`, [into, kernel * out], async () => {
    const source = await weights.readFloats({ name: `${name}.weight` });
    const result = new Float32Array(source.length);
    for (let i = 0; i < into; i++) {
      for (let o = 0; o < out; o++) {
        for (let k = 0; k < kernel; k++)
          result[(i * kernel + k) * out + o] = source[(i * out + o) * kernel + k]!;
      }
    }
    return result;
  });
  const half = stride * out;
  const [first, second] = ops.split(ops.matmul(x, taps), 2, [half, half]);
  const { past, keep } = state(graph, name, [batch, 1, half]);
  const overlap = ops.concat([past, second!], 1);
  keep(ops.slice(overlap, 1, time, time + 1));
  const joined = ops.add(first!, ops.slice(overlap, 1, 0, time));
  return ops.add(ops.reshape(joined, [batch, time * stride, out]), vector(bench, `${name}.bias`));
}

/** Transposed convolution of kernel 4 and stride 2, each channel on its own, of one row: [batch, 1, n] to [batch, 2, n]. */
export function streamingUpsample(bench: CodecBench, name: string, x: Value): Value {
  const [channels, , kernel] = shapeOf(bench, `${name}.weight`) as [number, number, number];
  const [batch] = x.shape as [Dim];
  const half = kernel / 2;
  const taps = derivedWeight(bench, `${name}.weight`, [kernel, channels], async () => {
    const source = await bench.weights.readFloats({ name: `${name}.weight` });
    return Float32Array.from(source, (_, i) => source[(i % channels) * kernel + Math.floor(i / channels)]!);
  });
  const [first, second] = ops.split(ops.mul(x, taps), 1, [half, half]);
  const { past, keep } = state(bench.graph, name, [batch, half, channels]);
  keep(second!);
  return ops.add(first!, past);
}
