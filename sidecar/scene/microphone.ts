/** One microphone of a scene: packets in as they come, one frame a tick out. What cannot be used is counted. */
import {
  FRAME_SAMPLES,
  IGNORE,
  JitterBuffer,
  PacketSequencer,
  createAudioDecoder,
  fadeIn,
  fadeOut,
  fadeWeight,
  rms,
  type AudioDecoder,
  type AudioFormat,
} from '../audio';
import type { Clock } from './clock';
import type { Sound } from './ear';
import { EchoGuard, type SentVoices } from './echo';
import type { MicStats } from './ports';
import type { TickSource } from './tick';

/** Muting, and the seam of a dropped frame: 5 ms. */
const FADE_SAMPLES = 120;
const LEVEL_DECAY = 0.85;

export class Microphone implements Sound, TickSource {
  readonly id: string;
  muted = false;
  /** This tick's frame, or null: silence. */
  pcm: Float32Array | null = null;
  guarded: Float32Array | null = null;
  level = 0;
  recentLevel = 0;
  readonly #clock: Clock;
  readonly #decoder: AudioDecoder;
  readonly #order = new PacketSequencer();
  #queue: JitterBuffer;
  readonly #samples = new Float32Array(FRAME_SAMPLES);
  readonly #dropped = new Float32Array(FRAME_SAMPLES);
  #packets = 0;
  #malformed = 0;
  #droppedFrames = 0;
  #missingFrames = 0;
  /** The last frame had sound, so silence after it begins with a fade. */
  #flowing = false;
  /** A frame was dropped from the front: the next one begins where it did. */
  #seam = false;
  #silenced = false;
  #guard: EchoGuard | null = null;

  /** Throws NpcVoiceError `bad_audio` for a format that is not supported. `primary`: it drives the tick. */
  constructor(id: string, format: AudioFormat, primary: boolean, clock: Clock) {
    this.id = id;
    this.#clock = clock;
    this.#decoder = createAudioDecoder(format);
    this.#queue = this.#newQueue(primary);
  }

  /** Whether it drives the tick: otherwise its clock's drift against the tick is steered away. */
  setPrimary(primary: boolean): void {
    this.#droppedFrames += this.#queue.droppedFrames;
    this.#missingFrames += this.#queue.missingFrames;
    this.#queue = this.#newQueue(primary);
  }

  #newQueue(primary: boolean): JitterBuffer {
    return new JitterBuffer({ steered: !primary, now: () => this.#clock.now() });
  }

  frames(): number {
    return this.#queue.frames;
  }

  /** Takes packet `n` in. Never throws; the bytes are not kept. */
  packet(n: number, bytes: Uint8Array): void {
    this.#packets++;
    const missing = this.#order.offer(n);
    if (missing === IGNORE) return;
    for (let i = missing; i > 0; i--) this.#conceal(i === 1 ? bytes : undefined);
    try {
      this.#queue.push(this.#decoder.decode(bytes));
    } catch {
      this.#malformed++;
      this.#conceal(undefined);
    }
  }

  #conceal(next: Uint8Array | undefined): void {
    try {
      this.#queue.push(this.#decoder.conceal(next));
    } catch {
      // A codec that can neither decode nor conceal leaves a gap, which the queue fills with silence.
    }
  }

  drop(): void {
    if (!this.#queue.pull(this.#dropped)) return;
    this.#droppedFrames++;
    this.#seam = true;
  }

  /**
   * Moves on to the next frame.
   * @param sent what may leak into it from the speakers; null: nobody listens through an echo guard
   */
  next(sent: SentVoices | null = null): void {
    const out = this.#samples;
    const whole = this.#queue.pull(out);
    const sounds = whole || this.#flowing;
    this.#flowing = whole;
    if (whole && this.#seam) this.#smoothSeam(out);
    this.pcm = sounds ? this.#unlessMuted(out) : null;
    this.guarded = sent ? (this.#guard ??= new EchoGuard()).process(this.pcm, sent) : this.pcm;
    this.level = this.pcm ? rms(this.pcm) : 0;
    this.recentLevel = Math.max(this.level, this.recentLevel * LEVEL_DECAY);
  }

  #smoothSeam(out: Float32Array): void {
    this.#seam = false;
    for (let i = 0; i < FADE_SAMPLES; i++) {
      const weight = fadeWeight(i, FADE_SAMPLES);
      out[i] = out[i]! * weight + this.#dropped[i]! * (1 - weight);
    }
  }

  #unlessMuted(out: Float32Array): Float32Array | null {
    const was = this.#silenced;
    this.#silenced = this.muted;
    if (was && this.muted) return null;
    if (this.muted) fadeOut(out, FADE_SAMPLES);
    else if (was) fadeIn(out.subarray(0, FADE_SAMPLES));
    return out;
  }

  stats(): MicStats {
    return {
      packets: this.#packets,
      lost: this.#order.lost,
      late: this.#order.late,
      malformed: this.#malformed,
      droppedFrames: this.#droppedFrames + this.#queue.droppedFrames,
      missingFrames: this.#missingFrames + this.#queue.missingFrames,
      driftPpm: Math.round(this.#queue.driftPpm),
      bufferedMs: this.#queue.bufferedMs,
    };
  }

  close(): void {
    this.#decoder.dispose();
  }
}
