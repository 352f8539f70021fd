/**
 * The frame queue between a microphone, whose packets come when they come, and the tick, which takes 80 ms at a
 * time. It never holds more than two whole frames and the start of a third.
 */
import { FRAME_SAMPLES, SAMPLE_RATE } from './frame';
import { fadeIn, fadeWeight } from './mix';
import { Resampler } from './resampler';

const MAX_FRAMES = 2;
const SAMPLES_PER_MS = SAMPLE_RATE / 1000;
/** Cross-fade where samples are dropped, fades where silence is put in: 5 ms. */
const FADE_SAMPLES = 120;

// The steering loop: a PI controller from the queue's fill level to the resampler's drift, critically damped. The
// queue gains 0.024 samples a second for each ppm that the microphone's clock runs ahead.
const GAIN = SAMPLE_RATE * 1e-6;
/** Natural frequency while seeking, rad/s: 500 ppm are found to within 2 % in 10 s. */
const SEEKING = 0.6;
const SEEKING_SECONDS = 10;
/** Natural frequency once found: uneven arrival then hardly moves the pitch. */
const HOLDING = 0.12;
/** A fill level this far off is a changed clock: drift is sought afresh. */
const LOST_SAMPLES = 20 * SAMPLES_PER_MS;
/** From one to the other over this time constant. */
const SETTLING_SECONDS = 5;
const TICK_SECONDS = FRAME_SAMPLES / SAMPLE_RATE;
/** Smoothing of the fill level, per tick: 0.25 s. */
const SMOOTHING = 1 - Math.exp(-TICK_SECONDS / 0.25);
/** Steering stays inaudible: 0.15 % is a fortieth of a semitone. */
const MAX_STEER_PPM = 1500;
const MAX_DRIFT_PPM = 1000;
/** The longest packet there is: 120 ms. */
const MAX_PACKET_SAMPLES = 120 * SAMPLES_PER_MS;
/** Kept in hand against uneven arrival, beyond one packet. */
const MARGIN_SAMPLES = 10 * SAMPLES_PER_MS;

export interface JitterBufferOptions {
  /**
   * True for a microphone whose clock does not drive the tick: its drift is measured and resampled away, and a
   * margin of one packet and 10 ms is kept. Default false: a frame can be pulled as soon as it is whole.
   */
  steered?: boolean;
  /** Milliseconds, monotonic; the scene's clock. Only a steered queue asks. Default performance.now. */
  now?: () => number;
}

export class JitterBuffer {
  /** Pulls that found no whole frame, since the first sample came. */
  missingFrames = 0;

  readonly #now: () => number;
  readonly #resampler: Resampler | undefined;
  readonly #queue = new Float32Array(2 * (MAX_FRAMES + 2) * FRAME_SAMPLES);
  #start = 0;
  #fill = 0;
  #droppedSamples = 0;
  /** The last samples pulled, to fade out from. */
  readonly #tail = new Float32Array(FADE_SAMPLES);
  #state: 'empty' | 'filling' | 'flowing' = 'empty';

  // Steering.
  #lastPush = 0;
  #packet = 0;
  #error = 0;
  #drift = 0;
  /** Ticks since steering began, or last lost the target. */
  #steeredTicks = 0;

  constructor(options: JitterBufferOptions = {}) {
    this.#now = options.now ?? (() => performance.now());
    if (options.steered) this.#resampler = new Resampler(SAMPLE_RATE, SAMPLE_RATE);
  }

  /** Whole frames waiting, 0..2. */
  get frames(): number {
    return Math.floor(this.#fill / FRAME_SAMPLES);
  }

  /** Frames' worth of sound dropped, oldest first, because too much waited. */
  get droppedFrames(): number {
    return Math.floor(this.#droppedSamples / FRAME_SAMPLES);
  }

  /** Sound waiting, in milliseconds. */
  get bufferedMs(): number {
    return this.#fill / SAMPLES_PER_MS;
  }

  /** How much faster the microphone's clock runs than the tick, parts per million; 0 when not steered. */
  get driftPpm(): number {
    return this.#drift;
  }

  /** Appends decoded samples (24 kHz mono); the array is not kept. Past two whole frames the oldest goes. */
  push(samples: Float32Array): void {
    if (samples.length === 0) return;
    if (this.#state === 'empty') this.#state = 'filling';
    if (this.#resampler) {
      this.#lastPush = this.#now();
      this.#packet = Math.max(this.#packet, Math.min(samples.length, MAX_PACKET_SAMPLES));
      this.#enqueue(this.#resampler.process(samples));
    } else this.#enqueue(samples);
  }

  /**
   * Takes the oldest frame.
   * @param out 1920 samples; filled in any case
   * @returns false when none was whole: `out` is then silence, faded into from what was pulled last
   */
  pull(out: Float32Array): boolean {
    if (this.#resampler) this.#steer();
    const ready = this.#fill >= FRAME_SAMPLES && (this.#state === 'flowing' || this.#isPrimed());
    if (!ready) {
      this.#putInSilence(out);
      return false;
    }
    out.set(this.#queue.subarray(this.#start, this.#start + FRAME_SAMPLES));
    this.#skip(FRAME_SAMPLES);
    if (this.#state === 'filling') {
      this.#state = 'flowing';
      fadeIn(out.subarray(0, FADE_SAMPLES));
    }
    this.#tail.set(out.subarray(FRAME_SAMPLES - FADE_SAMPLES));
    return true;
  }

  /**
   * Drops the older of two whole frames, as when a backlog is worked off; the sound runs on smoothly.
   * @returns false when fewer than two wait
   */
  drop(): boolean {
    if (this.frames < 2) return false;
    this.#dropOldestFrame();
    return true;
  }

  #enqueue(samples: Float32Array): void {
    for (let at = 0; at < samples.length; at += FRAME_SAMPLES) {
      const piece =
        at === 0 && samples.length <= FRAME_SAMPLES ? samples : samples.subarray(at, at + FRAME_SAMPLES);
      if (this.#start + this.#fill + piece.length > this.#queue.length) {
        this.#queue.copyWithin(0, this.#start, this.#start + this.#fill);
        this.#start = 0;
      }
      this.#queue.set(piece, this.#start + this.#fill);
      this.#fill += piece.length;
      if (this.#fill >= (MAX_FRAMES + 1) * FRAME_SAMPLES) this.#dropOldestFrame();
    }
  }

  #skip(samples: number): void {
    this.#start += samples;
    this.#fill -= samples;
  }

  /** The frame that goes is cross-faded into the one behind it, so that what was pulled last runs on smoothly. */
  #dropOldestFrame(): void {
    const old = this.#start;
    this.#skip(FRAME_SAMPLES);
    for (let i = 0; i < FADE_SAMPLES; i++) {
      const weight = fadeWeight(i, FADE_SAMPLES);
      const at = this.#start + i;
      this.#queue[at] = this.#queue[at]! * weight + this.#queue[old + i]! * (1 - weight);
    }
    this.#droppedSamples += FRAME_SAMPLES;
  }

  #putInSilence(out: Float32Array): void {
    out.fill(0);
    if (this.#state === 'empty') return;
    this.missingFrames++;
    if (this.#state === 'filling') return;
    this.#state = 'filling';
    // The point reflection of the last samples goes on with their value and slope.
    const tail = this.#tail;
    const last = tail[FADE_SAMPLES - 1]!;
    for (let i = 0; i < FADE_SAMPLES - 1; i++) {
      out[i] = (2 * last - tail[FADE_SAMPLES - 2 - i]!) * (1 - fadeWeight(i, FADE_SAMPLES));
    }
  }

  // ------------------------------------------------------------------------------------------ steering

  /** The fill level wanted at a pull: a frame, a packet on its way, and the margin. */
  get #target(): number {
    return FRAME_SAMPLES + this.#packet + MARGIN_SAMPLES;
  }

  /** The fill level as if packets came sample by sample: what has come, and what of the next has been spoken. */
  #smoothFill(): number {
    const since = (this.#now() - this.#lastPush) * SAMPLES_PER_MS;
    return this.#fill + this.#resampler!.carried + Math.min(Math.max(since, 0), this.#packet);
  }

  #isPrimed(): boolean {
    if (!this.#resampler) return true;
    const surplus = Math.floor(this.#smoothFill() - this.#target);
    // Long packets that come just before the pull fill the queue before they reach the target; steering does the rest.
    if (surplus < 0 && this.frames < MAX_FRAMES) return false;
    // The sound fades in from here, so this is where going back to the least delay is not heard.
    const dropped = Math.max(0, Math.min(surplus, this.#fill - FRAME_SAMPLES));
    this.#skip(dropped);
    this.#droppedSamples += dropped;
    this.#error = 0;
    return true;
  }

  #steer(): void {
    if (this.#state !== 'flowing') return;
    let error = this.#smoothFill() - this.#target;
    if (error >= FRAME_SAMPLES && this.#fill >= 2 * FRAME_SAMPLES) {
      this.#dropOldestFrame();
      error -= FRAME_SAMPLES;
    }
    this.#error += (error - this.#error) * SMOOTHING;
    const frequency = this.#loopFrequency();
    const wanted = this.#drift + ((2 * frequency) / GAIN) * this.#error;
    // At its limit the integrator waits, or it would overshoot.
    if (Math.abs(wanted) < MAX_STEER_PPM) {
      const drift = this.#drift + (frequency ** 2 / GAIN) * this.#error * TICK_SECONDS;
      this.#drift = clamp(drift, MAX_DRIFT_PPM);
    }
    this.#steeredTicks = Math.abs(this.#error) < LOST_SAMPLES ? this.#steeredTicks + 1 : 0;
    this.#resampler!.setDrift(clamp(wanted, MAX_STEER_PPM));
  }

  #loopFrequency(): number {
    const found = this.#steeredTicks * TICK_SECONDS - SEEKING_SECONDS;
    return found <= 0 ? SEEKING : HOLDING + (SEEKING - HOLDING) * Math.exp(-found / SETTLING_SECONDS);
  }
}

const clamp = (x: number, limit: number): number => Math.max(-limit, Math.min(limit, x));
