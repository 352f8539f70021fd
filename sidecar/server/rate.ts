/** Rates and rounding. */

/** Spends at most `burst` at once and `perSecond` in the long run. */
export class Bucket {
  #level: number;
  #filled: number;

  constructor(
    private readonly burst: number,
    private readonly perSecond: number,
    private readonly now: () => number,
  ) {
    this.#level = burst;
    this.#filled = now();
  }

  /** False: nothing is left. */
  take(): boolean {
    const now = this.now();
    this.#level = Math.min(this.burst, this.#level + ((now - this.#filled) / 1000) * this.perSecond);
    this.#filled = now;
    if (this.#level < 1) return false;
    this.#level--;
    return true;
  }
}

/** Milliseconds, to a microsecond: figures a person reads. */
export const round = (ms: number): number => Math.round(ms * 1000) / 1000;
