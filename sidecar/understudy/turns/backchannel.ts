/** When to say "mm-hm": so often in a minute of the player's speech, and only where the player takes breath. */
import { FRAME_MS } from '../../audio/frame';
import type { Chance } from './bag';
import type { Heard } from './heard';

/** No listener nods at once. */
const FIRST_AFTER_MS = 1800;
/** A dip this long is a breath; much longer, and the turn may be over. */
const SHORTEST_DIP_MS = 80;
const LONGEST_DIP_MS = 280;
/** Intervals vary by this much either way. */
const JITTER = 0.4;

export class BackchannelTimer {
  readonly #chance: Chance;
  /** Player speech in this turn, and since the last backchannel. */
  #turnMs = 0;
  #sinceMs = 0;
  /** Relative to the mean interval. */
  #interval: number;

  constructor(chance: Chance) {
    this.#chance = chance;
    this.#interval = this.#draw();
  }

  /** The player's turn is over. */
  reset(): void {
    this.#turnMs = 0;
  }

  /**
   * Takes in one frame of the player's turn.
   * @param perMinute backchannels a minute of speech; 0: never
   * @returns true when this is the place for one
   */
  isDue(heard: Heard, perMinute: number, patienceMs: number): boolean {
    if (heard.voiced) {
      this.#turnMs += FRAME_MS;
      this.#sinceMs += FRAME_MS;
    }
    if (perMinute <= 0 || this.#turnMs < FIRST_AFTER_MS) return false;
    if (this.#sinceMs < (60_000 / perMinute) * this.#interval) return false;
    const longest = Math.max(SHORTEST_DIP_MS + FRAME_MS, Math.min(LONGEST_DIP_MS, patienceMs / 2));
    if (heard.quietMs < SHORTEST_DIP_MS || heard.quietMs >= longest) return false;
    this.#sinceMs = 0;
    this.#interval = this.#draw();
    return true;
  }

  #draw(): number {
    return this.#chance.between(1 - JITTER, 1 + JITTER);
  }
}
