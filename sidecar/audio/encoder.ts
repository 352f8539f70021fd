/** 24 kHz mono frames into what a client asked for, one encoder an NPC and client. */
import { checkFormat } from './decoder';
import type { AudioFormat } from './format';
import { FRAME_SAMPLES, SAMPLE_RATE } from './frame';
import { createOpusEncoder } from './opus';
import { PcmWriter } from './pcm';
import { Resampler } from './resampler';

export interface AudioEncoder {
  /**
   * Encodes the next frame.
   * @param frame 1920 samples at 24 kHz, -1..1; null: silence
   * @returns bytes that cover the frame's 80 ms, valid until the next call; none for silence. A silent frame after
   *   sound may still have bytes: they carry the end of that sound, which filters and codecs hold back.
   */
  encode(frame: Float32Array | null): Uint8Array;
  /** Gives its codec back; idempotent. The encoder must not be used afterwards. */
  dispose(): void;
}

const SILENT_FRAME = new Float32Array(FRAME_SAMPLES);
const NO_BYTES = new Uint8Array(0);

/**
 * An encoder for one stream. An Opus packet is 24 kHz mono within, whatever `rate` and `channels` say: Opus
 * decoders give any rate and channel count, so the client chooses in its decoder.
 * @throws NpcVoiceError `bad_audio` for a format that is not supported, `unsupported` for Opus before initOpus
 */
export function createAudioEncoder(format: AudioFormat): AudioEncoder {
  checkFormat(format);
  return new TailedEncoder(format.codec === 'opus' ? new OpusBody() : pcmBody(format.codec, format));
}

/** Encodes frames one after the other, silent ones included. */
interface EncoderBody {
  /** Whether sound of one frame may come out with the next. */
  readonly hasTail: boolean;
  encode(frame: Float32Array): Uint8Array;
  /** A run of unsent silence begins: the end of the sound before it has been sent. */
  rest(): void;
  dispose(): void;
}

/** Leaves silence out, once the sound before it has come out whole. */
class TailedEncoder implements AudioEncoder {
  readonly #body: EncoderBody;
  #tail = false;
  #disposed = false;

  constructor(body: EncoderBody) {
    this.#body = body;
  }

  encode(frame: Float32Array | null): Uint8Array {
    if (frame) {
      this.#tail = this.#body.hasTail;
      return this.#body.encode(frame);
    }
    if (!this.#tail) return NO_BYTES;
    this.#tail = false;
    const bytes = this.#body.encode(SILENT_FRAME);
    this.#body.rest();
    return bytes;
  }

  dispose(): void {
    // A codec given back twice would be lent to two streams at once.
    if (!this.#disposed) this.#body.dispose();
    this.#disposed = true;
  }
}

function pcmBody(codec: 's16' | 'f32', { rate, channels }: AudioFormat): EncoderBody {
  const writer = new PcmWriter(codec, channels);
  const resampler = rate === SAMPLE_RATE ? undefined : new Resampler(SAMPLE_RATE, rate);
  return {
    hasTail: resampler !== undefined,
    encode: (frame) => writer.write(resampler ? resampler.process(frame) : frame),
    rest: () => resampler?.reset(),
    dispose: () => undefined,
  };
}

class OpusBody implements EncoderBody {
  readonly hasTail = true;
  readonly #codec = createOpusEncoder();

  encode(frame: Float32Array): Uint8Array {
    return this.#codec.encode(frame);
  }

  rest(): void {}

  dispose(): void {
    this.#codec.dispose();
  }
}
