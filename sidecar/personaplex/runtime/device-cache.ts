/**
 * The past in device buffers, for WebGPU. A buffer given to a run both as input and as output is updated in place;
 * nothing but new tokens, masks and angles crosses the bus in a frame.
 *
 * As on the CPU it is a ring, a little longer than the window, so that the columns of one prefill never overwrite what
 * another of them still sees. It grows as a conversation does, since attention reads all of it. The last row takes
 * what seats at rest would write.
 */
import { Tensor, type InferenceSession } from 'onnxruntime-node';
import { NpcVoiceError } from '../../errors';
import { buildCacheTools, cacheName, type CacheTools, type LmConfig } from '../graphs';
import { modelBytes } from '../onnx';
import { positionIn, type CacheSnapshot, type Feeds, type KvCache } from './cache';
import { openSession, type SessionOptions } from './session';

const KINDS = ['key', 'value'] as const;
/** Rows a cache grows by. */
const GROWTH = 512;
const LONGEST_RUN = 128;

const int64 = (values: readonly number[], shape: readonly number[]): Tensor =>
  new Tensor('int64', BigInt64Array.from(values, BigInt), shape);

/** Sessions of the small graphs, shared by the caches of one model. */
export class DeviceTools {
  private constructor(
    readonly sessions: Record<keyof CacheTools, InferenceSession>,
    readonly config: LmConfig,
  ) {}

  static async open(config: LmConfig, type: 'f32' | 'f16', options: SessionOptions): Promise<DeviceTools> {
    const tools = buildCacheTools(config.heads, config.dim / config.heads, type);
    const open = async (name: keyof CacheTools, resident: boolean): Promise<InferenceSession> =>
      openSession(await modelBytes(tools[name]), { ...options, resident });
    const sessions = {
      zeros: await open('zeros', true),
      grow: await open('grow', true),
      take: await open('take', true),
      put: await open('put', false),
    };
    return new DeviceTools(sessions, config);
  }

  /** A tensor of zeros on the device, in the cache's type. */
  async zeros(shape: readonly [number, number, number, number]): Promise<Tensor> {
    return (await this.sessions.zeros.run({ shape: int64(shape, [4]) })).zeros as Tensor;
  }

  async close(): Promise<void> {
    for (const session of Object.values(this.sessions)) await session.release();
  }
}

class DeviceSnapshot implements CacheSnapshot {
  constructor(
    readonly position: number,
    readonly rows: number,
    readonly tensors: ReadonlyMap<string, Tensor>,
  ) {}

  dispose(): void {
    for (const tensor of this.tensors.values()) tensor.dispose();
  }
}

export class DeviceCache implements KvCache {
  readonly window: number;
  readonly positions: Int32Array;
  readonly longestRun: number;
  readonly #tools: DeviceTools;
  readonly #config: LmConfig;
  /** Slots of the ring when fully grown. */
  readonly #ring: number;
  /** Slots so far. */
  #slots = 0;
  readonly #tensors = new Map<string, Tensor>();

  constructor(
    tools: DeviceTools,
    readonly seats: number,
  ) {
    this.#tools = tools;
    this.#config = tools.config;
    this.window = this.#config.context - 1;
    this.longestRun = Math.min(LONGEST_RUN, this.window);
    this.#ring = this.window + this.longestRun - 1;
    this.positions = new Int32Array(seats);
  }

  async feeds(steps: number, moving: readonly boolean[]): Promise<Feeds> {
    const furthest = this.positions.reduce(
      (most, position, seat) => (moving[seat] ? Math.max(most, position) : most),
      0,
    );
    await this.#grow(furthest + steps);
    const { heads } = this.#config;
    const feeds: Feeds = Object.fromEntries(this.#tensors);
    const slots = new BigInt64Array(this.seats * heads * steps * 3);
    let at = 0;
    for (let seat = 0; seat < this.seats; seat++) {
      for (let head = 0; head < heads; head++) {
        for (let step = 0; step < steps; step++) {
          const slot = moving[seat] ? (this.positions[seat]! + step) % this.#ring : this.#slots;
          slots[at++] = BigInt(seat);
          slots[at++] = BigInt(head);
          slots[at++] = BigInt(slot);
        }
      }
    }
    feeds.slots = new Tensor('int64', slots, [this.seats, heads, steps, 3]);
    feeds.mask = this.#mask(steps, moving);
    return feeds;
  }

  #mask(steps: number, moving: readonly boolean[]): Tensor {
    const rows = this.#slots + 1;
    const mask = new Float32Array(this.seats * steps * rows).fill(-Infinity);
    for (let seat = 0; seat < this.seats; seat++) {
      const next = this.positions[seat]!;
      for (let step = 0; step < steps; step++) {
        const at = (seat * steps + step) * rows;
        if (!moving[seat]) {
          mask[at + this.#slots] = 0;
          continue;
        }
        for (let slot = 0; slot < this.#slots; slot++) {
          const position = positionIn(slot, next + steps, this.#ring);
          const age = next + step - position;
          if (position >= 0 && age >= 0 && age < this.window) mask[at + slot] = 0;
        }
      }
    }
    return new Tensor('float32', mask, [this.seats, 1, steps, rows]);
  }

  targets(): Feeds {
    const targets: Feeds = {};
    for (let layer = 0; layer < this.#config.layers; layer++) {
      for (const kind of KINDS) {
        targets[cacheName.next(kind, layer)] = this.#tensors.get(cacheName.resident(kind, layer))!;
      }
    }
    return targets;
  }

  absorb(_outputs: Feeds, steps: number, moving: readonly boolean[]): void {
    for (let seat = 0; seat < this.seats; seat++) if (moving[seat]) this.positions[seat]! += steps;
  }

  async #grow(needed: number): Promise<void> {
    const wanted = Math.min(this.#ring, Math.ceil(needed / GROWTH) * GROWTH);
    if (wanted <= this.#slots) return;
    const { heads, layers, dim } = this.#config;
    const size = dim / heads;
    for (let layer = 0; layer < layers; layer++) {
      for (const kind of KINDS) {
        const name = cacheName.resident(kind, layer);
        const old = this.#tensors.get(name);
        if (!old) this.#tensors.set(name, await this.#tools.zeros([this.seats, heads, wanted + 1, size]));
        else {
          const added = int64([this.seats, heads, wanted + 1 - this.#slots, size], [4]);
          const { grown } = await this.#tools.sessions.grow.run({
            cache: old,
            kept: int64([this.#slots], [1]),
            added,
          });
          this.#tensors.set(name, grown as Tensor);
          old.dispose();
        }
      }
    }
    this.#slots = wanted;
  }

  async snapshot(seat: number): Promise<CacheSnapshot> {
    const position = this.positions[seat]!;
    const rows = Math.min(position, this.#ring);
    const taken = new Map<string, Tensor>();
    for (const [name, cache] of this.#tensors) {
      const range = { from: int64([seat, 0], [2]), to: int64([seat + 1, rows], [2]) };
      taken.set(name, (await this.#tools.sessions.take.run({ cache, ...range })).taken as Tensor);
    }
    return new DeviceSnapshot(position, rows, taken);
  }

  async restore(seat: number, snapshot: CacheSnapshot): Promise<void> {
    if (!(snapshot instanceof DeviceSnapshot)) {
      throw new NpcVoiceError('internal', 'A snapshot of another provider cannot be restored on WebGPU.');
    }
    const { rows } = snapshot;
    await this.#grow(rows);
    const { heads } = this.#config;
    const slots = new BigInt64Array(heads * rows * 3);
    for (let head = 0; head < heads; head++) {
      for (let row = 0; row < rows; row++) {
        slots.set([BigInt(seat), BigInt(head), BigInt(row)], (head * rows + row) * 3);
      }
    }
    const at = new Tensor('int64', slots, [1, heads, rows, 3]);
    for (const [name, cache] of this.#tensors) {
      const rowsIn = snapshot.tensors.get(name)!;
      await this.#tools.sessions.put.run({ cache, slots: at, rows_in: rowsIn }, { cache_out: cache });
    }
    this.positions[seat] = snapshot.position;
  }

  clear(seat: number): void {
    this.positions[seat] = 0;
  }

  dispose(): void {
    for (const tensor of this.#tensors.values()) tensor.dispose();
    this.#tensors.clear();
    this.#slots = 0;
  }
}
