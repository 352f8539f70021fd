/** The folder that parity replays: the reference implementation's own inputs and outputs, for small random weights. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { NpcVoiceError } from '../../errors';

const tokens = z.array(z.number().int());
const values = z.array(z.number());
const count = z.number().int().positive();
/** [rows][columns], or within one more list for a batch of one. */
const tokenTable = z.union([z.array(tokens), z.array(z.array(tokens))]);

/** One call of the reference's LMGen.step. A trace may leave out what it did not record. */
const stepSchema = z.object({
  phase: z.string(),
  offset: z.number().int().nonnegative(),
  given: z
    .object({
      moshi_tokens: tokens.nullish(),
      text_token: z.number().int().nullish(),
      input_tokens: tokens.nullish(),
    })
    .default({}),
  /** The 17 tokens consumed; absent in the very first step, which consumes nothing. */
  model_input: tokens.nullish(),
  /** Text token the depth transformer was told. */
  dep_text: tokens.nullish(),
  /** Whether each of the audio streams was given. */
  forced: z.array(z.union([z.boolean(), z.number()])).nullish(),
  /** The audio streams of the target column before it was filled in. */
  target_before: tokens.nullish(),
  /** What each depth step chose. */
  dep_sampled: tokens.nullish(),
  hidden: values.nullish(),
  text_logits: values.nullish(),
  /** The frame that came out: text, eight agent codes, eight user codes. */
  out: tokens.nullish(),
  /** The ring of tokens as the step left it, [17][4]; -2 where nothing was written yet. */
  cache_after: z.array(tokens).nullish(),
  /** Which of its cells were given and are not consumed yet. */
  provided_after: z.array(z.array(z.union([z.boolean(), z.number()]))).nullish(),
});

const lmTraceSchema = z.object({
  config: z.object({
    num_heads: count,
    depformer_num_heads: count,
    context: count,
    max_period: z.number().positive().default(10000),
    silence_tokens: tokens,
    sine_tokens: tokens,
    zero_text_code: z.number().int(),
    delays: tokens.nullish(),
    greedy: z.boolean().nullish(),
    dtype: z.string().nullish(),
    dim: count.nullish(),
    num_layers: count.nullish(),
    card: count.nullish(),
    text_card: count.nullish(),
    depformer_dim: count.nullish(),
    depformer_num_layers: count.nullish(),
  }),
  inputs: z.object({
    voice: z
      .array(tokens)
      .nullish()
      .transform((voice) => voice ?? []),
    text: tokens.nullish().transform((text) => text ?? []),
    user: z.array(tokens).nullish(),
  }),
  steps: z.array(stepSchema),
});

/** A voice as the reference saves it, in full precision. */
const savedVoiceSchema = z.object({
  /** [frames - 1, dim], with or without the reference's two axes of one between them. */
  embeddings: z.union([z.array(values), z.array(z.array(z.array(values)))]),
  cache: tokenTable,
  provided_after: tokenTable.nullish(),
  /** Frames the voice took: one more than it has embeddings. */
  offset_after: z.number().int().nullish(),
});

const mimiTraceSchema = z.object({
  config: z.object({
    transformer: z.object({
      num_heads: count,
      context: count,
      max_period: z.number().positive().default(10000),
    }),
    seanet: z.object({ ratios: z.array(count).nullish() }).default({}),
    num_codebooks: count.nullish(),
  }),
  input_pcm16: z.array(z.number().int()),
  latents: z.array(values),
  codes: z.array(tokens),
  decoded: z.array(values),
});

export type LmStep = z.output<typeof stepSchema>;
export type LmTrace = z.output<typeof lmTraceSchema>;
export type SavedVoice = z.output<typeof savedVoiceSchema>;
export type MimiTrace = z.output<typeof mimiTraceSchema>;

export const LANGUAGE_MODEL = 'tiny-lm.safetensors';
const TRACES = /^tiny-lm-trace.*\.json$/;
export const SAVED_VOICE = 'tiny-lm-voice-pt.json';
export const VOICE = 'tiny-voice.pt';
export const CODEC = 'tiny-mimi.safetensors';
export const CODEC_TRACE = 'tiny-mimi-trace.json';

/** A folder's fixtures; each is read when it is asked for, and null when it is not there. */
export class Fixtures {
  /** Paths of the checkpoints. */
  readonly languageModel: string | null;
  readonly codec: string | null;
  /** File names of the language model's traces. */
  readonly traces: readonly string[];
  /** What is not there. */
  readonly absent: readonly string[];

  /** @throws NpcVoiceError `io` when the folder cannot be read */
  constructor(private readonly folder: string) {
    let names: string[];
    try {
      names = readdirSync(folder).sort();
    } catch (cause) {
      throw new NpcVoiceError('io', `The folder ${folder} could not be read: ${(cause as Error).message}.`, {
        cause,
      });
    }
    this.traces = names.filter((name) => TRACES.test(name));
    const expected = [LANGUAGE_MODEL, SAVED_VOICE, VOICE, CODEC, CODEC_TRACE];
    const absent = expected.filter((name) => !this.has(name));
    this.absent = this.traces.length === 0 ? [...absent, 'tiny-lm-trace*.json'] : absent;
    this.languageModel = this.has(LANGUAGE_MODEL) ? this.at(LANGUAGE_MODEL) : null;
    this.codec = this.has(CODEC) ? this.at(CODEC) : null;
  }

  has(name: string): boolean {
    return existsSync(this.at(name));
  }

  /** @throws NpcVoiceError `io`, as do the others, when the file is not of the form it should have */
  readTrace(name: string): LmTrace {
    return this.readJson(name, lmTraceSchema);
  }

  readSavedVoice(): SavedVoice | null {
    return this.has(SAVED_VOICE) ? this.readJson(SAVED_VOICE, savedVoiceSchema) : null;
  }

  readCodecTrace(): MimiTrace | null {
    return this.has(CODEC_TRACE) ? this.readJson(CODEC_TRACE, mimiTraceSchema) : null;
  }

  /** Bytes of a torch file. */
  readVoice(): Uint8Array | null {
    return this.has(VOICE) ? readFileSync(this.at(VOICE)) : null;
  }

  private at(name: string): string {
    return path.join(this.folder, name);
  }

  private readJson<T extends z.ZodType>(name: string, schema: T): z.output<T> {
    let json: unknown;
    try {
      json = JSON.parse(readFileSync(this.at(name), 'utf8'));
    } catch (cause) {
      throw new NpcVoiceError('io', `It could not be read: ${(cause as Error).message}.`, { cause });
    }
    const parsed = schema.safeParse(json);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0]!;
    throw new NpcVoiceError(
      'io',
      `It is damaged at ${issue.path.join('.') || 'its root'}: ${issue.message}.`,
    );
  }
}
