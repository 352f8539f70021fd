/** The text a neural duplex model is primed with. */

/** Role and facts as one prompt, on one line, in the shapes PersonaPlex was trained on; without <system> tags. */
export function renderPrompt(role: string, facts: readonly string[]): string {
  const parts = [sentence(role), ...facts.map(sentence)].filter((part) => part !== '');
  // The service prompts of its training set list what the character knows after this word; casual ones just go on.
  if (facts.length > 0 && /^You work (for|at)\b/.test(parts[0] ?? '')) parts.splice(1, 0, 'Information:');
  return parts.join(' ');
}

function sentence(text: string): string {
  const oneLine = text.replace(/\s+/g, ' ').trim();
  return oneLine === '' || /[.!?:;]["')]?$/.test(oneLine) ? oneLine : oneLine + '.';
}

/** What a prompt costs in PersonaPlex. An estimate: the tokenizer itself comes with the model. */
export interface PromptCost {
  /** SentencePiece tokens of the text with its two <system> tags. */
  tokens: number;
  /** Seconds of the model's 240 s of context that the whole prompt takes: also how long the reference takes to prime. */
  seconds: number;
}

/** Frames of a prompt that are not text: a voice prompt of about 52 frames and twice 6 of silence. */
const FRAMES_BESIDES_TEXT = 64;
const FRAME_SECONDS = 0.08;

/**
 * About 1 token for each 4 characters of English or each word, whichever is more, as with vocabularies of 32 000
 * pieces; and one token takes one frame of 80 ms.
 */
export function estimatePrompt(prompt: string): PromptCost {
  const words = prompt.split(/\s+/).filter(Boolean).length;
  const marks = prompt.match(/[^\w\s]/g)?.length ?? 0;
  const tokens = Math.round(Math.max(prompt.length / 4, words + marks)) + 8;
  return { tokens, seconds: Math.round((tokens + FRAMES_BESIDES_TEXT) * FRAME_SECONDS * 10) / 10 };
}
