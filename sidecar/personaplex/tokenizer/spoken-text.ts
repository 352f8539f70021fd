import type { Tokenizer } from './index';

/** Padding and marks, which are not text: 0 ends a pause, 1 and 2 are begin and end, 3 fills time. */
const LAST_MARK = 3;

/**
 * Turns the ids a model speaks, one a frame, into text as it becomes whole: byte pieces are held back until they make
 * a character. One for each conversation.
 */
export class SpokenText {
  private decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  private readonly byte = new Uint8Array(1);
  private holding = false;

  constructor(private readonly tokenizer: Tokenizer) {}

  /** The text that id completes: `''`, part of a word, or a word with its space before it. */
  push(id: number): string {
    // Padding may fall between the bytes of one character, so it does not end it.
    if (id <= LAST_MARK) return '';
    const byte = this.tokenizer.byteOf(id);
    if (byte < 0) return this.flush() + this.tokenizer.piece(id).replaceAll('▁', ' ');
    this.byte[0] = byte;
    this.holding = true;
    return this.decoder.decode(this.byte, { stream: true });
  }

  /** What is held back of an unfinished character, as U+FFFD; `''` when nothing is. */
  flush(): string {
    if (!this.holding) return '';
    this.holding = false;
    return this.decoder.decode();
  }
}
