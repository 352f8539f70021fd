/** Memory the VAD worker and the model share: what is heard goes one way, what was made of it the other. */
import { FRAME_SAMPLES, SAMPLE_RATE } from '../../audio/frame';

export const VAD_RATE = 16_000;
/** New samples in one Silero window; it looks back 64 more. */
export const WINDOW_SAMPLES = 512;
export const WINDOW_MS = (1000 * WINDOW_SAMPLES) / VAD_RATE;
/** Windows that may end within one frame: 80 ms is 2.5 windows, and the half is judged ahead of time. */
export const MAX_WINDOWS = 4;
/** Energies are over 5 ms. */
export const BLOCK_SAMPLES = 120;
export const BLOCK_MS = (1000 * BLOCK_SAMPLES) / SAMPLE_RATE;
export const BLOCKS = FRAME_SAMPLES / BLOCK_SAMPLES;
/** Tracks one buffer has room for. */
export const TRACKS = 256;

/** A track's report: window count, then a probability and an end (ms from the frame's start) a window, then energies. */
export const REPORT_FLOATS = 1 + 2 * MAX_WINDOWS + BLOCKS;

/** What is to be done with a track in this frame, in `orders`: the track and where it comes from. */
export const ORDER_INTS = 2;
/** `source` of a track that goes on as it is. */
export const GOES_ON = -1;
/** `source` of a track that begins anew. Otherwise it is the track it is copied from. */
export const BEGINS = -2;

export interface VadMemory {
  /** TRACKS x FRAME_SAMPLES, 24 kHz. */
  heard: Float32Array;
  /** TRACKS x ORDER_INTS. */
  orders: Int32Array;
  /** TRACKS x REPORT_FLOATS. */
  reports: Float32Array;
}

export interface VadBuffers {
  heard: SharedArrayBuffer;
  orders: SharedArrayBuffer;
  reports: SharedArrayBuffer;
}

/** Pages are only taken when touched, so that room for 256 tracks costs nothing until they are there. */
export function allocateVadBuffers(): VadBuffers {
  return {
    heard: new SharedArrayBuffer(4 * TRACKS * FRAME_SAMPLES),
    orders: new SharedArrayBuffer(4 * TRACKS * ORDER_INTS),
    reports: new SharedArrayBuffer(4 * TRACKS * REPORT_FLOATS),
  };
}

export function vadMemory(buffers: VadBuffers): VadMemory {
  return {
    heard: new Float32Array(buffers.heard),
    orders: new Int32Array(buffers.orders),
    reports: new Float32Array(buffers.reports),
  };
}
