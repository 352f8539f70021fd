/**
 * Integrated loudness by ITU-R BS.1770-4, with the filters that voice prompts were made with: the two K-weighting
 * biquads evaluated at the actual rate by the formulas of R. Bristow-Johnson's Audio EQ Cookbook (shelf +4 dB,
 * Q 1/sqrt 2, 1500 Hz; high-pass Q 1/2, 38 Hz), as pyloudnorm does. Mono.
 */
import { NpcVoiceError } from '../errors';

const BLOCK_SECONDS = 0.4;
/** Blocks start every 0.1 s: 75 % overlap. */
const STEP = 0.25;
const ABSOLUTE_GATE_LUFS = -70;
const RELATIVE_GATE_LU = -10;

/** Normalised biquad: y = b0 x + b1 x' + b2 x'' - a1 y' - a2 y''. */
interface Biquad {
  b0: number;
  b1: number;
  b2: number;
  a1: number;
  a2: number;
}

function highShelf(rate: number, gainDb: number, q: number, hz: number): Biquad {
  const A = 10 ** (gainDb / 40);
  const w = (2 * Math.PI * hz) / rate;
  const cos = Math.cos(w);
  const slope = 2 * Math.sqrt(A) * (Math.sin(w) / (2 * q));
  const a0 = A + 1 - (A - 1) * cos + slope;
  return {
    b0: (A * (A + 1 + (A - 1) * cos + slope)) / a0,
    b1: (-2 * A * (A - 1 + (A + 1) * cos)) / a0,
    b2: (A * (A + 1 + (A - 1) * cos - slope)) / a0,
    a1: (2 * (A - 1 - (A + 1) * cos)) / a0,
    a2: (A + 1 - (A - 1) * cos - slope) / a0,
  };
}

function highPass(rate: number, q: number, hz: number): Biquad {
  const w = (2 * Math.PI * hz) / rate;
  const cos = Math.cos(w);
  const alpha = Math.sin(w) / (2 * q);
  const a0 = 1 + alpha;
  const b = (1 + cos) / 2 / a0;
  return { b0: b, b1: -2 * b, b2: b, a1: (-2 * cos) / a0, a2: (1 - alpha) / a0 };
}

function filter(samples: Float64Array, { b0, b1, b2, a1, a2 }: Biquad): void {
  let s1 = 0;
  let s2 = 0;
  for (let i = 0; i < samples.length; i++) {
    const x = samples[i]!;
    const y = b0 * x + s1;
    s1 = b1 * x - a1 * y + s2;
    s2 = b2 * x - a2 * y;
    samples[i] = y;
  }
}

const toLufs = (meanSquare: number): number => -0.691 + 10 * Math.log10(meanSquare);

/** Python's round(), which decides how many blocks the reference counts. */
function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}

/** Mean square of each 0.4 s block of weighted samples; the last may run past the end and is cut there. */
function blockPowers(weighted: Float64Array, rate: number): Float64Array {
  const sums = new Float64Array(weighted.length + 1);
  for (let i = 0; i < weighted.length; i++) sums[i + 1] = sums[i]! + weighted[i]! * weighted[i]!;
  const seconds = weighted.length / rate;
  const count = roundHalfEven((seconds - BLOCK_SECONDS) / (BLOCK_SECONDS * STEP)) + 1;
  const powers = new Float64Array(count);
  for (let j = 0; j < count; j++) {
    const from = Math.min(Math.trunc(BLOCK_SECONDS * (j * STEP) * rate), weighted.length);
    const to = Math.min(Math.trunc(BLOCK_SECONDS * (j * STEP + 1) * rate), weighted.length);
    powers[j] = (sums[to]! - sums[from]!) / (BLOCK_SECONDS * rate);
  }
  return powers;
}

function meanAbove(powers: Float64Array, ...gates: readonly number[]): number {
  let sum = 0;
  let count = 0;
  for (const power of powers) {
    const lufs = toLufs(power);
    if (!gates.every((gate) => lufs > gate)) continue;
    sum += power;
    count++;
  }
  return count === 0 ? 0 : sum / count;
}

/**
 * Integrated loudness of mono samples.
 * @param samples -1..1
 * @param rate Hz
 * @returns LUFS; -Infinity for silence
 * @throws NpcVoiceError `bad_audio` for less than 0.4 s
 */
export function integratedLoudness(samples: Float32Array, rate: number): number {
  if (samples.length < BLOCK_SECONDS * rate) {
    const ms = Math.round((samples.length / rate) * 1000);
    throw new NpcVoiceError(
      'bad_audio',
      `The recording is ${ms} ms long: too short to measure its loudness.`,
      {
        hint: 'Give at least 0.4 seconds; a few seconds of speech are best.',
      },
    );
  }
  const weighted = Float64Array.from(samples);
  filter(weighted, highShelf(rate, 4, Math.SQRT1_2, 1500));
  filter(weighted, highPass(rate, 0.5, 38));
  const powers = blockPowers(weighted, rate);
  const relative = toLufs(meanAbove(powers, ABSOLUTE_GATE_LUFS)) + RELATIVE_GATE_LU;
  return toLufs(meanAbove(powers, ABSOLUTE_GATE_LUFS, relative));
}

/**
 * Brings mono samples to a loudness by one gain, without a limiter: peaks may exceed 1.
 * @returns a new array
 * @throws NpcVoiceError `bad_audio` for less than 0.4 s, or for silence
 */
export function normaliseLoudness(samples: Float32Array, rate: number, targetLufs: number): Float32Array {
  const lufs = integratedLoudness(samples, rate);
  if (!Number.isFinite(lufs)) {
    throw new NpcVoiceError('bad_audio', 'The recording is silent: its loudness cannot be set.', {
      hint: 'Give a recording of speech.',
    });
  }
  const gain = 10 ** ((targetLufs - lufs) / 20);
  return samples.map((sample) => sample * gain);
}
