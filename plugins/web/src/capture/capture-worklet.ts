/** The audio thread's half of a microphone: down to mono, to 24 kHz, into packets. */
import { SAMPLE_RATE } from '../../../../sidecar/audio/frame';
import { Resampler } from '../../../../sidecar/audio/resampler';
import { CAPTURE, type FromCapture } from './messages';
import { Packetiser } from './packetiser';

class CaptureProcessor extends AudioWorkletProcessor {
  readonly #resampler = new Resampler(sampleRate, SAMPLE_RATE);
  readonly #mono = new Float32Array(1024);
  readonly #packets = new Packetiser((pcm, level) => {
    const packet: FromCapture = { pcm, level };
    this.port.postMessage(packet, [pcm.buffer]);
  });
  #ended = false;

  constructor() {
    super();
    this.port.onmessage = () => (this.#ended = true);
  }

  override process(inputs: Float32Array[][]): boolean {
    const channels = inputs[0]!;
    if (channels.length > 0) this.#packets.push(this.#resampler.process(this.#downmix(channels)));
    return !this.#ended;
  }

  #downmix(channels: Float32Array[]): Float32Array {
    const first = channels[0]!;
    if (channels.length === 1) return first;
    const mono = this.#mono.subarray(0, first.length);
    for (let i = 0; i < mono.length; i++) {
      let sum = 0;
      for (const channel of channels) sum += channel[i]!;
      mono[i] = sum / channels.length;
    }
    return mono;
  }
}

registerProcessor(CAPTURE, CaptureProcessor);
