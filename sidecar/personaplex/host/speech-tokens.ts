/** The codes that mean silence, and those of the tone the player "says" during a prompt. */
import { PERSONAPLEX_TOKENS, type SpeechTokens } from '../generator';
import { DEPTH_STEPS } from '../graphs/types';
import type { MimiEncoder } from '../runtime';
import { FRAME_SAMPLES, SAMPLE_RATE } from '../../audio/frame';

/** Codes of the published codec. */
const PUBLISHED_CARD = 2048;
const TONE_HZ = 440;
const TONE_AMPLITUDE = 0.5;

/**
 * The published model's codes are constants of NVIDIA's; a model with another codec hears for itself what a silent
 * frame and a tone are, as those constants were made.
 * @param newEncoder an encoder of one stream that has heard nothing
 */
export async function speechTokens(card: number, newEncoder: () => MimiEncoder): Promise<SpeechTokens> {
  if (card === PUBLISHED_CARD) return PERSONAPLEX_TOKENS;
  const tone = Float32Array.from(
    { length: FRAME_SAMPLES },
    (_, i) => TONE_AMPLITUDE * Math.sin((2 * Math.PI * TONE_HZ * i) / SAMPLE_RATE),
  );
  const codesOf = async (samples: Float32Array): Promise<number[]> =>
    Array.from((await newEncoder().encode(samples)).codes.subarray(0, DEPTH_STEPS));
  return {
    ...PERSONAPLEX_TOKENS,
    silence: await codesOf(new Float32Array(FRAME_SAMPLES)),
    sine: await codesOf(tone),
  };
}
