import fc from 'fast-check';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { halfToFloat, floatToHalf } from '../../../sidecar/personaplex/checkpoint';
import type { BlockFormat } from '../../../sidecar/personaplex/graphs/types';
import { contrib, GraphBuilder, modelBytes } from '../../../sidecar/personaplex/onnx';
import {
  cosineOf,
  dequantiseBlocks,
  noLikeness,
  quantiseBlocks,
} from '../../../sidecar/personaplex/quantise';

const format = (bits: 4 | 8, zeroPoints: boolean, blockSize = 32, scales: 'f32' | 'f16' = 'f32'): BlockFormat => ({
  bits, blockSize, zeroPoints, scales,
}); // prettier-ignore

/** Gaussian values, some columns many times larger than the others. */
function weights(rows: number, columns: number, seed = 1): Float32Array {
  let state = seed;
  const random = (): number => (state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) / 2 ** 31;
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const gauss = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(6.2831853 * random());
    return 0.02 * gauss * ((i % columns) % 97 === 13 ? 12 : 1);
  });
}

/** Squared error, weighted by column. */
function error(x: Float32Array, y: Float32Array, columns: number, importance?: Float32Array): number {
  return x.reduce((sum, value, i) => sum + (importance?.[i % columns] ?? 1) * (value - y[i]!) ** 2, 0);
}

/** Plain rounding to nearest: the block's own range in equal steps. */
function plainRounding(x: Float32Array, bits: number, blockSize: number, zeroPoints: boolean): Float32Array {
  const levels = 2 ** bits - 1;
  const y = new Float32Array(x.length);
  for (let at = 0; at < x.length; at += blockSize) {
    const block = x.subarray(at, at + blockSize);
    const [low, high] = [Math.min(0, ...block), Math.max(0, ...block)];
    const scale = zeroPoints ? (high - low) / levels : Math.max(-low, high) / ((levels - 1) / 2);
    const zero = zeroPoints ? Math.round(-low / scale) : (levels + 1) / 2;
    block.forEach((value, i) => {
      y[at + i] = (Math.min(levels, Math.max(0, Math.round(value / scale) + zero)) - zero) * scale;
    });
  }
  return y;
}

const formats = [4, 8].flatMap((bits) =>
  [true, false].flatMap((zeroPoints) =>
    [16, 32, 64, 128].map((size) => format(bits as 4 | 8, zeroPoints, size)),
  ),
);

describe('weights in blocks', () => {
  it.each(formats)(
    '$bits bits, blocks of $blockSize, zero points: $zeroPoints: closer than plain rounding',
    (f) => {
      const [rows, columns] = [8, 512];
      const x = weights(rows, columns);
      const blocks = quantiseBlocks(x, rows, columns, f);
      const y = dequantiseBlocks(blocks, rows, columns, f);
      const plain = error(x, plainRounding(x, f.bits, f.blockSize, f.zeroPoints), columns);
      // With 256 levels plain rounding leaves next to nothing to gain.
      expect(error(x, y, columns)).toBeLessThan(plain * (f.bits === 4 ? 0.95 : 1.005));
      expect(blocks.packed.length).toBe((rows * columns * f.bits) / 8);
      expect(blocks.scales.length).toBe((rows * columns) / f.blockSize);
      expect(blocks.zeroPoints?.length ?? 0).toBe(
        f.zeroPoints ? rows * Math.ceil(((columns / f.blockSize) * f.bits) / 8) : 0,
      );
    },
  );

  it('report how like the exact ones they are', () => {
    const x = weights(16, 256);
    for (const f of formats) {
      const { likeness, ...blocks } = quantiseBlocks(x, 16, 256, f);
      const y = dequantiseBlocks(blocks, 16, 256, f);
      const exact = noLikeness();
      x.forEach((value, i) => {
        exact.xx += value * value;
        exact.xy += value * y[i]!;
        exact.yy += y[i]! * y[i]!;
      });
      expect(cosineOf(likeness)).toBeCloseTo(cosineOf(exact), 6);
    }
  });

  it('are close even with outlier channels: cosine 0.9999 in 8 bits, 0.994 in 4', () => {
    const x = weights(32, 1024, 5);
    expect(cosineOf(quantiseBlocks(x, 32, 1024, format(8, false)).likeness)).toBeGreaterThan(0.9999);
    expect(cosineOf(quantiseBlocks(x, 32, 1024, format(4, true)).likeness)).toBeGreaterThan(0.994);
  });

  it('serve the columns that matter first', () => {
    const [rows, columns] = [16, 256];
    const x = weights(rows, columns, 3);
    const importance = Float32Array.from({ length: columns }, (_, column) => (column % 8 === 0 ? 50 : 1));
    const f = format(4, true);
    const blind = dequantiseBlocks(quantiseBlocks(x, rows, columns, f), rows, columns, f);
    const seeing = dequantiseBlocks(quantiseBlocks(x, rows, columns, f, importance), rows, columns, f);
    expect(error(x, seeing, columns, importance)).toBeLessThan(0.9 * error(x, blind, columns, importance));
  });

  it('have scales that half precision holds exactly, where halves are asked for', () => {
    const f = format(4, true, 32, 'f16');
    for (const scale of quantiseBlocks(weights(4, 128), 4, 128, f).scales)
      expect(halfToFloat(floatToHalf(scale))).toBe(scale);
  });

  it('keep zeros zero, and constants constant', () => {
    for (const f of formats) {
      const zeros = quantiseBlocks(new Float32Array(256), 2, 128, f);
      expect(dequantiseBlocks(zeros, 2, 128, f).every((value) => value === 0)).toBe(true);
      const constant = new Float32Array(256).fill(-0.37);
      const y = dequantiseBlocks(quantiseBlocks(constant, 2, 128, f), 2, 128, f);
      y.forEach((value) => expect(value).toBeCloseTo(-0.37, 5));
    }
  });

  it('never stray further from a value than a step of its block and what is clipped', () => {
    const value = fc.oneof(
      fc.double({ min: -1, max: 1, noNaN: true }),
      fc.constantFrom(0, 1e-30, -1e-20, 1e30, 3e-5),
    );
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 32, maxLength: 32 }),
        fc.constantFrom(...formats.filter((f) => f.blockSize <= 32)),
        (values, f) => {
          const x = Float32Array.from(values);
          const blocks = quantiseBlocks(x, 1, 32, f);
          const y = dequantiseBlocks(blocks, 1, 32, f);
          for (let at = 0; at < 32; at += f.blockSize) {
            const block = x.subarray(at, at + f.blockSize);
            const width = Math.max(0, ...block) - Math.min(0, ...block);
            block.forEach((v, i) => {
              expect(Number.isFinite(y[at + i]!)).toBe(true);
              expect(Math.abs(v - y[at + i]!)).toBeLessThanOrEqual(0.3 * width + 1e-17);
            });
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('refuse rows that are not whole blocks', () => {
    expect(() => quantiseBlocks(new Float32Array(48), 1, 48, format(4, true, 32))).toThrow(RangeError);
  });
});

describe('ONNX Runtime reads the same values', () => {
  // A table of rows is gathered and a matrix multiplied; both must see what dequantiseBlocks says.
  it.each([
    format(4, true),
    format(4, false),
    format(8, true),
    format(8, false),
    format(4, true, 16),
    format(8, false, 64),
  ])('$bits bits, blocks of $blockSize, zero points: $zeroPoints', async (f) => {
    const [rows, columns] = [48, 128];
    const x = weights(rows, columns, 9);
    const blocks = quantiseBlocks(x, rows, columns, f);
    const y = dequantiseBlocks(blocks, rows, columns, f);
    const graph = new GraphBuilder('blocks');
    const input = graph.input('x', 'f32', ['n', columns]);
    const count = columns / f.blockSize;
    const tensors = [
      { name: 'packed', type: 'u8' as const, shape: [rows, count, (f.blockSize * f.bits) / 8] },
      { name: 'scales', type: 'f32' as const, shape: [rows, count] },
      ...(f.zeroPoints
        ? [{ name: 'zeros', type: 'u8' as const, shape: [rows, Math.ceil((count * f.bits) / 8)] }]
        : []),
    ];
    const bytes = [
      blocks.packed,
      new Uint8Array(blocks.scales.buffer),
      ...(blocks.zeroPoints ? [blocks.zeroPoints] : []),
    ];
    const [packed, scales, zeroPoints = null] = graph.payload(tensors, [async () => bytes]);
    const product = contrib.matmulBlocks(
      input,
      { packed: packed!, scales: scales!, zeroPoints, rows, columns, bits: f.bits, blockSize: f.blockSize },
      0,
    );
    graph.output('y', product);
    const session = await InferenceSession.create(await modelBytes(graph));
    // Unit vectors pick out one column each, so that nothing is summed.
    const unit = new Float32Array(columns * columns);
    for (let i = 0; i < columns; i++) unit[i * columns + i] = 1;
    const result = await session.run({ x: new Tensor('float32', unit, [columns, columns]) });
    const data = result.y!.data as Float32Array;
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++)
        expect(Math.abs(data[column * rows + row]! - y[row * columns + column]!)).toBeLessThan(1e-6);
    await session.release();
  });
});
