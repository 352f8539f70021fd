/** Replays every fixture of a folder. */
import path from 'node:path';
import { findFixtures, type Fixtures, type LmTrace } from './fixtures';
import { replayCodec } from './codec';
import { writeEightSteps } from './eight-steps';
import {
  compareLength,
  isOfTrace,
  openForReplay,
  recordedVoice,
  replayConversation,
  replayLayout,
  replayStepwise,
  replayTokens,
  replayVoiceFile,
  savedPrompt,
} from './language';
import { importCodec, importLanguageModel, workFolder } from './models';
import { Tally, type Limits } from './tally';
import type { Provider } from '../graphs';

/**
 * Steps of bfloat16 for a voice, where the others are absolute (hidden vectors, logits) or relative to the peak (latents,
 * audio). Rounding to nearest errs by one step at most; the text beside it was itself rounded, to six decimals.
 */
const VOICE_ROWS = 1.25;
const LIMITS: Record<Provider, Limits> = {
  cpu: {
    largest: { hidden: 1e-4, 'text logits': 1e-4, latents: 1e-5, audio: 1e-5, 'voice rows': VOICE_ROWS },
  },
  // What a GPU's own functions of its driver reach is reported, not promised.
  webgpu: { largest: { hidden: 1e-4, 'text logits': 1e-4, 'voice rows': VOICE_ROWS } },
};

export interface ParityReport {
  /** Whether every trace agrees, and there was at least one. */
  passed: boolean;
  lines: readonly string[];
}

/**
 * @param say told each line as it is known
 * @throws NpcVoiceError when a file cannot be read or a graph not be loaded
 */
export async function runParity(
  folder: string,
  provider: Provider,
  say: (line: string) => void,
): Promise<ParityReport> {
  const fixtures = findFixtures(folder);
  const limits = LIMITS[provider];
  const lines: string[] = [];
  let [passed, compared] = [true, 0];
  const note = (line: string): void => {
    lines.push(line);
    say(line);
  };
  const report = (tally: Tally): void => {
    note(tally.render(limits));
    compared++;
    passed &&= tally.passes(limits);
  };
  for (const name of fixtures.absent) note(`${name}: not in this folder, skipped`);
  const work = workFolder();
  try {
    if (fixtures.languageModel) {
      for (const name of fixtures.traces)
        report(await replayLanguage(fixtures, name, provider, work.path, note));
    }
    const voice = replayVoiceFile(fixtures);
    if (voice) report(voice);
    else if (fixtures.voice) note('tiny-voice.pt: nothing here to compare it with, skipped');
    if (fixtures.codec && fixtures.codecTrace) {
      const { transformer } = fixtures.codecTrace.config;
      const hints = {
        heads: transformer.num_heads,
        context: transformer.context,
        maxPeriod: transformer.max_period,
      };
      const files = await importCodec(fixtures.codec, hints, provider, work.path);
      report(await replayCodec(files, fixtures.codecTrace, provider, 'tiny-mimi-trace.json'));
    }
  } finally {
    work.remove();
  }
  if (compared === 0) note('Nothing was compared.');
  return { passed: passed && compared > 0, lines };
}

async function replayLanguage(
  fixtures: Fixtures,
  name: string,
  provider: Provider,
  folder: string,
  note: (line: string) => void,
): Promise<Tally> {
  const trace = fixtures.readTrace(name);
  const tally = new Tally(name);
  const file = fixtures.languageModel!;
  const model = await openForReplay(
    await importLanguageModel(file, hintsOf(trace), provider, folder),
    provider,
  );
  const replay = { model, trace, tally };
  const { savedVoice } = fixtures;
  const saved = savedVoice && isOfTrace(savedVoice, trace) ? savedVoice : null;
  replayTokens(replay, saved);
  replayLayout(replay);
  await replayStepwise(replay);
  await replayConversation(replay, recordedVoice(trace), 'prefill and eager');
  if (savedVoice) compareLength(savedVoice, tally);
  if (saved) await replayConversation(replay, savedPrompt(saved), '.pt replay');
  else if (savedVoice) note(`${name}: .pt replay: the saved voice is not of this trace, skipped`);
  await model.close();

  const eight = path.join(folder, 'eight-steps.safetensors');
  if (writeEightSteps(file, eight)) {
    const files = await importLanguageModel(eight, hintsOf(trace), provider, folder);
    const smaller = await openForReplay(files, provider);
    await replayStepwise({ model: smaller, trace, tally }, '8-step form');
    await smaller.close();
  }
  return tally;
}

const hintsOf = ({ config }: LmTrace) => ({
  heads: config.num_heads,
  depthHeads: config.depformer_num_heads,
  context: config.context,
  maxPeriod: config.max_period,
});
