/**
 * libopus as a native addon (@discordjs/opus): a quarter cheaper than WebAssembly at encoding. It is used for
 * nothing else: its decoder has neither loss concealment nor FEC.
 */
import { createRequire } from 'node:module';
import { FRAME_SAMPLES, SAMPLE_RATE } from '../frame';
import { toInt16 } from '../pcm';
import { BITRATE, COMPLEXITY, type CodecReport, type OpusFrameEncoder } from './codec';

/** What is used of the addon. */
interface NativeOpus {
  encode(pcm: Buffer): Buffer;
  applyEncoderCTL(request: number, value: number): void;
  setBitrate(bitrate: number): void;
}
type NativeOpusClass = new (rate: number, channels: number) => NativeOpus;

// opus_defines.h
const SET_APPLICATION = 4000;
const SET_COMPLEXITY = 4010;
const SET_SIGNAL = 4024;
const RESET_STATE = 4028;
const APPLICATION_VOIP = 2048;
const SIGNAL_VOICE = 3001;

let addon: NativeOpusClass | undefined;
/** Encoders not in use. The addon never frees what an instance holds, so each is kept and used again. */
const idle: NativeEncoder[] = [];

/** Loads the addon where it was built. */
export function loadNative(): CodecReport {
  const require = createRequire(import.meta.url);
  let version: string | undefined;
  try {
    version = (require('@discordjs/opus/package.json') as { version: string }).version;
  } catch {
    return { available: false, why: 'The optional package @discordjs/opus is not installed.' };
  }
  try {
    addon = (require('@discordjs/opus') as { OpusEncoder: NativeOpusClass }).OpusEncoder;
    new NativeEncoder().dispose();
    return { available: true, version };
  } catch {
    addon = undefined;
    return { available: false, version, why: 'Not built for this machine; `npm run opus:native` builds it.' };
  }
}

export function takeNativeEncoder(): OpusFrameEncoder {
  return idle.pop() ?? new NativeEncoder();
}

class NativeEncoder implements OpusFrameEncoder {
  readonly #opus: NativeOpus;
  readonly #ints = new Int16Array(FRAME_SAMPLES);
  readonly #bytes = Buffer.from(this.#ints.buffer);

  constructor() {
    this.#opus = new addon!(SAMPLE_RATE, 1);
    this.#opus.applyEncoderCTL(SET_APPLICATION, APPLICATION_VOIP);
    this.#opus.applyEncoderCTL(SET_COMPLEXITY, COMPLEXITY);
    this.#opus.applyEncoderCTL(SET_SIGNAL, SIGNAL_VOICE);
    this.#opus.setBitrate(BITRATE);
  }

  encode(frame: Float32Array): Uint8Array {
    // The addon aborts the process on a length Opus has no frame for; this buffer has the one legal length.
    for (let i = 0; i < FRAME_SAMPLES; i++) this.#ints[i] = toInt16(frame[i]!);
    return this.#opus.encode(this.#bytes);
  }

  dispose(): void {
    this.#opus.applyEncoderCTL(RESET_STATE, 0);
    idle.push(this);
  }
}
