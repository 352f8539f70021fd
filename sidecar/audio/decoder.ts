/** Microphone packets into 24 kHz mono, one decoder a microphone. */
import { NpcVoiceError } from '../errors';
import { Concealer } from './conceal';
import type { AudioFormat } from './format';
import { SAMPLE_RATE } from './frame';
import { createOpusDecoder, OpusPacketLayout, type OpusStreamDecoder } from './opus';
import { PcmReader } from './pcm';
import { Resampler } from './resampler';
import { Scratch } from './scratch';

export interface AudioDecoder {
  /**
   * Decodes the next packet.
   * @returns 24 kHz mono samples, -1..1 (Opus may overshoot a little), valid until the next call
   * @throws NpcVoiceError `bad_audio`; the stream goes on with the next packet as if this one had not come
   */
  decode(packet: Uint8Array): Float32Array;
  /**
   * Stands in for one lost packet, as long as the last packet was; nothing before the first.
   * @param next the packet that will be decoded next, if in hand: Opus recovers speech from the redundancy in it
   */
  conceal(next?: Uint8Array): Float32Array;
  /** Gives its codec back; idempotent. The decoder must not be used afterwards. */
  dispose(): void;
}

/** @throws NpcVoiceError `bad_audio` for a rate outside 8000..48000 Hz, other than 1 or 2 channels, an unknown codec */
export function checkFormat(format: AudioFormat): void {
  const { codec, rate, channels } = format;
  if (codec !== 's16' && codec !== 'f32' && codec !== 'opus') {
    throw new NpcVoiceError('bad_audio', `There is no audio codec "${String(codec)}".`, {
      hint: 'Use s16, f32 or opus.',
    });
  }
  if (!Number.isInteger(rate) || rate < 8000 || rate > 48_000) {
    throw new NpcVoiceError('bad_audio', `A sample rate of ${String(rate)} Hz is not supported.`, {
      hint: 'Use a whole number from 8000 to 48000; 24000 needs no conversion.',
    });
  }
  if (channels !== 1 && channels !== 2) {
    throw new NpcVoiceError('bad_audio', `${String(channels)} channels are not supported.`, {
      hint: 'Use 1 (mono) or 2 (stereo).',
    });
  }
}

/**
 * A decoder for one stream. Opus packets say themselves what they hold, so their `rate` and `channels` are only
 * what the sender captured at.
 * @throws NpcVoiceError `bad_audio` for a format that is not supported, `unsupported` for Opus before initOpus
 */
export function createAudioDecoder(format: AudioFormat): AudioDecoder {
  checkFormat(format);
  return format.codec === 'opus' ? new OpusAudioDecoder() : new PcmAudioDecoder(format.codec, format);
}

class PcmAudioDecoder implements AudioDecoder {
  readonly #reader: PcmReader;
  readonly #concealer: Concealer;
  readonly #resampler: Resampler | undefined;
  readonly #scratch = new Scratch();
  #lastCount = 0;

  constructor(codec: 's16' | 'f32', format: AudioFormat) {
    this.#reader = new PcmReader(codec, format);
    this.#concealer = new Concealer(format.rate);
    if (format.rate !== SAMPLE_RATE) this.#resampler = new Resampler(format.rate, SAMPLE_RATE);
  }

  decode(packet: Uint8Array): Float32Array {
    const count = this.#reader.count(packet);
    const samples = this.#scratch.take(count);
    this.#reader.read(packet, samples);
    this.#concealer.heard(samples);
    this.#lastCount = count;
    return this.#finish(samples);
  }

  conceal(): Float32Array {
    const samples = this.#scratch.take(this.#lastCount);
    this.#concealer.fill(samples);
    return this.#finish(samples);
  }

  dispose(): void {}

  #finish(samples: Float32Array): Float32Array {
    return this.#resampler ? this.#resampler.process(samples) : samples;
  }
}

class OpusAudioDecoder implements AudioDecoder {
  readonly #codec: OpusStreamDecoder = createOpusDecoder();
  readonly #layout = new OpusPacketLayout();
  readonly #nothing = new Float32Array(0);
  #lastCount = 0;
  #disposed = false;

  decode(packet: Uint8Array): Float32Array {
    const count = this.#layout.read(packet).samples;
    try {
      const samples = this.#codec.decode(packet);
      this.#lastCount = count;
      return samples;
    } catch (thrown) {
      throw refusedByCodec(thrown);
    }
  }

  conceal(next?: Uint8Array): Float32Array {
    if (this.#lastCount === 0) return this.#nothing;
    const readable = this.#readable(next);
    try {
      return this.#codec.conceal(this.#lastCount, readable);
    } catch (thrown) {
      throw refusedByCodec(thrown);
    }
  }

  dispose(): void {
    if (!this.#disposed) this.#codec.dispose();
    this.#disposed = true;
  }

  #readable(next: Uint8Array | undefined): Uint8Array | null {
    if (!next) return null;
    try {
      this.#layout.read(next);
      return next;
    } catch {
      return null;
    }
  }
}

/** The packet's outside was sound, so what is wrong is inside it. */
function refusedByCodec(thrown: unknown): NpcVoiceError {
  if (thrown instanceof NpcVoiceError) return thrown;
  return new NpcVoiceError('bad_audio', 'An Opus packet did not decode.', {
    hint: 'Send raw Opus packets (RFC 6716), one in each message.',
    cause: thrown,
  });
}
