/** libopus in WebAssembly (libopus-wasm): every decoder, and the encoders where the native addon is missing. */
import {
  Application,
  Bandwidth,
  createDecoder,
  createEncoder,
  EncoderCtl,
  loadLibopus,
  Signal,
  type OpusDecoderHandle,
  type OpusEncoderHandle,
} from 'libopus-wasm';
import { asNpcVoiceError, NpcVoiceError } from '../../errors';
import { FRAME_SAMPLES, SAMPLE_RATE } from '../frame';
import {
  BITRATE,
  COMPLEXITY,
  type CodecReport,
  type OpusFrameEncoder,
  type OpusStreamDecoder,
} from './codec';
import { OpusPacketAssembler } from './packet';

/** The library encodes up to 60 ms at a time; 20 ms is the frame all of libopus's modes share. */
const PIECE_SAMPLES = 480;

/** Handles ready beyond those already spoken for: enough for a codec opened and used in one go. */
const SPARE = 8;

/**
 * Handles made ahead of need: the library makes them asynchronously (in a microtask, once loaded), while a
 * microphone is opened synchronously. Each codec reserves a handle when it is opened and takes one when first used.
 */
class Stock<Handle extends { free(): void }> {
  readonly #make: () => Promise<Handle>;
  readonly #ready: Handle[] = [];
  #filled: Promise<void> | undefined;

  constructor(make: () => Promise<Handle>) {
    this.#make = make;
  }

  /** Loads the library and makes the spare handles, once. */
  fill(): Promise<void> {
    this.#filled ??= (async () => {
      for (let i = 0; i < SPARE; i++) this.#ready.push(await this.#make());
    })();
    return this.#filled;
  }

  reserve(): void {
    if (!this.#filled) {
      throw new NpcVoiceError('unsupported', 'The Opus codec is not loaded.', {
        hint: 'Await initOpus() before Opus audio is opened, or use PCM.',
      });
    }
    this.#make().then(
      (handle) => this.#ready.push(handle),
      // Out of memory: take() says so when the spares have gone.
      () => undefined,
    );
  }

  take(): Handle {
    const handle = this.#ready.pop();
    if (handle) return handle;
    throw new NpcVoiceError('internal', 'No Opus codec is ready.', {
      hint: 'Close some Opus streams, or use PCM.',
    });
  }

  /** Frees what a codec took, or the reservation of one that was never used. */
  release(handle: Handle | undefined): void {
    (handle ?? this.#ready.pop())?.free();
  }
}

const encoders = new Stock<OpusEncoderHandle>(async () => {
  const encoder = await createEncoder({
    sampleRate: SAMPLE_RATE,
    channels: 1,
    application: Application.Voip,
    bitrate: BITRATE,
    complexity: COMPLEXITY,
    signal: Signal.Voice,
    frameSize: PIECE_SAMPLES,
  });
  // A fixed bandwidth keeps the four pieces of a frame in one configuration, as one packet requires.
  encoder.encoderCtl(EncoderCtl.SetBandwidth, Bandwidth.Superwideband);
  return encoder;
});
const decoders = new Stock<OpusDecoderHandle>(() => createDecoder({ sampleRate: SAMPLE_RATE, channels: 1 }));

/** Loads the WebAssembly module. */
export async function loadWasm(): Promise<CodecReport> {
  try {
    const { version } = await loadLibopus();
    await Promise.all([encoders.fill(), decoders.fill()]);
    return { available: true, version };
  } catch (thrown) {
    return { available: false, why: `WebAssembly did not load: ${asNpcVoiceError(thrown).message}` };
  }
}

export class WasmEncoder implements OpusFrameEncoder {
  readonly #assembler = new OpusPacketAssembler();
  readonly #options = { frameSize: PIECE_SAMPLES };
  #handle: OpusEncoderHandle | undefined;

  constructor() {
    encoders.reserve();
  }

  encode(frame: Float32Array): Uint8Array {
    this.#handle ??= encoders.take();
    this.#assembler.begin();
    for (let at = 0; at < FRAME_SAMPLES; at += PIECE_SAMPLES) {
      const piece = frame.subarray(at, at + PIECE_SAMPLES);
      this.#assembler.add(this.#handle.encodeFloat(piece, this.#options));
    }
    return this.#assembler.finish();
  }

  dispose(): void {
    encoders.release(this.#handle);
  }
}

export class WasmDecoder implements OpusStreamDecoder {
  #handle: OpusDecoderHandle | undefined;

  constructor() {
    decoders.reserve();
  }

  decode(packet: Uint8Array): Float32Array {
    this.#handle ??= decoders.take();
    return this.#handle.decodeFloat(packet);
  }

  conceal(samples: number, next: Uint8Array | null): Float32Array {
    this.#handle ??= decoders.take();
    return this.#handle.decodeFloat(next, { decodeFec: next !== null, frameSize: samples });
  }

  dispose(): void {
    decoders.release(this.#handle);
  }
}
