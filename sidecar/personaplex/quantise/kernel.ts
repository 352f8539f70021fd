/**
 * The inner loops of block quantisation, on vectors of four floats: ten times as fast as the same loops in
 * JavaScript, whose clamping branches depend on random data. Every function works on one block of a multiple of 16
 * floats; addresses are in bytes.
 */
import { assemble, WasmFunction } from './assembler';

export interface BlockKernel {
  /** Lowest and highest value, four lanes each, both at least including zero: 8 floats at `out`. */
  range(x: number, end: number, out: number): void;
  /**
   * For each candidate (1/step, zero point) of 8 bytes, Σ w·x·d and Σ w·d² of the integers d it gives, 8 bytes at
   * `out`.
   */
  explain(
    x: number,
    end: number,
    w: number,
    candidates: number,
    last: number,
    out: number,
    levels: number,
  ): void;
  /** Rounds a block and packs it to bytes at `packed`; Σ x², Σ x·y, Σ y² at `out`. */
  pack8(x: number, end: number, packed: number, inverse: number, zero: number, scale: number, levels: number, out: number): void; // prettier-ignore
  /** As pack8, two to a byte, the first in the low half. */
  pack4: BlockKernel['pack8'];
}

function range(): WasmFunction {
  const f = new WasmFunction(
    'range',
    { x: 'i32', end: 'i32', out: 'i32' },
    { low: 'v128', high: 'v128', value: 'v128' },
  );
  f.loop('x', 'end', () => {
    f.get('x').load().set('value');
    f.get('low', 'value').do('f32x4.pmin').set('low');
    f.get('high', 'value').do('f32x4.pmax').set('high');
    f.advance('x', 16);
  });
  f.get('out', 'low').store();
  f.advance('out', 16).get('out', 'high').store();
  return f;
}

/** Leaves the level of the value in `value` on the stack: round(value · inverse + zero), kept within 0..levels. */
function level(f: WasmFunction): void {
  f.get('value', 'inverses').do('f32x4.mul').get('zeros').do('f32x4.add', 'f32x4.nearest');
  f.zeros().do('f32x4.pmax').get('top').do('f32x4.pmin');
}

function explain(): WasmFunction {
  const f = new WasmFunction(
    'explain',
    { x: 'i32', end: 'i32', w: 'i32', candidates: 'i32', last: 'i32', out: 'i32', levels: 'f32' },
    { at: 'i32', wAt: 'i32', top: 'v128', inverses: 'v128', zeros: 'v128', value: 'v128', d: 'v128', wd: 'v128', wxd: 'v128', wdd: 'v128' },
  ); // prettier-ignore
  f.get('levels').do('f32x4.splat').set('top');
  f.loop('candidates', 'last', () => {
    f.get('candidates').loadSplat(0).set('inverses');
    f.get('candidates').loadSplat(4).set('zeros');
    f.get('x').set('at').get('w').set('wAt');
    f.zeros().set('wxd').zeros().set('wdd');
    f.loop('at', 'end', () => {
      f.get('at').load().set('value');
      level(f);
      f.get('zeros').do('f32x4.sub').set('d');
      f.get('wAt').load().get('d').do('f32x4.mul').set('wd');
      f.get('wxd', 'wd', 'value').do('f32x4.mul', 'f32x4.add').set('wxd');
      f.get('wdd', 'wd', 'd').do('f32x4.mul', 'f32x4.add').set('wdd');
      f.advance('at', 16).advance('wAt', 16);
    });
    f.storeSum('out', 0, 'wxd').storeSum('out', 4, 'wdd');
    f.advance('out', 8).advance('candidates', 8);
  });
  return f;
}

function pack(bits: 4 | 8): WasmFunction {
  const parts = ['i0', 'i1', 'i2', 'i3'];
  const f = new WasmFunction(
    `pack${bits}`,
    { x: 'i32', end: 'i32', packed: 'i32', inverse: 'f32', zero: 'f32', scale: 'f32', levels: 'f32', out: 'i32' },
    {
      top: 'v128', inverses: 'v128', zeros: 'v128', scales: 'v128', value: 'v128', q: 'v128', xx: 'v128', xy: 'v128', yy: 'v128',
      bytes: 'v128', ...Object.fromEntries(parts.map((name) => [name, 'v128' as const])),
    },
  ); // prettier-ignore
  f.get('levels').do('f32x4.splat').set('top');
  f.get('inverse').do('f32x4.splat').set('inverses');
  f.get('zero').do('f32x4.splat').set('zeros');
  f.get('scale').do('f32x4.splat').set('scales');
  f.loop('x', 'end', () => {
    parts.forEach((name, i) => {
      f.get('x')
        .load(16 * i)
        .set('value');
      level(f);
      f.set('q');
      f.get('q').do('i32x4.trunc_sat_f32x4_s').set(name);
      f.get('q', 'zeros').do('f32x4.sub').get('scales').do('f32x4.mul').set('q');
      f.get('xx', 'value', 'value').do('f32x4.mul', 'f32x4.add').set('xx');
      f.get('xy', 'value', 'q').do('f32x4.mul', 'f32x4.add').set('xy');
      f.get('yy', 'q', 'q').do('f32x4.mul', 'f32x4.add').set('yy');
    });
    f.get('i0', 'i1').do('i16x8.narrow_i32x4_s').get('i2', 'i3').do('i16x8.narrow_i32x4_s');
    f.do('i8x16.narrow_i16x8_u').set('bytes');
    if (bits === 8) f.get('packed', 'bytes').store();
    else {
      // Each 16-bit lane holds the levels a | b << 8; with itself shifted by 4 its low byte is a | b << 4.
      f.get('bytes', 'bytes')
        .integer(4)
        .do('i16x8.shr_u', 'v128.or')
        .integer(255)
        .do('i16x8.splat', 'v128.and');
      f.set('bytes').get('packed', 'bytes', 'bytes').do('i8x16.narrow_i16x8_u').storeLow();
    }
    f.advance('x', 64).advance('packed', bits * 2);
  });
  f.storeSum('out', 0, 'xx').storeSum('out', 4, 'xy').storeSum('out', 8, 'yy');
  return f;
}

let compiled: WebAssembly.Module | undefined;

/** The kernel over a memory of its caller's. */
export function blockKernel(memory: WebAssembly.Memory): BlockKernel {
  compiled ??= new WebAssembly.Module(assemble([range(), explain(), pack(8), pack(4)]));
  return new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as BlockKernel;
}
