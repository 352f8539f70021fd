import { describe, expect, it } from 'vitest';
import { fillGumbel, threefry } from '../../../sidecar/personaplex/generator';

const hex = (key: [number, number], counter: [number, number]): string => {
  const out = new Uint32Array(2);
  threefry(key[0], key[1], counter[0], counter[1], out);
  return [...out].map((word) => word.toString(16).padStart(8, '0')).join(' ');
};

describe('Threefry-2x32-20', () => {
  it('gives the known answers of Random123', () => {
    expect(hex([0, 0], [0, 0])).toBe('6b200159 99ba4efe');
    expect(hex([-1, -1], [-1, -1])).toBe('1cb996fc bb002be7');
    expect(hex([0x13198a2e, 0x03707344], [0x243f6a88, 0x85a308d3])).toBe('c4923a9c 483df7a0');
  });
});

describe('Gumbel noise', () => {
  const fill = (count: number, seed: number, frame: number, stream: number): Float32Array => {
    const out = new Float32Array(count);
    fillGumbel(out, 0, count, seed, frame, stream);
    return out;
  };

  it('depends on seed, frame and stream alone, not on how much is asked for', () => {
    const some = fill(25, 7, 3, 1);
    expect(fill(25, 7, 3, 1)).toEqual(some);
    expect(fill(250, 7, 3, 1).subarray(0, 25)).toEqual(some);
    for (const other of [
      fill(25, 8, 3, 1),
      fill(25, 7 + 2 ** 32, 3, 1),
      fill(25, 7, 4, 1),
      fill(25, 7, 3, 2),
    ]) {
      expect(other.filter((value, i) => value === some[i])).toHaveLength(0);
    }
  });

  it('is Gumbel-distributed: mean 0.5772, variance pi^2/6, all finite', () => {
    const values = fill(100_000, 1, 0, 0);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(mean).toBeCloseTo(0.5772, 1.7);
    expect(Math.abs(variance - Math.PI ** 2 / 6)).toBeLessThan(0.03);
    expect(values.every(Number.isFinite)).toBe(true);
  });
});
