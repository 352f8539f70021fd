/** Times the parts of one frame of an installed model. */
import { FRAME_SAMPLES } from '../../audio';
import { DEPTH_STEPS } from '../../personaplex/graphs';
import { LanguageModel, MimiDecoder, MimiEncoder, openMimi, type Outlook } from '../../personaplex/runtime';
import type { InstalledModel } from '../../personaplex/store';

export interface ModelTimings {
  /** Median milliseconds of each part of a frame. */
  perFrame: { part: string; ms: number }[];
  /** A persona's prompt, consumed before it can speak. */
  prompt: { columns: number; ms: number };
}

/** Columns of a typical prompt: 52 of voice, 12 of silence, 26 of text. */
const PROMPT_COLUMNS = 90;

const median = (times: number[]): number => times.sort((a, b) => a - b)[times.length >> 1] ?? 0;

/** @throws NpcVoiceError `model_unavailable` when the model cannot be loaded */
export async function benchModel(
  { manifest, graphs }: InstalledModel,
  frames: number,
): Promise<ModelTimings> {
  const sessions = await openMimi(
    { encoder: graphs.mimiEncoder, decoder: graphs.mimiDecoder },
    { provider: 'cpu' },
  );
  const encoder = new MimiEncoder(sessions.encoder, manifest.mimi, 1);
  const decoder = new MimiDecoder(sessions.decoder, manifest.mimi, 1);
  const model = await LanguageModel.open(
    { config: manifest.lm, temporal: graphs.temporal, depth: graphs.depth },
    { provider: manifest.provider },
  );
  const times: Record<'hear' | 'think' | 'choose' | 'speak', number[]> = {
    hear: [],
    think: [],
    choose: [],
    speak: [],
  };
  const timed = async <T>(into: number[], work: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    const result = await work();
    into.push(performance.now() - began);
    return result;
  };
  try {
    const cache = model.newCache(1);
    const width = 1 + manifest.lm.audioStreams;
    const prompt: number[] = [];
    for (let left = PROMPT_COLUMNS; left > 0;) {
      const steps = Math.min(left, cache.longestRun);
      await timed(prompt, () =>
        model.consume(cache, { tokens: new Int32Array(steps * width).fill(1), steps }, [true]),
      );
      left -= steps;
    }
    const samples = Float32Array.from({ length: FRAME_SAMPLES }, (_, i) => 0.3 * Math.sin(i / 9));
    for (let frame = 0; frame < frames; frame++) {
      const { codes } = await timed(times.hear, () => encoder.encode(samples));
      const column = Int32Array.of(3, ...codes, ...codes);
      const outlook: Outlook = await timed(times.think, () =>
        model.consume(cache, { tokens: column, steps: 1 }, [true]),
      );
      const drawn = await timed(times.choose, () =>
        model.draw(outlook, {
          forcedText: Int32Array.of(-1),
          forcedAudio: new Int32Array(DEPTH_STEPS).fill(-1),
          text: { count: 1, sharpness: Float32Array.of(1), noise: new Float32Array(1) },
          audio: { count: 1, sharpness: Float32Array.of(1), noise: new Float32Array(DEPTH_STEPS) },
        }),
      );
      await timed(times.speak, () => decoder.decode(drawn.audio));
    }
    return {
      perFrame: [
        { part: 'codec, hearing', ms: median(times.hear) },
        { part: 'temporal transformer', ms: median(times.think) },
        { part: 'depth transformer', ms: median(times.choose) },
        { part: 'codec, speaking', ms: median(times.speak) },
      ],
      prompt: { columns: PROMPT_COLUMNS, ms: prompt.reduce((sum, ms) => sum + ms, 0) },
    };
  } finally {
    await model.close();
    await sessions.encoder.release();
    await sessions.decoder.release();
  }
}
