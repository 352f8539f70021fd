import { describe, expect, it } from 'vitest';
import { integratedLoudness, normaliseLoudness } from '../../sidecar/audio';
import { concat, noise, sine, voiced } from './signals';

const db = (decibels: number): number => 10 ** (decibels / 20);

describe('integrated loudness', () => {
  it.each([48_000, 44_100, 24_000])(
    'of 997 Hz at full scale in one channel is -3.01 LUFS, at %i Hz',
    (rate) => {
      // The reference's filters are fitted, not BS.1770's own: they come within 0.06.
      expect(Math.abs(integratedLoudness(sine(997, rate, 5 * rate, 1), rate) + 3.01)).toBeLessThan(0.06);
    },
  );

  it('follows the level, decibel for decibel', () => {
    for (const level of [-6, -20, -40]) {
      const lufs = integratedLoudness(sine(997, 48_000, 96_000, db(level)), 48_000);
      expect(lufs).toBeCloseTo(integratedLoudness(sine(997, 48_000, 96_000, 1), 48_000) + level, 3);
    }
  });

  it('weighs by the K curve: lows less, highs 4 dB more', () => {
    const at = (hz: number): number => integratedLoudness(sine(hz, 48_000, 96_000, 0.1), 48_000);
    const flat = -20 - 3.01 - 0.691;
    expect(at(10_000) - flat).toBeCloseTo(4, 1);
    expect(at(100) - flat).toBeLessThan(-0.9);
    expect(at(20) - flat).toBeLessThan(-12);
  });

  it('leaves pauses out: the gate is 10 LU below the mean', () => {
    const tone = sine(997, 24_000, 24_000 * 4, db(-20));
    const alone = integratedLoudness(tone, 24_000);
    const murmur = sine(997, 24_000, 24_000 * 4, db(-50));
    expect(integratedLoudness(concat([tone, murmur, tone]), 24_000)).toBeCloseTo(alone, 0);
    const near = sine(997, 24_000, 24_000 * 8, db(-26));
    expect(integratedLoudness(concat([tone, near]), 24_000)).toBeLessThan(alone - 2);
  });

  it('of silence is minus infinity', () => {
    expect(integratedLoudness(new Float32Array(24_000), 24_000)).toBe(-Infinity);
    expect(integratedLoudness(sine(997, 24_000, 24_000, db(-80)), 24_000)).toBe(-Infinity);
  });

  it('counts the blocks as the reference does: round((T - 0.4) / 0.1) + 1, the last cut at the end', () => {
    // 0.46 s round to two blocks, the second of which has only 0.36 s of sound.
    const samples = sine(997, 24_000, 11_040, 0.1);
    const steady = integratedLoudness(sine(997, 24_000, 9600, 0.1), 24_000);
    const mean = (1 + 0.36 / 0.4) / 2;
    expect(integratedLoudness(samples, 24_000)).toBeCloseTo(steady + 10 * Math.log10(mean), 1);
  });
});

describe('normalising', () => {
  it('brings speech to -24 LUFS by gain alone', () => {
    const speech = voiced(24_000 * 3);
    const normal = normaliseLoudness(speech, 24_000, -24);
    expect(integratedLoudness(normal, 24_000)).toBeCloseTo(-24, 4);
    const gain = normal[5000]! / speech[5000]!;
    for (let i = 0; i < speech.length; i += 777) expect(normal[i]).toBeCloseTo(speech[i]! * gain, 5);
    expect(speech).toEqual(voiced(24_000 * 3));
  });

  it('refuses less than 0.4 s and silence, with a hint', () => {
    const short = () => normaliseLoudness(noise(9599), 24_000, -24);
    expect(short).toThrow(/400 ms long: too short/);
    expect(short).toThrow(
      expect.objectContaining({ code: 'bad_audio', hint: expect.stringMatching(/0.4 seconds/) }),
    );
    const silent = () => normaliseLoudness(new Float32Array(24_000), 24_000, -24);
    expect(silent).toThrow(
      expect.objectContaining({ code: 'bad_audio', message: expect.stringMatching(/silent/) }),
    );
    expect(() => normaliseLoudness(noise(9600), 24_000, -24)).not.toThrow();
  });
});
