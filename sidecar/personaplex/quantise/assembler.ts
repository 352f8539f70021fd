/**
 * A few dozen lines of WebAssembly assembler: enough for kernels of straight loops over vectors, so that they need no
 * compiler and no binary in the repository. (webassembly.github.io/spec/core/binary)
 */
const I32 = 0x7f;
const F32 = 0x7d;
const V128 = 0x7b;
const TYPES = { i32: I32, f32: F32, v128: V128 } as const;
export type WasmType = keyof typeof TYPES;

/** Vector instructions take the prefix 0xfd and a number. */
const VECTOR = {
  'i8x16.narrow_i16x8_u': 0x66, 'v128.and': 0x4e, 'v128.or': 0x50, 'f32x4.splat': 0x13, 'i16x8.splat': 0x10,
  'f32x4.nearest': 0x6a, 'i16x8.narrow_i32x4_s': 0x85, 'i16x8.shr_u': 0x8d, 'f32x4.add': 0xe4, 'f32x4.sub': 0xe5,
  'f32x4.mul': 0xe6, 'f32x4.pmin': 0xea, 'f32x4.pmax': 0xeb, 'i32x4.trunc_sat_f32x4_s': 0xf8,
} as const; // prettier-ignore
const SCALAR = { 'i32.add': 0x6a, 'i32.lt_u': 0x49, 'f32.add': 0x92 } as const;
type Plain = keyof typeof VECTOR | keyof typeof SCALAR;

const unsigned = (value: number): number[] =>
  value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
const signed = (value: number): number[] => {
  const byte = value & 127;
  const rest = value >> 7;
  return (rest === 0 && !(byte & 64)) || (rest === -1 && byte & 64) ? [byte] : [byte | 128, ...signed(rest)];
};
const sized = (bytes: readonly number[]): number[] => [...unsigned(bytes.length), ...bytes];
const list = (items: readonly (readonly number[])[]): number[] => [
  ...unsigned(items.length),
  ...items.flat(),
];
const section = (id: number, content: readonly number[]): number[] => [id, ...sized(content)];

/** A function being written: its parameters and locals by name, and its instructions so far. */
export class WasmFunction {
  private readonly names: string[] = [];
  private readonly types: WasmType[] = [];
  private readonly code: number[] = [];

  constructor(
    readonly name: string,
    readonly parameters: Readonly<Record<string, WasmType>>,
    locals: Readonly<Record<string, WasmType>>,
  ) {
    for (const [key, type] of Object.entries({ ...parameters, ...locals })) {
      this.names.push(key);
      this.types.push(type);
    }
  }

  private index(name: string): number[] {
    const index = this.names.indexOf(name);
    if (index < 0) throw new RangeError(`${this.name} has no local ${name}`);
    return unsigned(index);
  }
  get(...names: string[]): this {
    for (const name of names) this.code.push(0x20, ...this.index(name));
    return this;
  }
  set(name: string): this {
    this.code.push(0x21, ...this.index(name));
    return this;
  }
  integer(value: number): this {
    this.code.push(0x41, ...signed(value));
    return this;
  }
  do(...instructions: Plain[]): this {
    for (const each of instructions) {
      if (each in SCALAR) this.code.push(SCALAR[each as keyof typeof SCALAR]);
      else this.code.push(0xfd, ...unsigned(VECTOR[each as keyof typeof VECTOR]));
    }
    return this;
  }
  /** v128.load of the address on the stack plus `offset`. */
  load(offset = 0): this {
    this.code.push(0xfd, 0x00, 2, ...unsigned(offset));
    return this;
  }
  /** v128.load32_splat: one float in all four lanes. */
  loadSplat(offset = 0): this {
    this.code.push(0xfd, 0x09, 2, ...unsigned(offset));
    return this;
  }
  /** v128.store of the vector on the stack at the address below it. */
  store(): this {
    this.code.push(0xfd, 0x0b, 0, 0);
    return this;
  }
  /** Stores the low half of the vector on the stack at the address below it. */
  storeLow(): this {
    this.code.push(0xfd, 0x5b, 0, 0, 0);
    return this;
  }
  /** A vector of zeros. */
  zeros(): this {
    this.code.push(0xfd, 0x0c, ...new Array<number>(16).fill(0));
    return this;
  }
  /** f32.store of the sum of the four lanes of a local. */
  storeSum(address: string, offset: number, vector: string): this {
    this.get(address);
    for (let lane = 0; lane < 4; lane++) {
      this.get(vector);
      this.code.push(0xfd, 0x1f, lane);
      if (lane > 0) this.do('f32.add');
    }
    this.code.push(0x38, 2, ...unsigned(offset));
    return this;
  }
  /** Adds a constant to an i32 local. */
  advance(name: string, by: number): this {
    return this.get(name).integer(by).do('i32.add').set(name);
  }
  /** Repeats `body` while `name` is below `end`; at least once. */
  loop(name: string, end: string, body: () => void): this {
    this.code.push(0x03, 0x40);
    body();
    this.get(name, end).do('i32.lt_u');
    this.code.push(0x0d, 0, 0x0b);
    return this;
  }

  /** The function's type: all its parameters, and no result. */
  signature(): number[] {
    return [0x60, ...list(Object.values(this.parameters).map((type) => [TYPES[type]])), 0];
  }
  body(): number[] {
    const locals = this.types.slice(Object.keys(this.parameters).length).map((type) => [1, TYPES[type]]);
    return sized([...list(locals), ...this.code, 0x0b]);
  }
}

/** A module of the functions, exported by name, over an imported memory `env.memory`. */
export function assemble(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const text = (value: string): number[] => sized([...value].map((c) => c.charCodeAt(0)));
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, list(functions.map((f) => f.signature()))),
    ...section(2, list([[...text('env'), ...text('memory'), 2, 0, 1]])),
    ...section(3, list(functions.map((_, i) => unsigned(i)))),
    ...section(7, list(functions.map((f, i) => [...text(f.name), 0, ...unsigned(i)]))),
    ...section(10, list(functions.map((f) => f.body()))),
  ]);
}
