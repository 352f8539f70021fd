/** Writes voices as NVIDIA publishes them: torch's `.pt` files, and `voices.tgz` around them. */
import { crc32, gzipSync } from 'node:zlib';

export interface SavedVoice {
  /** Rows × dim bfloat16 bits, row-major. */
  rows: Uint16Array;
  dim: number;
  /** 17 × 4 tokens, row-major. */
  cache: Int32Array;
}

/** A voice as torch saves it; what `readVoiceEmbeddings` reads. */
export function writeVoiceEmbeddings({ rows, dim, cache }: SavedVoice): Uint8Array {
  const streams = cache.length / 4;
  const pickle = Buffer.concat([
    Buffer.from([0x80, 2]), // PROTO
    Buffer.from('}('),
    text('embeddings'),
    tensor('BFloat16Storage', '0', [rows.length / dim, 1, 1, dim]),
    text('cache'),
    tensor('LongStorage', '1', [1, streams, 4]),
    Buffer.from('u.'),
  ]);
  return storedZip([
    ['voice/data.pkl', pickle],
    ['voice/data/0', new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength)],
    ['voice/data/1', new Uint8Array(BigInt64Array.from(cache, BigInt).buffer)],
    ['voice/version', Buffer.from('3\n')],
  ]);
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
/** BINUNICODE of ASCII. */
const text = (value: string): Buffer =>
  Buffer.concat([Buffer.from('X'), u32(value.length), Buffer.from(value)]);
/** BININT. */
const integer = (value: number): Buffer => Buffer.concat([Buffer.from('J'), u32(value)]);
const tuple = (items: readonly Buffer[]): Buffer =>
  Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')]);

/** `_rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`. */
function tensor(storage: string, key: string, shape: readonly number[]): Buffer {
  const elements = shape.reduce((a, b) => a * b, 1);
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const id = tuple([
    text('storage'),
    Buffer.from(`ctorch\n${storage}\n`),
    text(key),
    text('cpu'),
    integer(elements),
  ]);
  const call = tuple([
    Buffer.concat([id, Buffer.from('Q')]),
    integer(0),
    tuple(shape.map(integer)),
    tuple(strides.map(integer)),
    Buffer.from([0x89]), // NEWFALSE
    Buffer.from('ccollections\nOrderedDict\n)R'),
  ]);
  return Buffer.concat([Buffer.from('ctorch._utils\n_rebuild_tensor_v2\n'), call, Buffer.from('R')]);
}

/** A ZIP archive of members stored as they are. (PKWARE APPNOTE 6.3) */
function storedZip(members: readonly (readonly [name: string, bytes: Uint8Array])[]): Uint8Array {
  const local: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const [name, bytes] of members) {
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0); // version needed
    fields.writeUInt32LE(crc32(bytes), 10);
    fields.writeUInt32LE(bytes.length, 14);
    fields.writeUInt32LE(bytes.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(at, 10);
    local.push(Buffer.from('PK\x03\x04', 'latin1'), fields, Buffer.from(name), bytes);
    directory.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), fields, rest, Buffer.from(name));
    at += 4 + fields.length + name.length + bytes.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...local, entries, end]);
}

const BLOCK = 512;

/** A gzipped tar with each voice at `voices/<name>`; what `readVoiceArchive` reads. */
export function writeVoiceArchive(voices: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [name, bytes] of voices) {
    const header = Buffer.alloc(BLOCK);
    header.write(`voices/${name}`, 0, 100);
    header.write('0000644\0', 100);
    header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('ustar\x0000', 257);
    header.write('0', 156);
    // The checksum counts its own eight bytes as spaces.
    header.write('        ', 148);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    parts.push(header, bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK));
  }
  return gzipSync(Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]));
}
