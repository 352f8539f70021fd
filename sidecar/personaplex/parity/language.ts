/** Replays a trace of the language model in every way the product runs it, and counts what agrees. */
import { NpcVoiceError } from '../../errors';
import {
  Generator,
  GREEDY,
  promptColumns,
  type Prompt,
  type SpeechTokens,
  type VoicePrompt,
} from '../generator';
import { DEPTH_STEPS, type LmConfig, type Provider } from '../graphs';
import { LanguageModel, type Outlook } from '../runtime';
import type { LmStep, LmTrace, SavedVoice } from './fixtures';
import { delayOf, isToken, replayRing } from './ring';
import { pairUp, type Tally, type TokenPair } from './tally';

/** Text, eight agent codes, eight user codes. */
const STREAMS = 1 + 2 * DEPTH_STEPS;

/** What both sides of the comparison are made from. */
export interface Replay {
  model: LanguageModel;
  trace: LmTrace;
  tally: Tally;
}

/** Opens a model whose results come back to the host. */
export const openForReplay = (
  files: Parameters<typeof LanguageModel.open>[0],
  provider: Provider,
): Promise<LanguageModel> => LanguageModel.open(files, { provider, threads: 1, cpuFallback: false });

/**
 * Whether a trace is of this model at all, and can be replayed.
 * @throws NpcVoiceError `unsupported` when it was made with other delays, by chance, in another format, or from another
 * checkpoint
 */
export function checkTrace({ config }: LmTrace, model: LmConfig): void {
  const refuse = (why: string): never => {
    throw new NpcVoiceError('unsupported', `The trace cannot be replayed: ${why}.`);
  };
  const delays = Array.from({ length: 1 + model.audioStreams }, (_, stream) => delayOf(stream));
  if (config.delays && config.delays.join() !== delays.join())
    refuse(
      `it has the delays ${config.delays.join(' ')}; PersonaPlex and Moshi have ${delays.join(' ')}, and no others are supported`,
    );
  if (config.greedy === false) refuse('it was sampled, and the draws are not known');
  if (config.dtype && config.dtype !== 'float32') refuse(`it was computed in ${config.dtype}, not float32`);
  const sizes = {
    dim: model.dim, num_layers: model.layers, card: model.card, text_card: model.textCard,
    depformer_dim: model.depthDim, depformer_num_layers: model.depthLayers,
  }; // prettier-ignore
  for (const [name, size] of Object.entries(sizes)) {
    const own = config[name as keyof typeof sizes];
    if (typeof own === 'number' && own !== size)
      refuse(`it is of another checkpoint: its ${name} is ${own}, the checkpoint's ${size}`);
  }
}

/** One column at a time: hidden vectors, logits, text tokens, and all eight depth steps even where they were forced. */
export async function replayStepwise({ model, trace, tally }: Replay, part = 'stepwise'): Promise<void> {
  const cache = model.newCache(1);
  const pairs: TokenPair[] = [];
  for (const [i, step] of trace.steps.entries()) {
    if (!step.model_input) continue;
    const tokens = Int32Array.from(step.model_input);
    const outlook = await model.consume(cache, { tokens, steps: 1 }, [true]);
    measureOutlook(tally, outlook, step, i);
    const { forced, target_before: target, given } = step;
    if (!forced || !target) continue;
    const drawn = await model.draw(outlook, {
      forcedText: Int32Array.of(given.text_token ?? -1),
      forcedAudio: Int32Array.from({ length: DEPTH_STEPS }, (_, k) => (forced[k] ? target[k]! : -1)),
      text: { count: 1, sharpness: Float32Array.of(1), noise: new Float32Array(1) },
      audio: { count: 1, sharpness: Float32Array.of(1), noise: new Float32Array(DEPTH_STEPS) },
    });
    pairs.push(...pairUp(drawn.text, step.dep_text, `steps[${i}].dep_text`));
    const computed = step.dep_sampled?.slice(0, DEPTH_STEPS);
    pairs.push(...pairUp(drawn.sampledAudio, computed, `steps[${i}].dep_sampled`));
  }
  cache.dispose();
  tally.part(part, pairs);
}

function measureOutlook(tally: Tally, { hidden, textLogits }: Outlook, step: LmStep, i: number): void {
  const measure = (
    name: 'hidden' | 'text logits',
    ours: Outlook['hidden'],
    field: 'hidden' | 'text_logits',
  ) => {
    const theirs = step[field];
    if (theirs) tally.measure(name, ours.data as Float32Array, theirs, `steps[${i}].${field}`);
  };
  measure('hidden', hidden, 'hidden');
  measure('text logits', textLogits, 'text_logits');
}

/**
 * The whole prompt in one pass, then live frames on the eager schedule: what comes out must be the reference's frames,
 * one call earlier.
 */
export async function replayConversation(replay: Replay, voice: VoicePrompt, part: string): Promise<void> {
  const { model, trace, tally } = replay;
  const generator = new Generator(model, { seats: 1, tokens: speechTokens(trace) });
  const prompt: Prompt = { voice, text: trace.inputs.text };
  const start = trace.steps.findIndex((step) => step.phase === 'live');
  const first = trace.steps[start];
  if (!first) return;
  const live = trace.steps.slice(start);
  if (live.some(({ given }) => isToken(given.text_token) || given.moshi_tokens)) {
    // The eager schedule has drawn a column before the step comes that would force it.
    tally.remarks.push(`${part}: not replayed, for live steps are told what to say`);
    return;
  }
  const primed = await generator.prime(prompt);
  measureOutlook(tally, primed.outlook, first, start);

  const pairs: TokenPair[] = [[primed.columns.count, first.offset, `steps[${start}].offset`]];
  await generator.attach(0, primed, { seed: 0, sampling: GREEDY });
  for (let frame = 0; frame + 1 < live.length; frame++) {
    const heard = live[frame]!.given.input_tokens ?? trace.inputs.user?.[frame];
    if (!heard)
      throw new NpcVoiceError('unsupported', `Nothing says what was heard in steps[${start + frame}].`);
    const [spoken] = await generator.step([heard]);
    const expected = live[frame + 1]!.out?.slice(0, 1 + DEPTH_STEPS);
    pairs.push(...pairUp([spoken!.text, ...spoken!.codes], expected, `steps[${start + frame + 1}].out`));
  }
  generator.detach(0);
  primed.cache.dispose();
  tally.part(part, pairs);
}

/** The prompt's columns, laid out beforehand, against those the reference came to step by step. */
export function replayLayout({ model, trace, tally }: Replay): void {
  const { config } = model;
  const prompt = { voice: recordedVoice(trace), text: trace.inputs.text };
  const columns = promptColumns(config, speechTokens(trace), prompt);
  const width = 1 + config.audioStreams;
  const pairs: TokenPair[] = [];
  trace.steps.forEach(({ model_input, offset }, i) => {
    // What a step consumes is the column before it.
    if (offset < 1 || offset > columns.count) return;
    const ours = columns.tokens.subarray((offset - 1) * width, offset * width);
    pairs.push(...pairUp(ours, model_input, `steps[${i}].model_input`));
  });
  tally.part('prompt layout', pairs);
}

export const recordedVoice = ({ inputs }: LmTrace): VoicePrompt => ({
  kind: 'codes',
  codes: Int32Array.from(inputs.voice.flat()),
});

/** Every token the trace records against those that follow from what its steps were given. */
export function replayTokens({ model, trace, tally }: Replay, saved: SavedVoice | null): void {
  const { textCard, card, audioStreams } = model.config;
  const initial = [textCard, ...new Array<number>(audioStreams).fill(card)];
  replayRing(trace, tally, initial, saved);
  if (trace.steps.some(({ dep_sampled }) => dep_sampled && dep_sampled.length > DEPTH_STEPS))
    tally.remarks.push(`dep_sampled[0..${DEPTH_STEPS - 1}] only: the product has no later depth steps`);
}

/**
 * Whether a saved voice is the trace's: as many frames (its first has no embedding of its own), and in its ring most of
 * the last frame's codes. One that differs in few is this voice, damaged.
 */
export function isOfTrace(saved: SavedVoice, { inputs: { voice } }: LmTrace): boolean {
  const frames = saved.embeddings.length + 1;
  if (frames !== voice.length) return false;
  const cells = saved.cache.flat(2) as number[];
  const columns = cells.length / STREAMS;
  const equal = voice.at(-1)!.filter((code, k) => {
    const stream = 1 + k;
    return cells[stream * columns + ((frames - 1 + delayOf(stream)) % columns)] === code;
  });
  return 2 * equal.length >= DEPTH_STEPS;
}

/** Whether the saved voice says of itself what its embeddings come to. */
export function compareLength({ offset_after, embeddings }: SavedVoice, tally: Tally): void {
  if (typeof offset_after === 'number')
    tally.part('.pt length', [[embeddings.length + 1, offset_after, 'offset_after']]);
}

export const savedPrompt = (saved: SavedVoice): VoicePrompt => ({
  kind: 'embeddings',
  embeddings: Float32Array.from(rowsOf(saved)),
  ring: Int32Array.from(saved.cache.flat(2) as number[]),
});

/** Embeddings one after the other. */
export const rowsOf = ({ embeddings }: SavedVoice): number[] => embeddings.flat(3) as number[];

function speechTokens({ config, steps }: LmTrace): SpeechTokens {
  return {
    silence: config.silence_tokens,
    sine: config.sine_tokens,
    textPad: config.zero_text_code,
    spacerFrames: steps.filter((step) => step.phase === 'silence1').length,
  };
}
