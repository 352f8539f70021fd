/** An NPC's voice in the page's audio graph: the player worklet's node, and a clock of what is heard. */
import { outputLatency } from '../audio';
import { PLAYER, type FromPlayer, type ToPlayer } from './messages';
import type { PlayoutStats } from './playout';

export interface PlayerListener {
  /** Sample `s` of frame `n` is heard now. */
  heard(n: number, s: number): void;
  /** A flush cut playback off there. */
  cut(n: number, s: number): void;
}

/** Sooner than this is now: timers are no finer. */
const NOW_MS = 5;
/** More than the jitter buffer holds. */
const DRAIN_MS = 800;

export class Player {
  /** The voice at the context's rate, mono. */
  readonly node: AudioWorkletNode;
  readonly #context: AudioContext;
  #stats: PlayoutStats = { bufferedMs: 0, targetMs: 0, underruns: 0, lost: 0, skipped: 0, flushed: 0 };
  /** Frames that came while the page was not allowed to play. */
  unheard = 0;
  #onEnded = (): void => {};
  /** Marks of before a reset are told from later ones by this. */
  #epoch = 0;

  /** The worklet must be loaded into `context`. */
  constructor(context: AudioContext, listener: PlayerListener) {
    this.#context = context;
    this.node = new AudioWorkletNode(context, PLAYER, {
      numberOfInputs: 0,
      numberOfOutputs: 1,
      outputChannelCount: [1],
    });
    this.node.port.onmessage = ({ data }: MessageEvent<FromPlayer>) => {
      if (data.t === 'stats') this.#stats = data.stats;
      else if (data.t === 'ended') this.#whenHeard(this.#context.currentTime, () => this.#onEnded());
      else if (data.t === 'cut') listener.cut(data.n, data.s);
      else this.#whenHeard(data.time, () => listener.heard(data.n, data.s));
    };
  }

  get stats(): PlayoutStats {
    return this.#stats;
  }

  /** Queues frame `n`: s16 little-endian at 24 kHz; empty is silence. */
  push(n: number, s16: Uint8Array): void {
    // A suspended context does not drain its queue: what came meanwhile would all be played late.
    if (this.#context.state !== 'running') {
      this.unheard++;
      return;
    }
    if (s16.length === 0) return this.#post({ t: 'frame', n, pcm: null });
    const pcm = fromS16(s16);
    this.#post({ t: 'frame', n, pcm }, [pcm.buffer]);
  }

  flush(n: number, fadeMs: number): void {
    this.#post({ t: 'flush', n, fade: fadeMs });
  }

  reset(): void {
    this.#epoch++;
    this.#post({ t: 'reset' });
  }

  /** Plays out what is buffered, then lets go of the node and calls back. */
  end(done: () => void): void {
    this.#post({ t: 'end' });
    const finish = (): void => {
      clearTimeout(timer);
      this.#onEnded = () => {};
      this.node.disconnect();
      done();
    };
    // A context that does not run, or a node nobody listens to, never comes to the end of its buffer.
    const timer = setTimeout(finish, this.#context.state === 'running' ? DRAIN_MS : 0);
    this.#onEnded = finish;
  }

  #post(message: ToPlayer, transfer: Transferable[] = []): void {
    this.node.port.postMessage(message, transfer);
  }

  #whenHeard(time: number, tell: () => void): void {
    const epoch = this.#epoch;
    const inMs = (time + outputLatency(this.#context) - this.#context.currentTime) * 1000;
    if (inMs < NOW_MS) tell();
    else setTimeout(() => epoch === this.#epoch && tell(), inMs);
  }
}

/** Samples of s16 little-endian bytes, -1..1. The bytes may lie at any offset. */
export function fromS16(bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const samples = new Float32Array(bytes.length >> 1);
  for (let i = 0; i < samples.length; i++) {
    samples[i] = (((bytes[i * 2 + 1]! << 24) >> 16) | bytes[i * 2]!) / 32768;
  }
  return samples;
}
