/** MessagePack, as npc-voice.v1 uses it: maps with text keys, plain types, binary for bytes. */
import { Packr } from 'msgpackr';
import { NpcVoiceError } from '../errors';
import { MAX_DEPTH } from './limits';
import { scan } from './scan';

/**
 * `useRecords` off, or maps become an extension only JavaScript reads; `variableMapSize`, or every map is map16;
 * absent fields are left out, since msgpackr would send `undefined` as an extension.
 */
const settings = {
  useRecords: false,
  variableMapSize: true,
  int64AsType: 'number' as const,
  encodeUndefinedAsNil: true,
  skipValues: [undefined],
};
const packr = new Packr(settings);

/** Encodes a message. Bytes in it must be Uint8Array: other typed arrays are packed wrongly by msgpackr. */
export function encodeMessage(message: object): Uint8Array {
  return packr.pack(message);
}

/**
 * Decodes one message: a map, not yet checked further. Binary values share the memory of `bytes`, at any offset:
 * copy them before keeping them or viewing them as wider numbers.
 * @throws NpcVoiceError `bad_message`
 */
export function decodeMessage(
  bytes: Uint8Array,
  limits: { depth?: number; values?: number } = {},
): Record<string, unknown> {
  scan(bytes, { depth: limits.depth ?? MAX_DEPTH, values: limits.values ?? Infinity });
  try {
    return packr.unpack(bytes) as Record<string, unknown>;
  } catch (cause) {
    throw new NpcVoiceError('bad_message', 'This message could not be decoded.', { cause });
  }
}
