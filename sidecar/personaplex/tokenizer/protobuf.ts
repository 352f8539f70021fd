/** Reads protobuf messages field by field; just the part of the wire format that SentencePiece files use. */
import { NpcVoiceError } from '../../errors';

export type ProtoValue =
  | { wire: 'varint'; value: number }
  | { wire: 'fixed32'; value: number }
  | { wire: 'bytes'; value: Uint8Array };

const invalid = (what: string): NpcVoiceError =>
  new NpcVoiceError('model_invalid', `The tokenizer is not a SentencePiece model: ${what}.`, {
    hint: 'Download tokenizer_spm_32k_3.model again.',
  });

/**
 * Calls `field` for every field of a message, in file order. 64-bit fixed fields are skipped.
 * @throws NpcVoiceError `model_invalid` on anything that is not a whole message
 */
export function readMessage(bytes: Uint8Array, field: (number: number, value: ProtoValue) => void): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): number => {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 10; i++) {
      const byte = bytes[at++];
      if (byte === undefined) throw invalid('it is cut short');
      // Past 2^53 only negative int32s are met, and their low bits are all that is asked of them.
      value += (byte & 127) * factor;
      factor *= 128;
      if (byte < 128) return value;
    }
    throw invalid('a number has more than ten bytes');
  };
  const take = (length: number): number => {
    if (length > bytes.length - at) throw invalid('it is cut short');
    at += length;
    return at - length;
  };
  while (at < bytes.length) {
    const key = varint();
    const number = Math.floor(key / 8);
    if (number < 1) throw invalid('a field has number 0');
    switch (key % 8) {
      case 0:
        field(number, { wire: 'varint', value: varint() });
        break;
      case 1:
        take(8);
        break;
      case 2: {
        const length = varint();
        const start = take(length);
        field(number, { wire: 'bytes', value: bytes.subarray(start, start + length) });
        break;
      }
      case 5:
        field(number, { wire: 'fixed32', value: view.getUint32(take(4), true) });
        break;
      default:
        throw invalid('it has a field of an unknown wire type');
    }
  }
}
