import { describe, expect, it } from 'vitest';
import { Muffle } from '../../sidecar/audio';
import { fitSine, noise, packets, sine, worstClick } from './signals';

/** Gain in dB at a frequency, once settled. */
function gainAt(hz: number, amount: number): number {
  const muffle = new Muffle();
  muffle.set(amount);
  muffle.process(new Float32Array(24_000));
  const samples = sine(hz, 24_000, 24_000);
  muffle.process(samples);
  return 20 * Math.log10(fitSine(samples.subarray(12_000), hz, 24_000).amplitude / 0.5);
}

describe('muffling', () => {
  it('of 0 leaves every sample as it is', () => {
    const samples = noise(1920);
    new Muffle().process(samples);
    expect(samples).toEqual(noise(1920));
  });

  it('of 1 is a wall: 6 dB off the lows, 18 dB an octave above 450 Hz', () => {
    expect(gainAt(60, 1)).toBeCloseTo(-6, 0);
    expect(gainAt(450, 1)).toBeCloseTo(-9, 0);
    expect(gainAt(2000, 1) - gainAt(1000, 1)).toBeGreaterThan(-20);
    expect(gainAt(2000, 1) - gainAt(1000, 1)).toBeLessThan(-17);
  });

  it('takes more of the highs the more there is of it', () => {
    const gains = [0, 0.02, 0.1, 0.3, 0.5, 0.7, 1].map((amount) => gainAt(3000, amount));
    for (let i = 1; i < gains.length; i++) expect(gains[i]!).toBeLessThan(gains[i - 1]!);
    expect(gains[0]!).toBeCloseTo(0, 3);
    expect(gainAt(200, 0.5)).toBeGreaterThan(-4);
  });

  it('changed at every frame makes no click', () => {
    const muffle = new Muffle();
    const samples = sine(300, 24_000, 24_000);
    packets(samples, 1920).forEach((frame, i) => {
      muffle.set([0, 1, 0.3, 0, 0.9, 0.02][i % 6]!);
      muffle.process(frame);
    });
    expect(worstClick(samples.subarray(10), 300, 24_000)).toBeLessThan(0.01);
  });

  it('gone back to 0 is exactly clear again', () => {
    const muffle = new Muffle();
    muffle.set(1);
    muffle.process(noise(9600));
    muffle.set(0);
    muffle.process(noise(24_000));
    const samples = noise(1920);
    muffle.process(samples);
    expect(samples).toEqual(noise(1920));
  });

  it('clips its amount and takes what is no number for clear', () => {
    const loud = new Muffle();
    loud.set(7);
    const one = new Muffle();
    one.set(1);
    const [a, b] = [noise(4800), noise(4800)];
    loud.process(a);
    one.process(b);
    expect(a).toEqual(b);
    loud.set(NaN);
    loud.process(new Float32Array(48_000));
    const samples = noise(1920);
    loud.process(samples);
    expect(samples).toEqual(noise(1920));
  });

  it('falls wholly silent after the sound', () => {
    const muffle = new Muffle();
    muffle.set(0.8);
    muffle.process(noise(4800));
    const silence = new Float32Array(48_000);
    muffle.process(silence);
    expect(silence.subarray(24_000)).toEqual(new Float32Array(24_000));
  });
});
