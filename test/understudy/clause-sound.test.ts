import { describe, expect, it } from 'vitest';
import { SAMPLE_RATE } from '../../sidecar/audio';
import { splitClauses } from '../../sidecar/understudy/text/clauses';
import {
  COMMON_LOUDNESS,
  FULL_SCALE,
  loudness,
  MOUTH_STEP_SAMPLES,
  toKeep,
} from '../../sidecar/understudy/tts/clause-sound';
import type { TtsVoice } from '../../sidecar/understudy/tts/voice';
import { medianPitch, speaker } from './flite';

const CLAUSE = splitClauses('The northern gate is closed until dawn.')[0]!;
const say = (voice: TtsVoice, clause = CLAUSE) => speaker.speak(clause, voice);
const peak = (pcm: Float32Array) => pcm.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);

describe('the sound of a clause', () => {
  it('is kept in sixteen bits, each sample the nearest there is', () => {
    const [clause] = splitClauses('Well met, traveller.');
    const sound = speaker.speak(clause!, { base: 'kal16' });
    const kept = toKeep(sound);
    expect(kept.pcm).toBeInstanceOf(Int16Array);
    expect(kept.pcm.length).toBe(sound.pcm.length);
    let worst = 0;
    kept.pcm.forEach((x, i) => (worst = Math.max(worst, Math.abs(x / FULL_SCALE - sound.pcm[i]!))));
    expect(worst).toBeGreaterThan(0);
    expect(worst).toBeLessThanOrEqual(0.5001 / FULL_SCALE);
  });

  it.each(['slt', 'rms', 'awb', 'kal16'] as const)(
    '%s is as loud as every other voice, and clips nowhere',
    (base) => {
      const { pcm } = say({ base });
      // The limiter takes what little kal16's peaks are too high by.
      expect(Math.abs(loudness(pcm) - COMMON_LOUDNESS)).toBeLessThan(0.3);
      expect(peak(pcm)).toBeLessThan(0.99);
    },
  );

  it('begins and ends in silence, and begins to sound at once', () => {
    for (const base of ['slt', 'rms', 'awb', 'kal16'] as const) {
      const { pcm } = say({ base });
      expect(pcm[0]).toBeCloseTo(0, 9);
      expect(pcm.at(-1)).toBeCloseTo(0, 9);
      expect(pcm.length % MOUTH_STEP_SAMPLES).toBe(0);
      const first = pcm.findIndex((sample) => Math.abs(sample) > 0.01 * peak(pcm));
      expect(first / SAMPLE_RATE).toBeLessThan(0.012);
    }
  });

  it('has no step at either end larger than speech has inside', () => {
    const { pcm } = say({ base: 'rms' });
    const step = (i: number) => Math.abs(pcm[i]! - pcm[i - 1]!);
    const ends = [...Array(48).keys()].map((i) => Math.max(step(i + 1), step(pcm.length - 1 - i)));
    expect(Math.max(...ends)).toBeLessThan(0.02);
  });

  it('times its words in order, from the first sample to the end', () => {
    const { pcm, wordStarts, wordEnds } = say({ base: 'slt' });
    expect(wordStarts).toHaveLength(CLAUSE.words.length);
    expect(wordStarts[0]! / SAMPLE_RATE).toBeLessThan(0.02);
    for (let i = 0; i < wordStarts.length; i++) {
      expect(wordEnds[i]!).toBeGreaterThan(wordStarts[i]!);
      if (i > 0) expect(wordStarts[i]!).toBe(wordEnds[i - 1]!);
    }
    expect(pcm.length - wordEnds.at(-1)!).toBeLessThan(0.08 * SAMPLE_RATE);
  });

  it('parts words where flite says their phones change', () => {
    // n ao r dh er n | g ey t: the gate begins with its g.
    const { wordStarts } = say({ base: 'slt' });
    expect(wordStarts[2]! / SAMPLE_RATE).toBeCloseTo(0.821 - 0.184, 1);
  });

  it('shifts pitch and formants together, and keeps its tempo', () => {
    const plain = say({ base: 'rms' });
    const small = say({ base: 'rms', shift_semitones: 5 });
    const ratio = medianPitch(small.pcm, SAMPLE_RATE) / medianPitch(plain.pcm, SAMPLE_RATE);
    expect(12 * Math.log2(ratio)).toBeCloseTo(5, 0);
    expect(small.pcm.length / plain.pcm.length).toBeCloseTo(1, 1);
    expect(small.wordStarts[4]! / plain.wordStarts[4]!).toBeCloseTo(1, 1);
  });

  it('has the pitch it is given, and the rate', () => {
    expect(medianPitch(say({ base: 'slt', pitch_hz: 210, pitch_range_hz: 5 }).pcm, SAMPLE_RATE)).toBeCloseTo(
      210,
      -1.2,
    );
    const ratio = say({ base: 'awb', rate: 1.5 }).pcm.length / say({ base: 'awb' }).pcm.length;
    expect(ratio).toBeCloseTo(1 / 1.5, 1);
  });

  it('is monotone with a pitch range of 0', () => {
    const spread = (range: number) => {
      const { pcm } = say({ base: 'awb', pitch_hz: 140, pitch_range_hz: range });
      const thirds = [0, 1, 2].map((i) =>
        medianPitch(pcm.subarray((i * pcm.length) / 3, ((i + 1) * pcm.length) / 3), SAMPLE_RATE),
      );
      return Math.max(...thirds) - Math.min(...thirds);
    };
    expect(spread(0)).toBeLessThan(4);
    expect(spread(40)).toBeGreaterThan(8);
  });

  it('is twice as strong with a gain of 2, and bends rather than clips at 4', () => {
    const plain = say({ base: 'slt' }).pcm;
    expect(loudness(say({ base: 'slt', gain: 2 }).pcm) - loudness(plain)).toBeCloseTo(6, 0);
    expect(peak(say({ base: 'slt', gain: 4 }).pcm)).toBeLessThanOrEqual(1);
    expect(peak(say({ base: 'slt', gain: 0 }).pcm)).toBe(0);
  });

  it('says an interjection by its phones', () => {
    const [clause] = splitClauses('Mm-hm.');
    const { pcm, wordStarts } = say({ base: 'slt' }, clause);
    expect(pcm.length / SAMPLE_RATE).toBeLessThan(0.8);
    expect([...wordStarts]).toEqual([expect.closeTo(0, -3)]);
  });
});
