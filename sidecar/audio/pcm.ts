/** PCM samples as bytes: s16 and f32, little-endian, interleaved; mono inside the sidecar. */
import { NpcVoiceError } from '../errors';
import type { AudioFormat } from './format';

/** Longest packet accepted, in seconds. */
export const MAX_PACKET_SECONDS = 0.12;

const BYTES: Record<'s16' | 'f32', number> = { s16: 2, f32: 4 };

/** Reads packets of one PCM format. */
export class PcmReader {
  readonly #codec: 's16' | 'f32';
  readonly #channels: number;
  readonly #frameBytes: number;
  readonly #maxBytes: number;
  readonly #maxText: string;
  // Packets come at odd addresses inside shared buffers, where typed arrays cannot look at them: they are copied
  // here first. Little-endian hosts are all that Node and the engines run on.
  readonly #bytes: Uint8Array;
  readonly #ints: Int16Array;
  readonly #floats: Float32Array;

  constructor(codec: 's16' | 'f32', { rate, channels }: AudioFormat) {
    this.#codec = codec;
    this.#channels = channels;
    this.#frameBytes = BYTES[codec] * channels;
    this.#maxBytes = Math.ceil(rate * MAX_PACKET_SECONDS) * this.#frameBytes;
    this.#maxText = `${codec}, ${rate} Hz, ${channels === 2 ? 'stereo' : 'mono'}`;
    const staging = new ArrayBuffer(this.#maxBytes);
    this.#bytes = new Uint8Array(staging);
    this.#ints = new Int16Array(staging);
    this.#floats = new Float32Array(staging, 0, this.#maxBytes >> 2);
  }

  /**
   * Samples (per channel) in a packet.
   * @throws NpcVoiceError `bad_audio` when it is empty, too long, or ends inside a sample
   */
  count(packet: Uint8Array): number {
    const { length } = packet;
    if (length === 0) {
      throw new NpcVoiceError('bad_audio', 'An audio packet is empty.', {
        hint: 'Send no packet at all while there is no sound.',
      });
    }
    if (length % this.#frameBytes !== 0) {
      throw new NpcVoiceError('bad_audio', `An audio packet of ${length} bytes ends inside a sample.`, {
        hint: `This microphone was opened as ${this.#maxText}: a packet is a multiple of ${this.#frameBytes} bytes.`,
      });
    }
    if (length > this.#maxBytes) {
      throw new NpcVoiceError('bad_audio', `An audio packet of ${length} bytes is longer than 120 ms.`, {
        hint: `Send at most ${this.#maxBytes} bytes at a time (${this.#maxText}); 20 ms is best.`,
      });
    }
    return length / this.#frameBytes;
  }

  /** Decodes a packet that `count` accepted into mono samples, -1..1; what is no number becomes 0. */
  read(packet: Uint8Array, out: Float32Array): void {
    this.#bytes.set(packet);
    if (this.#codec === 's16') this.#readInts(out);
    else this.#readFloats(out);
  }

  #readInts(out: Float32Array): void {
    const ints = this.#ints;
    if (this.#channels === 1) {
      for (let i = 0; i < out.length; i++) out[i] = ints[i]! / 32_768;
      return;
    }
    for (let i = 0; i < out.length; i++) out[i] = (ints[2 * i]! + ints[2 * i + 1]!) / 65_536;
  }

  #readFloats(out: Float32Array): void {
    const floats = this.#floats;
    if (this.#channels === 1) {
      for (let i = 0; i < out.length; i++) out[i] = sane(floats[i]!);
      return;
    }
    for (let i = 0; i < out.length; i++) out[i] = 0.5 * (sane(floats[2 * i]!) + sane(floats[2 * i + 1]!));
  }
}

/** One bad sample would otherwise live on in every filter it passes. */
function sane(x: number): number {
  return x >= -1 ? (x <= 1 ? x : 1) : Number.isNaN(x) ? 0 : -1;
}

/** Writes packets of one PCM format. */
export class PcmWriter {
  readonly #codec: 's16' | 'f32';
  readonly #channels: number;
  #buffer = new ArrayBuffer(0);
  #bytes = new Uint8Array(0);
  #ints = new Int16Array(0);
  #floats = new Float32Array(0);
  #view = this.#bytes;

  constructor(codec: 's16' | 'f32', channels: 1 | 2) {
    this.#codec = codec;
    this.#channels = channels;
  }

  /** Encodes mono samples; beyond -1..1 they are clipped. The bytes are valid until the next call. */
  write(samples: Float32Array): Uint8Array {
    const length = samples.length * this.#channels * BYTES[this.#codec];
    if (length > this.#buffer.byteLength) this.#grow(length);
    if (this.#codec === 's16') this.#writeInts(samples);
    else this.#writeFloats(samples);
    if (this.#view.length !== length) this.#view = this.#bytes.subarray(0, length);
    return this.#view;
  }

  #grow(length: number): void {
    this.#buffer = new ArrayBuffer(length);
    this.#bytes = new Uint8Array(this.#buffer);
    this.#ints = new Int16Array(this.#buffer);
    this.#floats = new Float32Array(this.#buffer, 0, length >> 2);
    this.#view = this.#bytes;
  }

  #writeInts(samples: Float32Array): void {
    const ints = this.#ints;
    const stereo = this.#channels === 2;
    for (let i = 0; i < samples.length; i++) {
      const value = toInt16(samples[i]!);
      if (stereo) {
        ints[2 * i] = value;
        ints[2 * i + 1] = value;
      } else ints[i] = value;
    }
  }

  #writeFloats(samples: Float32Array): void {
    const floats = this.#floats;
    if (this.#channels === 1) {
      floats.set(samples);
      return;
    }
    for (let i = 0; i < samples.length; i++) {
      floats[2 * i] = samples[i]!;
      floats[2 * i + 1] = samples[i]!;
    }
  }
}

/** A sample as a 16-bit integer: rounded, clipped; the inverse of dividing by 32768. */
export function toInt16(sample: number): number {
  const value = Math.round(sample * 32_768);
  return value > 32_767 ? 32_767 : value < -32_768 ? -32_768 : value;
}
