/** Test signals and what they are measured with. */

/** A sine, `amplitude` peak. */
export function sine(hz: number, rate: number, samples: number, amplitude = 0.5): Float32Array {
  return Float32Array.from(
    { length: samples },
    (_, i) => amplitude * Math.sin((2 * Math.PI * hz * i) / rate),
  );
}

/** White noise, the same for the same seed. */
export function noise(samples: number, amplitude = 0.5, seed = 1): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: samples }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return amplitude * (state / 2 ** 31 - 1);
  });
}

/** Something voiced: 30 harmonics of a gliding pitch under a moving spectral envelope. */
export function voiced(samples: number, rate = 24_000): Float32Array {
  let phase = 0;
  return Float32Array.from({ length: samples }, (_, i) => {
    phase += (2 * Math.PI * (120 + 40 * Math.sin((3 * i) / rate))) / rate;
    let sum = 0;
    for (let h = 1; h < 30; h++)
      sum += (Math.sin(phase * h) / h) * (0.5 + 0.5 * Math.sin((8 * i) / rate + h));
    return 0.15 * sum;
  });
}

export interface SineFit {
  amplitude: number;
  /** Phase of the sine at the first sample, radians. */
  phase: number;
  /** Power of the fitted sine over the power of all else, dB. */
  sinad: number;
}

/** Least-squares fit of a sine of known frequency. */
export function fitSine(samples: Float32Array, hz: number, rate: number): SineFit {
  let ss = 0;
  let sc = 0;
  let cc = 0;
  let xs = 0;
  let xc = 0;
  const w = (2 * Math.PI * hz) / rate;
  for (let i = 0; i < samples.length; i++) {
    const s = Math.sin(w * i);
    const c = Math.cos(w * i);
    ss += s * s;
    sc += s * c;
    cc += c * c;
    xs += samples[i]! * s;
    xc += samples[i]! * c;
  }
  const det = ss * cc - sc * sc;
  const a = (xs * cc - xc * sc) / det;
  const b = (xc * ss - xs * sc) / det;
  let signal = 0;
  let rest = 0;
  for (let i = 0; i < samples.length; i++) {
    const fitted = a * Math.sin(w * i) + b * Math.cos(w * i);
    signal += fitted * fitted;
    rest += (samples[i]! - fitted) ** 2;
  }
  return { amplitude: Math.hypot(a, b), phase: Math.atan2(b, a), sinad: 10 * Math.log10(signal / rest) };
}

/**
 * The worst click in what should be a slowly moving sine: the largest sample left after nulling the sine by
 * x[n] - 2 cos(w) x[n-1] + x[n-2], relative to the sine's amplitude.
 */
export function worstClick(samples: Float32Array, hz: number, rate: number): number {
  const twoCos = 2 * Math.cos((2 * Math.PI * hz) / rate);
  let worst = 0;
  let peak = 0;
  for (let i = 2; i < samples.length; i++) {
    worst = Math.max(worst, Math.abs(samples[i]! - twoCos * samples[i - 1]! + samples[i - 2]!));
    peak = Math.max(peak, Math.abs(samples[i]!));
  }
  return worst / peak;
}

/** Level in dB relative to full scale (rms 1). */
export function levelDb(samples: Float32Array): number {
  let sum = 0;
  for (const x of samples) sum += x * x;
  return 10 * Math.log10(sum / samples.length);
}

export function concat(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Cuts samples into packets of the given length; the last may be shorter. */
export function packets(samples: Float32Array, length: number): Float32Array[] {
  const out: Float32Array[] = [];
  for (let at = 0; at < samples.length; at += length) out.push(samples.subarray(at, at + length));
  return out;
}
