/**
 * A WebAssembly program and its data, taken apart: the engine keeps the bytes of a module for as long as it lives,
 * and flite's are 21 MB, of which 17 are voices that its memory holds already, 4 are for debuggers, and 0.2 run.
 * https://webassembly.github.io/spec/core/binary/modules.html
 */

const HEADER_BYTES = 8;
const CUSTOM_SECTION = 0;
const DATA_SECTION = 11;
const DATA_COUNT_SECTION = 12;
const I32_CONST = 0x41;

export interface DataSegment {
  /** Where in memory it belongs. */
  address: number;
  bytes: Uint8Array;
}

export interface TakenApart {
  /** A module without data; its instances need `data` laid into their memory. */
  program: Uint8Array<ArrayBuffer>;
  /** Views of the bytes given. */
  data: readonly DataSegment[];
  /**
   * Address where memory that may be written begins; 0 when the module does not tell. LLVM's linker lays out memory as
   * constants, then data, then what begins as zero, then stack and heap, with one segment each for the first two: so
   * all below the second segment never changes.
   */
  writable: number;
}

/** A module whose data cannot be laid out beforehand is its own program, with no data. */
export function takeApart(wasm: Uint8Array<ArrayBuffer>): TakenApart {
  const whole = { program: wasm, data: [], writable: 0 };
  const kept = [wasm.subarray(0, HEADER_BYTES)];
  let data: DataSegment[] = [];
  const reader = new Reader(wasm, HEADER_BYTES);
  while (reader.at < wasm.length) {
    const from = reader.at;
    const section = reader.byte();
    const end = reader.number() + reader.at;
    if (section === DATA_COUNT_SECTION) return whole;
    if (section === DATA_SECTION) {
      const segments = reader.segments();
      if (!segments) return whole;
      data = segments;
    } else if (section !== CUSTOM_SECTION) kept.push(wasm.subarray(from, end));
    reader.at = end;
  }
  return { program: joined(kept), data, writable: data[1]?.address ?? 0 };
}

class Reader {
  readonly #bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  byte(): number {
    return this.#bytes[this.at++]!;
  }

  /** LEB128, unsigned 32 bits. */
  number(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }

  /** Undefined where one is not simply laid down at an address. */
  segments(): DataSegment[] | undefined {
    const segments: DataSegment[] = [];
    for (let left = this.number(); left > 0; left--) {
      if (this.number() !== 0 || this.byte() !== I32_CONST) return undefined;
      const address = this.number();
      // The end of the expression.
      this.at++;
      const length = this.number();
      segments.push({ address, bytes: this.#bytes.subarray(this.at, this.at + length) });
      this.at += length;
    }
    return segments;
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
