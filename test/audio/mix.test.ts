import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fadeIn, fadeOut, fadeWeight, mixInto, rms, softLimit } from '../../sidecar/audio';
import { concat, sine, worstClick } from './signals';

const floats = (...values: number[]): Float32Array => Float32Array.from(values);

describe('rms', () => {
  it('is the root of the mean square', () => {
    expect(rms(floats(1, -1, 1, -1))).toBe(1);
    expect(rms(floats(3, 4, 0, 0))).toBe(2.5);
    expect(rms(sine(100, 24_000, 24_000, 1))).toBeCloseTo(Math.SQRT1_2, 6);
    expect(rms(floats())).toBe(0);
  });
});

describe('mixing', () => {
  it('adds at a gain', () => {
    const out = floats(1, 1, 1);
    mixInto(out, floats(1, -1, 0.5), 0.5);
    expect(out).toEqual(floats(1.5, 0.5, 1.25));
  });

  it('moves from the last gain in a straight line', () => {
    const out = floats(0, 0, 0, 0);
    mixInto(out, floats(1, 1, 1, 1), 1, 0);
    expect(out).toEqual(floats(0.25, 0.5, 0.75, 1));
  });

  it('reads no further than the shorter of the two', () => {
    const out = floats(1, 1);
    mixInto(out, floats(1, 1, 1), 1);
    mixInto(out, floats(1), 1);
    expect(out).toEqual(floats(3, 2));
  });
});

describe('fades', () => {
  it('in and out add up to the whole', () => {
    for (let i = 0; i < 120; i++) expect(fadeWeight(i, 120) + fadeWeight(119 - i, 120)).toBeCloseTo(1, 12);
    expect(fadeWeight(120, 120)).toBe(1);
  });

  it('start and end without a step', () => {
    const tone = sine(300, 24_000, 960, 1);
    const faded = tone.slice();
    fadeIn(faded, 240);
    expect(faded.subarray(240)).toEqual(tone.subarray(240));
    const ended = tone.slice();
    fadeOut(ended, 240);
    expect(ended.subarray(240)).toEqual(new Float32Array(720));
    const silence = new Float32Array(10);
    expect(worstClick(concat([silence, faded]), 300, 24_000)).toBeLessThan(0.01);
    expect(worstClick(concat([ended, silence]), 300, 24_000)).toBeLessThan(0.01);
  });
});

describe('the limiter', () => {
  it('leaves what is within 0.99 and keeps everything within 1, in order and sign', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true }), fc.float({ noNaN: true }), (a, b) => {
        const samples = floats(a, b);
        softLimit(samples);
        const [x, y] = [samples[0]!, samples[1]!];
        if (Math.abs(a) <= 0.99) expect(x).toBe(a);
        expect(Math.abs(x)).toBeLessThanOrEqual(1);
        if (a < b) expect(x).toBeLessThanOrEqual(y);
      }),
    );
  });

  it('bends without a corner and turns what is no number into silence', () => {
    const samples = floats(0.991, 1, 2, -2, Infinity, NaN);
    softLimit(samples);
    expect(samples[0]).toBeCloseTo(0.991, 4);
    expect(samples[1]).toBeCloseTo(0.99 + 0.01 * Math.tanh(1), 6);
    expect([...samples.subarray(2)]).toEqual([1, -1, 1, 0]);
  });
});
