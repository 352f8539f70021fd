/** What a listener would say of a recording: how loud, how high, when it starts and falls silent. */

/** RMS of 10 ms blocks. */
export function loudness(samples: Float32Array, rate: number): Float32Array {
  const block = Math.round(rate / 100);
  return Float32Array.from({ length: Math.floor(samples.length / block) }, (_, b) => {
    let sum = 0;
    for (let i = b * block; i < (b + 1) * block; i++) sum += samples[i]! ** 2;
    return Math.sqrt(sum / block);
  });
}

const AUDIBLE = 0.01;

/** Seconds at which sound begins at or after `from`, or undefined. */
export function onset(samples: Float32Array, rate: number, from = 0): number | undefined {
  const levels = loudness(samples, rate);
  for (let b = Math.max(0, Math.floor(from * 100)); b < levels.length; b++)
    if (levels[b]! > AUDIBLE) return b / 100;
  return undefined;
}

/** Seconds at which `quiet` seconds without sound begin, at or after `from`, or undefined. */
export function silence(
  samples: Float32Array,
  rate: number,
  from: number,
  quiet: number,
): number | undefined {
  const levels = loudness(samples, rate);
  let since = Math.floor(from * 100);
  for (let b = since; b < levels.length; b++) {
    if (levels[b]! > AUDIBLE) since = b + 1;
    else if (b + 1 - since >= quiet * 100) return since / 100;
  }
  return undefined;
}

/**
 * Median pitch in Hz of the voiced parts between `from` and `to` seconds, by normalised autocorrelation
 * (60..400 Hz) over 40 ms windows.
 */
export function pitch(samples: Float32Array, rate: number, from: number, to: number): number {
  const found: number[] = [];
  const window = Math.round(rate * 0.04);
  const low = Math.floor(rate / 400);
  const high = Math.ceil(rate / 60);
  for (
    let at = Math.floor(from * rate);
    at + window + high < Math.min(to * rate, samples.length);
    at += window
  ) {
    let energy = 0;
    for (let i = 0; i < window; i++) energy += samples[at + i]! ** 2;
    if (energy / window < 0.02 ** 2) continue;
    const lags: number[] = [];
    for (let lag = low; lag <= high; lag++) {
      let sum = 0;
      let other = 0;
      for (let i = 0; i < window; i++) {
        sum += samples[at + i]! * samples[at + i + lag]!;
        other += samples[at + i + lag]! ** 2;
      }
      lags.push(sum / Math.sqrt(energy * other + 1e-12));
    }
    const best = Math.max(...lags);
    if (best < 0.8) continue;
    // The first lag nearly as good as the best is the period; multiples of it are as good.
    const period = lags.findIndex((value, i) => value > best * 0.94 && value >= (lags[i + 1] ?? 0));
    found.push(rate / (period + low));
  }
  found.sort((a, b) => a - b);
  return found[found.length >> 1] ?? Number.NaN;
}

/** Power between two frequencies, by Goertzel every 50 Hz over the loudest second. */
export function bandPower(samples: Float32Array, rate: number, low: number, high: number): number {
  let loudest = 0;
  let most = 0;
  for (let at = 0; at + rate <= samples.length; at += rate >> 2) {
    let energy = 0;
    for (let i = at; i < at + rate; i += 7) energy += samples[i]! ** 2;
    if (energy > most) [most, loudest] = [energy, at];
  }
  let power = 0;
  for (let hz = low; hz < high; hz += 50) {
    const k = 2 * Math.cos((2 * Math.PI * hz) / rate);
    let s1 = 0;
    let s2 = 0;
    for (let i = loudest; i < loudest + rate; i++) {
      // A Hann window, or the tops of speech leak into the band that should be empty.
      const hann = 0.5 - 0.5 * Math.cos((2 * Math.PI * (i - loudest)) / rate);
      const s = samples[i]! * hann + k * s1 - s2;
      s2 = s1;
      s1 = s;
    }
    power += s1 * s1 + s2 * s2 - k * s1 * s2;
  }
  return power;
}
