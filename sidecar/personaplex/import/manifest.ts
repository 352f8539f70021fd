/** `manifest.json` of an imported model: what it is made of, how exactly, and how like the checkpoint it is. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { NpcVoiceError } from '../../errors';

export const MANIFEST_FILE = 'manifest.json';
/** Raised when graphs or manifest change so that older imports no longer run. */
export const MANIFEST_FORMAT = 1;
export const MODEL_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** @throws NpcVoiceError `bad_field` when it cannot name a model */
export function requireModelId(id: string): void {
  if (!MODEL_ID.test(id))
    throw new NpcVoiceError('bad_field', `“${id.slice(0, 80)}” cannot name a model.`, {
      hint: 'Use up to 64 small letters, digits, - and _.',
    });
}

const count = z.number().int().positive();
const fileName = z.string().regex(/^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)?(\.[a-z0-9]+)*$/);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

export const manifestSchema = z.object({
  format: z.literal(MANIFEST_FORMAT),
  id: z.string().regex(MODEL_ID),
  /** What people call it. */
  name: z.string(),
  /** `personaplex` takes a role and a voice; `moshi` has a fixed voice and no persona. */
  form: z.enum(['personaplex', 'moshi']),
  tier: z.enum(['f32', 'f16', 'q8', 'mixed', 'q4']),
  provider: z.enum(['cpu', 'webgpu']),
  /** What the graphs compute in between their weights. */
  activations: z.enum(['f32', 'f16']),
  /** ISO date of the import. */
  imported: z.string(),
  /** npc-voice that did it. */
  version: z.string(),
  source: z.object({
    /** Where the checkpoint came from: a repository on Hugging Face, or a folder. */
    from: z.string(),
    revision: z.string().optional(),
    licence: z.string().optional(),
    files: z.array(z.object({ name: z.string(), size: z.number().nonnegative(), sha256: sha256.optional() })),
  }),
  lm: z.object({
    dim: count, layers: count, heads: count, ffnHidden: count, card: count, textCard: count, audioStreams: count,
    depthDim: count, depthLayers: count, depthHeads: count, depthFfnHidden: count, depthStepsStored: count,
    context: count, maxPeriod: z.number().positive(),
  }), // prettier-ignore
  mimi: z.object({
    dim: count, ratios: z.array(count), layers: count, heads: count, context: count,
    maxPeriod: z.number().positive(), bins: count, codeDim: count,
  }), // prettier-ignore
  /** Every file of the model but this one. */
  files: z.array(z.object({ name: fileName, size: z.number().nonnegative(), sha256 })),
  voices: z.array(z.string()),
  /** Cosine between each rounded tensor and the checkpoint's. */
  cosines: z.record(z.string(), z.number()),
  dropped: z.array(z.object({ name: z.string(), rows: z.tuple([z.number(), z.number()]).optional(), reason: z.string() })),
}); // prettier-ignore
export type ModelManifest = z.output<typeof manifestSchema>;

/**
 * Reads the manifest of a model's folder.
 * @throws NpcVoiceError `model_unavailable` when there is none, `model_invalid` when it cannot be used
 */
export function readManifest(folder: string): ModelManifest {
  const file = path.join(folder, MANIFEST_FILE);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new NpcVoiceError('model_unavailable', `${folder} holds no imported model.`, {
      hint: 'Run `npc-voice model install personaplex`, or `npc-voice model list` to see what there is.',
      cause,
    });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new NpcVoiceError('model_invalid', `${file} is not JSON.`, {
      hint: 'Import the model again.',
      cause,
    });
  }
  const format = (json as { format?: unknown } | null)?.format;
  if (typeof format === 'number' && format !== MANIFEST_FORMAT)
    throw new NpcVoiceError(
      'model_invalid',
      `The model in ${folder} was imported by another version of NPC Voice (format ${format}).`,
      {
        hint: 'Import it again with this version.',
      },
    );
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new NpcVoiceError(
      'model_invalid',
      `${file} is damaged at ${issue.path.join('.') || 'its root'}: ${issue.message}.`,
      {
        hint: 'Import the model again.',
      },
    );
  }
  return parsed.data;
}
