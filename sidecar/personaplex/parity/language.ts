/** Replays a trace of the language model in every way the product runs it, and counts what agrees. */
import {
  Generator,
  GREEDY,
  promptColumns,
  type Prompt,
  type SpeechTokens,
  type VoicePrompt,
} from '../generator';
import { DEPTH_STEPS, type Provider } from '../graphs';
import { LanguageModel, type Outlook } from '../runtime';
import { readVoiceEmbeddings } from '../voice';
import type { Fixtures, LmStep, LmTrace, SavedVoice } from './fixtures';
import { replayRing } from './ring';
import { Tally } from './tally';

/** A step that consumed a column, which all but the first do. */
type FullStep = LmStep & Required<Omit<LmStep, 'out' | 'cache_after' | 'provided_after'>>;

const isFull = (step: LmStep): step is FullStep => step.model_input !== undefined;

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

/** One column at a time: hidden vectors, logits, text tokens, and all eight depth steps even where they were forced. */
export async function replayStepwise({ model, trace, tally }: Replay, part = 'stepwise'): Promise<void> {
  const cache = model.newCache(1);
  const pairs: [number, number][] = [];
  for (const step of trace.steps.filter(isFull)) {
    const tokens = Int32Array.from(step.model_input);
    const outlook = await model.consume(cache, { tokens, steps: 1 }, [true]);
    measureOutlook(tally, outlook, step);
    const isLive = step.given.text_token === undefined || step.given.text_token === null;
    const drawn = await model.draw(outlook, {
      forcedText: Int32Array.of(isLive ? -1 : step.given.text_token!),
      forcedAudio: Int32Array.from({ length: DEPTH_STEPS }, (_, k) =>
        step.forced[k] ? step.target_before[k]! : -1,
      ),
      text: { count: 1, sharpness: Float32Array.of(1), noise: new Float32Array(1) },
      audio: { count: 1, sharpness: Float32Array.of(1), noise: new Float32Array(DEPTH_STEPS) },
    });
    pairs.push([drawn.text[0]!, step.dep_text[0]!]);
    for (let k = 0; k < DEPTH_STEPS; k++) pairs.push([drawn.sampledAudio[k]!, step.dep_sampled[k]!]);
  }
  cache.dispose();
  tally.part(part, pairs);
}

function measureOutlook(tally: Tally, { hidden, textLogits }: Outlook, step: FullStep): void {
  tally.measure('hidden', hidden.data as Float32Array, step.hidden);
  tally.measure('text logits', textLogits.data as Float32Array, step.text_logits);
}

/**
 * The whole prompt in one pass, then live frames on the eager schedule: what comes out must be the reference's frames,
 * one call earlier.
 */
export async function replayConversation(replay: Replay, voice: VoicePrompt, part: string): Promise<void> {
  const { model, trace, tally } = replay;
  const generator = new Generator(model, { seats: 1, tokens: speechTokens(trace) });
  const prompt: Prompt = { voice, text: trace.inputs.text };
  const primed = await generator.prime(prompt);
  const live = trace.steps.filter((step) => step.phase === 'live');
  const first = live[0];
  if (!first || !isFull(first)) return tally.part(part, []);
  measureOutlook(tally, primed.outlook, first);

  const pairs: [number, number][] = [[primed.columns.count, first.offset]];
  await generator.attach(0, primed, { seed: 0, sampling: GREEDY });
  for (let frame = 0; frame + 1 < live.length; frame++) {
    const [spoken] = await generator.step([live[frame]!.given.input_tokens ?? trace.inputs.user?.[frame]]);
    const expected = live[frame + 1]!.out;
    if (!expected) continue;
    pairs.push([spoken!.text, expected[0]!]);
    for (let k = 0; k < DEPTH_STEPS; k++) pairs.push([spoken!.codes[k]!, expected[1 + k]!]);
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
  const expected = trace.steps.filter(isFull).slice(0, columns.count);
  const pairs = expected.flatMap((step, column) =>
    step.model_input.map((token, stream) => [columns.tokens[column * width + stream]!, token] as const),
  );
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
}

/** Whether the saved voice has as many frames as the trace's: its first has no embedding of its own. */
export const isOfTrace = (saved: SavedVoice, trace: LmTrace): boolean =>
  saved.embeddings.length + 1 === trace.inputs.voice.length;

/** Whether the saved voice says of itself what its embeddings come to. */
export function compareLength({ offset_after, embeddings }: SavedVoice, tally: Tally): void {
  if (offset_after !== undefined) tally.part('.pt length', [[embeddings.length + 1, offset_after]]);
}

export const savedPrompt = (saved: SavedVoice): VoicePrompt => ({
  kind: 'embeddings',
  embeddings: Float32Array.from(saved.embeddings.flat(3) as unknown as number[]),
  ring: Int32Array.from(saved.cache.flat(2) as number[]),
});

/** bfloat16 keeps eight bits of a value. */
const BFLOAT16_STEP = 2 ** -8;

/** The torch file against the voice it was saved from: its tokens exactly, its rows to bfloat16's precision. */
export function replayVoiceFile({ voice, savedVoice: saved }: Fixtures): Tally | null {
  if (!voice || !saved) return null;
  const tally = new Tally('tiny-voice.pt');
  const read = readVoiceEmbeddings(voice);
  const cache = saved.cache.flat(2) as number[];
  tally.part(
    'cache',
    cache.map((token, i) => [read.cache[i] ?? -1, token] as const),
  );
  const rows = saved.embeddings.flat(3) as unknown as number[];
  // Relative to each value, in steps of bfloat16.
  const relative = rows.map(
    (value, i) => (read.rows[i]! - value) / Math.max(Math.abs(value), 1e-3) / BFLOAT16_STEP,
  );
  tally.measure('voice rows', relative, new Float32Array(rows.length));
  return tally;
}

function speechTokens({ config, steps }: LmTrace): SpeechTokens {
  return {
    silence: config.silence_tokens,
    sine: config.sine_tokens,
    textPad: config.zero_text_code,
    spacerFrames: steps.filter((step) => step.phase === 'silence1').length,
  };
}
