/** The waveform that the codec's published codes belong to, made again as its authors made it with numpy. */

const SAMPLES = 15360;
const RATE = 24000;

/**
 * numpy's RandomState(seed).standard_normal: Mersenne twister MT19937 (Matsumoto and Nishimura 1998), doubles of 53 bits,
 * Marsaglia's polar method.
 */
export function numpyNormal(seed: number, count: number): Float64Array {
  const N = 624;
  const state = new Uint32Array(N);
  state[0] = seed;
  for (let i = 1; i < N; i++) {
    const x = state[i - 1]! ^ (state[i - 1]! >>> 30);
    state[i] = Math.imul(1812433253, x) + i;
  }
  let at = N;
  const next = (): number => {
    if (at === N) {
      for (let i = 0; i < N; i++) {
        const y = (state[i]! & 0x80000000) | (state[(i + 1) % N]! & 0x7fffffff);
        state[i] = state[(i + 397) % N]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      at = 0;
    }
    let y = state[at++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
  const uniform = (): number => {
    const high = next() >>> 5;
    return (high * 67108864 + (next() >>> 6)) / 9007199254740992;
  };
  const out = new Float64Array(count);
  let spare = NaN;
  for (let i = 0; i < count; i++) {
    if (!Number.isNaN(spare)) {
      out[i] = spare;
      spare = NaN;
      continue;
    }
    let x = 0;
    let y = 0;
    let square = 0;
    do {
      x = 2 * uniform() - 1;
      y = 2 * uniform() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square === 0);
    const factor = Math.sqrt((-2 * Math.log(square)) / square);
    spare = factor * x;
    out[i] = factor * y;
  }
  return out;
}

/** 8 frames: sines of 220, 440, 660 and 1320 Hz, and a little noise. */
export function codecInput(): Float32Array {
  const noise = numpyNormal(1234, SAMPLES);
  const sine = (hz: number, i: number): number => Math.sin((2 * Math.PI * hz * i) / RATE);
  return Float32Array.from(
    noise,
    (n, i) => 0.5 * sine(220, i) + 0.3 * sine(440, i) + 0.2 * sine(660, i) + 0.1 * sine(1320, i) + 0.02 * n,
  );
}
