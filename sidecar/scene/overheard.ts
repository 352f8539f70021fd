/** What an NPC hears other NPCs say, in words: no detector tells them, but whoever makes the frames knows. */
import type { SoundSource } from '../wire/messages';

/** Characters kept of one speaker, as many as a scripted line may have. */
const MOST_KEPT = 2000;

export class Overheard {
  readonly #words = new Map<SoundSource, string>();

  /**
   * One frame of another NPC came in.
   * @param text its words, each with a space before it
   * @param anew a turn begins with it: what was said before led to none, or to one that is over
   */
  add(from: SoundSource, text: string, anew: boolean): void {
    if (!anew && text === '') return;
    this.#words.set(from, ((anew ? '' : (this.#words.get(from) ?? '')) + text).slice(-MOST_KEPT));
  }

  /** A turn of `from` is over: its words. Nothing said so far belongs to the next. */
  take(from: SoundSource | undefined): string {
    const words = from === undefined ? undefined : this.#words.get(from);
    this.#words.clear();
    return words?.trim() ?? '';
  }

  forget(from: SoundSource): void {
    this.#words.delete(from);
  }
}
