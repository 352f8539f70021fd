/** Number formats of a safetensors file, and how their bytes become float32. */

export type Dtype =
  'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U64' | 'U32' | 'U16' | 'U8' | 'BOOL';

const BYTES: Record<Dtype, number> = {
  F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U64: 8, U32: 4, U16: 2, U8: 1, BOOL: 1,
}; // prettier-ignore

/** Formats a weight may have. */
export const FLOAT_DTYPES: readonly Dtype[] = ['F32', 'BF16', 'F16', 'F64'];

export const isDtype = (name: unknown): name is Dtype =>
  typeof name === 'string' && Object.hasOwn(BYTES, name);

/** Bytes of one element. */
export const dtypeBytes = (dtype: Dtype): number => BYTES[dtype];

/** float32 of every float16, by its 16 bits: a table, for reading halves is on the import's hot path. */
const halfTable = /* @__PURE__ */ (() => {
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    table[bits] =
      exponent === 31
        ? fraction
          ? NaN
          : sign * Infinity
        : exponent === 0
          ? sign * fraction * 2 ** -24
          : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return table;
})();

/** The value of a float16 given as its 16 bits. */
export const halfToFloat = (bits: number): number => halfTable[bits]!;

const scratchFloat = new Float32Array(1);
const scratchBits = new Uint32Array(scratchFloat.buffer);

/** The 16 bits of the float16 nearest to `value`, ties to even; beyond 65504 it is an infinity. */
export function floatToHalf(value: number): number {
  scratchFloat[0] = value;
  const bits = scratchBits[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal halves count in steps of 2^-24; adding 2^-1 leaves exactly that many bits in the fraction.
    scratchBits[0] = magnitude;
    scratchFloat[0] = scratchFloat[0] + 0.5;
    return sign | (scratchBits[0]! - 0x3f000000);
  }
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13);
}

/**
 * Reads `count` elements of a float dtype into `out[0..count)`.
 * @param bytes little-endian data; its offset may be unaligned
 */
export function widenToFloat32(bytes: Uint8Array, dtype: Dtype, count: number, out: Float32Array): void {
  // A typed array over the bytes needs them aligned; a slab read by pread is, a slice of a fixture may not be.
  const width = dtypeBytes(dtype);
  const aligned = bytes.byteOffset % width === 0 ? bytes : bytes.slice(0, count * width);
  switch (dtype) {
    case 'BF16': {
      const source = new Uint16Array(aligned.buffer, aligned.byteOffset, count);
      const bits = new Uint32Array(out.buffer, out.byteOffset, count);
      for (let i = 0; i < count; i++) bits[i] = source[i]! << 16;
      return;
    }
    case 'F32':
      out.set(new Float32Array(aligned.buffer, aligned.byteOffset, count));
      return;
    case 'F16': {
      const source = new Uint16Array(aligned.buffer, aligned.byteOffset, count);
      for (let i = 0; i < count; i++) out[i] = halfTable[source[i]!]!;
      return;
    }
    case 'F64':
      out.set(new Float64Array(aligned.buffer, aligned.byteOffset, count));
      return;
    default:
      throw new RangeError(`${dtype} is not a float format`);
  }
}

/** Index of the first NaN or infinity in `values[0..count)`, or -1. */
export function firstNonFinite(values: Float32Array, count = values.length): number {
  // x - x is 0 for every finite x and NaN otherwise, so one sum tells whether to look closer.
  let sum = 0;
  for (let i = 0; i < count; i++) sum += values[i]! - values[i]!;
  if (sum === 0) return -1;
  for (let i = 0; i < count; i++) if (!Number.isFinite(values[i]!)) return i;
  return -1;
}
