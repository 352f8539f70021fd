/**
 * Text normalisation as SentencePiece does it: a precompiled table of replacements, then the rules for spaces.
 *
 * The table is `u32 LE size of the trie in bytes | trie | replacements`. The trie is a Darts-clone double array over
 * UTF-8: a unit holds its label in bits 0–7 (bit 31 marks a value), bit 8 tells that a value hangs below, and the
 * offset to its children in bits 10–30, times 256 when bit 9 is set. A value is the position of a NUL-terminated
 * replacement. (sentencepiece src/normalizer.cc, github.com/s-yata/darts-clone)
 */
import { NpcVoiceError } from '../../errors';

const SPACE = 0x20;
/** U+2581, which stands for a space inside pieces. */
const ESCAPED_SPACE = [0xe2, 0x96, 0x81] as const;
const REPLACEMENT = [0xef, 0xbf, 0xbd] as const;
/** What one match becomes: the longest of Unicode's NFKC, U+FDFA, takes 33 bytes. */
const MAX_REPLACEMENT_BYTES = 256;

export interface NormaliserRules {
  charsmap: Uint8Array;
  addDummyPrefix: boolean;
  removeExtraWhitespaces: boolean;
  escapeWhitespaces: boolean;
}

/** Bytes of the UTF-8 character that starts at `at`, or 0 when none does. */
function characterLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!;
  const length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (at + length > bytes.length) return 0;
  for (let i = 1; i < length; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return 0;
  return length;
}

export class Normaliser {
  private readonly units: Uint32Array;
  private readonly replacements: Uint8Array;

  /**
   * @param literals pieces that pass unchanged wherever they stand (user-defined ones)
   * @throws NpcVoiceError `model_invalid` when the table contradicts its own sizes, or would blow a text up
   */
  constructor(
    private readonly rules: NormaliserRules,
    private readonly literals: readonly Uint8Array[] = [],
  ) {
    const { charsmap } = rules;
    if (charsmap.length === 0) {
      this.units = new Uint32Array(0);
      this.replacements = new Uint8Array(0);
      return;
    }
    const view = new DataView(charsmap.buffer, charsmap.byteOffset, charsmap.byteLength);
    const size = charsmap.length < 4 ? 0 : view.getUint32(0, true);
    if (size === 0 || size % 4 !== 0 || 4 + size > charsmap.length)
      throw new NpcVoiceError('model_invalid', 'The tokenizer’s table of characters is damaged.');
    this.units = new Uint32Array(size / 4);
    for (let i = 0; i < this.units.length; i++) this.units[i] = view.getUint32(4 + 4 * i, true);
    this.replacements = charsmap.subarray(4 + size);
    for (let from = 0, end; from < this.replacements.length; from = end + 1) {
      end = this.replacements.indexOf(0, from);
      if (end < 0) end = this.replacements.length;
      if (end - from > MAX_REPLACEMENT_BYTES)
        throw new NpcVoiceError(
          'model_invalid',
          `The tokenizer’s table of characters replaces some by ${end - from} bytes.`,
        );
    }
  }

  /** The text as pieces are matched against it. */
  normalise(text: string): string {
    const input = new TextEncoder().encode(text);
    const { addDummyPrefix, removeExtraWhitespaces, escapeWhitespaces } = this.rules;
    const out: number[] = [];
    const space = escapeWhitespaces ? ESCAPED_SPACE : [SPACE];

    let at = 0;
    if (removeExtraWhitespaces)
      while (at < input.length) {
        const { length, bytes } = this.prefix(input, at);
        if (bytes.length !== 1 || bytes[0] !== SPACE) break;
        at += length;
      }
    if (at === input.length) return '';

    if (addDummyPrefix) out.push(...space);
    let afterSpace = removeExtraWhitespaces;
    while (at < input.length) {
      const { length, bytes } = this.prefix(input, at);
      let from = 0;
      while (afterSpace && bytes[from] === SPACE) from++;
      if (from < bytes.length) {
        for (let i = from; i < bytes.length; i++) {
          if (bytes[i] === SPACE) out.push(...space);
          else out.push(bytes[i]!);
        }
        afterSpace = removeExtraWhitespaces && bytes[bytes.length - 1] === SPACE;
      }
      at += length;
    }
    if (removeExtraWhitespaces)
      while (space.every((byte, i) => out[out.length - space.length + i] === byte))
        out.length -= space.length;
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(out));
  }

  /** What the text from `at` on begins with, and how many bytes of it that replaces. */
  private prefix(input: Uint8Array, at: number): { length: number; bytes: ArrayLike<number> } {
    const literal = this.longestLiteral(input, at);
    if (literal) return { length: literal.length, bytes: literal };
    const match = this.longestMatch(input, at);
    if (match) return match;
    const length = characterLength(input, at);
    return length ? { length, bytes: input.subarray(at, at + length) } : { length: 1, bytes: REPLACEMENT };
  }

  private longestLiteral(input: Uint8Array, at: number): Uint8Array | null {
    let longest: Uint8Array | null = null;
    for (const literal of this.literals)
      if (literal.length > (longest?.length ?? 0) && literal.every((byte, i) => input[at + i] === byte))
        longest = literal;
    return longest;
  }

  private longestMatch(input: Uint8Array, at: number): { length: number; bytes: Uint8Array } | null {
    const { units } = this;
    if (units.length === 0) return null;
    const offset = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
    let node = offset(units[0]!);
    let found: { length: number; value: number } | null = null;
    for (let i = at; i < input.length; i++) {
      node ^= input[i]!;
      const unit = units[node];
      if (unit === undefined || (unit & 0x800000ff) >>> 0 !== input[i]) break;
      node ^= offset(unit);
      if (unit & 0x100) found = { length: i + 1 - at, value: (units[node] ?? 0) & 0x7fffffff };
    }
    if (!found) return null;
    const end = this.replacements.indexOf(0, found.value);
    return {
      length: found.length,
      bytes: this.replacements.subarray(found.value, end < 0 ? this.replacements.length : end),
    };
  }
}
