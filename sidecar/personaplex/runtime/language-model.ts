/**
 * The language model at run time: columns of tokens in, the next column's tokens out, for a batch of seats that each
 * stand at a position of their own. `run()` of ONNX Runtime blocks its thread: this lives in the model host.
 */
import { Tensor, type InferenceSession } from 'onnxruntime-node';
import { DEPTH_STEPS, type LmConfig, type Provider } from '../graphs';
import { PagedCache } from './paged-cache';
import { Rotation } from './rotation';
import { openSession, type SessionOptions } from './session';

export interface Columns {
  /** [seats, steps, 17]; -1: no input. */
  tokens: Int32Array;
  steps: number;
  /** [seats, steps, dim], added to the tokens' embeddings; absent: nothing. */
  embeddings?: Float32Array;
}

/** What the last column of a run leads to. */
export interface Outlook {
  /** [seats, dim]. */
  hidden: Tensor;
  /** [seats, textCard]. */
  textLogits: Tensor;
}

/** How the next tokens are drawn, for all seats of a run. */
export interface Draw {
  /** [seats]; -1: free. */
  forcedText: Int32Array;
  /** [seats, 8]; -1: free. */
  forcedAudio: Int32Array;
  text: Candidates;
  audio: Candidates;
}

export interface Candidates {
  /** The most candidates any seat keeps. */
  count: number;
  /** [seats]: one over the temperature. */
  sharpness: Float32Array;
  /** [seats, draws, count]: Gumbel noise; -infinity beyond a seat's own count. */
  noise: Float32Array;
}

/** Drawn tokens; valid until the next draw. */
export interface Drawn {
  /** [seats]. */
  text: Int32Array;
  /** [seats, 8]. */
  audio: Int32Array;
  /** [seats, 8]: what would have been drawn where audio was forced. */
  sampledAudio: Int32Array;
}

export interface LanguageModelFiles {
  config: LmConfig;
  temporal: string | Uint8Array;
  depth: string | Uint8Array;
}

export class LanguageModel {
  readonly #rotation: Rotation;

  private constructor(
    readonly config: LmConfig,
    readonly provider: Provider,
    readonly temporal: InferenceSession,
    readonly depth: InferenceSession,
  ) {
    this.#rotation = new Rotation(config.dim / config.heads, config.maxPeriod);
  }

  /** @throws NpcVoiceError `model_unavailable` */
  static async open(files: LanguageModelFiles, options: SessionOptions): Promise<LanguageModel> {
    const temporal = await openSession(files.temporal, options);
    const depth = await openSession(files.depth, options);
    return new LanguageModel(files.config, options.provider, temporal, depth);
  }

  newCache(seats: number): PagedCache {
    return new PagedCache(this.config, seats);
  }

  /**
   * Consumes columns. All seats of the cache take part; those not in `moving` compute idly and keep their place.
   * @returns the outlook of each seat's last column
   */
  async consume(cache: PagedCache, columns: Columns, moving: readonly boolean[]): Promise<Outlook> {
    const { steps } = columns;
    if (steps < 1 || steps > cache.longestRun)
      throw new RangeError(`a run takes 1 to ${cache.longestRun} columns, not ${steps}`);
    const { seats } = cache;
    const width = 1 + this.config.audioStreams;
    const pageRows = cache.pageRows();
    const rows = pageRows.reduce((sum, n) => sum + n, steps);
    const mask = new Float32Array(seats * steps * rows);
    cache.fillMask(mask, steps, pageRows);
    const embeddings = columns.embeddings ?? new Float32Array(seats * steps * this.config.dim);
    const feeds: Record<string, Tensor> = {
      tokens: new Tensor('int32', columns.tokens, [seats, steps, width]),
      embeddings: new Tensor('float32', embeddings, [seats, steps, this.config.dim]),
      mask: new Tensor('float32', mask, [seats, 1, steps, rows]),
      page_rows: new Tensor('int64', BigInt64Array.from([...pageRows, steps], BigInt), [pageRows.length + 1]),
      ...this.#angles(cache, steps),
    };
    cache.addFeeds(feeds, pageRows);
    const outputs = (await this.temporal.run(feeds)) as Record<string, Tensor>;
    cache.append(outputs, steps, moving);
    return { hidden: outputs.hidden!, textLogits: outputs.text_logits! };
  }

  #angles(cache: PagedCache, steps: number): Record<'positions' | 'cos' | 'sin', Tensor> {
    const { seats } = cache;
    const count = seats * steps;
    const half = this.#rotation.size / 2;
    const [cos, sin] = [new Float32Array(count * half), new Float32Array(count * half)];
    const positions = new BigInt64Array(count);
    for (let row = 0; row < count; row++) {
      positions[row] = BigInt(row);
      this.#rotation.fill(cache.positions[Math.floor(row / steps)]! + (row % steps), row, cos, sin);
    }
    return {
      positions: new Tensor('int64', positions, [seats, steps]),
      cos: new Tensor('float32', cos, [count, half]),
      sin: new Tensor('float32', sin, [count, half]),
    };
  }

  /** Draws the tokens of the column after an outlook. */
  async draw({ hidden, textLogits }: Outlook, draw: Draw): Promise<Drawn> {
    const seats = draw.forcedText.length;
    const outputs = await this.depth.run({
      hidden,
      text_logits: textLogits,
      forced_text: new Tensor('int64', BigInt64Array.from(draw.forcedText, BigInt), [seats, 1]),
      forced_audio: new Tensor('int64', BigInt64Array.from(draw.forcedAudio, BigInt), [seats, DEPTH_STEPS]),
      ...candidateFeeds('text', draw.text, [seats, draw.text.count]),
      ...candidateFeeds('audio', draw.audio, [seats, DEPTH_STEPS, draw.audio.count]),
    });
    const ints = (name: string): Int32Array => Int32Array.from(outputs[name]!.data as BigInt64Array, Number);
    return { text: ints('text'), audio: ints('audio'), sampledAudio: ints('sampled_audio') };
  }

  async close(): Promise<void> {
    await this.temporal.release();
    await this.depth.release();
  }
}

function candidateFeeds(
  kind: 'text' | 'audio',
  { count, sharpness, noise }: Candidates,
  shape: number[],
): Record<string, Tensor> {
  return {
    [`${kind}_top_k`]: new Tensor('int64', BigInt64Array.of(BigInt(count)), [1]),
    [`${kind}_sharpness`]: new Tensor('float32', sharpness, [sharpness.length, 1]),
    [`${kind}_noise`]: new Tensor('float32', noise, shape),
  };
}
