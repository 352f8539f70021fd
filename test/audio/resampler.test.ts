import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Resampler } from '../../sidecar/audio';
import { concat, fitSine, levelDb, noise, packets, sine, worstClick } from './signals';

const RATES = [8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000];

function run(resampler: Resampler, input: Float32Array, packet: number): Float32Array {
  return concat(packets(input, packet).map((piece) => resampler.process(piece).slice()));
}

describe.each([
  ...RATES.map((rate) => [rate, 24_000] as const),
  ...RATES.map((rate) => [24_000, rate] as const),
])('from %i to %i Hz', (from, to) => {
  const packet = Math.round(from * 0.02);

  it.each([0.02, 0.1, 0.3, 0.4])(
    'carries a sine at %f of the lower rate through 20 ms packets, SINAD >= 90 dB',
    (part) => {
      const hz = part * Math.min(from, to);
      const out = run(new Resampler(from, to), sine(hz, from, from), packet);
      const { sinad, amplitude } = fitSine(out.subarray(to / 10), hz, to);
      expect(sinad).toBeGreaterThan(90);
      expect(20 * Math.log10(amplitude / 0.5)).toBeCloseTo(0, 1);
    },
  );

  it('keeps exactly to the ratio over the long run', () => {
    const input = noise(from);
    const resampler = new Resampler(from, to);
    let made = 0;
    for (let second = 1; second <= 8; second++) {
      for (const piece of packets(input, packet)) made += resampler.process(piece).length;
      expect(made).toBe(second * to);
    }
  });

  it('delays by the latency it states', () => {
    const hz = 0.05 * Math.min(from, to);
    const resampler = new Resampler(from, to);
    const out = run(resampler, sine(hz, from, from), packet);
    const start = Math.floor(to / 2);
    const { phase } = fitSine(out.subarray(start), hz, to);
    const expected = 2 * Math.PI * hz * (start / to - resampler.latency);
    expect(Math.cos(phase - expected)).toBeGreaterThan(0.9999);
    expect(resampler.latency).toBeLessThanOrEqual(0.00146 * Math.max(1, 24_000 / Math.min(from, to)));
  });
});

describe('going down', () => {
  it.each([
    [48_000, 24_000],
    [44_100, 24_000],
    [32_000, 24_000],
    [24_000, 16_000],
    [24_000, 8000],
  ])('from %i to %i Hz, what cannot be represented is 90 dB down', (from, to) => {
    for (let hz = 0.53 * to; hz < 0.49 * from; hz += 0.037 * to) {
      const out = run(new Resampler(from, to), sine(hz, from, from / 2, 1), from / 50);
      expect(levelDb(out.subarray(to / 10)) + 3.01).toBeLessThan(-90);
    }
  });
});

describe('packets', () => {
  it('of any lengths give the samples that one long packet gives', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...RATES, 12_345, 44_099),
        fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 12 }),
        fc.boolean(),
        (rate, lengths, up) => {
          const [from, to] = up ? [24_000, rate] : [rate, 24_000];
          const input = noise(lengths.reduce((sum, n) => sum + n, 0));
          const whole = new Resampler(from, to).process(input);
          const pieces = new Resampler(from, to);
          let at = 0;
          const joined = concat(lengths.map((n) => pieces.process(input.subarray(at, (at += n))).slice()));
          expect(joined).toEqual(whole);
          expect(whole.length).toBe(Math.ceil((input.length * to) / from));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('do not make it allocate: equal lengths come in one and the same array', () => {
    const resampler = new Resampler(44_100, 24_000);
    const packet = noise(882);
    const first = resampler.process(packet);
    for (let i = 0; i < 20; i++) expect(resampler.process(packet)).toBe(first);
  });
});

describe('drift', () => {
  it('at equal rates and none, is the input one filter length later, bit for bit', () => {
    const resampler = new Resampler(24_000, 24_000);
    const input = noise(4800);
    const out = run(resampler, input, 480);
    const delay = Math.round(resampler.latency * 24_000);
    expect(out.subarray(delay)).toEqual(input.subarray(0, input.length - delay));
  });

  it.each([-500, 500, 1500])('of %i ppm spends that much more input on the output', (ppm) => {
    const resampler = new Resampler(24_000, 24_000);
    resampler.setDrift(ppm);
    const out = run(resampler, noise(24_000 * 60), 480);
    // The drift takes hold with a time constant of 50 ms.
    const takingHold = Math.abs(ppm) * 1e-6 * 0.05 * 24_000;
    expect(Math.abs(out.length - (24_000 * 60) / (1 + ppm * 1e-6))).toBeLessThanOrEqual(1 + takingHold);
  });

  it.each([
    [24_000, 24_000],
    [48_000, 24_000],
    [24_000, 44_100],
  ])('held at 500 ppm keeps SINAD >= 90 dB (%i to %i Hz)', (from, to) => {
    const resampler = new Resampler(from, to);
    resampler.setDrift(500);
    const out = run(resampler, sine(997, from, from * 2), from / 50);
    expect(fitSine(out.subarray(to), 997 * 1.0005, to).sinad).toBeGreaterThan(90);
  });

  it('changed at every packet makes no click', () => {
    const resampler = new Resampler(24_000, 24_000);
    const out = packets(sine(500, 24_000, 24_000 * 4), 480).map((packet, i) => {
      resampler.setDrift([0, 500, -1500, 300, 1500, -500][i % 6]!);
      return resampler.process(packet).slice();
    });
    const steady = concat(out).subarray(100);
    expect(worstClick(steady, 500, 24_000)).toBeLessThan(1e-4);
  });

  it('gone back to zero holds the nominal ratio again', () => {
    const resampler = new Resampler(48_000, 24_000);
    resampler.setDrift(800);
    run(resampler, noise(48_000), 960);
    resampler.setDrift(0);
    run(resampler, noise(96_000), 960);
    const input = noise(960);
    for (let i = 0; i < 50; i++) expect(resampler.process(input).length).toBe(480);
  });
});

it('forgets the signal on reset', () => {
  const resampler = new Resampler(44_100, 24_000);
  const input = noise(1000);
  const first = resampler.process(input).slice();
  resampler.reset();
  expect(resampler.process(input)).toEqual(first);
});
