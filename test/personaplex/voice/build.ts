/** Writes `.pt` voices and `voices.tgz` archives for tests, sound ones and spoiled ones. */
import { crc32, gzipSync } from 'node:zlib';

export interface ZipMember {
  name: string;
  bytes: Uint8Array;
  method?: number;
  flags?: number;
  /** Claimed instead of the true figures. */
  size?: number;
  packed?: number;
  crc?: number;
  extra?: number;
}

/** A ZIP of stored members. `extra` pads a member through its local header, as torch does. */
export function zip(members: readonly ZipMember[]): Uint8Array {
  const local: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, bytes, method = 0, flags = 0x808, extra = 0, ...claim } of members) {
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(flags, 2);
    fields.writeUInt16LE(method, 4);
    fields.writeUInt32LE(claim.crc ?? crc32(bytes), 10);
    fields.writeUInt32LE(claim.packed ?? claim.size ?? bytes.length, 14);
    fields.writeUInt32LE(claim.size ?? bytes.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const localFields = Buffer.from(fields);
    // With flag 8 the local header leaves sizes to the directory.
    localFields.fill(0, 10, 22);
    localFields.writeUInt16LE(extra, 24);
    const head = Buffer.concat([
      Buffer.from('PK\x03\x04', 'latin1'),
      localFields,
      Buffer.from(name),
      Buffer.alloc(extra),
    ]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    directory.push(
      Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), fields, tail, Buffer.from(name)]),
    );
    local.push(head, Buffer.from(bytes));
    at += head.length + bytes.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(at, 16);
  return Uint8Array.from(Buffer.concat([...local, entries, end]));
}

const u16 = (value: number): Buffer => Buffer.from([value & 255, value >> 8]);
const text = (value: string): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(value.length);
  return Buffer.concat([Buffer.from('X'), length, Buffer.from(value)]);
};
const int = (value: number): Buffer => Buffer.concat([Buffer.from('M'), u16(value)]);
const tuple = (...items: Buffer[]): Buffer => Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')]);

export interface PickledTensor {
  key: string;
  storage: string;
  elements: number;
  offset?: number;
  shape: readonly number[];
  strides: readonly number[];
  location?: string;
}

/** A pickled tensor, as torch's `_rebuild_tensor_v2` makes it. */
export const tensor = ({
  key,
  storage,
  elements,
  offset = 0,
  shape,
  strides,
  location = 'cuda:0',
}: PickledTensor): Buffer =>
  Buffer.concat([
    Buffer.from('ctorch._utils\n_rebuild_tensor_v2\n'),
    tuple(
      Buffer.concat([
        tuple(text('storage'), Buffer.from(`c${storage}\n`), text(key), text(location), int(elements)),
        Buffer.from('Q'),
      ]),
      int(offset),
      tuple(...shape.map(int)),
      tuple(...strides.map(int)),
      Buffer.from([0x89]),
      Buffer.from('ccollections\nOrderedDict\n)R'),
    ),
    Buffer.from('R'),
  ]);

export const pickle = (entries: Record<string, Buffer>): Uint8Array =>
  Uint8Array.from(
    Buffer.concat([
      Buffer.from([0x80, 2]),
      Buffer.from('}('),
      ...Object.entries(entries).flatMap(([name, value]) => [text(name), value]),
      Buffer.from('u.'),
    ]),
  );

export interface TarEntry {
  name: string;
  bytes?: Uint8Array;
  type?: string;
  size?: number;
}

export function tgz(entries: readonly TarEntry[]): Uint8Array {
  const blocks = entries.map(({ name, bytes = new Uint8Array(0), type = '0', size = bytes.length }) => {
    const header = Buffer.alloc(512);
    header.write(name, 0, 100);
    header.write('0000644\0', 100);
    header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
    header.write('        ', 148);
    header.write(type, 156);
    header.write('ustar\x0000', 257);
    const sum = header.reduce((a, b) => a + b, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return Buffer.concat([header, Buffer.from(bytes), Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
  });
  return Uint8Array.from(gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)])));
}
