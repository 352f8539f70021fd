/**
 * Changes a mono stream's sample rate, packet by packet, by a windowed-sinc polyphase filter whose ratio may be
 * steered while it runs. No Node imports: the web plugin's AudioWorklet bundles this same file.
 *
 * The filter is Kaiser-windowed (J. F. Kaiser, "Nonrecursive digital filter design", 1974): 32 zero crossings a
 * side at the lower of the two rates, 96 dB stopband. Flat to 0.42 of the lower rate (10.2 kHz at 24 kHz), full
 * attenuation from 0.52 of it, so what little folds back lands in the top 4 % of the band.
 */
import { Scratch } from './scratch';

const ZERO_CROSSINGS = 32;
const STOPBAND_DB = 96;
const KAISER_BETA = 0.1102 * (STOPBAND_DB - 8.7);
/** Transition width as a fraction of the lower rate (Kaiser's estimate). */
const TRANSITION = (STOPBAND_DB - 8) / (2.285 * 2 * Math.PI * 2 * ZERO_CROSSINGS);
/** How far the stopband may start above the lower rate's Nyquist frequency, same unit. */
const OVERLAP = 0.02;
/** Filter phases a sample; between them taps are interpolated linearly, error below (pi/512)^2/8 = -106 dB. */
const MIN_PHASES = 512;
const MAX_EXACT_PHASES = 1024;
/** A changed drift comes into force over this time constant. */
const DRIFT_SECONDS = 0.05;
const KEPT_TABLES = 16;

interface FilterTable {
  /** Half the filter's length in input samples: the delay. */
  half: number;
  phases: number;
  /** (phases + 1) rows of 2 x half taps; row p is the filter for the fraction p / phases. */
  taps: Float32Array;
}

/** Zeroth-order modified Bessel function of the first kind. */
function bessel0(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

function buildTable(fromRate: number, toRate: number, denominator: number): FilterTable {
  const lower = Math.min(fromRate, toRate);
  const half = 2 * Math.ceil((ZERO_CROSSINGS * fromRate) / lower / 2);
  // With equal rates nothing can fold, and cutting at Nyquist makes phase 0 an exact copy.
  const cutoff = fromRate === toRate ? 0.5 : ((0.5 - TRANSITION / 2 + OVERLAP) * lower) / fromRate;
  const phases =
    denominator <= MAX_EXACT_PHASES ? denominator * Math.ceil(MIN_PHASES / denominator) : MAX_EXACT_PHASES;
  const length = 2 * half;
  const taps = new Float32Array((phases + 1) * length);
  const row = new Float64Array(length);
  const scale = 1 / bessel0(KAISER_BETA);
  for (let p = 0; p <= phases; p++) {
    let sum = 0;
    for (let j = 0; j < length; j++) {
      const t = j - half + 1 - p / phases;
      const inside = Math.max(0, 1 - (t / half) ** 2);
      const x = 2 * Math.PI * cutoff * t;
      const sinc = Math.abs(x) < 1e-9 ? 1 : Math.sin(x) / x;
      const tap = sinc * bessel0(KAISER_BETA * Math.sqrt(inside)) * scale;
      row[j] = tap;
      sum += tap;
    }
    for (let j = 0; j < length; j++) taps[p * length + j] = row[j]! / sum;
  }
  return { half, phases, taps };
}

/** Tables are shared by all streams of one ratio; the oldest ratio goes when too many are kept. */
const tables = new Map<string, FilterTable>();
function tableFor(fromRate: number, toRate: number, denominator: number): FilterTable {
  const key = `${fromRate}:${toRate}`;
  let table = tables.get(key);
  if (!table) {
    table = buildTable(fromRate, toRate, denominator);
    if (tables.size >= KEPT_TABLES) tables.delete(tables.keys().next().value!);
    tables.set(key, table);
  }
  return table;
}

/** Input from `start` on, filtered by the row of taps at `row`. */
function dot(input: Float32Array, start: number, taps: Float32Array, row: number, length: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let j = 0; j < length; j += 4) {
    a += input[start + j]! * taps[row + j]!;
    b += input[start + j + 1]! * taps[row + j + 1]!;
    c += input[start + j + 2]! * taps[row + j + 2]!;
    d += input[start + j + 3]! * taps[row + j + 3]!;
  }
  return a + b + (c + d);
}

/** The same, `between` (0..1) of the way from that row of taps to the next. */
function dotBetween(
  input: Float32Array,
  start: number,
  taps: Float32Array,
  row: number,
  length: number,
  between: number,
): number {
  const next = row + length;
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let j = 0; j < length; j += 2) {
    const x = input[start + j]!;
    const y = input[start + j + 1]!;
    a += x * taps[row + j]!;
    b += x * taps[next + j]!;
    c += y * taps[row + j + 1]!;
    d += y * taps[next + j + 1]!;
  }
  return (a + c) * (1 - between) + (b + d) * between;
}

export class Resampler {
  /** The filter's delay in seconds: 1.3 ms between 24 kHz and anything above it. */
  readonly latency: number;

  readonly #table: FilterTable;
  readonly #numerator: number;
  readonly #denominator: number;
  readonly #toRate: number;
  readonly #scratch: Scratch;
  #buffer: Float32Array;
  /** Samples in the buffer. */
  #have = 0;
  /** Index in the buffer of the newest input sample the next output sample needs. */
  #at = 0;
  /** The next output's exact place beyond #at, in 1/denominator of an input sample, 0..denominator-1. */
  #remainder = 0;
  /** What drift has added to that place, 0..1 input samples. */
  #slip = 0;
  /** Drift in force and drift wanted, as fractions (1e-6 is 1 ppm). */
  #drift = 0;
  #wanted = 0;

  /**
   * @param fromRate input rate, Hz, a whole number
   * @param toRate output rate, Hz, a whole number
   */
  constructor(fromRate: number, toRate: number) {
    const divisor = gcd(fromRate, toRate);
    this.#numerator = fromRate / divisor;
    this.#denominator = toRate / divisor;
    this.#toRate = toRate;
    this.#table = tableFor(fromRate, toRate, this.#denominator);
    this.latency = this.#table.half / fromRate;
    this.#buffer = new Float32Array(2 * this.#table.half + Math.ceil(fromRate * 0.12));
    this.#scratch = new Scratch(Math.ceil(toRate * 0.12));
    this.reset();
  }

  /**
   * Says how much faster than its nominal rate the input's clock runs, in parts per million: more input is then
   * spent on each output sample. Takes hold smoothly, within about 100 ms. Steering by up to 2000 ppm is meant;
   * 0 holds the nominal ratio exactly.
   */
  setDrift(ppm: number): void {
    this.#wanted = ppm * 1e-6;
  }

  /**
   * Resamples the next packet. Nothing is kept back: `n` samples give n x toRate / fromRate, the fraction being
   * carried over exactly, and the signal comes out `latency` later.
   * @param input samples at fromRate, any length
   * @returns samples at toRate, valid until the next call
   */
  process(input: Float32Array): Float32Array {
    this.#append(input);
    // Two spare samples cover the place drift may add at either end.
    const room = Math.ceil((input.length * this.#denominator * 1.01) / this.#numerator) + 2;
    const out = this.#scratch.take(room);
    const made = this.#run(out);
    this.#discard();
    return this.#scratch.take(made);
  }

  /** How far the input has come beyond the place of the next output sample, in input samples: the carried fraction. */
  get carried(): number {
    return this.#have - this.#at - this.#remainder / this.#denominator - this.#slip;
  }

  /** Forgets the signal; the ratio and the drift stay. */
  reset(): void {
    const history = 2 * this.#table.half;
    this.#buffer.fill(0, 0, history);
    this.#have = history;
    this.#at = history;
    this.#remainder = 0;
    this.#slip = 0;
  }

  #append(input: Float32Array): void {
    if (this.#have + input.length > this.#buffer.length) {
      const grown = new Float32Array(this.#have + input.length);
      grown.set(this.#buffer.subarray(0, this.#have));
      this.#buffer = grown;
    }
    this.#buffer.set(input, this.#have);
    this.#have += input.length;
  }

  /** Writes every output sample whose input has come; returns how many. */
  #run(out: Float32Array): number {
    const { phases, half, taps } = this.#table;
    const length = 2 * half;
    const denominator = this.#denominator;
    const wholeStep = Math.floor(this.#numerator / denominator);
    const remainderStep = this.#numerator % denominator;
    const step = this.#numerator / denominator;
    const phasesPerRemainder = phases / denominator;
    const approach = 1 / (DRIFT_SECONDS * this.#toRate);
    const wanted = this.#wanted;
    const drifting = wanted !== 0 || this.#drift !== 0;
    const buffer = this.#buffer;
    const have = this.#have;
    // Locals: fields would be read and written back at every sample.
    let at = this.#at;
    let remainder = this.#remainder;
    let slip = this.#slip;
    let drift = this.#drift;
    let made = 0;
    for (;;) {
      let newest = at;
      let place = remainder * phasesPerRemainder + slip * phases;
      if (place >= phases) {
        place -= phases;
        newest++;
      }
      if (newest >= have) break;
      const phase = Math.floor(place);
      const between = place - phase;
      const start = newest - length + 1;
      out[made++] =
        between === 0
          ? dot(buffer, start, taps, phase * length, length)
          : dotBetween(buffer, start, taps, phase * length, length, between);
      at += wholeStep;
      remainder += remainderStep;
      if (remainder >= denominator) {
        remainder -= denominator;
        at++;
      }
      if (!drifting) continue;
      drift += (wanted - drift) * approach;
      slip += drift * step;
      if (slip >= 1) {
        slip -= 1;
        at++;
      } else if (slip < 0) {
        slip += 1;
        at--;
      }
    }
    this.#at = at;
    this.#remainder = remainder;
    this.#slip = slip;
    this.#drift = Math.abs(drift - wanted) < 1e-10 ? wanted : drift;
    return made;
  }

  /** Lets go of input no later output needs; one sample more is kept for drift stepping back. */
  #discard(): void {
    const gone = Math.min(this.#at - 2 * this.#table.half, this.#have);
    if (gone <= 0) return;
    this.#buffer.copyWithin(0, gone, this.#have);
    this.#have -= gone;
    this.#at -= gone;
  }
}
