export const CAPTURE = 'npc-voice-capture';

/** Capture worklet → page: 20 ms of the microphone. */
export interface FromCapture {
  /** 480 samples at 24 kHz, s16 little-endian. */
  pcm: Uint8Array;
  /** RMS, 0..1. */
  level: number;
}
