import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtobufWriter } from '../../../sidecar/personaplex/onnx/protobuf';

const hex = (writer: ProtobufWriter): string => Buffer.from(writer.finish()).toString('hex');

/** Reads the varint at the start, as unsigned 64 bits. */
function readVarint(bytes: Uint8Array): { value: bigint; length: number } {
  let value = 0n;
  for (let i = 0; ; i++) {
    value |= BigInt(bytes[i]! & 0x7f) << BigInt(7 * i);
    if (bytes[i]! < 0x80) return { value, length: i + 1 };
  }
}

describe('protobuf writer', () => {
  it('writes the encoding guide’s own examples', () => {
    expect(hex(new ProtobufWriter().integer(1, 150))).toBe('089601');
    expect(hex(new ProtobufWriter().text(2, 'testing'))).toBe('120774657374696e67');
    expect(hex(new ProtobufWriter().message(3, (inner) => inner.integer(1, 150)))).toBe('1a03089601');
  });

  it('writes negative integers over ten bytes and floats in four', () => {
    expect(hex(new ProtobufWriter().integer(1, -1))).toBe('08ffffffffffffffffff01');
    expect(hex(new ProtobufWriter().float(2, 1))).toBe('150000803f');
  });

  it('writes any safe integer so that it reads back', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const bytes = new ProtobufWriter().integer(1, value).finish().slice(1);
        const read = readVarint(bytes);
        expect(BigInt.asIntN(64, read.value)).toBe(BigInt(value));
        expect(read.length).toBe(bytes.length);
      }),
    );
  });

  it('keeps every byte however large the message grows', () => {
    const long = Uint8Array.from({ length: 100_000 }, (_, i) => i & 255);
    const bytes = new ProtobufWriter().bytes(1, long).bytes(1, long).finish();
    expect(bytes.length).toBe(2 * (1 + 3 + long.length));
    expect(Buffer.compare(bytes.subarray(-long.length), long)).toBe(0);
  });
});
