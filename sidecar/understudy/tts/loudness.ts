/**
 * How loud speech is, by ITU-R BS.1770-5: K-weighting (a shelf for the head, a high-pass for the ear) and a gate
 * that leaves pauses out.
 */
import { SAMPLE_RATE } from '../../audio/frame';

interface Biquad {
  b0: number;
  b1: number;
  b2: number;
  a1: number;
  a2: number;
}

// The standard gives coefficients for 48 kHz only; these are its analogue prototypes (gain 3.99984 dB at 1681.97 Hz,
// Q 0.70718; corner 38.135 Hz, Q 0.50033) brought to this rate by the bilinear transform.
const SHELF = shelf(1681.974450955533, 3.999843853973347, 0.7071752369554196);
const HIGH_PASS = highPass(38.13547087602444, 0.5003270373238773);
const BLOCK = Math.round(0.1 * SAMPLE_RATE);
const ABSOLUTE_GATE = -70;
const RELATIVE_GATE = -10;

function shelf(hz: number, gainDb: number, q: number): Biquad {
  const k = Math.tan((Math.PI * hz) / SAMPLE_RATE);
  const high = 10 ** (gainDb / 20);
  const band = high ** 0.4996667741545416;
  const a0 = 1 + k / q + k * k;
  return {
    b0: (high + (band * k) / q + k * k) / a0,
    b1: (2 * (k * k - high)) / a0,
    b2: (high - (band * k) / q + k * k) / a0,
    a1: (2 * (k * k - 1)) / a0,
    a2: (1 - k / q + k * k) / a0,
  };
}

function highPass(hz: number, q: number): Biquad {
  const k = Math.tan((Math.PI * hz) / SAMPLE_RATE);
  const a0 = 1 + k / q + k * k;
  return { b0: 1, b1: -2, b2: 1, a1: (2 * (k * k - 1)) / a0, a2: (1 - k / q + k * k) / a0 };
}

function filtered(x: Float32Array, { b0, b1, b2, a1, a2 }: Biquad): Float32Array {
  const y = new Float32Array(x.length);
  let s1 = 0;
  let s2 = 0;
  for (let i = 0; i < x.length; i++) {
    const out = b0 * x[i]! + s1;
    s1 = b1 * x[i]! - a1 * out + s2;
    s2 = b2 * x[i]! - a2 * out;
    y[i] = out;
  }
  return y;
}

const decibels = (power: number): number => -0.691 + 10 * Math.log10(power + 1e-12);

/** Loudness of mono speech at 24 kHz in LUFS, pauses left out; -Infinity for silence. Blocks are 100 ms, speech being short. */
export function loudness(pcm: Float32Array): number {
  const weighted = filtered(filtered(pcm, SHELF), HIGH_PASS);
  const powers: number[] = [];
  for (let from = 0; from < weighted.length; from += BLOCK / 4) {
    const to = Math.min(from + BLOCK, weighted.length);
    let sum = 0;
    for (let i = from; i < to; i++) sum += weighted[i]! * weighted[i]!;
    powers.push(sum / (to - from));
    if (to === weighted.length) break;
  }
  const mean = (all: readonly number[]) =>
    all.reduce((sum, power) => sum + power, 0) / Math.max(1, all.length);
  const audible = powers.filter((power) => decibels(power) > ABSOLUTE_GATE);
  if (audible.length === 0) return -Infinity;
  const gate = decibels(mean(audible)) + RELATIVE_GATE;
  return decibels(mean(audible.filter((power) => decibels(power) > gate)));
}
