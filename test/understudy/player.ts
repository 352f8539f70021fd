/** A player for tests with the real detector: flite's speech at 24 kHz, frame by frame. */
import { FRAME_SAMPLES, Resampler, SAMPLE_RATE } from '../../sidecar/audio';
import { FLITE_RATE, type FliteSettings } from '../../sidecar/understudy/tts/flite';
import { Chance } from '../../sidecar/understudy/turns/bag';
import { flite } from './flite';

/** Speech between two silences, ms, cut into whole frames. */
export function playerSays(
  text: string,
  { before = 400, after = 1200, base = 'rms' as FliteSettings['base'] } = {},
): Float32Array[] {
  const { pcm } = flite.speak({ text }, { base, stretch: 1 });
  const speech = new Resampler(FLITE_RATE, SAMPLE_RATE).process(pcm).slice();
  const from = (before * SAMPLE_RATE) / 1000;
  const all = new Float32Array(from + speech.length + (after * SAMPLE_RATE) / 1000);
  all.set(speech, from);
  return frames(all);
}

export function frames(pcm: Float32Array): Float32Array[] {
  const count = Math.floor(pcm.length / FRAME_SAMPLES);
  return Array.from({ length: count }, (_, i) => pcm.slice(i * FRAME_SAMPLES, (i + 1) * FRAME_SAMPLES));
}

export function whiteNoise(seconds: number, level: number, seed = 1): Float32Array {
  const chance = new Chance(seed);
  return Float32Array.from(
    { length: seconds * SAMPLE_RATE },
    () => level * Math.sqrt(3) * (2 * chance.next() - 1),
  );
}
