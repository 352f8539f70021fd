/** The folder that parity replays: the reference implementation's own inputs and outputs, for small random weights. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { NpcVoiceError } from '../../errors';

/** One call of the reference's LMGen.step. */
export interface LmStep {
  phase: string;
  offset: number;
  given: { moshi_tokens?: number[] | null; text_token?: number | null; input_tokens?: number[] };
  /** The 17 tokens consumed; absent in the very first step, which consumes nothing. */
  model_input?: number[];
  /** Text token the depth transformer was told. */
  dep_text?: number[];
  /** Whether each of the audio streams was given. */
  forced?: boolean[];
  /** The audio streams of the target column before it was filled in. */
  target_before?: number[];
  /** What each depth step chose. */
  dep_sampled?: number[];
  hidden?: number[];
  text_logits?: number[];
  /** The frame that came out: text, eight agent codes, eight user codes. */
  out: number[] | null;
  /** The ring of tokens as the step left it, [17][4]; -2 where nothing was written yet. */
  cache_after?: number[][];
  /** Which of its cells were given and are not consumed yet. */
  provided_after?: number[][];
}

export interface LmTrace {
  config: {
    num_heads: number;
    depformer_num_heads: number;
    context: number;
    max_period: number;
    silence_tokens: number[];
    sine_tokens: number[];
    zero_text_code: number;
  };
  inputs: { voice: number[][]; text: number[]; user?: number[][] };
  steps: LmStep[];
}

/** A voice as the reference saves it, in full precision. */
export interface SavedVoice {
  /** [frames - 1][1][1][dim]. */
  embeddings: number[][][][];
  /** [17][4], or within one more list. */
  cache: number[][] | number[][][];
  provided_after?: number[][] | number[][][];
  /** Frames the voice took: one more than it has embeddings. */
  offset_after?: number;
}

export interface MimiTrace {
  config: { transformer: { num_heads: number; context: number; max_period: number } };
  input_pcm16: number[];
  latents: number[][];
  codes: number[][];
  decoded: number[][];
}

const LANGUAGE_MODEL = 'tiny-lm.safetensors';
const TRACES = /^tiny-lm-trace.*\.json$/;
const SAVED_VOICE = 'tiny-lm-voice-pt.json';
const VOICE = 'tiny-voice.pt';
const CODEC = 'tiny-mimi.safetensors';
const CODEC_TRACE = 'tiny-mimi-trace.json';

export interface Fixtures {
  languageModel: string | null;
  /** File names of the language model's traces. */
  traces: readonly string[];
  savedVoice: SavedVoice | null;
  /** Bytes of a torch file. */
  voice: Uint8Array | null;
  codec: string | null;
  codecTrace: MimiTrace | null;
  /** What is not there. */
  absent: readonly string[];
  /** Reads a trace of `traces`. */
  readTrace(name: string): LmTrace;
}

/** @throws NpcVoiceError `io` when the folder or a file in it cannot be read */
export function findFixtures(folder: string): Fixtures {
  const at = (name: string): string => path.join(folder, name);
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (cause) {
    throw new NpcVoiceError('io', `The folder ${folder} could not be read: ${(cause as Error).message}.`, {
      cause,
    });
  }
  const traces = names.filter((name) => TRACES.test(name));
  const has = (name: string): boolean => existsSync(at(name));
  const absent = [LANGUAGE_MODEL, SAVED_VOICE, VOICE, CODEC, CODEC_TRACE].filter((name) => !has(name));
  if (traces.length === 0) absent.push('tiny-lm-trace*.json');
  const readJson = <T>(name: string): T => {
    try {
      return JSON.parse(readFileSync(at(name), 'utf8')) as T;
    } catch (cause) {
      throw new NpcVoiceError('io', `${at(name)} could not be read: ${(cause as Error).message}.`, { cause });
    }
  };
  return {
    languageModel: has(LANGUAGE_MODEL) ? at(LANGUAGE_MODEL) : null,
    traces,
    savedVoice: has(SAVED_VOICE) ? readJson<SavedVoice>(SAVED_VOICE) : null,
    voice: has(VOICE) ? readFileSync(at(VOICE)) : null,
    codec: has(CODEC) ? at(CODEC) : null,
    codecTrace: has(CODEC_TRACE) ? readJson<MimiTrace>(CODEC_TRACE) : null,
    absent,
    readTrace: (name) => readJson<LmTrace>(name),
  };
}
