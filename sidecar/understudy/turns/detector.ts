/**
 * Speech probabilities and energies of what is heard → when the player's speech began, whether it goes on, and when
 * its last sound was. Silero knows what is speech but lags behind it; energy knows when a sound ends but not what it
 * was. Pure: the same frames give the same answers.
 */
import { FRAME_MS } from '../../audio/frame';
import { BLOCK_MS, BLOCKS, MAX_WINDOWS, WINDOW_MS } from '../vad/shared';
import { NOTHING_HEARD, type Heard } from './heard';

/** Speech begins at two windows this likely in a row, or one very likely. */
const LIKELY = 0.5;
const VERY_LIKELY = 0.85;
/** A window this likely still belongs to speech that has begun. */
const STILL = 0.35;
/**
 * Enough to fall silent for: a window this likely where the sound rose a little, or half as likely where it rose a
 * lot. Stationary noise, keys, slams and breaths stay below 0.08, measured; speech passes 0.2 within 30 ms mostly.
 */
const CUT_IN = 0.2;
const CUT_IN_RISE_DB = 6;
const SUDDEN = 0.1;
const SUDDEN_RISE_DB = 15;
/** A window this likely may be the first of speech, and one less likely is noise to learn from. */
const MAYBE = 0.05;
/** A sound of speech stands above the noise by at least this much, and this many of the noise's deviations. */
const SOUND_DB = 5;
const SOUND_DEVIATIONS = 3;
/** Speech whose loudest sound stands less than this above the noise has no audible end. */
const BURIED_DB = 12;
/** Below its loudest sound by this much, speech is over. */
const SOUND_RANGE_DB = 38;
/**
 * A sound that goes on without a break from speech is still speech for this long, whatever Silero thinks of a drawn
 * out s or m, when it stands this far above the noise.
 */
const DRAWN_OUT_MS = 400;
const DRAWN_OUT_DB = 12;
/** Silence after which speech is no longer going on. */
const HANGOVER_MS = 220;
/** How fast the noise is learned, per frame of noise. */
const NOISE_RATE = 0.08;
/** Until noise was met on its own, it is the quietest 15 ms of this many frames (2.4 s). */
const QUIETEST_FRAMES = 30;
const LOWEST_NOISE_DB = -75;
const SILENCE_DB = -120;
const DIGITAL_SILENCE_DB = -110;

export class SpeechDetector {
  heard: Heard = NOTHING_HEARD;
  /** Levels of the last and the current frame, each over 15 ms around its 5 ms block, dB. */
  readonly #levels = new Float32Array(2 * BLOCKS).fill(SILENCE_DB);
  readonly #quietest = new Float32Array(QUIETEST_FRAMES).fill(Infinity);
  /** Mean and mean deviation of the noise, dB; NaN until met. */
  #noise = NaN;
  #deviation = 1;
  /** Energy of the last two blocks of the frame before. */
  #before = [0, 0];
  /** The current frame's end, ms since the track began. */
  #now = 0;
  #speaking = false;
  #firstSound = 0;
  #lastSound = -Infinity;
  /** The last sound that Silero took for speech. */
  #lastVoice = -Infinity;
  #peak = SILENCE_DB;
  #lastProbability = 0;

  constructor(from?: SpeechDetector) {
    if (!from) return;
    this.heard = from.heard;
    this.#levels.set(from.#levels);
    this.#quietest.set(from.#quietest);
    this.#noise = from.#noise;
    this.#deviation = from.#deviation;
    this.#before = [...from.#before];
    this.#now = from.#now;
    this.#speaking = from.#speaking;
    this.#firstSound = from.#firstSound;
    this.#lastSound = from.#lastSound;
    this.#lastVoice = from.#lastVoice;
    this.#peak = from.#peak;
    this.#lastProbability = from.#lastProbability;
  }

  /** @param report as vad/shared.ts lays it out, beginning at `at` */
  hear(report: Float32Array, at: number): Heard {
    const frameStart = this.#now;
    this.#now += FRAME_MS;
    this.#takeLevels(report, at + 1 + 2 * MAX_WINDOWS);
    const noise = this.#noiseLevel();
    let started = false;
    let cutIn = false;
    let voiced = false;
    let likeliest = 0;
    let latest = 0;
    const windows = report[at]!;
    for (let window = 0; window < windows; window++) {
      const probability = report[at + 1 + 2 * window]!;
      const end = report[at + 2 + 2 * window]!;
      const likely = probability >= VERY_LIKELY || Math.min(probability, this.#lastProbability) >= LIKELY;
      this.#lastProbability = latest = probability;
      likeliest = Math.max(likeliest, probability);
      const sound = this.#soundIn(end - WINDOW_MS, end, this.#soundLevel(noise));
      const rise = sound.peak - noise;
      cutIn ||=
        probability >= CUT_IN ? rise >= CUT_IN_RISE_DB : probability >= SUDDEN && rise >= SUDDEN_RISE_DB;
      if (likely && !this.#speaking) {
        this.#speaking = started = true;
        this.#peak = SILENCE_DB;
        this.#firstSound = this.#lastVoice = frameStart + (sound.first ?? end - WINDOW_MS);
      }
      if (!this.#speaking || probability < STILL) continue;
      voiced = true;
      this.#peak = Math.max(this.#peak, sound.peak);
      // Speech that hardly stands out of the noise is Silero's word alone.
      const last = sound.last ?? (this.#peak < noise + BURIED_DB ? end - WINDOW_MS / 2 : undefined);
      if (last !== undefined) this.#lastVoice = Math.max(this.#lastVoice, frameStart + last);
    }
    this.#lastSound = Math.max(this.#lastSound, this.#lastVoice);
    if (this.#speaking) this.#drawOut(frameStart, noise);
    if (windows > 0 && likeliest < MAYBE) this.#learnNoise();
    const quietMs = this.#now - this.#lastSound;
    if (this.#speaking && quietMs >= HANGOVER_MS && !voiced) this.#speaking = false;
    this.heard = {
      speaking: this.#speaking,
      started,
      cutIn,
      voiced,
      unsure:
        latest >= MAYBE &&
        this.#soundIn(FRAME_MS - WINDOW_MS, FRAME_MS, this.#soundLevel(noise)).last !== undefined,
      quietMs,
      speechMs: Math.max(0, this.#lastSound - this.#firstSound),
    };
    return this.heard;
  }

  /** Moves the last sound on for as long as the sound it ended in goes on. */
  #drawOut(frameStart: number, noise: number): void {
    const level = Math.max(noise + DRAWN_OUT_DB, this.#peak - SOUND_RANGE_DB);
    const first = BLOCKS + Math.round((this.#lastSound - frameStart) / BLOCK_MS);
    if (first < 0) return;
    for (let block = first; block < 2 * BLOCKS && this.#levels[block]! >= level; block++) {
      if (this.#lastSound - this.#lastVoice >= DRAWN_OUT_MS) return;
      this.#lastSound = frameStart + (block + 1 - BLOCKS) * BLOCK_MS;
    }
  }

  /** Shifts the frame's levels in. The last block of a frame is judged without the one after it. */
  #takeLevels(report: Float32Array, at: number): void {
    const levels = this.#levels;
    levels.copyWithin(0, BLOCKS);
    let [older, old] = this.#before as [number, number];
    levels[BLOCKS - 1] = decibels((older + old + report[at]!) / 3);
    let quietest = Infinity;
    for (let block = 0; block < BLOCKS; block++) {
      const energy = report[at + block]!;
      const next = block + 1 < BLOCKS ? report[at + block + 1]! : energy;
      const level = decibels((old + energy + next) / 3);
      levels[BLOCKS + block] = level;
      quietest = Math.min(quietest, level);
      older = old;
      old = energy;
    }
    this.#before = [older, old];
    this.#quietest[(this.#now / FRAME_MS) % QUIETEST_FRAMES] = quietest;
  }

  #noiseLevel(): number {
    if (!Number.isNaN(this.#noise)) return Math.max(this.#noise, LOWEST_NOISE_DB);
    let quietest = Infinity;
    for (let i = 0; i < QUIETEST_FRAMES; i++) quietest = Math.min(quietest, this.#quietest[i]!);
    return Math.max(quietest, LOWEST_NOISE_DB);
  }

  /** Digital silence is no room: a muted microphone teaches nothing. */
  #learnNoise(): void {
    if (this.#levels[2 * BLOCKS - 1]! < DIGITAL_SILENCE_DB) return;
    let mean = 0;
    for (let i = BLOCKS; i < 2 * BLOCKS; i++) mean += Math.max(this.#levels[i]!, LOWEST_NOISE_DB) / BLOCKS;
    if (Number.isNaN(this.#noise)) this.#noise = mean;
    let deviation = 0;
    for (let i = BLOCKS; i < 2 * BLOCKS; i++) {
      deviation += Math.abs(Math.max(this.#levels[i]!, LOWEST_NOISE_DB) - this.#noise) / BLOCKS;
    }
    this.#noise += NOISE_RATE * (mean - this.#noise);
    this.#deviation += NOISE_RATE * (Math.min(deviation, 6) - this.#deviation);
  }

  /** What is quieter is no sound of speech, dB. */
  #soundLevel(noise: number): number {
    return Math.max(
      noise + Math.max(SOUND_DB, SOUND_DEVIATIONS * this.#deviation),
      this.#peak - SOUND_RANGE_DB,
    );
  }

  /** Sounds above a level between two times, ms from the frame's start (down to one frame before it). */
  #soundIn(from: number, to: number, level: number): { first?: number; last?: number; peak: number } {
    const begin = Math.max(0, BLOCKS + Math.floor(from / BLOCK_MS));
    const end = Math.min(2 * BLOCKS, BLOCKS + Math.ceil(to / BLOCK_MS));
    let first: number | undefined;
    let last: number | undefined;
    let peak = SILENCE_DB;
    for (let i = begin; i < end; i++) {
      peak = Math.max(peak, this.#levels[i]!);
      if (this.#levels[i]! < level) continue;
      first ??= (i - BLOCKS) * BLOCK_MS;
      last = (i - BLOCKS + 1) * BLOCK_MS;
    }
    return { ...(first === undefined ? {} : { first }), ...(last === undefined ? {} : { last }), peak };
  }
}

function decibels(energy: number): number {
  return 10 * Math.log10(energy + 1e-12);
}
