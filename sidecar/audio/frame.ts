/** The heartbeat every room shares: one frame is 80 ms of 24 kHz mono (Mimi's frame, PersonaPlex's step). */

/** Samples per second inside the sidecar. */
export const SAMPLE_RATE = 24_000;
/** Samples in one frame. */
export const FRAME_SAMPLES = 1_920;
/** Milliseconds in one frame. */
export const FRAME_MS = 80;
/** Frames in one second (12.5). */
export const FRAME_RATE = SAMPLE_RATE / FRAME_SAMPLES;
