/**
 * Mimi at run time: frames of 1920 samples to eight codes and back, for a batch of streams that each may be reset on
 * their own. All state stays here between runs.
 */
import { Tensor, type InferenceSession } from 'onnxruntime-node';
import {
  cacheName,
  DEPTH_STEPS,
  frameSamples,
  pastRows,
  ROWS_PER_FRAME,
  STATE_IN,
  STATE_OUT,
  visibleRows,
  type MimiConfig,
} from '../graphs';
import type { Feeds } from './cache';
import { Rotation } from './rotation';
import { openSession, type SessionOptions } from './session';

const KINDS = ['key', 'value'] as const;

/** State of one side of the codec: the convolutions' and the transformer's past. */
class MimiStreams {
  readonly session: InferenceSession;
  readonly feeds: Feeds = {};
  /** Frames since each stream's last reset. */
  readonly frames: Int32Array;
  readonly #config: MimiConfig;
  readonly #rotation: Rotation;
  readonly #mask: Float32Array;
  readonly #cos: Float32Array;
  readonly #sin: Float32Array;
  readonly #past: Map<string, Float32Array> = new Map();

  constructor(
    session: InferenceSession,
    config: MimiConfig,
    readonly streams: number,
  ) {
    this.session = session;
    this.#config = config;
    this.frames = new Int32Array(streams);
    const size = config.dim / config.heads;
    this.#rotation = new Rotation(size, config.maxPeriod);
    const rows = streams * ROWS_PER_FRAME;
    this.#cos = new Float32Array((rows * size) / 2);
    this.#sin = new Float32Array((rows * size) / 2);
    const past = pastRows(config);
    this.#mask = new Float32Array(rows * (past + ROWS_PER_FRAME));
    this.feeds.positions = new Tensor(
      'int64',
      BigInt64Array.from({ length: rows }, (_, i) => BigInt(i)),
      [streams, ROWS_PER_FRAME],
    );
    this.feeds.cos = new Tensor('float32', this.#cos, [rows, size / 2]);
    this.feeds.sin = new Tensor('float32', this.#sin, [rows, size / 2]);
    this.feeds.mask = new Tensor('float32', this.#mask, [streams, 1, ROWS_PER_FRAME, past + ROWS_PER_FRAME]);
    for (let layer = 0; layer < config.layers; layer++) {
      for (const kind of KINDS) {
        const name = cacheName.page(kind, layer, 0);
        const data = new Float32Array(past * streams * config.dim);
        this.#past.set(name, data);
        this.feeds[name] = new Tensor('float32', data, [past, streams, config.heads, size]);
      }
    }
    for (const input of session.inputMetadata) {
      if (!input.isTensor || !input.name.startsWith(STATE_IN)) continue;
      const shape = input.shape.map((dim) => (typeof dim === 'number' ? dim : streams));
      this.feeds[input.name] = new Tensor(
        'float32',
        new Float32Array(shape.reduce((n, dim) => n * dim, 1)),
        shape,
      );
    }
  }

  reset(stream: number): void {
    this.frames[stream] = 0;
    for (const [name, tensor] of Object.entries(this.feeds)) {
      if (!name.startsWith(STATE_IN)) continue;
      const data = tensor.data as Float32Array;
      const own = data.length / this.streams;
      data.fill(0, stream * own, (stream + 1) * own);
    }
  }

  /** Runs one frame of every stream; those not in `moving` keep their state. */
  async run(inputs: Feeds, moving: readonly boolean[] | undefined): Promise<Feeds> {
    this.#place();
    const outputs = (await this.session.run({ ...this.feeds, ...inputs })) as Feeds;
    for (let stream = 0; stream < this.streams; stream++) {
      if (moving && !moving[stream]) continue;
      this.#appendRows(outputs, stream);
      this.frames[stream]!++;
    }
    for (const name of Object.keys(outputs)) {
      if (name.startsWith(STATE_OUT))
        this.#keepState(STATE_IN + name.slice(STATE_OUT.length), outputs[name]!, moving);
    }
    return outputs;
  }

  /** Angles and mask for where each stream stands. */
  #place(): void {
    const past = pastRows(this.#config);
    const visible = visibleRows(this.#config);
    let at = 0;
    for (let stream = 0; stream < this.streams; stream++) {
      const next = this.frames[stream]! * ROWS_PER_FRAME;
      for (let row = 0; row < ROWS_PER_FRAME; row++) {
        this.#rotation.fill(next + row, stream * ROWS_PER_FRAME + row, this.#cos, this.#sin);
        // The ring holds exactly what may be seen: only slots never written are hidden, and the one kept for none.
        for (let slot = 0; slot < past; slot++)
          this.#mask[at++] = slot < Math.min(next, visible) ? 0 : -Infinity;
        for (let other = 0; other < ROWS_PER_FRAME; other++) this.#mask[at++] = other <= row ? 0 : -Infinity;
      }
    }
  }

  #appendRows(outputs: Feeds, stream: number): void {
    const { dim, layers } = this.#config;
    const past = pastRows(this.#config);
    for (let layer = 0; layer < layers; layer++) {
      for (const kind of KINDS) {
        const added = outputs[cacheName.added(kind, layer)]!.data as Float32Array;
        const rows = this.#past.get(cacheName.page(kind, layer, 0))!;
        for (let row = 0; row < ROWS_PER_FRAME; row++) {
          const slot = (this.frames[stream]! * ROWS_PER_FRAME + row) % past;
          const from = (row * this.streams + stream) * dim;
          rows.set(added.subarray(from, from + dim), (slot * this.streams + stream) * dim);
        }
      }
    }
  }

  #keepState(name: string, next: Tensor, moving: readonly boolean[] | undefined): void {
    if (!moving || !moving.includes(false)) {
      this.feeds[name] = next;
      return;
    }
    const [kept, fresh] = [this.feeds[name]!.data as Float32Array, next.data as Float32Array];
    const own = kept.length / this.streams;
    for (let stream = 0; stream < this.streams; stream++) {
      if (moving[stream]) kept.set(fresh.subarray(stream * own, (stream + 1) * own), stream * own);
    }
  }
}

export interface EncodedFrames {
  /** [streams, 8]. */
  codes: Int32Array;
  /** [streams, dim]: the latents before they were quantised. */
  latents: Float32Array;
}

export class MimiEncoder {
  readonly #streams: MimiStreams;
  readonly #first: Float32Array;
  readonly #frameSamples: number;

  /** @param streams how many are encoded in lockstep */
  constructor(session: InferenceSession, config: MimiConfig, streams: number) {
    this.#streams = new MimiStreams(session, config, streams);
    this.#first = new Float32Array(streams);
    this.#frameSamples = frameSamples(config);
  }

  /** Forgets what a stream has heard. */
  reset(stream: number): void {
    this.#streams.reset(stream);
  }

  /**
   * Encodes one frame of each stream.
   * @param samples [streams, 1920]
   * @param moving streams that move; all when absent
   * @returns valid until the next call
   */
  async encode(samples: Float32Array, moving?: readonly boolean[]): Promise<EncodedFrames> {
    const { streams, frames } = this.#streams;
    for (let stream = 0; stream < streams; stream++) this.#first[stream] = frames[stream] === 0 ? 1 : 0;
    const outputs = await this.#streams.run(
      {
        samples: new Tensor('float32', samples, [streams, this.#frameSamples]),
        first: new Tensor('float32', this.#first, [streams]),
      },
      moving,
    );
    return { codes: outputs.codes!.data as Int32Array, latents: outputs.latent!.data as Float32Array };
  }
}

export class MimiDecoder {
  readonly #streams: MimiStreams;

  /** @param streams how many are decoded in lockstep */
  constructor(session: InferenceSession, config: MimiConfig, streams: number) {
    this.#streams = new MimiStreams(session, config, streams);
  }

  /** Forgets what a stream has said. */
  reset(stream: number): void {
    this.#streams.reset(stream);
  }

  /**
   * Decodes one frame of each stream.
   * @param codes [streams, 8]
   * @param moving streams that move; all when absent
   * @returns [streams, 1920], not clipped; valid until the next call
   */
  async decode(codes: Int32Array, moving?: readonly boolean[]): Promise<Float32Array> {
    const { streams } = this.#streams;
    const outputs = await this.#streams.run(
      { codes: new Tensor('int32', codes, [streams, DEPTH_STEPS]) },
      moving,
    );
    return outputs.samples!.data as Float32Array;
  }
}

/** Opens the codec's two graphs. */
export async function openMimi(
  files: { encoder: string | Uint8Array; decoder: string | Uint8Array },
  options: SessionOptions,
): Promise<{ encoder: InferenceSession; decoder: InferenceSession }> {
  return {
    encoder: await openSession(files.encoder, options),
    decoder: await openSession(files.decoder, options),
  };
}
