/**
 * The past on the host, for the CPU: pages of rows in typed arrays that are handed to each run as they are. ONNX
 * Runtime's binding copies every output of a run but no input, so a past that went in and came out again would be
 * copied whole each frame.
 *
 * It is a ring: position p of a seat stands in slot p mod capacity. Attention does not care for order, so a ring is
 * never rotated; a mask hides slots that hold nothing, or what has left the window.
 */
import { Tensor } from 'onnxruntime-node';
import { NpcVoiceError } from '../../errors';
import { cacheName, pageLayout, type LmConfig } from '../graphs';
import { positionIn, type CacheSnapshot, type Feeds, type KvCache } from './cache';

const KINDS = ['key', 'value'] as const;
type Kind = (typeof KINDS)[number];

class PagedSnapshot implements CacheSnapshot {
  /** @param layers keys and values [rows, heads * size] of the newest positions, oldest first */
  constructor(
    readonly position: number,
    readonly layers: readonly Readonly<Record<Kind, Float32Array>>[],
  ) {}

  dispose(): void {}
}

export class PagedCache implements KvCache {
  readonly window: number;
  readonly positions: Int32Array;
  readonly longestRun: number;
  readonly #config: LmConfig;
  readonly #pages: number;
  readonly #pageRows: number;
  /** Slots of the ring. */
  readonly #capacity: number;
  /** By kind, layer and page; made when first written. */
  readonly #rows = new Map<string, Float32Array>();
  readonly #nothing: Tensor;
  /** Floats of a row of all seats, and of one seat. */
  readonly #rowLength: number;
  readonly #perSeat: number;

  constructor(
    config: LmConfig,
    readonly seats: number,
  ) {
    const { pages, pageRows } = pageLayout(config.context);
    this.#config = config;
    this.#pages = pages;
    this.#pageRows = pageRows;
    this.#capacity = pages * pageRows;
    this.window = config.context - 1;
    this.longestRun = pageRows;
    this.positions = new Int32Array(seats);
    this.#perSeat = config.dim;
    this.#rowLength = seats * config.dim;
    this.#nothing = this.#tensor(new Float32Array(this.#rowLength), 1);
  }

  async feeds(steps: number): Promise<Feeds> {
    const pageRows = this.#pageRowsSeen();
    const feeds: Feeds = {
      mask: this.#mask(steps, pageRows),
      page_rows: new Tensor('int64', BigInt64Array.from([...pageRows, steps], BigInt), [pageRows.length + 1]),
    };
    for (const kind of KINDS) {
      for (let layer = 0; layer < this.#config.layers; layer++) {
        for (let page = 0; page < this.#pages; page++) {
          const name = cacheName.page(kind, layer, page);
          const rows = this.#rows.get(name);
          const seen = pageRows[page]!;
          feeds[name] = rows ? this.#tensor(rows.subarray(0, seen * this.#rowLength), seen) : this.#nothing;
        }
      }
    }
    return feeds;
  }

  /** Rows of each page a run must see: at least one, for ONNX Runtime divides by zero on none. */
  #pageRowsSeen(): number[] {
    const newest = this.positions.reduce((a, b) => Math.max(a, b), 0);
    const used = Math.min(newest, this.#capacity);
    return Array.from({ length: this.#pages }, (_, page) =>
      Math.max(1, Math.min(this.#pageRows, used - page * this.#pageRows)),
    );
  }

  /**
   * A mask [seats, 1, steps, cached rows + steps] for columns that follow each seat's position: row p is seen from
   * position q when 0 <= q - p < window.
   */
  #mask(steps: number, pageRows: readonly number[]): Tensor {
    const width = pageRows.reduce((sum, rows) => sum + rows, steps);
    const mask = new Float32Array(this.seats * steps * width);
    let at = 0;
    for (let seat = 0; seat < this.seats; seat++) {
      const next = this.positions[seat]!;
      for (let step = 0; step < steps; step++) {
        for (let page = 0; page < this.#pages; page++) {
          for (let row = 0; row < pageRows[page]!; row++) {
            const position = positionIn(page * this.#pageRows + row, next, this.#capacity);
            mask[at++] = position >= 0 && next + step - position < this.window ? 0 : -Infinity;
          }
        }
        for (let other = 0; other < steps; other++) {
          mask[at++] = other <= step && step - other < this.window ? 0 : -Infinity;
        }
      }
    }
    return new Tensor('float32', mask, [this.seats, 1, steps, width]);
  }

  targets(): Feeds {
    return {};
  }

  absorb(outputs: Feeds, steps: number, moving: readonly boolean[]): void {
    for (const kind of KINDS) {
      for (let layer = 0; layer < this.#config.layers; layer++) {
        const added = outputs[cacheName.added(kind, layer)]!.data as Float32Array;
        for (let seat = 0; seat < this.seats; seat++) {
          if (!moving[seat]) continue;
          for (let step = 0; step < steps; step++) {
            const from = (step * this.seats + seat) * this.#perSeat;
            const row = added.subarray(from, from + this.#perSeat);
            this.#write(kind, layer, seat, this.positions[seat]! + step, row);
          }
        }
      }
    }
    for (let seat = 0; seat < this.seats; seat++) if (moving[seat]) this.positions[seat]! += steps;
  }

  #write(kind: Kind, layer: number, seat: number, position: number, row: Float32Array): void {
    const slot = position % this.#capacity;
    const rows = this.#page(kind, layer, Math.floor(slot / this.#pageRows));
    rows.set(row, (slot % this.#pageRows) * this.#rowLength + seat * this.#perSeat);
  }

  #page(kind: Kind, layer: number, page: number): Float32Array {
    const name = cacheName.page(kind, layer, page);
    let rows = this.#rows.get(name);
    if (!rows) this.#rows.set(name, (rows = new Float32Array(this.#pageRows * this.#rowLength)));
    return rows;
  }

  async rearranged(from: readonly number[]): Promise<KvCache> {
    const next = new PagedCache(this.#config, from.length);
    from.forEach((seat, at) => (next.positions[at] = seat < 0 ? 0 : this.positions[seat]!));
    const newest = next.positions.reduce((a, b) => Math.max(a, b), 0);
    for (const kind of KINDS) {
      for (let layer = 0; layer < this.#config.layers; layer++) {
        for (let page = 0; page < this.#pages; page++) {
          const rows = this.#rows.get(cacheName.page(kind, layer, page));
          const used = Math.min(this.#pageRows, newest - page * this.#pageRows);
          if (!rows || used <= 0) continue;
          const copy = next.#page(kind, layer, page);
          for (const [at, seat] of from.entries()) {
            if (seat < 0) continue;
            for (let row = 0; row < used; row++) {
              const start = row * this.#rowLength + seat * this.#perSeat;
              copy.set(
                rows.subarray(start, start + this.#perSeat),
                row * next.#rowLength + at * this.#perSeat,
              );
            }
          }
        }
      }
    }
    return next;
  }

  async snapshot(seat: number): Promise<CacheSnapshot> {
    const position = this.positions[seat]!;
    const rows = Math.min(position, this.window);
    const layers = Array.from({ length: this.#config.layers }, (_, layer) => {
      const copy = {
        key: new Float32Array(rows * this.#perSeat),
        value: new Float32Array(rows * this.#perSeat),
      };
      for (const kind of KINDS) {
        for (let i = 0; i < rows; i++) {
          const slot = (position - rows + i) % this.#capacity;
          const source = this.#rows.get(cacheName.page(kind, layer, Math.floor(slot / this.#pageRows)))!;
          const at = (slot % this.#pageRows) * this.#rowLength + seat * this.#perSeat;
          copy[kind].set(source.subarray(at, at + this.#perSeat), i * this.#perSeat);
        }
      }
      return copy;
    });
    return new PagedSnapshot(position, layers);
  }

  async restore(seat: number, snapshot: CacheSnapshot): Promise<void> {
    if (!(snapshot instanceof PagedSnapshot)) {
      throw new NpcVoiceError('internal', 'A snapshot of another provider cannot be restored on the CPU.');
    }
    for (const [layer, kept] of snapshot.layers.entries()) {
      for (const kind of KINDS) {
        const rows = kept[kind].length / this.#perSeat;
        for (let i = 0; i < rows; i++) {
          const row = kept[kind].subarray(i * this.#perSeat, (i + 1) * this.#perSeat);
          this.#write(kind, layer, seat, snapshot.position - rows + i, row);
        }
      }
    }
    this.positions[seat] = snapshot.position;
  }

  skip(seat: number, columns: number): void {
    this.positions[seat]! += columns;
    for (const kind of KINDS)
      for (let layer = 0; layer < this.#config.layers; layer++)
        for (let page = 0; page * this.#pageRows < this.positions[seat]!; page++)
          this.#page(kind, layer, page);
  }

  clear(seat: number): void {
    this.positions[seat] = 0;
  }

  dispose(): void {
    this.#rows.clear();
  }

  #tensor(data: Float32Array, rows: number): Tensor {
    const { heads, dim } = this.#config;
    return new Tensor('float32', data, [rows, this.seats, heads, dim / heads]);
  }
}
