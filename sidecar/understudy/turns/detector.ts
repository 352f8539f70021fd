/**
 * Speech probabilities and energies of what is heard → when the player's speech began, whether it goes on, and when
 * its last sound was. Silero knows what is speech but lags behind it; energy knows when a sound ends but not what it
 * was. Pure: the same frames give the same answers.
 */
import { FRAME_MS } from '../../audio/frame';
import { BLOCK_MS, BLOCKS, MAX_WINDOWS } from '../vad/shared';
import { NOTHING_HEARD, type Heard } from './heard';

/** Speech begins at two windows this likely in a row, or one very likely. */
const LIKELY = 0.5;
const VERY_LIKELY = 0.85;
/** A window this likely still belongs to speech that has begun. */
const STILL = 0.35;
/** One window this likely is enough to fall silent for, when the energy rose as well. */
const CUT_IN = 0.6;
const CUT_IN_RISE_DB = 6;
/** Above the noise floor a sound of speech stands at least by this much. */
const SOUND_DB = 6;
/** Below its loudest sound, speech is over. */
const SOUND_RANGE_DB = 38;
/** Silence after which speech is no longer going on. */
const HANGOVER_MS = 240;
/** The floor is the quietest 20 ms of this many frames (2.4 s). */
const FLOOR_FRAMES = 30;
const LOWEST_FLOOR_DB = -72;
const WINDOW_MS = 32;

export class SpeechDetector {
  heard: Heard = NOTHING_HEARD;
  readonly #floors = new Float32Array(FLOOR_FRAMES).fill(Infinity);
  readonly #levels = new Float32Array(2 * BLOCKS).fill(-120);
  /** Of the current frame's end, ms since the track began. */
  #now = 0;
  #frames = 0;
  #speaking = false;
  #firstSound = 0;
  #lastSound = -Infinity;
  #peakDb = -120;
  #lastProbability = 0;

  constructor(from?: SpeechDetector) {
    if (!from) return;
    this.heard = from.heard;
    this.#floors.set(from.#floors);
    this.#levels.set(from.#levels);
    this.#now = from.#now;
    this.#frames = from.#frames;
    this.#speaking = from.#speaking;
    this.#firstSound = from.#firstSound;
    this.#lastSound = from.#lastSound;
    this.#peakDb = from.#peakDb;
    this.#lastProbability = from.#lastProbability;
  }

  /** @param report as vad/shared.ts lays it out, beginning at `at` */
  hear(report: Float32Array, at: number): Heard {
    const frameStart = this.#now;
    this.#now += FRAME_MS;
    const floor = this.#takeEnergies(report, at + 1 + 2 * MAX_WINDOWS);
    let started = false;
    let cutIn = false;
    let voiced = false;
    const windows = report[at]!;
    for (let window = 0; window < windows; window++) {
      const probability = report[at + 1 + 2 * window]!;
      const end = report[at + 2 + 2 * window]!;
      const likely = probability >= VERY_LIKELY || (probability >= LIKELY && this.#lastProbability >= LIKELY);
      this.#lastProbability = probability;
      const threshold = Math.max(floor + SOUND_DB, this.#peakDb - SOUND_RANGE_DB);
      const { first, last, peak } = this.#soundIn(end - WINDOW_MS, end, threshold);
      if (probability >= CUT_IN && peak >= floor + CUT_IN_RISE_DB) cutIn = true;
      if (likely && !this.#speaking) {
        this.#speaking = true;
        this.#peakDb = -120;
        started = true;
        this.#firstSound = frameStart + (first ?? end - WINDOW_MS);
      }
      if (!this.#speaking || probability < STILL) continue;
      voiced = true;
      this.#peakDb = Math.max(this.#peakDb, peak);
      if (last !== undefined) this.#lastSound = Math.max(this.#lastSound, frameStart + last);
    }
    const quietMs = this.#now - this.#lastSound;
    if (this.#speaking && quietMs >= HANGOVER_MS && !voiced) this.#speaking = false;
    this.heard = {
      speaking: this.#speaking,
      started,
      cutIn,
      voiced,
      unsure: this.#soundIn(FRAME_MS - 40, FRAME_MS, floor + 10).last !== undefined,
      quietMs,
      speechMs: this.#lastSound - this.#firstSound,
    };
    return this.heard;
  }

  /** Shifts the frame's levels in and returns the noise floor, dB. */
  #takeEnergies(report: Float32Array, at: number): number {
    const levels = this.#levels;
    levels.copyWithin(0, BLOCKS);
    let quietest = Infinity;
    for (let block = 0; block < BLOCKS; block++) {
      levels[BLOCKS + block] = 10 * Math.log10(report[at + block]! + 1e-12);
      if (block % 4 !== 3) continue;
      let sum = 0;
      for (let i = block - 3; i <= block; i++) sum += report[at + i]!;
      quietest = Math.min(quietest, sum / 4);
    }
    this.#floors[this.#frames++ % FLOOR_FRAMES] = 10 * Math.log10(quietest + 1e-12);
    let floor = Infinity;
    for (let i = 0; i < FLOOR_FRAMES; i++) floor = Math.min(floor, this.#floors[i]!);
    return Math.max(floor, LOWEST_FLOOR_DB);
  }

  /** Sounds above a level between two times, ms from the frame's start (down to one frame before it). */
  #soundIn(from: number, to: number, levelDb: number): { first?: number; last?: number; peak: number } {
    const begin = Math.max(0, BLOCKS + Math.floor(from / BLOCK_MS));
    const end = Math.min(2 * BLOCKS, BLOCKS + Math.ceil(to / BLOCK_MS));
    let first: number | undefined;
    let last: number | undefined;
    let peak = -120;
    for (let i = begin; i < end; i++) {
      const level = this.#levels[i]!;
      peak = Math.max(peak, level);
      if (level < levelDb) continue;
      first ??= (i - BLOCKS) * BLOCK_MS;
      last = (i - BLOCKS + 1) * BLOCK_MS;
    }
    return { ...(first === undefined ? {} : { first }), ...(last === undefined ? {} : { last }), peak };
  }
}
