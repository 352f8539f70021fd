/** Where a WebAssembly program keeps its constants. https://webassembly.github.io/spec/core/binary/modules.html */

const HEADER_BYTES = 8;
const DATA_SECTION = 11;
const I32_CONST = 0x41;

/**
 * LLVM's linker lays out memory as constants, then data, then what begins as zero, then stack and heap, with one
 * segment each for the first two. So all below the second segment never changes: flite's voices, 17 of 17.2 MB.
 * @returns the address where memory that may be written begins; 0 when the module says nothing of the kind
 */
export function writableFrom(wasm: Uint8Array): number {
  let at = HEADER_BYTES;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  };
  while (at < wasm.length) {
    const section = wasm[at++]!;
    const length = number();
    const end = at + length;
    if (section !== DATA_SECTION) {
      at = end;
      continue;
    }
    const segments = number();
    for (let segment = 0; segment < segments; segment++) {
      if (number() !== 0 || wasm[at++] !== I32_CONST) return 0;
      const address = number();
      // The end of the expression.
      at++;
      if (segment === 1) return address;
      const length = number();
      at += length;
    }
    return 0;
  }
  return 0;
}
