/**
 * The echo guard: an NPC must not take the NPCs' own voices, leaking from the speakers into the microphone, for the
 * player. What was sent is known. Once the same waveform is found in the microphone (normalised cross-correlation
 * over all plausible delays, twice at the same one), a short adaptive filter at that delay (normalised LMS,
 * B. Widrow and M. E. Hoff, 1960) foretells it. While what was sent is due to arrive the microphone is turned down,
 * 20 ms at a time, except where something is left over that the filter did not foretell: a player speaking over the
 * leak, who is let through as he is. Where nothing leaks, nothing is ever found, and nothing is touched. Everything is decided below 1 kHz, at 2 kHz, where voices have their strength.
 */
import { FRAME_SAMPLES, SAMPLE_RATE } from '../audio';
import { Fourier } from './fourier';

const DECIMATION = 12;
/** Samples of one frame at 2 kHz. */
const FRAME = FRAME_SAMPLES / DECIMATION;
const RATE = SAMPLE_RATE / DECIMATION;
/** How much of the microphone is compared: 240 ms. */
const WINDOW = 3 * FRAME;
/** Delays searched, from the frame being sent to its sound in the microphone: up to 0.7 s, buffers and all. */
const LAGS = Math.round(0.7 * RATE);
const SIZE = 2048;
/** The filter reaches this far before and after the delay found: 5 ms, 40 ms. */
const BEFORE = 10;
const TAPS = 90;
const KEPT = WINDOW + LAGS + TAPS;
/** Likeness at which a leak is believed to have been found. */
const FOUND = 0.5;
/** Two finds are the same within this many samples (2 ms). */
const SAME = 4;
const STEP = 0.5;
/** Twenty milliseconds, the unit that is turned down or left. */
const BLOCK = FRAME / 4;
/** Somebody is speaking when more than this share of a block's energy is left over... */
const LEFT_OVER = 0.3;
/** ...and that is so many times what usually is. */
const UNUSUAL = 6;
/** How fast "usually" follows, a block. */
const USUAL_RATE = 0.1;
/** Somebody who spoke goes on to be let through for this many blocks: the quiet parts of his words. */
const HOLD_BLOCKS = 3;
/** Blocks of what was sent that are remembered, and how far the sound of one spreads in a room. */
const BLOCKS_KEPT = 48;
const SPREAD_BLOCKS = 5;
/** With more left over than this somebody else is speaking, and the filter learns nothing true. */
const LEARNABLE = 0.7;
/** Nothing at all: speech detectors hear speech 60 dB down. */
const GUARDED_GAIN = 0;
/** Mean square below which nobody hears, nor learns, anything: -70 dB. */
const SILENCE = 1e-7;
const RAMP = SAMPLE_RATE / 200;
/** A filter that has explained nothing of this many loud frames is given up: somebody moved the speakers. */
const GIVE_UP_FRAMES = 25;

/** Low-pass for the way down to 2 kHz: a Hann window two output samples long, sum 1. */
const SMOOTHING = Float32Array.from(
  { length: 2 * DECIMATION },
  (_, i) => (1 - Math.cos((2 * Math.PI * (i + 0.5)) / (2 * DECIMATION))) / (2 * DECIMATION),
);

class Decimator {
  readonly #buffer = new Float32Array(DECIMATION + FRAME_SAMPLES);

  /** Appends one frame, at 2 kHz, to the end of `history`. */
  append(history: Float32Array, frame: Float32Array | null): void {
    const buffer = this.#buffer;
    buffer.copyWithin(0, FRAME_SAMPLES);
    if (frame) buffer.set(frame, DECIMATION);
    else buffer.fill(0, DECIMATION);
    history.copyWithin(0, FRAME);
    const end = history.length - FRAME;
    for (let i = 0; i < FRAME; i++) {
      let sum = 0;
      for (let j = 0; j < SMOOTHING.length; j++) sum += SMOOTHING[j]! * buffer[i * DECIMATION + j]!;
      history[end + i] = sum;
    }
  }
}

function meanSquare(samples: Float32Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += samples[i]! * samples[i]!;
  return sum / (to - from);
}

/** What the NPCs of a scene have lately been sent to say. */
export class SentVoices {
  /** At 2 kHz; the last sample is the newest. */
  readonly history = new Float32Array(KEPT);
  readonly #decimator = new Decimator();
  readonly #sum = new Float32Array(FRAME_SAMPLES);
  /** Mean square of each 20 ms, the newest last, over all frequencies. */
  readonly #blocks = new Float32Array(BLOCKS_KEPT);
  #sounding = false;
  /** Frames since anything sounded. */
  #quiet = Infinity;

  /** Adds one NPC's frame to those of this tick. */
  add(pcm: Float32Array): void {
    const sum = this.#sum;
    if (!this.#sounding) sum.set(pcm);
    else for (let i = 0; i < FRAME_SAMPLES; i++) sum[i] = sum[i]! + pcm[i]!;
    this.#sounding = true;
  }

  /** The tick is over. */
  advance(): void {
    this.#quiet = this.#sounding ? 0 : this.#quiet + 1;
    // By now the history holds nothing but silence.
    if (this.silent) return;
    this.#decimator.append(this.history, this.#sounding ? this.#sum : null);
    this.#blocks.copyWithin(0, 4);
    const length = FRAME_SAMPLES / 4;
    for (let i = 0; i < 4; i++) {
      const energy = this.#sounding ? meanSquare(this.#sum, i * length, (i + 1) * length) : 0;
      this.#blocks[BLOCKS_KEPT - 4 + i] = energy;
    }
    this.#sounding = false;
  }

  /** Something sent `age` samples (2 kHz) before the newest, or so little earlier that the room still rings, sounded. */
  soundedAt(age: number): boolean {
    const at = BLOCKS_KEPT - 1 - Math.floor(age / BLOCK);
    for (let i = Math.max(0, at - SPREAD_BLOCKS); i <= Math.min(BLOCKS_KEPT - 1, at + 1); i++)
      if (this.#blocks[i]! > SILENCE) return true;
    return false;
  }

  /** Nothing of it can still be on its way. */
  get silent(): boolean {
    return this.#quiet * FRAME > KEPT + FRAME;
  }
}

/** Looks for one signal in another. */
class LeakSearch {
  readonly #fourier = new Fourier(SIZE);
  readonly #re = new Float64Array(SIZE);
  readonly #im = new Float64Array(SIZE);
  likeness = 0;

  /** The delay at which the microphone is most like what was sent, 2 kHz samples; how much so is `likeness`, 0..1. */
  find(mic: Float32Array, sent: Float32Array): number {
    const { likeness: best, lag } = this.#compare(mic, sent);
    this.likeness = best;
    return lag;
  }

  #compare(mic: Float32Array, sent: Float32Array): { likeness: number; lag: number } {
    const re = this.#re.fill(0);
    const im = this.#im.fill(0);
    const span = WINDOW + LAGS;
    for (let i = 0; i < WINDOW; i++) re[i] = mic[i]!;
    for (let i = 0; i < span; i++) im[i] = sent[KEPT - span + i]!;
    // Two real signals are transformed as one complex one, and taken apart again in the product.
    this.#fourier.transform(re, im);
    for (let k = 0; k <= SIZE / 2; k++) this.#correlateBin(k, (SIZE - k) % SIZE);
    this.#fourier.transform(im, re);
    const micEnergy = meanSquare(mic, 0, WINDOW) * WINDOW;
    let sentEnergy = meanSquare(sent, KEPT - span, KEPT - LAGS) * WINDOW;
    let likeness = 0;
    let lag = 0;
    for (let at = 0; at < LAGS; at++) {
      if (sentEnergy > SILENCE * WINDOW) {
        const like = Math.abs(re[at]!) / SIZE / Math.sqrt(micEnergy * sentEnergy);
        if (like > likeness) {
          likeness = like;
          lag = LAGS - at;
        }
      }
      const leaving = sent[KEPT - span + at]!;
      const coming = sent[KEPT - span + at + WINDOW]!;
      sentEnergy += coming * coming - leaving * leaving;
    }
    return { likeness, lag };
  }

  /** conj(microphone) x sent, of bins k and -k. */
  #correlateBin(k: number, mirror: number): void {
    const re = this.#re;
    const im = this.#im;
    const micRe = (re[k]! + re[mirror]!) / 2;
    const micIm = (im[k]! - im[mirror]!) / 2;
    const sentRe = (im[k]! + im[mirror]!) / 2;
    const sentIm = (re[mirror]! - re[k]!) / 2;
    const productRe = micRe * sentRe + micIm * sentIm;
    const productIm = micRe * sentIm - micIm * sentRe;
    re[k] = productRe;
    im[k] = productIm;
    re[mirror] = productRe;
    im[mirror] = -productIm;
  }
}

/** Foretells the leak from what was sent. */
class LeakFilter {
  readonly #taps = new Float32Array(TAPS);
  #lag = 0;

  get lag(): number {
    return this.#lag;
  }

  /** Starts anew at a delay, and learns from what has just been heard. */
  aim(lag: number, mic: Float32Array, sent: Float32Array): void {
    this.#lag = lag;
    this.#taps.fill(0);
    for (let pass = 0; pass < 3; pass++) this.leftOver(mic, 0, WINDOW, sent, true);
  }

  /** Energy of mic[from..to) that the filter does not foretell. */
  leftOver(mic: Float32Array, from: number, to: number, sent: Float32Array, learns: boolean): number {
    const taps = this.#taps;
    let energy = 0;
    for (let i = from; i < to; i++) {
      // The newest of what was sent that can be in this sample.
      const newest = KEPT - WINDOW + i - Math.max(0, this.#lag - BEFORE);
      let foretold = 0;
      let power = SILENCE;
      for (let k = 0; k < TAPS; k++) {
        const x = sent[newest - k]!;
        foretold += taps[k]! * x;
        power += x * x;
      }
      const error = mic[i]! - foretold;
      energy += error * error;
      if (!learns) continue;
      const step = (STEP * error) / power;
      for (let k = 0; k < TAPS; k++) taps[k] = taps[k]! + step * sent[newest - k]!;
    }
    return energy;
  }
}

/** Guards one microphone. */
export class EchoGuard {
  readonly #mic = new Float32Array(WINDOW);
  readonly #decimator = new Decimator();
  readonly #search = new LeakSearch();
  readonly #filter = new LeakFilter();
  readonly #out = new Float32Array(FRAME_SAMPLES);
  /** The delay of the last find. */
  #candidate = -Infinity;
  #found = false;
  #unexplained = 0;
  /** Energy that the filter usually leaves over in a block. */
  #usual = SILENCE * BLOCK;
  #hold = 0;
  #gain = 1;

  /** True while a leak is known. */
  get found(): boolean {
    return this.#found;
  }

  /**
   * One frame of the microphone, with what the leak explains turned down.
   * @returns the same frame where nothing is, else a buffer of its own, valid until the next call
   */
  process(pcm: Float32Array | null, sent: SentVoices): Float32Array | null {
    if (sent.silent && this.#gain === 1) return pcm;
    this.#decimator.append(this.#mic, pcm);
    if (!pcm) return null;
    const loud = meanSquare(this.#mic, WINDOW - FRAME, WINDOW) > SILENCE;
    if (loud && !this.#found) this.#look(sent.history);
    if (!this.#found) return pcm;
    return this.#turnDown(pcm, sent, loud);
  }

  #look(sent: Float32Array): void {
    const lag = this.#search.find(this.#mic, sent);
    if (this.#search.likeness < FOUND) return;
    // An NPC that yields to its own echo is soon silent: the second find may be in its next line.
    if (Math.abs(lag - this.#candidate) <= SAME) {
      this.#found = true;
      this.#unexplained = 0;
      this.#usual = SILENCE * BLOCK;
      this.#filter.aim(lag, this.#mic, sent);
    }
    this.#candidate = lag;
  }

  #turnDown(pcm: Float32Array, sent: SentVoices, loud: boolean): Float32Array {
    let changed = false;
    let explained = false;
    for (let block = 0; block < 4; block++) {
      const before = (3 - block) * BLOCK;
      const due = sent.soundedAt(before + this.#filter.lag);
      const gain = due && !this.#isSomebody(WINDOW - FRAME + block * BLOCK, sent.history) ? GUARDED_GAIN : 1;
      explained ||= gain !== 1;
      changed ||= gain !== 1 || this.#gain !== 1;
      this.#apply(pcm, block, gain);
    }
    if (explained || !loud) this.#unexplained = 0;
    else if (++this.#unexplained > GIVE_UP_FRAMES) this.#found = false;
    return changed ? this.#out : pcm;
  }

  /** There is more in the block than the leak. */
  #isSomebody(from: number, sent: Float32Array): boolean {
    const energy = meanSquare(this.#mic, from, from + BLOCK) * BLOCK;
    const left = this.#filter.leftOver(this.#mic, from, from + BLOCK, sent, false);
    const isNew = energy > SILENCE * BLOCK && left > LEFT_OVER * energy && left > UNUSUAL * this.#usual;
    if (!isNew) this.#usual += USUAL_RATE * (left - this.#usual);
    if (left < LEARNABLE * energy) this.#filter.leftOver(this.#mic, from, from + BLOCK, sent, true);
    this.#hold = isNew ? HOLD_BLOCKS : Math.max(0, this.#hold - 1);
    return this.#hold > 0;
  }

  #apply(pcm: Float32Array, block: number, gain: number): void {
    const length = FRAME_SAMPLES / 4;
    const start = block * length;
    const step = (gain - this.#gain) / RAMP;
    for (let i = 0; i < length; i++) {
      const g = i < RAMP ? this.#gain + step * (i + 1) : gain;
      this.#out[start + i] = pcm[start + i]! * g;
    }
    this.#gain = gain;
  }
}
