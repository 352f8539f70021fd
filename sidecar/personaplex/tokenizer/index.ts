/**
 * SentencePiece's unigram tokenizer: text to ids for prompts, and ids to text as the model speaks them.
 * Follows sentencepiece src/unigram_model.cc (`EncodeOptimized`), to the rounding of its scores.
 */
import { readFileSync } from 'node:fs';
import { NpcVoiceError } from '../../errors';
import { Normaliser } from './charsmap';
import { PieceType, readTokenizerModel, type TokenizerModel } from './model-file';

export {
  PieceType,
  readTokenizerModel,
  type Piece,
  type PieceTypeValue,
  type TokenizerModel,
} from './model-file';
export { SpokenText } from './spoken-text';

/** Below every piece's score, so that an unknown character is the last resort. */
const UNKNOWN_PENALTY = 10;
/** `FLT_MIN`, from which the original starts its search for the highest score. */
const LEAST_FLOAT = 2 ** -126;

const utf8 = new TextEncoder();

export class Tokenizer {
  private readonly normaliser: Normaliser;
  /** Every piece that text can match, and every beginning of one (as -1), by its text. */
  private readonly beginnings = new Map<string, number>();
  private readonly bytePieces = new Int32Array(256).fill(-1);
  private readonly unknownScore: number;
  private readonly highestScore: number;

  constructor(private readonly model: TokenizerModel) {
    const literals: Uint8Array[] = [];
    let lowest = Infinity;
    let highest = LEAST_FLOAT;
    model.pieces.forEach(({ text, score, type }, id) => {
      if (type === PieceType.BYTE) {
        const byte = /^<0x([0-9A-F]{2})>$/.exec(text);
        if (byte) this.bytePieces[parseInt(byte[1]!, 16)] = id;
        return;
      }
      if (type === PieceType.UNKNOWN || type === PieceType.CONTROL) return;
      if (type === PieceType.NORMAL) {
        lowest = Math.min(lowest, score);
        highest = Math.max(highest, score);
      }
      if (type === PieceType.USER_DEFINED) literals.push(utf8.encode(text));
      for (let end = 1; end < text.length; end++) {
        const beginning = text.slice(0, end);
        if (!this.beginnings.has(beginning)) this.beginnings.set(beginning, -1);
      }
      if ((this.beginnings.get(text) ?? -1) < 0) this.beginnings.set(text, id);
    });
    if (model.byteFallback && this.bytePieces.includes(-1))
      throw new NpcVoiceError(
        'model_invalid',
        'The tokenizer falls back to bytes but lacks pieces for some of them.',
      );
    this.normaliser = new Normaliser(model, literals);
    this.unknownScore = Math.fround((lowest === Infinity ? 0 : lowest) - UNKNOWN_PENALTY);
    this.highestScore = Math.fround(highest);
  }

  /** @throws NpcVoiceError `model_invalid` or `unsupported`; see readTokenizerModel */
  static fromBytes(bytes: Uint8Array): Tokenizer {
    return new Tokenizer(readTokenizerModel(bytes));
  }

  /** @throws NpcVoiceError `io` when the file cannot be read; otherwise as fromBytes */
  static open(path: string): Tokenizer {
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(path);
    } catch (cause) {
      throw new NpcVoiceError('io', `The tokenizer ${path} could not be read: ${(cause as Error).message}.`, {
        cause,
      });
    }
    try {
      return Tokenizer.fromBytes(bytes);
    } catch (cause) {
      if (!(cause instanceof NpcVoiceError)) throw cause;
      const { code, message, hint } = cause;
      throw new NpcVoiceError(code, `${path}: ${message}`, { ...(hint ? { hint } : {}), cause });
    }
  }

  /** Number of ids. */
  get size(): number {
    return this.model.pieces.length;
  }

  /** The piece of an id, `▁` standing for a space. @throws RangeError when there is no such id */
  piece(id: number): string {
    return this.at(id).text;
  }

  /** The byte an id stands for, or -1 when it is no byte piece. */
  byteOf(id: number): number {
    return this.at(id).type === PieceType.BYTE ? this.bytePieces.indexOf(id) : -1;
  }

  private at(id: number): TokenizerModel['pieces'][number] {
    const piece = this.model.pieces[id];
    if (!piece) throw new RangeError(`${id} is not among the ${this.size} ids of this tokenizer`);
    return piece;
  }

  /** Ids of a text, with no beginning or end marks. Empty or all-blank text gives none. */
  encode(text: string): number[] {
    const characters = Array.from(this.normaliser.normalise(text));
    const ids: number[] = [];
    let afterUnknown = false;
    for (const { id, from } of this.bestPath(characters)) {
      const isUnknown = id === this.model.unknownId;
      if (isUnknown && this.model.byteFallback)
        for (const byte of utf8.encode(characters[from])) ids.push(this.bytePieces[byte]!);
      else if (!isUnknown || !afterUnknown) ids.push(id);
      afterUnknown = isUnknown;
    }
    return ids;
  }

  /** The segmentation of highest total score (Viterbi); an unknown piece spans one character. */
  private bestPath(characters: readonly string[]): { id: number; from: number }[] {
    const n = characters.length;
    // Totals are rounded to float32 where they are stored but compared unrounded, as in the original.
    const best = new Float32Array(n + 1);
    const cameFrom = new Int32Array(n + 1).fill(-1);
    const by = new Int32Array(n + 1).fill(-1);
    const offer = (to: number, from: number, id: number, total: number): void => {
      if (cameFrom[to]! >= 0 && !(total > best[to]!)) return;
      best[to] = total;
      cameFrom[to] = from;
      by[to] = id;
    };
    for (let from = 0; from < n; from++) {
      const soFar = best[from]!;
      let hasSingle = false;
      let text = '';
      for (let to = from + 1; to <= n; to++) {
        text += characters[to - 1]!;
        const id = this.beginnings.get(text);
        if (id === undefined) break;
        if (id < 0) continue;
        const { score, type } = this.model.pieces[id]!;
        if (type === PieceType.UNUSED) continue;
        const value =
          type === PieceType.USER_DEFINED
            ? Math.fround(utf8.encode(text).length * this.highestScore) - 0.1
            : score;
        offer(to, from, id, value + soFar);
        hasSingle ||= to === from + 1;
      }
      if (!hasSingle) offer(from + 1, from, this.model.unknownId, Math.fround(this.unknownScore + soFar));
    }
    const path: { id: number; from: number }[] = [];
    for (let to = n; to > 0; to = cameFrom[to]!) path.push({ id: by[to]!, from: cameFrom[to]! });
    return path.reverse();
  }
}
