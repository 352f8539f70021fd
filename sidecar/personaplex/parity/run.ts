/** Replays every fixture of a folder. */
import path from 'node:path';
import { asNpcVoiceError } from '../../errors';
import type { Provider } from '../graphs';
import { readVoiceEmbeddings, type VoiceEmbeddings } from '../voice';
import { replayCodec } from './codec';
import { writeEightSteps } from './eight-steps';
import {
  CODEC,
  CODEC_TRACE,
  Fixtures,
  LANGUAGE_MODEL,
  SAVED_VOICE,
  VOICE,
  type LmTrace,
  type SavedVoice,
} from './fixtures';
import {
  checkTrace,
  compareLength,
  isOfTrace,
  openForReplay,
  recordedVoice,
  replayConversation,
  replayLayout,
  replayStepwise,
  replayTokens,
  savedPrompt,
} from './language';
import { importCodec, importLanguageModel, workFolder } from './models';
import { Tally, type Limits } from './tally';
import { asSaved, compareWithSaved, compareWithTables } from './voice';

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
  /** Traces compared, those that could not be replayed included. */
  compared: number;
  lines: readonly string[];
}

/** The voice of a folder, in the two forms it may come in. */
interface Voices {
  saved: SavedVoice | null;
  file: VoiceEmbeddings | null;
}

/**
 * Replays what there is; a fixture that cannot be read or replayed is a line that says why, and fails.
 * @param say told each line as it is known
 * @throws NpcVoiceError `io` when the folder cannot be read
 */
export async function runParity(
  folder: string,
  provider: Provider,
  say: (line: string) => void,
): Promise<ParityReport> {
  const fixtures = new Fixtures(folder);
  const limits = LIMITS[provider];
  const lines: string[] = [];
  let [passed, compared] = [true, 0];
  const note = (line: string): void => {
    lines.push(line);
    say(line);
  };
  /** One fixture's line; null: there was nothing to compare it with. */
  const attempt = async <T>(name: string, replay: () => T | Promise<T>): Promise<T | null> => {
    try {
      const result = await replay();
      if (!(result instanceof Tally)) return result;
      note(result.render(limits));
      passed &&= result.passes(limits);
      compared++;
      return result;
    } catch (thrown) {
      const { message, hint } = asNpcVoiceError(thrown);
      note(`${name}: FAILED  ${message}${hint ? ` ${hint}` : ''}`);
      passed = false;
      compared++;
      return null;
    }
  };
  for (const name of fixtures.absent) note(`${name}: not in this folder, skipped`);
  const work = workFolder();
  try {
    const voices: Voices = {
      saved: await attempt(SAVED_VOICE, () => fixtures.readSavedVoice()),
      file: await attempt(VOICE, () => {
        const bytes = fixtures.readVoice();
        return bytes && readVoiceEmbeddings(bytes);
      }),
    };
    let ofVoice = 0;
    for (const name of fixtures.traces) {
      if (!fixtures.languageModel) {
        note(`${name}: cannot be replayed without ${LANGUAGE_MODEL}, skipped`);
        continue;
      }
      await attempt(name, async () => {
        const trace = fixtures.readTrace(name);
        if (voices.file && isOfTrace(asSaved(voices.file), trace)) ofVoice++;
        return replayLanguage(
          { fixtures, trace, voices, provider, folder: work.path, note },
          new Tally(name),
        );
      });
    }
    if (voices.file && voices.saved) {
      const [file, saved] = [voices.file, voices.saved];
      await attempt(VOICE, () => {
        const tally = new Tally(VOICE);
        compareWithSaved(file, saved, tally);
        return tally;
      });
    } else if (voices.file && ofVoice === 0) note(`${VOICE}: nothing here to compare it with, skipped`);
    if (fixtures.codec && fixtures.has(CODEC_TRACE))
      await attempt(CODEC_TRACE, () => replayCodecTrace(fixtures, provider, work.path));
    else if (fixtures.has(CODEC_TRACE)) note(`${CODEC_TRACE}: cannot be replayed without ${CODEC}, skipped`);
  } finally {
    work.remove();
  }
  if (compared === 0) note(`Nothing was compared: ${folder} holds no checkpoint with a trace of it.`);
  return { passed: passed && compared > 0, compared, lines };
}

async function replayCodecTrace(fixtures: Fixtures, provider: Provider, folder: string): Promise<Tally> {
  const trace = fixtures.readCodecTrace()!;
  const { transformer, seanet } = trace.config;
  const hints = {
    heads: transformer.num_heads,
    context: transformer.context,
    maxPeriod: transformer.max_period,
    ...(seanet.ratios ? { ratios: seanet.ratios } : {}),
  };
  const files = await importCodec(fixtures.codec!, hints, provider, folder);
  return replayCodec(files, trace, provider, CODEC_TRACE);
}

interface LanguageReplay {
  fixtures: Fixtures;
  trace: LmTrace;
  voices: Voices;
  provider: Provider;
  /** Where models may be written. */
  folder: string;
  note: (line: string) => void;
}

async function replayLanguage(
  { fixtures, trace, voices, provider, folder, note }: LanguageReplay,
  tally: Tally,
): Promise<Tally> {
  const file = fixtures.languageModel!;
  const files = await importLanguageModel(file, hintsOf(trace), provider, folder);
  checkTrace(trace, files.config);
  const model = await openForReplay(files, provider);
  const replay = { model, trace, tally };
  const { saved: found, file: rounded } = voices;
  const saved = found && isOfTrace(found, trace) ? found : null;
  const own = !found && rounded && isOfTrace(asSaved(rounded), trace) ? rounded : null;
  replayTokens(replay, saved ?? (own && asSaved(own)));
  replayLayout(replay);
  await replayStepwise(replay);
  await replayConversation(replay, recordedVoice(trace), 'prefill and eager');
  if (found) compareLength(found, tally);
  if (saved) await replayConversation(replay, savedPrompt(saved), '.pt replay');
  else if (found) note(`${tally.name}: .pt replay: the saved voice is not of this trace, skipped`);
  if (own) {
    await compareWithTables(own, trace, files.config, files.weights, tally);
    // Its rows were rounded, and near ties may fall otherwise: said, not judged.
    const aside = new Tally(VOICE);
    await replayConversation({ model, trace, tally: aside }, savedPrompt(asSaved(own)), '.pt replay');
    tally.remarks.push(
      `.pt replay from bfloat16 rows: ${aside.equalTokens}/${aside.tokens} tokens, not judged without ${SAVED_VOICE}`,
    );
  }
  await model.close();

  const eight = path.join(folder, 'eight-steps.safetensors');
  if (writeEightSteps(file, eight)) {
    const halved = await importLanguageModel(eight, hintsOf(trace), provider, folder);
    const smaller = await openForReplay(halved, provider);
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
