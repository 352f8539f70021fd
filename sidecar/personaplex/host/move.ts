/** A conversation on its way behind a prompt, computed in slices while it goes on. */
import type { Refresh } from '../generator';
import type { PrimedLease } from './primed-prompts';
import type { Pace, Turns } from './turns';

/** Columns that may be left for the moment of the swap. */
const CAUGHT_UP = 16;
/** Columns that a swap computes at most; where more are left, the window ends before they could be. */
const MOST_AT_ONCE = 64;

export class Move {
  readonly #refresh: Refresh;
  readonly #turns: Turns;
  readonly #pace: Pace;
  #ended = false;
  #catchingUp: Promise<void> | null = null;

  /** @param lease the prompt; released when the move ends */
  constructor(
    refresh: Refresh,
    readonly lease: PrimedLease,
    turns: Turns,
    pace: Pace,
  ) {
    this.#refresh = refresh;
    this.#turns = turns;
    this.#pace = pace;
  }

  /** Computes, between steps, all but what a swap can take. May be called at any time. */
  catchUp(): Promise<void> {
    return (this.#catchingUp ??= this.#approach().finally(() => (this.#catchingUp = null)));
  }

  async #approach(): Promise<void> {
    while (!this.#ended && this.#refresh.remaining > CAUGHT_UP)
      await this.#turns.slice(async () => {
        if (!this.#ended) await this.#advance(this.#pace.columns(performance.now()));
      });
  }

  async #advance(limit: number): Promise<void> {
    const before = this.#refresh.remaining;
    const began = performance.now();
    await this.#refresh.advance(limit);
    const columns = before - this.#refresh.remaining;
    if (columns > 0) this.#pace.sliced(columns, performance.now() - began);
  }

  /**
   * Computes what remains and puts the conversation there. To be called in a turn of its own, which everybody waits for:
   * where it was not caught up, the older part of what remains is forgotten.
   */
  async finish(): Promise<void> {
    this.#refresh.skip(MOST_AT_ONCE);
    while (this.#refresh.remaining > 0) await this.#advance(Infinity);
    await this.#refresh.swap();
    this.#ended = true;
    this.lease.release();
  }

  /** Gives it up; the conversation stays where it is. */
  abandon(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#refresh.dispose();
    this.lease.release();
  }
}
