/** A voice's parameters → flite's settings and what is done to the sound afterwards. */
import type { DuplexVoice } from '../../duplex';
import { FLITE_RATE, type FliteSettings } from './flite';

export type TtsVoice = DuplexVoice['understudy'];

/** Resampling ratios keep to this grid, which keeps filters small and shared; 3 cents at most. */
const RATE_GRID_HZ = 25;

export interface VoicePlan {
  flite: FliteSettings;
  /** Hz that flite's 16 kHz sound is taken to have: higher is a smaller body, with higher pitch and formants. */
  playedRate: number;
  /** Linear, on top of the common loudness. */
  gain: number;
}

/**
 * Pitch and formants are shifted together by playing the sound at another rate, 2^(semitones/12); the speech is
 * stretched by as much beforehand, so that its tempo stays. That is the only way to pitch `rms`.
 */
export function planVoice(voice: TtsVoice): VoicePlan {
  const shift = 2 ** ((voice.shift_semitones ?? 0) / 12);
  const playedRate = Math.round((FLITE_RATE * shift) / RATE_GRID_HZ) * RATE_GRID_HZ;
  const flite: FliteSettings = { base: voice.base, stretch: playedRate / FLITE_RATE / (voice.rate ?? 1) };
  if (voice.pitch_hz !== undefined) flite.pitchHz = voice.pitch_hz;
  if (voice.pitch_range_hz !== undefined) flite.rangeHz = voice.pitch_range_hz;
  return { flite, playedRate, gain: voice.gain ?? 1 };
}

/** Equal for voices that sound alike. */
export function voiceKey(voice: TtsVoice): string {
  const { base, pitch_hz, pitch_range_hz, rate = 1, shift_semitones = 0, gain = 1 } = voice;
  return [base, pitch_hz, pitch_range_hz, rate, shift_semitones, gain].join('/');
}
