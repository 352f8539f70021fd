import { describe, expect, it } from 'vitest';
import { positionIn } from '../../../sidecar/personaplex/runtime/cache';
import { Rotation } from '../../../sidecar/personaplex/runtime/rotation';

describe('rotary angles', () => {
  it('are position times 10000^(-2i/size), in float32', () => {
    const [cos, sin] = [new Float32Array(8), new Float32Array(8)];
    new Rotation(8, 10000).fill(123, 1, cos, sin);
    expect([...cos.subarray(0, 4)]).toEqual([0, 0, 0, 0]);
    [1, 0.1, 0.01, 0.001].forEach((theta, i) => {
      expect(cos[4 + i]).toBeCloseTo(Math.cos(123 * theta), 4);
      expect(sin[4 + i]).toBeCloseTo(Math.sin(123 * theta), 4);
    });
  });

  it('round the angle itself to float32, as the reference does', () => {
    const [cos, sin] = [new Float32Array(64), new Float32Array(64)];
    new Rotation(128, 10000).fill(2999, 0, cos, sin);
    const theta = Math.fround(Math.exp((-Math.log(10000) * 2) / 128));
    expect(cos[1]).toBe(Math.fround(Math.cos(Math.fround(2999 * theta))));
  });
});

describe('a ring of slots', () => {
  it('holds in each slot the newest position that falls on it', () => {
    // Ten positions have come to a ring of four: 8, 9, 6, 7.
    expect([0, 1, 2, 3].map((slot) => positionIn(slot, 10, 4))).toEqual([8, 9, 6, 7]);
    // Two have: slots 2 and 3 hold nothing.
    expect([0, 1, 2, 3].map((slot) => positionIn(slot, 2, 4))).toEqual([0, 1, -2, -1]);
  });
});
