/**
 * The temporal transformer's keys and values on the CPU, for a batch of seats: pages of rows in typed arrays that are
 * handed to each run as they are. ONNX Runtime copies every output of a run but no input, so a cache that went in and
 * came out again would be copied whole each frame.
 *
 * The cache is a ring: position p of a seat stands in slot p mod capacity. Attention does not care for order, so a
 * ring is never rotated; a mask hides slots that hold nothing, or what has left the window.
 */
import { Tensor } from 'onnxruntime-node';
import { cacheName, pageLayout } from '../graphs';
import type { LmConfig } from '../graphs/types';

const KINDS = ['key', 'value'] as const;

/** One seat's cache, taken out of a batch: what a primed prompt is kept as. */
export interface CacheSnapshot {
  /** Positions the seat has seen. */
  position: number;
  /** Rows kept, the newest `rows` positions up to `position`. */
  rows: number;
  /** Keys and values by layer, each [rows, heads * size], oldest first. */
  layers: readonly { key: Float32Array; value: Float32Array }[];
}

export class PagedCache {
  /** Rows a query sees, itself included: one less than the model's context, as the reference's ring does. */
  readonly window: number;
  /** Positions each seat has seen. */
  readonly positions: Int32Array;
  /** Slots of the ring. */
  readonly capacity: number;
  /** Most columns one run may add, so that none overwrites what an earlier one of the same run still sees. */
  readonly longestRun: number;
  readonly #config: LmConfig;
  readonly #pages: number;
  readonly #pageRows: number;
  /** By kind, layer and page; made when first written. */
  readonly #rows = new Map<string, Float32Array>();
  readonly #nothing: Tensor;
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
    this.capacity = pages * pageRows;
    this.window = config.context - 1;
    this.longestRun = pageRows;
    this.positions = new Int32Array(seats);
    this.#perSeat = config.dim;
    this.#rowLength = seats * config.dim;
    this.#nothing = this.#tensor(new Float32Array(this.#rowLength), 1);
  }

  /** Rows of each page a run must see: at least one, for ONNX Runtime divides by zero on none. */
  pageRows(): number[] {
    const newest = this.positions.reduce((a, b) => Math.max(a, b), 0);
    return Array.from({ length: this.#pages }, (_, page) =>
      Math.max(1, Math.min(this.#pageRows, Math.min(newest, this.capacity) - page * this.#pageRows)),
    );
  }

  /** The cache as inputs of a run. */
  addFeeds(feeds: Record<string, Tensor>, pageRows: readonly number[]): void {
    for (const kind of KINDS) {
      for (let layer = 0; layer < this.#config.layers; layer++) {
        for (let page = 0; page < this.#pages; page++) {
          const name = cacheName.page(kind, layer, page);
          const rows = this.#rows.get(name);
          feeds[name] = rows
            ? this.#tensor(rows.subarray(0, pageRows[page]! * this.#rowLength), pageRows[page]!)
            : this.#nothing;
        }
      }
    }
  }

  /**
   * Fills a mask [seats, 1, steps, cached rows + steps] for columns that follow each seat's position.
   * Row p is seen from position q when 0 <= q - p < window.
   */
  fillMask(mask: Float32Array, steps: number, pageRows: readonly number[]): void {
    const cached = pageRows.reduce((sum, rows) => sum + rows, 0);
    const width = cached + steps;
    for (let seat = 0; seat < this.seats; seat++) {
      const next = this.positions[seat]!;
      for (let step = 0; step < steps; step++) {
        const start = (seat * steps + step) * width;
        let column = start;
        for (let page = 0; page < this.#pages; page++) {
          for (let row = 0; row < pageRows[page]!; row++) {
            const position = this.#positionIn(page * this.#pageRows + row, next);
            mask[column++] = position >= 0 && next + step - position < this.window ? 0 : -Infinity;
          }
        }
        for (let other = 0; other < steps; other++) {
          mask[column++] = other <= step && step - other < this.window ? 0 : -Infinity;
        }
      }
    }
  }

  /** The newest position before `next` that stands in a slot; negative when none does. */
  #positionIn(slot: number, next: number): number {
    return next - 1 - ((((next - 1 - slot) % this.capacity) + this.capacity) % this.capacity);
  }

  /** Takes a run's new rows [steps, seats, heads, size] over and moves the given seats on. */
  append(outputs: Readonly<Record<string, Tensor>>, steps: number, moving: readonly boolean[]): void {
    for (const kind of KINDS) {
      for (let layer = 0; layer < this.#config.layers; layer++) {
        const added = outputs[cacheName.added(kind, layer)]!.data as Float32Array;
        for (let seat = 0; seat < this.seats; seat++) {
          if (!moving[seat]) continue;
          for (let step = 0; step < steps; step++) {
            const from = (step * this.seats + seat) * this.#perSeat;
            this.#write(
              kind,
              layer,
              seat,
              this.positions[seat]! + step,
              added.subarray(from, from + this.#perSeat),
            );
          }
        }
      }
    }
    for (let seat = 0; seat < this.seats; seat++) if (moving[seat]) this.positions[seat]! += steps;
  }

  #write(
    kind: (typeof KINDS)[number],
    layer: number,
    seat: number,
    position: number,
    row: Float32Array,
  ): void {
    const slot = position % this.capacity;
    const page = Math.floor(slot / this.#pageRows);
    const name = cacheName.page(kind, layer, page);
    let rows = this.#rows.get(name);
    if (!rows) this.#rows.set(name, (rows = new Float32Array(this.#pageRows * this.#rowLength)));
    rows.set(row, (slot % this.#pageRows) * this.#rowLength + seat * this.#perSeat);
  }

  snapshot(seat: number): CacheSnapshot {
    const position = this.positions[seat]!;
    const rows = Math.min(position, this.window);
    const layers = Array.from({ length: this.#config.layers }, (_, layer) => {
      const copy = {
        key: new Float32Array(rows * this.#perSeat),
        value: new Float32Array(rows * this.#perSeat),
      };
      for (const kind of KINDS) {
        for (let i = 0; i < rows; i++) {
          const slot = (position - rows + i) % this.capacity;
          const source = this.#rows.get(cacheName.page(kind, layer, Math.floor(slot / this.#pageRows)))!;
          const at = (slot % this.#pageRows) * this.#rowLength + seat * this.#perSeat;
          copy[kind].set(source.subarray(at, at + this.#perSeat), i * this.#perSeat);
        }
      }
      return copy;
    });
    return { position, rows, layers };
  }

  restore(seat: number, { position, rows, layers }: CacheSnapshot): void {
    for (const [layer, kept] of layers.entries()) {
      for (const kind of KINDS) {
        for (let i = 0; i < rows; i++) {
          const row = kept[kind].subarray(i * this.#perSeat, (i + 1) * this.#perSeat);
          this.#write(kind, layer, seat, position - rows + i, row);
        }
      }
    }
    this.positions[seat] = position;
  }

  /** Forgets what a seat has seen. */
  clear(seat: number): void {
    this.positions[seat] = 0;
  }

  #tensor(data: Float32Array, rows: number): Tensor {
    const { heads, dim } = this.#config;
    return new Tensor('float32', data, [rows, this.seats, heads, dim / heads]);
  }
}
