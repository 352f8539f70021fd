/**
 * The past in device buffers, for WebGPU. A buffer given to a run both as input and as output is updated in place;
 * nothing but new tokens, angles and row numbers crosses the bus in a frame.
 *
 * Rows are appended, and attention looks back over its window only. A seat whose rows come to the end of its buffer
 * has those still in the window moved to the front; keys keep the angles of their own positions, so nothing else
 * changes. Buffers grow as a conversation does.
 */
import { Tensor } from 'onnxruntime-node';
import { NpcVoiceError } from '../../errors';
import { cacheName, deviceHeadSize, type LmConfig } from '../graphs';
import type { CacheSnapshot, Feeds, KvCache } from './cache';
import type { DeviceTools } from './device-tools';

const KINDS = ['key', 'value'] as const;
/**
 * Rows a buffer grows by, and rows beyond the window after which a seat's are moved to the front: 512, or fewer for a
 * model of a short context.
 */
const growthOf = (window: number): number => Math.min(512, Math.ceil(window / 64) * 64);

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
  /** Rows each seat has in its buffer. */
  readonly #held: Int32Array;
  /** Rows of the buffers: now, and when fully grown. */
  #rows = 0;
  readonly #limit: number;
  readonly #growth: number;
  readonly #tensors = new Map<string, Tensor>();

  constructor(
    tools: DeviceTools,
    readonly seats: number,
  ) {
    this.#tools = tools;
    this.#config = tools.config;
    this.window = this.#config.context - 1;
    this.longestRun = Math.min(tools.longestRun, this.window);
    this.#growth = growthOf(this.window);
    this.#limit = Math.ceil(this.window / this.#growth + 1) * this.#growth;
    this.positions = new Int32Array(seats);
    this.#held = new Int32Array(seats);
  }

  async feeds(steps: number): Promise<Feeds> {
    if (steps > 1 && this.seats > 1) throw new RangeError('several columns are for a cache of one seat');
    for (let seat = 0; seat < this.seats; seat++) {
      // A seat at rest writes too, one row behind its own, where its next will be.
      if (this.#held[seat]! + steps > this.#limit) await this.#moveToFront(seat);
    }
    const most = this.#held.reduce((a, b) => Math.max(a, b), 0) + steps;
    await this.#grow(most);
    const last = this.#held.map((held) => held + steps - 1);
    return {
      ...Object.fromEntries(this.#tensors),
      last_row: new Tensor('int32', last, [this.seats]),
      total_rows: new Tensor('int32', Int32Array.of(most), [1]),
    };
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
    for (let seat = 0; seat < this.seats; seat++) {
      if (!moving[seat]) continue;
      this.positions[seat]! += steps;
      this.#held[seat]! += steps;
    }
  }

  async #grow(needed: number): Promise<void> {
    const wanted = Math.ceil(needed / this.#growth) * this.#growth;
    if (wanted <= this.#rows) return;
    const { heads, layers } = this.#config;
    const size = deviceHeadSize(this.#config);
    for (let layer = 0; layer < layers; layer++) {
      for (const kind of KINDS) {
        const name = cacheName.resident(kind, layer);
        const old = this.#tensors.get(name);
        const grown = old
          ? await this.#tools.grow(old, this.#rows, [this.seats, heads, wanted - this.#rows, size])
          : await this.#tools.zeros([this.seats, heads, wanted, size]);
        old?.dispose();
        this.#tensors.set(name, grown);
      }
    }
    this.#rows = wanted;
  }

  /** Keeps what the next column can still see. */
  async #moveToFront(seat: number): Promise<void> {
    const held = this.#held[seat]!;
    const kept = this.window - 1;
    const slots = this.#slots(seat, kept);
    for (const cache of this.#tensors.values()) {
      const rows = await this.#tools.take(cache, seat, held - kept, held);
      await this.#tools.put(cache, slots, rows);
      rows.dispose();
    }
    this.#held[seat] = kept;
  }

  /** Places of a seat's first rows: (seat, head, row) for each. */
  #slots(seat: number, rows: number): Tensor {
    const { heads } = this.#config;
    const slots = new BigInt64Array(heads * rows * 3);
    let at = 0;
    for (let head = 0; head < heads; head++) {
      for (let row = 0; row < rows; row++) {
        slots[at++] = BigInt(seat);
        slots[at++] = BigInt(head);
        slots[at++] = BigInt(row);
      }
    }
    return new Tensor('int64', slots, [1, heads, rows, 3]);
  }

  async rearranged(from: readonly number[]): Promise<KvCache> {
    const next = new DeviceCache(this.#tools, from.length);
    // Rows of another are as good as any where none are looked at.
    const seats = from.map((seat) => Math.max(0, seat));
    try {
      for (const [name, cache] of this.#tensors)
        next.#tensors.set(name, await this.#tools.pick(cache, seats));
    } catch (error) {
      next.dispose();
      throw error;
    }
    next.#rows = this.#rows;
    from.forEach((seat, at) => {
      if (seat < 0) return;
      next.positions[at] = this.positions[seat]!;
      next.#held[at] = this.#held[seat]!;
    });
    return next;
  }

  async snapshot(seat: number): Promise<CacheSnapshot> {
    const held = this.#held[seat]!;
    const taken = new Map<string, Tensor>();
    for (const [name, cache] of this.#tensors) taken.set(name, await this.#tools.take(cache, seat, 0, held));
    return new DeviceSnapshot(this.positions[seat]!, held, taken);
  }

  async restore(seat: number, snapshot: CacheSnapshot): Promise<void> {
    if (!(snapshot instanceof DeviceSnapshot)) {
      throw new NpcVoiceError('internal', 'A snapshot of another provider cannot be restored on WebGPU.');
    }
    await this.#grow(snapshot.rows);
    const slots = this.#slots(seat, snapshot.rows);
    for (const [name, cache] of this.#tensors)
      await this.#tools.put(cache, slots, snapshot.tensors.get(name)!);
    this.positions[seat] = snapshot.position;
    this.#held[seat] = snapshot.rows;
  }

  skip(seat: number, columns: number): void {
    this.positions[seat]! += columns;
    this.#held[seat]! += columns;
  }

  clear(seat: number): void {
    this.positions[seat] = 0;
    this.#held[seat] = 0;
  }

  dispose(): void {
    for (const tensor of this.#tensors.values()) tensor.dispose();
    this.#tensors.clear();
    this.#rows = 0;
  }
}
