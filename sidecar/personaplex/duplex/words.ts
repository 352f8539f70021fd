/** Whole words out of the text tokens a model speaks, one a frame. */
import { SpokenText, type Tokenizer } from '../tokenizer';

export class Words {
  readonly #text: SpokenText;
  #word = '';

  constructor(tokenizer: Tokenizer) {
    this.#text = new SpokenText(tokenizer);
  }

  /**
   * Takes a frame's token.
   * @param pause it is padding: no piece of a word
   * @returns the words it completes, each with a space before it; '' for none
   */
  push(token: number, pause: boolean): string {
    const piece = this.#text.push(token);
    if (pause) return this.#take();
    const begins = piece.lastIndexOf(' ');
    if (begins < 0) {
      this.#word += piece;
      return '';
    }
    const done = this.#word + piece.slice(0, begins);
    this.#word = piece.slice(begins);
    return spaced(done);
  }

  #take(): string {
    const done = this.#word;
    this.#word = '';
    return spaced(done);
  }
}

/** Marks on their own belong to the word before. */
const spaced = (words: string): string =>
  words.trim() === '' ? '' : /[\p{L}\p{N}]/u.test(words) ? ` ${words.trim()}` : words.trim();
