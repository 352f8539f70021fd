/**
 * The jitter buffer between frames as they arrive and samples as they are played. It runs inside the audio
 * worklet, at 24 kHz, before resampling; it knows nothing of the Web Audio API, so tests drive it directly.
 *
 * The NPC's stream never stops (silent frames are frames too), so the buffer is steered by one figure: the
 * headroom, what is still unplayed when the next frame arrives. Too little is an underrun to come, too much
 * is needless delay. Surplus is taken out of, and deficit put into, silence, where nobody hears it; within
 * speech the resampler runs a fifth of a per cent fast or slow.
 *
 * Whatever breaks the waveform (an underrun, a gap, a flush) is reached and left through a ramp of the gain.
 */

/** Samples in a frame; the wire's unit. */
export const FRAME = 1920;
/** Samples between two position marks: one mouth step. */
export const STEP = 480;
const MS = 24;
/** Length of the ramps around a break: 5 ms. */
const RAMP = 5 * MS;
const RING = 32;
const TARGET_START = 50 * MS;
const TARGET_FLOOR = 30 * MS;
const TARGET_CEILING = 160 * MS;
const TARGET_GROWTH = 20 * MS;
/** Buffered beyond the target by more than this, whole frames are skipped. */
const SURPLUS_MAX = 240 * MS;
/** Headroom this far from the target is left alone. */
const TOLERANCE = 10 * MS;
/** Frames over which the lowest headroom is taken: 2 s. */
const WINDOW = 25;
/** Frames without an underrun after which the target shrinks by 5 ms: 20 s. */
const CALM = 250;
/** How far the resampler is bent, parts per million: under 4 cents, which nobody hears. */
export const BEND_PPM = 2000;

export interface PlayoutStats {
  /** Unplayed now, milliseconds. */
  bufferedMs: number;
  /** Headroom aimed at, milliseconds. */
  targetMs: number;
  underruns: number;
  /** Frames that never came. */
  lost: number;
  /** Frames skipped to bound the delay. */
  skipped: number;
  /** Frames flushed before they were played. */
  flushed: number;
}

interface Slot {
  n: number;
  /** Null: silence. */
  pcm: Float32Array | null;
  /** The waveform does not continue the one before. */
  broken: boolean;
}

/** Playback reached sample `s` (0..1920, in steps of 480) of frame `n`, `offset` samples into this pull. */
export type MarkListener = (n: number, s: number, offset: number) => void;

export class Playout {
  readonly #slots: Slot[] = Array.from({ length: RING }, () => ({ n: 0, pcm: null, broken: false }));
  #head = 0;
  #count = 0;
  /** Samples of the head frame already played. */
  #at = 0;
  #next = -1;
  #playing = false;
  /** Samples still to wait before playing starts. */
  #wait = 0;
  #gain = 0;
  /** Gain a sample, downwards, while flushed frames pass. */
  #fade = 1 / RAMP;
  /** Frames below this are flushed: they pass as silence, so that the delay stays what it was. */
  #mutedBelow = -1;

  #target = TARGET_START;
  #low = Infinity;
  #lowBefore = Infinity;
  #arrivals = 0;
  #calm = 0;

  #underruns = 0;
  #lost = 0;
  #skipped = 0;
  #flushed = 0;

  readonly #onMark: MarkListener;

  constructor(onMark: MarkListener = () => {}) {
    this.#onMark = onMark;
  }

  /** Samples not yet played. */
  get buffered(): number {
    return this.#count * FRAME - this.#at;
  }

  get stats(): PlayoutStats {
    return {
      bufferedMs: this.buffered / MS,
      targetMs: this.#target / MS,
      underruns: this.#underruns,
      lost: this.#lost,
      skipped: this.#skipped,
      flushed: this.#flushed,
    };
  }

  /** How much faster (positive) or slower than nominal playback should run, parts per million. */
  get bendPpm(): number {
    if (!this.#playing) return 0;
    const surplus = this.#lowWater() - this.#target;
    if (surplus > TOLERANCE && surplus < Infinity) return BEND_PPM;
    return surplus < -TOLERANCE ? -BEND_PPM : 0;
  }

  /** Takes frame `n`, 1920 samples or null for silence. The array is kept, not copied. */
  push(n: number, pcm: Float32Array | null): void {
    if (n < this.#next) return;
    const gap = this.#next >= 0 ? n - this.#next : 0;
    this.#lost += gap;
    this.#next = n + 1;
    this.#measure();
    if (this.#count === RING) this.#dropSecond();
    const slot = this.#slots[(this.#head + this.#count) % RING]!;
    slot.n = n;
    slot.pcm = n < this.#mutedBelow ? null : pcm;
    slot.broken = gap > 0;
    this.#count++;
    if (!this.#playing && this.#count === 1) this.#wait = this.#target;
    const enough = this.#target + FRAME;
    if (this.buffered > enough + SURPLUS_MAX)
      while (this.#count > 2 && this.buffered > enough) this.#dropSecond();
  }

  /**
   * Silences what is buffered of frames before `n`, fading out over `fadeMs`.
   * Returns the place up to which playback is heard, or null when none of it was being played.
   */
  flush(n: number, fadeMs: number): { n: number; s: number } | null {
    if (n <= this.#mutedBelow) return null;
    this.#mutedBelow = n;
    const head = this.#slots[this.#head]!;
    if (this.#count === 0 || !this.#playing || head.n >= n) return null;
    let remaining = -this.#at;
    let audible = 0;
    for (let i = 0; i < this.#count; i++) {
      const slot = this.#slots[(this.#head + i) % RING]!;
      if (slot.n >= n) {
        slot.broken = true;
        break;
      }
      remaining += FRAME;
      if (slot.pcm) audible++;
    }
    this.#flushed += audible;
    const fade = Math.max(1, Math.min(Math.round(fadeMs * MS), remaining));
    this.#fade = 1 / fade;
    return { n: head.n, s: Math.min(FRAME, this.#at + fade) };
  }

  /** Forgets everything, as after a dropped connection: the next stream starts at frame 0 again. */
  reset(): void {
    this.#head = this.#count = this.#at = 0;
    this.#next = this.#mutedBelow = -1;
    this.#playing = false;
    this.#gain = 0;
    this.#target = TARGET_START;
    this.#forgetLow();
  }

  /** Fills `out` with the next samples: the stream, or silence while there is none. */
  pull(out: Float32Array): void {
    let i = 0;
    while (i < out.length) {
      if (!this.#playing && !this.#start(out.length - i)) {
        out.fill(0, i);
        return;
      }
      i = this.#play(out, i);
    }
  }

  /** Counts down to the start of playback; true when it has begun. */
  #start(samples: number): boolean {
    if (this.#count === 0) return false;
    if (this.#wait > 0 && this.#count < 3) {
      this.#wait -= samples;
      return false;
    }
    this.#playing = true;
    this.#gain = 0;
    return true;
  }

  /** Plays from the head frame up to the next mark; returns the new place in `out`. */
  #play(out: Float32Array, from: number): number {
    const slot = this.#slots[this.#head]!;
    const muted = slot.n < this.#mutedBelow;
    const silent = slot.pcm === null;
    // Silence needs no ramp out of it, and the sidecar's own onset is left as it is.
    if (silent) this.#gain = muted ? 0 : 1;
    if (silent && this.#at % STEP === 0) {
      const stretched = this.#adjustInSilence(out, from);
      if (stretched > from) return stretched;
    }
    if (this.#at % STEP === 0 && !muted && (this.#at === 0 || !silent)) this.#onMark(slot.n, this.#at, from);

    const toMark = STEP - (this.#at % STEP);
    const toBreak = this.#untilBreak();
    const down = muted || toBreak <= RAMP;
    // The ramp down starts where it will just reach zero at the break.
    const length = Math.min(out.length - from, toMark, down ? FRAME : toBreak - RAMP);
    if (silent) out.fill(0, from, from + length);
    else this.#ramp(out, from, length, slot.pcm!, muted ? -this.#fade : down ? -1 / RAMP : 1 / RAMP);
    this.#at += length;
    if (this.#at === FRAME) this.#leave(slot, muted, from + length);
    return from + length;
  }

  #ramp(out: Float32Array, from: number, length: number, pcm: Float32Array, slope: number): void {
    let gain = this.#gain;
    for (let i = 0; i < length; i++) {
      gain += slope;
      if (gain > 1) gain = 1;
      else if (gain < 0) gain = 0;
      out[from + i] = pcm[this.#at + i]! * gain;
    }
    this.#gain = gain;
  }

  #leave(slot: Slot, muted: boolean, offset: number): void {
    if (!muted) this.#onMark(slot.n, FRAME, offset);
    slot.pcm = null;
    this.#head = (this.#head + 1) % RING;
    this.#count--;
    this.#at = 0;
    if (this.#count > 0) return;
    this.#playing = false;
    this.#gain = 0;
    this.#underruns++;
    this.#calm = 0;
    this.#target = Math.min(TARGET_CEILING, this.#target + TARGET_GROWTH);
    this.#forgetLow();
  }

  /** Samples until the waveform breaks: the end of what is buffered, or a frame that does not continue. */
  #untilBreak(): number {
    let until = FRAME - this.#at;
    if (until > 2 * RAMP && this.#count > 0) return until;
    for (let i = 1; i < this.#count; i++) {
      if (this.#slots[(this.#head + i) % RING]!.broken) return until;
      until += FRAME;
    }
    return until;
  }

  /** In a silent frame the clock may be put right unheard. Returns the new place in `out`. */
  #adjustInSilence(out: Float32Array, from: number): number {
    const surplus = this.#lowWater() - this.#target;
    if (surplus > TOLERANCE && surplus < Infinity) {
      const skip = Math.floor(Math.min(surplus, FRAME - this.#at - STEP) / STEP) * STEP;
      if (skip > 0) {
        this.#at += skip;
        this.#shiftLow(-skip);
      }
    } else if (surplus < -TOLERANCE) {
      const wait = Math.min(-surplus, out.length - from);
      out.fill(0, from, from + wait);
      this.#shiftLow(wait);
      return from + wait;
    }
    return from;
  }

  /** Drops the oldest frame that has not begun to play. */
  #dropSecond(): void {
    for (let i = 1; i < this.#count - 1; i++) {
      const to = this.#slots[(this.#head + i) % RING]!;
      const from = this.#slots[(this.#head + i + 1) % RING]!;
      to.n = from.n;
      to.pcm = from.pcm;
      to.broken = from.broken;
    }
    this.#count--;
    this.#slots[(this.#head + 1) % RING]!.broken = true;
    this.#slots[(this.#head + this.#count) % RING]!.pcm = null;
    this.#skipped++;
    this.#shiftLow(-FRAME);
  }

  #measure(): void {
    if (!this.#playing) return;
    this.#low = Math.min(this.#low, this.buffered);
    if (++this.#arrivals >= WINDOW) {
      this.#arrivals = 0;
      this.#lowBefore = this.#low;
      this.#low = Infinity;
    }
    if (++this.#calm >= CALM) {
      this.#calm = 0;
      this.#target = Math.max(TARGET_FLOOR, this.#target - 5 * MS);
    }
  }

  /** Lowest headroom of the last two windows; infinite until one window has passed. */
  #lowWater(): number {
    return this.#lowBefore === Infinity ? Infinity : Math.min(this.#low, this.#lowBefore);
  }

  #shiftLow(by: number): void {
    this.#low += by;
    this.#lowBefore += by;
  }

  #forgetLow(): void {
    this.#low = this.#lowBefore = Infinity;
    this.#arrivals = 0;
  }
}
