/** The audio thread's half of an NPC's voice: the jitter buffer, resampled to the context's own rate. */
import { Resampler } from '../../../../sidecar/audio/resampler';
import { SAMPLE_RATE } from '../../../../sidecar/audio/frame';
import { PLAYER, type FromPlayer, type ToPlayer } from './messages';
import { Playout } from './playout';

/** Samples at 24 kHz resampled at once: 5 ms. */
const CHUNK = 120;
const STATS_EVERY_S = 0.25;

class PlayerProcessor extends AudioWorkletProcessor {
  readonly #chunk = new Float32Array(CHUNK);
  readonly #resampler = new Resampler(SAMPLE_RATE, sampleRate);
  readonly #ready = new Float32Array(4096);
  #from = 0;
  #to = 0;
  #block = 0;
  #ended = false;
  #statsDue = 0;
  readonly #playout = new Playout((n, s, offset) => {
    const ahead = this.#to - this.#from + (offset / SAMPLE_RATE + this.#resampler.latency) * sampleRate;
    this.#post({ t: 'at', n, s, time: (currentFrame + this.#block + ahead) / sampleRate });
  });

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<ToPlayer>) => this.#take(data);
  }

  #take(message: ToPlayer): void {
    switch (message.t) {
      case 'frame':
        return this.#playout.push(message.n, message.pcm);
      case 'flush': {
        const cut = this.#playout.flush(message.n, message.fade);
        if (cut) this.#post({ t: 'cut', ...cut });
        return;
      }
      case 'reset':
        return this.#playout.reset();
      case 'end':
        this.#ended = true;
    }
  }

  override process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const output = outputs[0]![0]!;
    this.#block = 0;
    while (this.#block < output.length) {
      if (this.#from === this.#to) this.#refill();
      const length = Math.min(output.length - this.#block, this.#to - this.#from);
      output.set(this.#ready.subarray(this.#from, this.#from + length), this.#block);
      this.#from += length;
      this.#block += length;
    }
    for (let c = 1; c < outputs[0]!.length; c++) outputs[0]![c]!.set(output);
    if (currentFrame >= this.#statsDue) {
      this.#statsDue = currentFrame + sampleRate * STATS_EVERY_S;
      this.#post({ t: 'stats', stats: this.#playout.stats });
    }
    if (!this.#ended || this.#playout.buffered > 0) return true;
    this.#post({ t: 'ended' });
    return false;
  }

  #refill(): void {
    this.#from = this.#to = 0;
    this.#resampler.setDrift(this.#playout.bendPpm);
    this.#playout.pull(this.#chunk);
    const samples = this.#resampler.process(this.#chunk);
    this.#ready.set(samples);
    this.#to = samples.length;
  }

  #post(message: FromPlayer): void {
    this.port.postMessage(message);
  }
}

registerProcessor(PLAYER, PlayerProcessor);
