/**
 * A line the model is made to say: its text channel is forced to the line's tokens, one a frame, and the model finds
 * the sound to them, as it does to text of its own. Source: the "inner monologue" of the Moshi paper (arXiv 2410.00037),
 * section 3.4.4, where words stand in the frames they are spoken in, filled up with padding, and the token 0 ends a pause.
 * Approximate: how long a word takes is guessed from its letters, and the model may stumble where it would pause.
 */
import type { Tokenizer } from '../tokenizer';

/** Ends the padding before a word. */
const END_OF_PADDING = 0;
/** Frames a letter takes: fifteen letters a second, an easy pace. */
const FRAMES_PER_LETTER = 12.5 / 15;
/** Frames a pause takes after a mark. */
const CLAUSE_FRAMES = 3;
const SENTENCE_FRAMES = 6;

/**
 * The tokens of a line, one for each frame.
 * @param pad the token of a frame in which no word begins
 */
export function recite(tokenizer: Tokenizer, text: string, pad: number): number[] {
  const frames: number[] = [];
  for (const word of text.split(/\s+/)) {
    if (word === '') continue;
    const pieces = tokenizer.encode(word);
    frames.push(...pieces);
    const letters = word.replace(/[^\p{L}\p{N}]/gu, '').length;
    const pause = /[.!?…]["'”’)]*$/.test(word)
      ? SENTENCE_FRAMES
      : /[,;:—–-]["'”’)]*$/.test(word)
        ? CLAUSE_FRAMES
        : 0;
    const rest = Math.max(1, Math.round(letters * FRAMES_PER_LETTER) - pieces.length) + pause;
    for (let i = 1; i < rest; i++) frames.push(pad);
    frames.push(END_OF_PADDING);
  }
  // Nothing follows the last word.
  if (frames.length > 0) frames[frames.length - 1] = pad;
  return frames;
}
