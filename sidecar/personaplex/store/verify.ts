/** Checks an imported model: first its files against their hashes, then its answers against the published ones. */
import path from 'node:path';
import { jobRunner, PERSONAPLEX, type JobRunner, type ModelManifest } from '../import';
import { DEPTH_STEPS, type Tier } from '../graphs';
import type { Outlook } from '../runtime';
import { codecInput } from './codec-input';
import { badFile, checkSizes, type InstalledModel } from './models';
import * as published from './reference-figures';

/** The repository whose weights the published figures belong to. */
export const REFERENCE_REPOSITORY = 'nvidia/personaplex-7b-v1';

/**
 * Compares every file's size and SHA-256 with the manifest.
 * @param progress bytes checked, and in all
 * @throws NpcVoiceError `model_invalid` naming the first file that is missing or changed
 */
export async function verifyFiles(
  { folder, manifest, bytes }: InstalledModel,
  progress?: (done: number, total: number) => void,
  threads?: number,
): Promise<void> {
  checkSizes(folder, manifest);
  const runner: JobRunner = jobRunner(threads);
  let done = 0;
  try {
    await Promise.all(
      manifest.files.map(async ({ name, size, sha256 }) => {
        const result = await runner.run({ kind: 'hash', file: path.join(folder, name) });
        if (result.form !== 'hash' || result.sha256 !== sha256)
          throw badFile(folder, manifest, name, 'has changed since it was imported');
        progress?.((done += size), bytes);
      }),
    );
  } finally {
    await runner.close();
  }
}

/** How close a model's answers are to the published ones. */
export interface ReferenceReport {
  /** Most likely text tokens that agree, of 4, and the largest error of their logits. */
  text: { agree: number; of: number; logitError: number };
  /** Cosine of the hidden state after the last column, over the 64 values that are published. */
  hiddenCosine: number;
  hiddenError: number;
  /** Depth steps whose most likely code agrees, of 8. */
  depth: { agree: number; of: number };
  /** Codes of the codec's encoder that agree, of 64. */
  codes: { agree: number; of: number };
  /** Largest error of the codec's decoder over the 64 samples that are published. */
  audioError: number;
}

/**
 * Below these the model is broken, not just rounded: a wrong weight or kernel gives cosines near 0. On random weights
 * with outlier channels, 32 layers deep, q8 keeps 0.9995, 4 bits throughout 0.97.
 */
const LEAST_HIDDEN_COSINE: Record<Tier, number> = {
  f32: 0.99999,
  f16: 0.999,
  q8: 0.995,
  mixed: 0.98,
  q4: 0.85,
};

/** Shortcomings of a report, in words; empty when the model answers as it should. */
export function judgeReport(report: ReferenceReport, tier: Tier): string[] {
  const faults: string[] = [];
  const least = LEAST_HIDDEN_COSINE[tier];
  if (report.hiddenCosine < least)
    faults.push(`the hidden state’s cosine is ${report.hiddenCosine.toFixed(6)}, below ${least} for ${tier}`);
  if (tier === 'f32' && (report.text.agree < report.text.of || report.depth.agree < report.depth.of))
    faults.push('tokens differ from the reference’s');
  // The codec is float32 in every tier, but a code may flip where two are equally near.
  if (report.codes.agree < report.codes.of - 1)
    faults.push(`only ${report.codes.agree} of ${report.codes.of} codes agree`);
  if (report.audioError > 10 * published.MIMI_TOLERANCE)
    faults.push(`decoded audio is off by ${report.audioError.toExponential(1)}`);
  return faults;
}

/** Whether the published figures say anything of this model. */
export const hasReference = ({ lm, form }: ModelManifest): boolean =>
  form === 'personaplex' &&
  (Object.keys(PERSONAPLEX) as (keyof typeof PERSONAPLEX)[]).every((key) => lm[key] === PERSONAPLEX[key]);

/**
 * Replays the published vectors where the model was made to run. Loads the whole model: seconds, and its size in memory.
 * @throws NpcVoiceError `model_unavailable` when it cannot be loaded
 */
export async function replayReference(model: InstalledModel): Promise<ReferenceReport> {
  const language = await replayLanguage(model);
  return { ...language, ...(await replayCodec(model)) };
}

async function replayLanguage({
  manifest,
  graphs,
}: InstalledModel): Promise<Pick<ReferenceReport, 'text' | 'hiddenCosine' | 'hiddenError' | 'depth'>> {
  const { LanguageModel } = await import('../runtime');
  const model = await LanguageModel.open(
    { config: manifest.lm, temporal: graphs.temporal, depth: graphs.depth },
    { provider: manifest.provider },
  );
  try {
    const cache = model.newCache(1);
    const columns = published.COLUMNS[0]!.length;
    let agree = 0;
    let logitError = 0;
    let outlook: Outlook | undefined;
    for (let t = 0; t < columns; t++) {
      const tokens = Int32Array.from(published.COLUMNS, (stream) => stream[t]!);
      outlook = await model.consume(cache, { tokens, steps: 1 }, [true]);
      const logits = (await outlook.textLogits.getData()) as Float32Array;
      const best = argmax(logits);
      if (best === published.TEXT_ARGMAX[t]) agree++;
      logitError = Math.max(logitError, Math.abs(logits[best]! - published.TEXT_MAX[t]!));
    }
    const hidden = (await outlook!.hidden.getData()) as Float32Array;
    const ours = [...hidden.subarray(0, 32), ...hidden.subarray(-32)];
    const theirs = [...published.HIDDEN_HEAD, ...published.HIDDEN_TAIL];
    const [text, ...codes] = published.DEPTH_TOLD;
    const drawn = await model.draw(outlook!, {
      forcedText: Int32Array.of(text!),
      // Step k is told the code of step k - 1; what the last one is told nobody reads.
      forcedAudio: Int32Array.of(...codes, 0),
      text: { count: 1, sharpness: Float32Array.of(1), noise: new Float32Array(1) },
      audio: { count: 1, sharpness: Float32Array.of(1), noise: new Float32Array(DEPTH_STEPS) },
    });
    return {
      text: { agree, of: columns, logitError },
      hiddenCosine: cosine(ours, theirs),
      hiddenError: largestError(ours, theirs),
      depth: {
        agree: published.DEPTH_ARGMAX.filter((code, k) => drawn.sampledAudio[k] === code).length,
        of: published.DEPTH_ARGMAX.length,
      },
    };
  } finally {
    await model.close();
  }
}

async function replayCodec({
  manifest,
  graphs,
}: InstalledModel): Promise<Pick<ReferenceReport, 'codes' | 'audioError'>> {
  const { MimiDecoder, MimiEncoder, openMimi } = await import('../runtime');
  const sessions = await openMimi(
    { encoder: graphs.mimiEncoder, decoder: graphs.mimiDecoder },
    { provider: 'cpu' },
  );
  const encoder = new MimiEncoder(sessions.encoder, manifest.mimi, 1);
  const decoder = new MimiDecoder(sessions.decoder, manifest.mimi, 1);
  const input = codecInput();
  const frames = published.CODES[0]!.length;
  const frameSamples = input.length / frames;
  let agree = 0;
  const audio = new Float32Array(input.length);
  for (let f = 0; f < frames; f++) {
    const { codes } = await encoder.encode(input.slice(f * frameSamples, (f + 1) * frameSamples));
    agree += published.CODES.filter((codebook, k) => codes[k] === codebook[f]).length;
    const told = Int32Array.from(published.CODES, (codebook) => codebook[f]!);
    audio.set(await decoder.decode(told), f * frameSamples);
  }
  await sessions.encoder.release();
  await sessions.decoder.release();
  return {
    codes: { agree, of: frames * published.CODES.length },
    audioError: Math.max(
      largestError([...audio.subarray(0, 32)], published.DECODED_HEAD),
      largestError([...audio.subarray(-32)], published.DECODED_TAIL),
    ),
  };
}

const argmax = (values: Float32Array): number =>
  values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);

const largestError = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!)), 0);

function cosine(a: readonly number[], b: readonly number[]): number {
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((x, i) => {
    ab += x * b[i]!;
    aa += x * x;
    bb += b[i]! * b[i]!;
  });
  return ab / Math.sqrt(aa * bb || 1);
}
