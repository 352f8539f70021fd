/** A SentencePiece model file (`ModelProto`), read and checked. (github.com/google/sentencepiece, sentencepiece_model.proto) */
import { NpcVoiceError } from '../../errors';
import { readMessage, type ProtoValue } from './protobuf';

export const PieceType = { NORMAL: 1, UNKNOWN: 2, CONTROL: 3, USER_DEFINED: 4, UNUSED: 5, BYTE: 6 } as const;
export type PieceTypeValue = (typeof PieceType)[keyof typeof PieceType];

export interface Piece {
  text: string;
  /** Natural logarithm of a probability, as float32. */
  score: number;
  type: PieceTypeValue;
}

export interface TokenizerModel {
  pieces: readonly Piece[];
  unknownId: number;
  byteFallback: boolean;
  /** What text is turned into before it is cut into pieces; see charsmap.ts. Empty: nothing is changed. */
  charsmap: Uint8Array;
  addDummyPrefix: boolean;
  removeExtraWhitespaces: boolean;
  escapeWhitespaces: boolean;
}

/** The published model has 0.55 MB; SentencePiece makes no piece longer than 64 bytes unless told to. */
const MAX_BYTES = 2 * 2 ** 20;
const MAX_PIECE_BYTES = 256;
const MAX_PIECES = 1_000_000;
const MODEL_TYPES = ['', 'unigram', 'BPE', 'word', 'char'];

const invalid = (what: string): NpcVoiceError =>
  new NpcVoiceError('model_invalid', `The tokenizer cannot be used: ${what}.`, {
    hint: 'PersonaPlex’s own is tokenizer_spm_32k_3.model.',
  });

const floatBits = new Float32Array(1);
const floatBitsView = new Uint32Array(floatBits.buffer);
function floatOf(bits: number): number {
  floatBitsView[0] = bits;
  return floatBits[0]!;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
function textOf(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw invalid('a piece is not UTF-8');
  }
}

function readPiece(bytes: Uint8Array): Piece {
  const piece: Piece = { text: '', score: 0, type: PieceType.NORMAL };
  readMessage(bytes, (number, field) => {
    if (number === 1 && field.wire === 'bytes') {
      if (field.value.length > MAX_PIECE_BYTES) throw invalid(`a piece has ${field.value.length} bytes`);
      piece.text = textOf(field.value);
    } else if (number === 2 && field.wire === 'fixed32') piece.score = floatOf(field.value);
    else if (number === 3 && field.wire === 'varint') {
      if (field.value < 1 || field.value > 6) throw invalid(`a piece has the unknown type ${field.value}`);
      piece.type = field.value as PieceTypeValue;
    }
  });
  if (!Number.isFinite(piece.score)) throw invalid(`the score of “${piece.text}” is not finite`);
  return piece;
}

const isSet = (field: ProtoValue): boolean => field.wire === 'varint' && field.value !== 0;

/**
 * Reads a model file.
 * @throws NpcVoiceError `model_invalid` when it is damaged, `unsupported` when it is not of the unigram kind
 */
export function readTokenizerModel(bytes: Uint8Array): TokenizerModel {
  if (bytes.length > MAX_BYTES) throw invalid(`it has ${bytes.length} bytes`);
  const pieces: Piece[] = [];
  const model: TokenizerModel = {
    pieces,
    unknownId: -1,
    byteFallback: false,
    charsmap: new Uint8Array(0),
    addDummyPrefix: true,
    removeExtraWhitespaces: true,
    escapeWhitespaces: true,
  };
  // The format's own default is unigram.
  let modelType = 1;
  let spaceAsSuffix = false;
  readMessage(bytes, (number, field) => {
    if (field.wire !== 'bytes') return;
    if (number === 1) {
      if (pieces.length >= MAX_PIECES) throw invalid(`it has more than ${MAX_PIECES} pieces`);
      pieces.push(readPiece(field.value));
    } else if (number === 2)
      readMessage(field.value, (key, value) => {
        if (key === 3 && value.wire === 'varint') modelType = value.value;
        else if (key === 24) spaceAsSuffix = isSet(value);
        else if (key === 35) model.byteFallback = isSet(value);
      });
    else if (number === 3)
      readMessage(field.value, (key, value) => {
        if (key === 2 && value.wire === 'bytes') model.charsmap = value.value;
        else if (key === 3) model.addDummyPrefix = isSet(value);
        else if (key === 4) model.removeExtraWhitespaces = isSet(value);
        else if (key === 5) model.escapeWhitespaces = isSet(value);
      });
  });
  if (pieces.length === 0) throw invalid('it holds no pieces');
  if (modelType !== 1 || spaceAsSuffix)
    throw new NpcVoiceError(
      'unsupported',
      spaceAsSuffix
        ? 'This tokenizer writes spaces after words; PersonaPlex’s writes them before.'
        : `This tokenizer is of the ${MODEL_TYPES[modelType] ?? 'unknown'} kind; PersonaPlex’s is unigram.`,
      { hint: 'Use the tokenizer that comes with the checkpoint: tokenizer_spm_32k_3.model.' },
    );
  model.unknownId = pieces.findIndex((piece) => piece.type === PieceType.UNKNOWN);
  if (model.unknownId < 0) throw invalid('it has no unknown piece');
  return model;
}
