/** The temporal transformer's past, for a batch of seats: on the host for the CPU, in device buffers for WebGPU. */
import type { Tensor } from 'onnxruntime-node';

export type Feeds = Record<string, Tensor>;

/** One seat's past, taken out of a batch: what a primed prompt is kept as. Belongs to the model that made it. */
export interface CacheSnapshot {
  /** Positions the seat has seen. */
  readonly position: number;
  /** Frees device memory; a snapshot on the host has none. */
  dispose(): void;
}

export interface KvCache {
  readonly seats: number;
  /** Rows a column sees, itself included: one less than the model's context, as the reference's ring does. */
  readonly window: number;
  /** Most columns of one run. */
  readonly longestRun: number;
  /** Positions each seat has seen. */
  readonly positions: Int32Array;
  /** Makes room for a run and gives its inputs: the past, and where in it the new columns stand. */
  feeds(steps: number): Promise<Feeds>;
  /** Buffers that the run's outputs go to, by name; the others are returned. */
  targets(): Feeds;
  /** Takes over what the run returned, and moves the seats on. */
  absorb(outputs: Feeds, steps: number, moving: readonly boolean[]): void;
  /**
   * The same past in other seats, copied at once; this one stays as it is.
   * @param from by new seat: the seat it is here; -1 for one that has seen nothing
   */
  rearranged(from: readonly number[]): Promise<KvCache>;
  snapshot(seat: number): Promise<CacheSnapshot>;
  restore(seat: number, snapshot: CacheSnapshot): Promise<void>;
  /** Counts columns as seen that never were, up to the window's end: for measuring what a past costs. */
  skip(seat: number, columns: number): void;
  /** Forgets what a seat has seen. */
  clear(seat: number): void;
  /** Frees device memory. */
  dispose(): void;
}

/**
 * The newest position before `next` that stands in a slot of a ring, where position p stands in slot p mod `slots`;
 * negative when none has come to it.
 */
export const positionIn = (slot: number, next: number, slots: number): number =>
  next - 1 - ((((next - 1 - slot) % slots) + slots) % slots);
