/** What a conversation is made of, kept where no driver can take it down: enough to go on in another host. */
import { COLUMN_INTS, MOVED, type RestoreSeat, type SeatTaken } from '../host';

type Columns = SeatTaken['columns'];

export class Conversation {
  readonly #kept: number;
  readonly #history: Int32Array;
  readonly #next = new Int32Array(COLUMN_INTS);
  #count = 0;

  /**
   * @param columns the prompt it stands behind
   * @param window columns a model sees at once: no more are kept
   */
  constructor(
    public columns: Columns,
    window: number,
  ) {
    this.#kept = window;
    this.#history = new Int32Array(window * COLUMN_INTS);
  }

  /** Takes a step's row of `moved`. */
  add(moved: Int32Array): void {
    this.#history.set(moved.subarray(MOVED.column, MOVED.text), (this.#count % this.#kept) * COLUMN_INTS);
    this.#next.set(moved.subarray(MOVED.text));
    this.#count++;
  }

  /** Columns still kept, oldest first. */
  #last(): Int32Array {
    const count = Math.min(this.#count, this.#kept);
    const last = new Int32Array(count * COLUMN_INTS);
    for (let i = 0; i < count; i++) {
      const at = ((this.#count - count + i) % this.#kept) * COLUMN_INTS;
      last.set(this.#history.subarray(at, at + COLUMN_INTS), i * COLUMN_INTS);
    }
    return last;
  }

  /** What a host needs to take it over. */
  handover(): Pick<RestoreSeat, 'columns' | 'count' | 'last' | 'next'> {
    const next = this.#next;
    return {
      columns: this.columns,
      count: this.#count,
      last: this.#last(),
      next:
        this.#count === 0
          ? null
          : { text: next[0]!, agent: next.slice(1, 9), user: next.slice(9, COLUMN_INTS) },
    };
  }
}
