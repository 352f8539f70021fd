/** The voice file (`voices/<id>.yaml`): what each duplex model needs to sound like it. */
import { z } from 'zod';
import { ID_PATTERN } from '../personas/schema';

export const voiceSchema = z
  .strictObject({
    id: z.string().regex(ID_PATTERN).optional().describe("Default and rule: the file's name without .yaml."),
    name: z.string().trim().min(1).max(80),
    about: z.string().trim().max(300).optional().describe('One sentence: how it sounds.'),
    understudy: z
      .strictObject({
        base: z.enum(['slt', 'rms', 'awb', 'kal16']).describe('Voice of the embedded text-to-speech: slt female; rms, kal16 male; awb male, Scottish.'),
        pitch_hz: z.number().min(60).max(300).optional().describe('Mean pitch.'),
        pitch_range_hz: z.number().min(0).max(80).optional().describe('Pitch spread: 0 is a monotone.'),
        rate: z.number().min(0.5).max(2).default(1).describe('Speaking rate.'),
        shift_semitones: z.number().min(-12).max(12).default(0).describe('Shifts pitch and formants together: a larger or smaller body.'),
        gain: z.number().min(0).max(4).default(1),
      })
      .describe('For the understudy.'),
    personaplex: z
      .strictObject({ prompt: z.string().max(200).describe("A .pt or .wav in the voices folder, or one of NVIDIA's names: NATM1.") })
      .optional(),
  })
  .describe('A voice of NPC Voice.'); // prettier-ignore

export type Voice = z.output<typeof voiceSchema> & { id: string };
export type VoiceFile = z.input<typeof voiceSchema>;
