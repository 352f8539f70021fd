/**
 * Walks a MessagePack message without building anything, so that what the decoder then builds is known to be
 * small, shallow and of plain types. The work is bounded by the message's length.
 */
import { NpcVoiceError } from '../errors';

export interface ScanLimits {
  /** Maps and lists inside one another, the root included. */
  depth: number;
  /** Values altogether, keys included. */
  values: number;
}

const bad = (what: string): NpcVoiceError =>
  new NpcVoiceError('bad_message', `This is not a message of npc-voice.v1: ${what}.`, {
    hint: 'A message is one MessagePack map with text keys, and no extension types.',
  });

/** Bytes of content after a first byte 0xc0..0xdf of fixed length; -1: extension types, and 0xc1, which is nothing. */
// prettier-ignore
const FIXED = [
  0, -1, 0, 0, 0, 0, 0, -1, -1, -1, 4, 8, 1, 2, 4, 8,
  1, 2, 4, 8, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0,
];

/** `__proto__` as MessagePack text: the one key that must never become a property. */
const PROTO = Uint8Array.from('__proto__', (c) => c.charCodeAt(0));

/** @throws NpcVoiceError `bad_message` for anything but one whole map of plain types within the limits. */
export function scan(bytes: Uint8Array, limits: ScanLimits): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.byteLength;
  /** Values still to come, and whether they are a map's, at each open level. */
  const left = new Float64Array(limits.depth);
  const isMap = new Uint8Array(limits.depth);
  let depth = 0;
  let values = 0;
  let at = 0;

  const need = (count: number): void => {
    if (count > end - at) throw bad(`it breaks off at byte ${end}`);
  };
  const length = (width: number): number => {
    need(width);
    const value = width === 1 ? view.getUint8(at) : width === 2 ? view.getUint16(at) : view.getUint32(at);
    at += width;
    return value;
  };

  do {
    if (at >= end) throw bad(end === 0 ? 'it is empty' : `it breaks off at byte ${end}`);
    if (++values > limits.values) throw bad(`it holds more than ${limits.values} values`);
    // A map's values come in pairs, so an even number left means that a key is next.
    const isKey = depth > 0 && isMap[depth - 1] === 1 && left[depth - 1]! % 2 === 0;
    if (depth > 0) left[depth - 1]!--;
    const token = bytes[at++]!;

    let children = -1;
    let map = false;
    let text = -1;
    let skip = 0;
    if (token <= 0x7f || token >= 0xe0) {
      // a small integer is its own content
    } else if (token <= 0x8f) {
      children = (token & 0x0f) * 2;
      map = true;
    } else if (token <= 0x9f) {
      children = token & 0x0f;
    } else if (token <= 0xbf) {
      text = token & 0x1f;
    } else if (token >= 0xc4 && token <= 0xc6) {
      skip = length(1 << (token - 0xc4));
    } else if (token >= 0xd9 && token <= 0xdb) {
      text = length(1 << (token - 0xd9));
    } else if (token === 0xdc || token === 0xdd) {
      children = length(token === 0xdc ? 2 : 4);
    } else if (token === 0xde || token === 0xdf) {
      children = length(token === 0xde ? 2 : 4) * 2;
      map = true;
    } else {
      skip = FIXED[token - 0xc0]!;
      if (skip < 0) throw bad(`byte ${at - 1} begins an extension type`);
    }

    if (values === 1 && !map) throw bad('it is not a map');
    if (isKey && text < 0) throw bad(`the key at byte ${at - 1} is not text`);
    if (text >= 0) {
      need(text);
      if (isKey && text === PROTO.length && PROTO.every((c, i) => bytes[at + i] === c))
        throw bad('no key may be __proto__');
      skip = text;
    }
    need(skip);
    at += skip;
    if (children >= 0) {
      // Every value takes a byte at least: refuse impossible lengths at once.
      need(children);
      if (depth === limits.depth) throw bad(`it is nested more than ${limits.depth} deep`);
      left[depth] = children;
      isMap[depth] = map ? 1 : 0;
      depth++;
    }
    while (depth > 0 && left[depth - 1] === 0) depth--;
  } while (depth > 0);
  if (at !== end) throw bad(`${end - at} bytes follow it`);
}
