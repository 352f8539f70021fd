/** Keeps what an NPC's seat has been told in step with its persona, the game's state and its overrides. */
import type { DuplexModel, UpdateReceipt } from '../duplex';
import type { Npc } from './npc';
import type { Cast } from './ports';

const NOTHING: UpdateReceipt = { speed: 'instant', costMs: 0 };
export class Briefing {
  readonly #npc: Npc;
  readonly #cast: Cast;
  readonly #model: DuplexModel;
  /** What the seat was last told, as text: telling it the same again would cost a re-prime for nothing. */
  #told = '';
  #running: Promise<unknown> = Promise.resolve();
  #waiting: Promise<UpdateReceipt> | null = null;

  constructor(npc: Npc, cast: Cast, model: DuplexModel) {
    this.#npc = npc;
    this.#cast = cast;
    this.#model = model;
  }

  /** Primes a seat with the brief as it now is. */
  async prime(options: { seed: number; greet: boolean }): Promise<number> {
    const brief = this.#brief();
    this.#told = JSON.stringify(brief);
    return this.#model.seat(brief, options);
  }

  /**
   * Tells the seat what has changed; resolves when it is in force. Changes that come while one is being told go
   * together as the next. A failed update leaves the seat as it was.
   */
  refresh(): Promise<UpdateReceipt> {
    if (this.#waiting) return this.#waiting;
    const next = this.#running.then(() => {
      this.#waiting = null;
      return this.#tell();
    });
    this.#waiting = next;
    this.#running = next.catch(() => undefined);
    return next;
  }

  async #tell(): Promise<UpdateReceipt> {
    const { seat } = this.#npc;
    // Before it is primed there is nobody to tell; afterwards its priming catches up.
    if (seat === null) return NOTHING;
    const brief = this.#brief();
    const text = JSON.stringify(brief);
    if (text === this.#told) return NOTHING;
    const receipt = await this.#model.update(seat, brief);
    this.#told = text;
    return receipt;
  }

  #brief() {
    return this.#cast.brief(this.#npc.persona, this.#npc.vars, this.#npc.overrides);
  }
}
