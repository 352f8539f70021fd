/** One clause in one voice → its sound, its mouth shapes and its words' times. */
// Not by the room's door: a worker has no use for the codecs behind it.
import { SAMPLE_RATE } from '../../audio/frame';
import { integratedLoudness } from '../../audio/loudness';
import { Resampler } from '../../audio/resampler';
import { VISEMES } from '../../wire/messages';
import type { Clause } from '../text/clauses';
import { alignWords } from './align';
import { FLITE_RATE, type Flite, type Phone, type RawSpeech } from './flite';
import { MOUTH_STEP_MS, mouthTrack } from './visemes';
import { planVoice, type TtsVoice } from './voice';

export const MOUTH_STEP_SAMPLES = (SAMPLE_RATE * MOUTH_STEP_MS) / 1000;

export interface ClauseSound {
  /** 24 kHz, -1..1, begins and ends in silence; a whole number of mouth steps. */
  pcm: Float32Array;
  /** Fifteen viseme weights for every 480 samples. */
  mouth: Uint8Array;
  /** Sample at which each word of the clause begins and ends. */
  wordStarts: Int32Array;
  wordEnds: Int32Array;
}

/** As it is kept: 16 bits a sample are what flite gives, and half of what floats take. */
export interface KeptSound extends Omit<ClauseSound, 'pcm'> {
  /** FULL_SCALE is 1. */
  pcm: Int16Array;
}
export const FULL_SCALE = 32767;

export function toKeep(sound: ClauseSound): KeptSound {
  const pcm = new Int16Array(sound.pcm.length);
  for (let i = 0; i < pcm.length; i++) pcm[i] = Math.round(sound.pcm[i]! * FULL_SCALE);
  return { ...sound, pcm };
}

/** Loudness every voice is brought to before its own gain, LUFS. */
export const COMMON_LOUDNESS = -20;
/** What is quieter is silence, and is not raised. */
const SILENT = -50;
const MEASURED_S = 1.2;
const LIMIT_KNEE = 0.8;
/** Relative to the clause's peak: what is quieter at either end is not heard. */
const EDGE_LEVEL = 10 ** (-42 / 20);
const LEAD_S = 0.004;
const TAIL_S = 0.02;
const FADE_IN_S = 0.003;
const FADE_OUT_S = 0.012;
const KEPT_WORDS = 4000;

export class ClauseSpeaker {
  readonly #flite: Flite;
  /** Phones of words met before; the same in every voice. */
  readonly #words = new Map<string, string[]>();

  constructor(flite: Flite) {
    this.#flite = flite;
  }

  speak(clause: Clause, voice: TtsVoice): ClauseSound {
    const plan = planVoice(voice);
    const raw = this.#flite.speak(
      clause.phones ? { phones: clause.phones } : { text: clause.spoken },
      plan.flite,
    );
    const { from, to } = audibleSpan(raw);
    const pcm = atSampleRate(raw.pcm.subarray(from, to), plan.playedRate);
    level(pcm, plan.gain);
    fade(pcm);
    const toSample = (seconds: number) =>
      Math.min(pcm.length, Math.max(0, Math.round(((seconds - from / FLITE_RATE) * FLITE_RATE * SAMPLE_RATE) / plan.playedRate))); // prettier-ignore
    const phones = raw.phones.map(({ name, end }) => ({ name, end: toSample(end) / SAMPLE_RATE }));
    const words = this.#wordTimes(clause, raw.phones, toSample);
    const mouth = mouthTrack(phones, pcm.length / SAMPLE_RATE);
    return { pcm, mouth: mouth.subarray(0, (pcm.length / MOUTH_STEP_SAMPLES) * VISEMES.length), ...words };
  }

  #wordTimes(clause: Clause, phones: readonly Phone[], toSample: (seconds: number) => number) {
    const sounding = phones
      .map(({ name, end }, i) => ({ name, start: i === 0 ? 0 : phones[i - 1]!.end, end }))
      .filter(({ name }) => name !== 'pau');
    const starts = this.#wordPlaces(clause, sounding.map(({ name }) => name)); // prettier-ignore
    const wordStarts = Int32Array.from(starts, (at) => toSample(sounding[at]?.start ?? 0));
    const wordEnds = Int32Array.from(starts, (at, word) =>
      toSample(sounding[Math.max(at, (starts[word + 1] ?? sounding.length) - 1)]?.end ?? 0),
    );
    return { wordStarts, wordEnds };
  }

  #wordPlaces(clause: Clause, spoken: readonly string[]): number[] {
    if (clause.words.length === 1) return [0];
    const words = clause.phones
      ? undefined
      : this.#phonesOf(clause.words.map((word) => word.spoken.toLowerCase()));
    if (words) return alignWords(spoken, words);
    const letters = clause.words.reduce((sum, word) => sum + word.spoken.length, 0);
    let before = 0;
    return clause.words.map((word) => {
      const at = Math.floor((before / letters) * spoken.length);
      before += word.spoken.length;
      return at;
    });
  }

  #phonesOf(words: readonly string[]): (readonly string[])[] | undefined {
    const unknown = [...new Set(words.filter((word) => !this.#words.has(word)))];
    const found = unknown.length === 0 ? [] : this.#flite.wordPhones(unknown);
    if (!found) return undefined;
    if (this.#words.size + unknown.length > KEPT_WORDS) this.#words.clear();
    unknown.forEach((word, i) => this.#words.set(word, found[i]!));
    const all = words.map((word) => this.#words.get(word));
    return all.every((phones) => phones !== undefined) ? (all as string[][]) : this.#flite.wordPhones(words);
  }
}

/** Leaves out the rests flite begins and ends with, and what is too soft to hear beside them. */
function audibleSpan({ pcm, phones }: RawSpeech): { from: number; to: number } {
  const first = phones.findIndex(({ name }) => name !== 'pau');
  if (first < 0) return { from: 0, to: 0 };
  let last = phones.length - 1;
  while (phones[last]!.name === 'pau') last--;
  let from = Math.round((first === 0 ? 0 : phones[first - 1]!.end) * FLITE_RATE);
  let to = Math.min(pcm.length, Math.round((phones[last]!.end + 3 * TAIL_S) * FLITE_RATE));
  let peak = 0;
  for (let i = from; i < to; i++) peak = Math.max(peak, Math.abs(pcm[i]!));
  const audible = peak * EDGE_LEVEL;
  while (from < to && Math.abs(pcm[from]!) < audible) from++;
  while (to > from && Math.abs(pcm[to - 1]!) < audible) to--;
  from = Math.max(0, from - Math.round(LEAD_S * FLITE_RATE));
  to = Math.min(pcm.length, to + Math.round(TAIL_S * FLITE_RATE));
  return { from, to };
}

/** 24 kHz, padded to whole mouth steps, the filter's delay taken out. */
function atSampleRate(pcm: Float32Array, playedRate: number): Float32Array {
  const resampler = new Resampler(playedRate, SAMPLE_RATE);
  const padded = new Float32Array(pcm.length + Math.ceil(2 * resampler.latency * playedRate));
  padded.set(pcm);
  const delay = Math.round(resampler.latency * SAMPLE_RATE);
  const sound = resampler
    .process(padded)
    .subarray(delay, delay + Math.ceil((pcm.length * SAMPLE_RATE) / playedRate));
  const whole = new Float32Array(Math.ceil(sound.length / MOUTH_STEP_SAMPLES) * MOUTH_STEP_SAMPLES);
  whole.set(sound);
  return whole;
}

function level(pcm: Float32Array, gain: number): void {
  const lufs = loudness(pcm);
  if (lufs < SILENT) return;
  const factor = 10 ** ((COMMON_LOUDNESS - lufs) / 20) * gain;
  for (let i = 0; i < pcm.length; i++) pcm[i] = limited(pcm[i]! * factor);
}

/** LUFS. A clause is measured as if said over and over: the measure wants more than a syllable. */
export function loudness(pcm: Float32Array): number {
  if (pcm.length === 0) return -Infinity;
  const times = Math.ceil((MEASURED_S * SAMPLE_RATE) / pcm.length);
  const repeated = new Float32Array(times * pcm.length);
  for (let i = 0; i < times; i++) repeated.set(pcm, i * pcm.length);
  return integratedLoudness(repeated, SAMPLE_RATE);
}

/** Identity up to the knee, bending smoothly towards 1 above it. */
function limited(x: number): number {
  const size = Math.abs(x);
  if (size <= LIMIT_KNEE) return x;
  return Math.sign(x) * (LIMIT_KNEE + (1 - LIMIT_KNEE) * Math.tanh((size - LIMIT_KNEE) / (1 - LIMIT_KNEE)));
}

function fade(pcm: Float32Array): void {
  const rise = Math.min(pcm.length, Math.round(FADE_IN_S * SAMPLE_RATE));
  const fall = Math.min(pcm.length, Math.round(FADE_OUT_S * SAMPLE_RATE));
  let end = pcm.length;
  while (end > fall && pcm[end - 1] === 0) end--;
  for (let i = 0; i < rise; i++) pcm[i]! *= 0.5 - 0.5 * Math.cos((Math.PI * i) / rise);
  for (let i = 0; i < fall; i++) pcm[end - 1 - i]! *= 0.5 - 0.5 * Math.cos((Math.PI * i) / fall);
}
