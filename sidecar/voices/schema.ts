/**
 * The voice file (`voices/<id>.yaml`): what each duplex model needs to sound like it. `voices/voice.schema.json`
 * is generated from this schema (`npc-voice persona schema`).
 */
import { z } from 'zod';
import { PUBLISHED_VOICES } from '../personaplex/voice/published';
import { ID_PATTERN, ID_RULE } from '../yaml/id';

const understudy = z
  .strictObject({
    base: z.enum(['slt', 'rms', 'awb', 'kal16']).meta({
      description: 'Voice of the embedded text-to-speech it is made from.',
      enumDescriptions: [
        'A woman, American.',
        'A man, American; low and even. Its pitch moves by shift_semitones only.',
        'A man, Scottish; quick.',
        'A man, American; an older, plainer machine.',
      ],
    }),
    pitch_hz: z.number().min(60).max(300).optional()
      .describe('Mean pitch before any shift, hertz: about 90 for a deep man, 200 for a woman. rms does not heed it.'),
    pitch_range_hz: z.number().min(0).max(80).optional()
      .describe('How far the pitch wanders, hertz: 0 is a monotone, 15 calm, 40 excited. rms does not heed it.'),
    rate: z.number().min(0.5).max(2).default(1).describe('Speaking rate: 0.8 is unhurried, 1.2 brisk.'),
    shift_semitones: z.number().min(-12).max(12).default(0)
      .describe('Shifts pitch and vowels together, as a larger (below 0) or smaller (above 0) body would.'),
    gain: z.number().min(0).max(4).default(1).describe('Loudness: 1 is as recorded, 0.5 half.'),
  })
  .describe('For the understudy, which needs no GPU.'); // prettier-ignore

const personaplex = z
  .strictObject({
    prompt: z.string().regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/, 'a prompt is a file name without a folder, or a name like NATM1')
      .meta({
        description: "NVIDIA's name of a voice (NATF0-3, NATM0-3, VARF0-4, VARM0-4), or a .pt or .wav file in the voices folder.",
        examples: [...PUBLISHED_VOICES],
      }),
  })
  .describe('For PersonaPlex.'); // prettier-ignore

export const voiceSchema = z
  .strictObject({
    id: z.string().regex(ID_PATTERN, ID_RULE).optional()
      .describe("The voice's id. It is the file's name without .yaml, so it need not be written."),
    name: z.string().trim().min(1).max(80).describe('What it is called in lists.'),
    about: z.string().trim().max(300).optional().describe('One sentence: how it sounds.'),
    understudy,
    personaplex: personaplex.optional(),
  })
  .meta({ title: 'NPC Voice voice', description: 'A voice of NPC Voice.' }); // prettier-ignore

export type Voice = z.output<typeof voiceSchema> & { id: string };
export type VoiceFile = z.input<typeof voiceSchema>;
