/**
 * Whether somebody speaks, by energy alone: the model hears for itself what is said, and this only tells games when the
 * player began and ended. A level well above the room's noise counts, and for a while after it.
 */

/** No room is so quiet that less than this counts: about -44 dBFS. */
const LEAST_LEVEL = 0.006;
/** How far above the noise speech is: about 10 dB. */
const ABOVE_NOISE = 3;
/** The noise follows falling levels at once and rising ones slowly: doubling takes some five seconds. */
const NOISE_RISE = 1.012;
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
  #noise = LEAST_LEVEL / ABOVE_NOISE;
  #loud = 0;
  #quiet = 0;
  #frames = 0;
  #speaking = false;

  /** @param level root mean square of a frame, 0..1 */
  hear(level: number): Activity {
    const isLoud = level > Math.max(LEAST_LEVEL, this.#noise * ABOVE_NOISE);
    this.#noise = level < this.#noise ? level : Math.min(this.#noise * NOISE_RISE + 1e-6, LEAST_LEVEL);
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
}
