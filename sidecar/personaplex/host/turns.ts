/**
 * One thing at a time: ONNX Runtime blocks the thread, and a conversation must not be stepped while it is being moved.
 * What is asked goes first, in its order; slices of long work fill the time between.
 */
import { setImmediate as nextMacrotask } from 'node:timers/promises';

type Task = () => Promise<void>;

export class Turns {
  readonly #asked: Task[] = [];
  readonly #slices: Task[] = [];
  #running = false;

  /** Runs `work` after what was asked before, and before any further slice. */
  ask<T>(work: () => Promise<T>): Promise<T> {
    return this.#take(this.#asked, work);
  }

  /** Runs a slice of long work when nothing is being asked. */
  slice<T>(work: () => Promise<T>): Promise<T> {
    return this.#take(this.#slices, work);
  }

  #take<T>(queue: Task[], work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      queue.push(() => work().then(resolve, reject));
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (;;) {
      const task = this.#asked.shift() ?? this.#slices.shift();
      if (!task) break;
      await task();
      // What has been asked meanwhile is read from the channel before a slice is chosen.
      await nextMacrotask();
    }
    this.#running = false;
  }
}

/** Between frames a slice may take what a step leaves of a frame, less some for the sidecar. */
const FRAME_MS = 80;
const SPARE_MS = 15;
const LEAST_SLICE_MS = 10;
/**
 * A slice reads the weights once however few columns it has, so one of few costs as much as a step and gets nowhere:
 * each frame adds a column, too. So many are worth being late for, where a frame leaves no room.
 */
const LEAST_COLUMNS = 32;
/** Nobody has been stepped for so long: nobody waits. */
const REST_MS = 500;
/** Weight of the newest measurement. */
const NEWEST = 0.3;

/** How many columns a slice may have, from what steps and slices took. */
export class Pace {
  #lastStep = -Infinity;
  #stepMs = 0;
  #columnMs = 0;

  /** @param realtime false: slices are not limited */
  constructor(readonly realtime: boolean) {}

  /** A step that ended at `now` took `ms`. */
  stepped(ms: number, now: number): void {
    this.#stepMs = this.#stepMs === 0 ? ms : this.#stepMs + NEWEST * (ms - this.#stepMs);
    this.#lastStep = now;
  }

  /** A slice of `columns` took `ms`. */
  sliced(columns: number, ms: number): void {
    const each = ms / columns;
    this.#columnMs = this.#columnMs === 0 ? each : this.#columnMs + NEWEST * (each - this.#columnMs);
  }

  /** Columns the next slice may have. */
  columns(now: number): number {
    if (!this.realtime || now - this.#lastStep > REST_MS) return Infinity;
    if (this.#columnMs === 0) return LEAST_COLUMNS;
    const budget = Math.max(LEAST_SLICE_MS, FRAME_MS - SPARE_MS - this.#stepMs);
    return Math.max(LEAST_COLUMNS, Math.floor(budget / this.#columnMs));
  }
}
