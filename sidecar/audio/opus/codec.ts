/** What the rest of the sidecar needs of an Opus library. */

/**
 * Bits a second of an NPC's voice: generous for 24 kHz speech, and well below the 64 kb/s at which libopus leaves
 * its speech mode, so that the pieces of a frame keep one configuration.
 */
export const BITRATE = 40_000;
/** libopus effort, 0..10: 5 costs 0.6 of 10, and the step below it saves little more. */
export const COMPLEXITY = 5;

/** Encodes 80 ms frames, 1920 samples at 24 kHz mono. */
export interface OpusFrameEncoder {
  /** One packet that covers the whole frame. */
  encode(frame: Float32Array): Uint8Array;
  /** Gives the encoder back; it must not be used afterwards. */
  dispose(): void;
}

/** Decodes packets to 24 kHz mono, whatever rate and channels they were made from. */
export interface OpusStreamDecoder {
  /** @param packet one that OpusPacketLayout accepted. */
  decode(packet: Uint8Array): Float32Array;
  /**
   * Stands in for a lost packet.
   * @param samples its length at 24 kHz, a multiple of 60 up to 2880
   * @param next the packet after it, if in hand: what redundancy (FEC) it carries is used
   */
  conceal(samples: number, next: Uint8Array | null): Float32Array;
  dispose(): void;
}

/** Whether a library can be used here. */
export interface CodecReport {
  available: boolean;
  version?: string;
  /** Why not, one sentence. */
  why?: string;
}
