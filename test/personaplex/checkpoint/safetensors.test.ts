import fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NpcVoiceError } from '../../../sidecar/errors';
import {
  firstNonFinite,
  floatToHalf,
  halfToFloat,
  headerLength,
  parseHeader,
  SafetensorsFile,
  widenToFloat32,
} from '../../../sidecar/personaplex/checkpoint';
import { fixtures, headerOf, safetensors, type TensorSpec } from './build';

let dir: string;
beforeAll(() => void (dir = mkdtempSync(path.join(tmpdir(), 'npc-safetensors-'))));
afterAll(() => rmSync(dir, { recursive: true }));

const open = (bytes: Uint8Array): SafetensorsFile => {
  const file = path.join(dir, 'a.safetensors');
  writeFileSync(file, bytes);
  return SafetensorsFile.open(file);
};
const two: TensorSpec[] = [
  { name: 'a', shape: [2, 3], bytes: new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer) },
  { name: 'b', shape: [2], dtype: 'BF16', bytes: new Uint8Array(Uint16Array.of(0x3f80, 0xc000).buffer) },
];
const refusal = (bytes: Uint8Array): string => {
  try {
    open(bytes).close();
  } catch (error) {
    expect(error).toBeInstanceOf(NpcVoiceError);
    expect((error as NpcVoiceError).code).toBe('model_invalid');
    return (error as NpcVoiceError).message;
  }
  throw new Error('it was taken');
};
const withHeader = (change: (header: Record<string, any>) => void): Uint8Array => {
  const header = headerOf(two) as Record<string, any>;
  change(header);
  return safetensors(two, header);
};

describe('a safetensors file', () => {
  it('is read by slices, whatever its float format', () => {
    const file = open(safetensors(two));
    expect([...file.readFloat32('a')]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...file.readFloat32('a', 4, 2)]).toEqual([5, 6]);
    expect([...file.readFloat32('b')]).toEqual([1, -2]);
    expect(() => file.readFloat32('a', 5, 2)).toThrow(RangeError);
    expect(() => file.readFloat32('c')).toThrow(/no tensor c/);
    file.close();
  });

  it('may carry metadata', () => {
    const file = open(safetensors(two, { __metadata__: { format: 'pt' }, ...headerOf(two) }));
    expect([...file.tensors.keys()]).toEqual(['a', 'b']);
    file.close();
  });

  it('holds the tiny checkpoint', () => {
    const file = SafetensorsFile.open(path.join(fixtures, 'tiny-lm.safetensors'));
    expect(file.tensors.size).toBe(151);
    expect(file.entry('transformer.layers.1.gating.linear_in.weight').shape).toEqual([352, 64]);
    file.close();
  });

  it('has positions past 2^31', () => {
    const rows = 3_000_000;
    const header = new TextEncoder().encode(
      JSON.stringify(
        headerOf([
          { name: 'big', shape: [rows, 1024], dtype: 'BF16' },
          { name: 'last', shape: [1] },
        ]),
      ),
    );
    const size = 8 + header.length + rows * 2048 + 4;
    expect(parseHeader(header, size, 'x').tensors.get('last')!.position).toBe(size - 4);
    expect(size).toBeGreaterThan(2 ** 32);
  });
});

describe('a spoiled safetensors file is refused with the reason', () => {
  it.each([
    ['an empty file', () => new Uint8Array(0), /shorter than 8 bytes/],
    ['a header longer than the file', () => safetensors(two, undefined, 5000n), /header claims 5000 bytes, but the file/],
    ['a header of 2^63 bytes', () => safetensors(two, undefined, 2n ** 63n), /header claims 9223372036854775808 bytes/],
    ['a header of no bytes', () => safetensors(two, undefined, 0n), /header is empty/],
    ['a header that is not JSON', () => safetensors(two, '{"a":'), /not JSON/],
    ['a header that is a list', () => safetensors(two, '[1]'), /not a JSON object/],
    ['no tensors', () => safetensors([], {}), /no tensors/],
    ['a truncated file', () => safetensors(two).slice(0, -1), /tensor b ends at byte \d+, but the file has only \d+: it is truncated/],
    ['a tail that belongs to nothing', () => Uint8Array.from([...safetensors(two), 0]), /1 bytes after its last tensor/],
    ['an unknown dtype', () => withHeader((h) => (h.a.dtype = 'F8')), /tensor a has the unknown dtype "F8"/],
    ['a dtype of another size', () => withHeader((h) => (h.a.dtype = 'F16')), /shape \[2, 3\] and dtype F16 needs 12 bytes, but has 24/],
    ['a negative size', () => withHeader((h) => (h.a.shape = [-2, -3])), /no valid shape/],
    ['a shape whose product overflows', () => withHeader((h) => (h.a.shape = [2 ** 52, 2 ** 52])), /needs/],
    ['overlapping tensors', () => withHeader((h) => { h.b.data_offsets = [20, 24]; }), /b overlaps another/],
    ['offsets backwards', () => withHeader((h) => { h.a.data_offsets = [24, 0]; }), /ends before it begins/],
    ['a hole', () => safetensors([...two, { name: 'c', shape: [1] }], headerOf(two)), /after its last tensor/],
    ['an entry that is null', () => withHeader((h) => (h.a = null)), /unknown dtype none/],
  ])('%s', (_, make, reason) => {
    expect(refusal(make())).toMatch(reason);
  }); // prettier-ignore

  it('never crashes or hangs on any header', () => {
    const json = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((text) => new TextEncoder().encode(text)),
      fc
        .dictionary(
          fc.string(),
          fc.record(
            {
              dtype: fc.oneof(fc.constantFrom('F32', 'BF16', 'I64', 'X'), fc.anything()),
              shape: fc.oneof(fc.array(fc.double()), fc.array(fc.nat()), fc.anything()),
              data_offsets: fc.oneof(fc.tuple(fc.double(), fc.double()), fc.tuple(fc.nat(), fc.nat()), fc.anything()),
            },
            { requiredKeys: [] },
          ),
        )
        .map((header) => {
          try {
            return new TextEncoder().encode(JSON.stringify(header));
          } catch {
            return new Uint8Array(2); // a BigInt somewhere
          }
        }),
    );
    fc.assert(
      fc.property(json, fc.nat(500), (bytes, more) => {
        try {
          const { tensors } = parseHeader(bytes, 8 + bytes.length + more, 'fuzz');
          for (const tensor of tensors.values()) expect(tensor.position + tensor.byteLength).toBeLessThanOrEqual(8 + bytes.length + more);
        } catch (error) {
          expect((error as NpcVoiceError).code).toBe('model_invalid');
        }
      }),
      { numRuns: 400 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 9 }), fc.nat(100), (prefix, size) => {
        try {
          expect(headerLength(prefix, size, 'fuzz')).toBeLessThanOrEqual(size - 8);
        } catch (error) {
          expect((error as NpcVoiceError).code).toBe('model_invalid');
        }
      }),
    );
  }); // prettier-ignore
});

describe('number formats', () => {
  it('takes every half to a float and back', () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = halfToFloat(bits);
      if (!Number.isNaN(value) && floatToHalf(value) !== bits) expect(floatToHalf(value)).toBe(bits);
    }
    expect(Number.isNaN(halfToFloat(floatToHalf(NaN)))).toBe(true);
  });

  it('rounds to the nearest half, ties to even', () => {
    // Between 1 and 1 + 2^-10 lies 1 + 2^-11: the tie goes down, the next float up goes up.
    expect(floatToHalf(1 + 2 ** -11)).toBe(0x3c00);
    expect(floatToHalf(1 + 2 ** -11 + 2 ** -20)).toBe(0x3c01);
    expect(floatToHalf(1 + 3 * 2 ** -11)).toBe(0x3c02);
    expect(floatToHalf(65519)).toBe(0x7bff);
    expect(floatToHalf(65520)).toBe(0x7c00);
    expect(floatToHalf(-(2 ** -24))).toBe(0x8001);
    expect(floatToHalf(2 ** -25)).toBe(0);
  });

  it('widens unaligned bytes', () => {
    const padded = Uint8Array.of(9, 0x80, 0x3f, 0, 0xc0);
    const out = new Float32Array(2);
    widenToFloat32(padded.subarray(1), 'BF16', 2, out);
    expect([...out]).toEqual([1, -2]);
  });

  it('finds the first value that is not finite', () => {
    expect(firstNonFinite(Float32Array.of(1, 2, 3))).toBe(-1);
    expect(firstNonFinite(Float32Array.of(1, Infinity, NaN))).toBe(1);
    expect(firstNonFinite(Float32Array.of(1, 2, NaN), 2)).toBe(-1);
  });
});
