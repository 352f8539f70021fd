/**
 * Puts a microphone's packet numbers in order without waiting: a packet is played at once or never, because a
 * packet held back to be sorted would delay every word. Numbers are uint32 and wrap.
 */

/** `offer`'s word for a packet that must not be played. */
export const IGNORE = -1;

/** Most packets concealed for one gap; longer gaps shorten the timeline instead of filling it with guesses. */
const MAX_CONCEALED = 8;
/** A jump ahead further than this is a sender that started afresh, not a loss. */
const MAX_GAP = 250;
/** A number further behind than this cannot be a straggler. */
const MAX_BEHIND = 64;
/** So many numbers in a row from behind are a sender that started afresh. */
const RESTART_RUN = 8;

export class PacketSequencer {
  /** Packets that never came in time: gaps in the numbers. */
  lost = 0;
  /** Packets that came twice, or after their place had been filled. */
  late = 0;
  /** Times the sender was taken to have started afresh. */
  restarts = 0;

  #expected: number | undefined;
  #lastLate = 0;
  #lateRun = 0;

  /**
   * Places one packet that has arrived.
   * @param n its number, 0..2^32-1
   * @returns how many lost packets to conceal (0..8) before playing it, or IGNORE
   */
  offer(n: number): number {
    const number = n >>> 0;
    if (this.#expected === undefined) return this.#play(number, 0);
    const ahead = (number - this.#expected) | 0;
    if (ahead >= 0 && ahead <= MAX_GAP) {
      this.lost += ahead;
      return this.#play(number, Math.min(ahead, MAX_CONCEALED));
    }
    if (ahead < 0 && ahead >= -MAX_BEHIND && !this.#isRestart(number)) {
      this.late++;
      return IGNORE;
    }
    this.restarts++;
    return this.#play(number, 0);
  }

  #play(number: number, concealed: number): number {
    this.#expected = (number + 1) >>> 0;
    this.#lateRun = 0;
    return concealed;
  }

  #isRestart(number: number): boolean {
    this.#lateRun = this.#lateRun > 0 && number === (this.#lastLate + 1) >>> 0 ? this.#lateRun + 1 : 1;
    this.#lastLate = number;
    return this.#lateRun >= RESTART_RUN;
  }
}
