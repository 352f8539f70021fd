/** Arithmetic on frames: sums, levels, fades. All in place, none allocates. */

/** Root mean square, 0 for an empty array. */
export function rms(samples: Float32Array): number {
  if (samples.length === 0) return 0;
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += samples[i]! * samples[i]!;
  return Math.sqrt(sum / samples.length);
}

/**
 * Adds `gain` x `samples` to `out`, over the shorter of the two lengths.
 * @param from gain at the first sample, when it has changed since the last frame: the gain then moves in a
 *   straight line to `gain`, so that a walking player makes no zipper noise
 */
export function mixInto(out: Float32Array, samples: Float32Array, gain: number, from = gain): void {
  const length = Math.min(out.length, samples.length);
  if (from === gain) {
    if (gain === 0) return;
    for (let i = 0; i < length; i++) out[i] = out[i]! + gain * samples[i]!;
    return;
  }
  const step = (gain - from) / length;
  for (let i = 0; i < length; i++) out[i] = out[i]! + (from + step * (i + 1)) * samples[i]!;
}

/** Raised cosine from 0 to 1: the weight of the new sound `i` samples into a change of `length` samples. */
export function fadeWeight(i: number, length: number): number {
  return i >= length ? 1 : 0.5 - 0.5 * Math.cos((Math.PI * (i + 0.5)) / length);
}

/** Fades the first `length` samples in from silence. */
export function fadeIn(samples: Float32Array, length = samples.length): void {
  const end = Math.min(length, samples.length);
  for (let i = 0; i < end; i++) samples[i] = samples[i]! * fadeWeight(i, end);
}

/** Fades the first `length` samples out and silences what follows. */
export function fadeOut(samples: Float32Array, length = samples.length): void {
  const end = Math.min(length, samples.length);
  for (let i = 0; i < end; i++) samples[i] = samples[i]! * (1 - fadeWeight(i, end));
  samples.fill(0, end);
}

/** Where the limiter begins to bend. */
const KNEE = 0.99;

/**
 * Keeps a mix inside -1..1: samples up to 0.99 pass untouched, above that they bend smoothly
 * (0.99 + 0.01 tanh((|x| - 0.99) / 0.01), slope 1 at the knee). Non-finite samples become 0.
 */
export function softLimit(samples: Float32Array): void {
  for (let i = 0; i < samples.length; i++) {
    const x = samples[i]!;
    if (x <= KNEE && x >= -KNEE) continue;
    const over = Math.abs(x) - KNEE;
    const bent = KNEE + (1 - KNEE) * Math.tanh(over / (1 - KNEE));
    samples[i] = Number.isNaN(x) ? 0 : x < 0 ? -bent : bent;
  }
}
