import { NpcVoiceError } from '../../errors';

/** A voice file that is refused, and why. */
export const refuse = (why: string, hint?: string): NpcVoiceError =>
  new NpcVoiceError('voice_invalid', `The voice file is refused: ${why}.`, {
    hint: hint ?? 'Use a voice of NVIDIA’s voices.tgz as it is, or a WAV recording.',
  });
