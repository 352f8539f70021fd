/**
 * The language model at run time: columns of tokens in, the next column's tokens out, for a batch of seats that each
 * stand at a position of their own. `run()` of ONNX Runtime blocks its thread: this lives in the model host.
 */
import { Tensor, type InferenceSession } from 'onnxruntime-node';
import { cacheName, DEPTH_STEPS, type LmConfig, type Provider } from '../graphs';
import type { Feeds, KvCache } from './cache';
import { DeviceCache } from './device-cache';
import { DeviceTools } from './device-tools';
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
  readonly #everyOutput: Record<string, null>;

  private constructor(
    readonly config: LmConfig,
    readonly provider: Provider,
    readonly temporal: InferenceSession,
    readonly depth: InferenceSession,
    readonly tools: DeviceTools | null,
  ) {
    this.#rotation = new Rotation(config.dim / config.heads, config.maxPeriod);
    this.#everyOutput = Object.fromEntries(temporal.outputNames.map((name) => [name, null]));
  }

  /** @throws NpcVoiceError `model_unavailable` */
  static async open(files: LanguageModelFiles, options: SessionOptions): Promise<LanguageModel> {
    const temporal = await openSession(files.temporal, options);
    const depth = await openSession(files.depth, options);
    const tools =
      options.provider === 'webgpu'
        ? await DeviceTools.open(files.config, cacheType(temporal), options)
        : null;
    return new LanguageModel(files.config, options.provider, temporal, depth, tools);
  }

  newCache(seats: number): KvCache {
    return this.tools ? new DeviceCache(this.tools, seats) : new PagedCache(this.config, seats);
  }

  /**
   * Consumes columns. All seats of the cache take part; those not in `moving` compute idly and keep their place.
   * @returns the outlook of each seat's last column
   */
  async consume(cache: KvCache, columns: Columns, moving: readonly boolean[]): Promise<Outlook> {
    const { steps } = columns;
    if (steps < 1 || steps > cache.longestRun)
      throw new RangeError(`a run takes 1 to ${cache.longestRun} columns, not ${steps}`);
    const { seats } = cache;
    const { dim, audioStreams } = this.config;
    const feeds: Feeds = {
      ...(await cache.feeds(steps)),
      ...this.#angles(cache, steps),
      tokens: new Tensor('int32', columns.tokens, [seats, steps, 1 + audioStreams]),
      embeddings: new Tensor('float32', columns.embeddings ?? new Float32Array(seats * steps * dim), [
        seats,
        steps,
        dim,
      ]),
    };
    const fetches = { ...this.#everyOutput, ...cache.targets() };
    const outputs = (await this.temporal.run(feeds, fetches)) as Feeds;
    cache.absorb(outputs, steps, moving);
    return { hidden: outputs.hidden!, textLogits: outputs.text_logits! };
  }

  #angles(cache: KvCache, steps: number): Record<'positions' | 'cos' | 'sin', Tensor> {
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
      forced_text: new Tensor('int32', draw.forcedText, [seats, 1]),
      forced_audio: new Tensor('int32', draw.forcedAudio, [seats, DEPTH_STEPS]),
      ...candidateFeeds('text', draw.text, [seats, draw.text.count]),
      ...candidateFeeds('audio', draw.audio, [seats, DEPTH_STEPS, draw.audio.count]),
    });
    const ints = (name: string): Int32Array => outputs[name]!.data as Int32Array;
    return { text: ints('text'), audio: ints('audio'), sampledAudio: ints('sampled_audio') };
  }

  async close(): Promise<void> {
    await this.temporal.release();
    await this.depth.release();
    await this.tools?.close();
  }
}

/** What the graph keeps its past in, as it was built. */
function cacheType(temporal: InferenceSession): 'f32' | 'f16' {
  const input = temporal.inputMetadata.find(({ name }) => name === cacheName.resident('key', 0));
  return input?.isTensor && input.type === 'float16' ? 'f16' : 'f32';
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
