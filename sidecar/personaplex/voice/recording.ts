/** Voice prompts from recordings: any WAV becomes frames the codec can hear. */
import { FRAME_SAMPLES, SAMPLE_RATE, normaliseLoudness, readWav, Resampler, wavSeconds } from '../../audio';
import { NpcVoiceError } from '../../errors';

export interface VoiceRecording {
  kind: 'recording';
  /** 80 ms frames. */
  frames: number;
  /** frames × 1920 samples at 24 kHz, at −24 LUFS; the last frame is padded with silence. Peaks may exceed 1. */
  samples: Float32Array;
}

/** Loudness that the model's voice prompts were made with. */
const PROMPT_LUFS = -24;
/** Every frame of the prompt takes a column of the four minutes that the model remembers. */
const MAX_SECONDS = 30;
const MIN_RATE = 8000;

/** All of a signal at once: the filter's delay is taken off its start, and silence flushes its end. */
export function resampleWhole(samples: Float32Array, fromRate: number, toRate: number): Float32Array {
  if (fromRate === toRate) return samples;
  const resampler = new Resampler(fromRate, toRate);
  const delay = Math.round(resampler.latency * toRate);
  const padded = new Float32Array(samples.length + Math.ceil((delay * fromRate) / toRate) + 1);
  padded.set(samples);
  const length = Math.ceil((samples.length * toRate) / fromRate);
  return resampler.process(padded).slice(delay, delay + length);
}

/**
 * Reads a WAV file as a voice prompt: channels averaged, resampled to 24 kHz, brought to −24 LUFS (BS.1770).
 * @throws NpcVoiceError `bad_audio` when it is not WAV, silent, or shorter than 0.4 s or longer than 30
 */
export function readVoiceRecording(file: Uint8Array): VoiceRecording {
  const seconds = wavSeconds(file);
  if (seconds > MAX_SECONDS)
    throw new NpcVoiceError(
      'bad_audio',
      `The recording is ${Math.round(seconds)} s long; a voice prompt has at most 30 s.`,
      {
        hint: 'Four to ten seconds of one voice, without music, are best.',
      },
    );
  const wav = readWav(file);
  if (wav.rate < MIN_RATE)
    throw new NpcVoiceError('bad_audio', `The recording has only ${wav.rate} samples a second.`, {
      hint: 'Record at 24 kHz or more.',
    });
  const samples = normaliseLoudness(
    resampleWhole(wav.mono(), wav.rate, SAMPLE_RATE),
    SAMPLE_RATE,
    PROMPT_LUFS,
  );
  const frames = Math.ceil(samples.length / FRAME_SAMPLES);
  const whole = new Float32Array(frames * FRAME_SAMPLES);
  whole.set(samples);
  return { kind: 'recording', frames, samples: whole };
}
