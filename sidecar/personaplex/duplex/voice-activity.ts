/**
 * Whether somebody speaks, by energy alone: the model hears for itself what is said, and this only tells games when the
 * player began and ended. A level well above the room's noise counts, and for a while after it.
 */

/** No room is so quiet that less than this counts: about -44 dBFS. */
const LEAST_LEVEL = 0.006;
/** How far above the noise speech is: about 10 dB. */
const ABOVE_NOISE = 3;
/**
 * The noise is the lowest level of the last five seconds: whoever speaks for so long pauses, and a fan does not. Kept as
 * the lowest of each 0.8 s.
 */
const SPANS = 6;
const SPAN_FRAMES = 10;
/** Frames a sound must last to be speech, and frames of quiet that end it. */
const ONSET_FRAMES = 2;
const RELEASE_FRAMES = 6;
const FRAME_MS = 80;

export interface Activity {
  /** Speech goes on in this frame. */
  speaking: boolean;
  started: boolean;
  /** Length of the speech that ended with this frame, ms; 0: none did. */
  endedMs: number;
}

export class VoiceActivity {
  /** The lowest level of each span, oldest first; of frames that were heard. The room is quiet until it is known. */
  readonly #spans = new Float64Array(SPANS).fill(LEAST_LEVEL / ABOVE_NOISE);
  #lowest = 1;
  #spanFrames = 0;
  #noise = LEAST_LEVEL / ABOVE_NOISE;
  #loud = 0;
  #quiet = 0;
  #frames = 0;
  #speaking = false;

  /** @param level root mean square of a frame, 0..1; null: nothing was heard, which says nothing of the room */
  hear(level: number | null): Activity {
    const isLoud = level !== null && level > Math.max(LEAST_LEVEL, this.#noise * ABOVE_NOISE);
    if (level !== null) this.#learn(level);
    this.#loud = isLoud ? this.#loud + 1 : 0;
    this.#quiet = isLoud ? 0 : this.#quiet + 1;
    if (this.#speaking) {
      this.#frames++;
      if (this.#quiet < RELEASE_FRAMES) return { speaking: true, started: false, endedMs: 0 };
      this.#speaking = false;
      return { speaking: false, started: false, endedMs: (this.#frames - RELEASE_FRAMES) * FRAME_MS };
    }
    if (this.#loud < ONSET_FRAMES) return { speaking: false, started: false, endedMs: 0 };
    this.#speaking = true;
    this.#frames = ONSET_FRAMES;
    return { speaking: true, started: true, endedMs: 0 };
  }

  #learn(level: number): void {
    this.#lowest = Math.min(this.#lowest, level);
    if (++this.#spanFrames < SPAN_FRAMES) return;
    this.#spans.copyWithin(0, 1);
    this.#spans[SPANS - 1] = this.#lowest;
    this.#noise = Math.min(...this.#spans);
    this.#lowest = 1;
    this.#spanFrames = 0;
  }
}
