/** A model small enough for tests, imported as users' models are: the fixtures' language model, a codec, a tokenizer. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { writeWav } from '../../sidecar/audio';
import type { CharacterBrief } from '../../sidecar/duplex';
import { importModel, synthesiseCheckpoint } from '../../sidecar/personaplex/import';
import { fixtures } from './checkpoint/build';
import { marks, modelBytes } from './tokenizer/build';

/** The fixtures' dimensions (tiny-lm-trace.json), and a codec with as many codes. */
export const TINY_LM = {
  dim: 64, layers: 2, heads: 4, ffnHidden: 176, card: 64, textCard: 96, audioStreams: 16,
  depthDim: 32, depthLayers: 2, depthHeads: 2, depthFfnHidden: 88, depthStepsStored: 16, context: 400, maxPeriod: 10000,
}; // prettier-ignore
export const TINY_MIMI = {
  dim: 16, ratios: [8, 6, 5, 4], layers: 2, heads: 2, context: 10, maxPeriod: 10000, bins: 64, codeDim: 8,
  filters: 4, hidden: 32, acousticInCheckpoint: 7,
}; // prettier-ignore

/** Letters, and words that the model may come to say. */
function tinyTokenizer(): Uint8Array {
  const letters = [...'▁abcdefghijklmnopqrstuvwxyz.,!?<>'].map((text) => ({ text, score: -4 }));
  const words = Array.from({ length: TINY_LM.textCard - marks.length - letters.length }, (_, i) => ({
    text: `▁w${String.fromCharCode(97 + (i % 26))}${String.fromCharCode(97 + Math.floor(i / 26))}`,
    score: -6,
  }));
  return modelBytes({ pieces: [...marks, ...letters, ...words] });
}

export interface TinyModel {
  /** Folder of the models. */
  models: string;
  /** Folder of the model. */
  folder: string;
  /** Folder with the voice prompts `low.wav`, `high.wav` and `tiny-voice.pt`. */
  voices: string;
  remove(): void;
}

export interface TinyOptions {
  /** Columns the model's ring has; one less are seen. */
  context?: number;
  provider?: 'cpu' | 'webgpu';
  /** Plain Moshi has random weights of its own: the fixtures have none of that form. */
  form?: 'personaplex' | 'moshi';
}

export async function importTinyModel({
  context = TINY_LM.context,
  provider = 'cpu',
  form = 'personaplex',
}: TinyOptions = {}): Promise<TinyModel> {
  const root = mkdtempSync(path.join(tmpdir(), 'npc-voice-tiny-'));
  const checkpoint = path.join(root, 'checkpoint');
  const lm = { ...TINY_LM, depthStepsStored: form === 'moshi' ? 8 : 16 };
  synthesiseCheckpoint(checkpoint, { lm, mimi: TINY_MIMI, seed: 5 });
  const tokenizer = path.join(checkpoint, 'tokenizer.model');
  writeFileSync(tokenizer, tinyTokenizer());
  const models = path.join(root, 'models');
  await importModel({
    files: {
      languageModel:
        form === 'moshi'
          ? path.join(checkpoint, 'model.safetensors')
          : path.join(fixtures, 'tiny-lm.safetensors'),
      codec: path.join(checkpoint, 'tokenizer-e351c8d8-checkpoint125.safetensors'),
      tokenizer,
    },
    models,
    id: 'tiny',
    name: 'Tiny',
    tier: 'f32',
    provider,
    origin: { from: 'fixtures' },
    hints: {
      lm: { heads: TINY_LM.heads, depthHeads: TINY_LM.depthHeads, context },
      mimi: { heads: TINY_MIMI.heads, context: TINY_MIMI.context },
    },
    threads: 0,
  });
  const voices = path.join(root, 'voices');
  mkdirSync(voices);
  writeFileSync(path.join(voices, 'low.wav'), writeWav(hum(110), 24_000));
  writeFileSync(path.join(voices, 'high.wav'), writeWav(hum(330), 24_000));
  copyFileSync(path.join(fixtures, 'tiny-voice.pt'), path.join(voices, 'tiny-voice.pt'));
  return {
    models,
    folder: path.join(models, 'tiny'),
    voices,
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** Six frames of something like a voice. */
function hum(hz: number): Float32Array {
  return Float32Array.from({ length: 6 * 1920 }, (_, i) => {
    const t = (2 * Math.PI * hz * i) / 24_000;
    return 0.3 * Math.sin(t) + 0.15 * Math.sin(2 * t) + 0.1 * Math.sin(5 * t);
  });
}

/** A frame of the player speaking, the same for the same number. */
export function playerFrame(n: number): Float32Array {
  return Float32Array.from({ length: 1920 }, (_, i) => {
    const t = (n * 1920 + i) / 24_000;
    return 0.2 * Math.sin(2 * Math.PI * 180 * t) * (1 + Math.sin(2 * Math.PI * 3 * t));
  });
}

/** Always the likeliest token. */
const GREEDY = { textTemperature: 0, textTopK: 1, audioTemperature: 0, audioTopK: 1 };

export function tinyBrief(changes: Partial<CharacterBrief> = {}): CharacterBrief {
  return {
    persona: 'tiny',
    name: 'Tiny',
    language: 'en',
    prompt: 'you sell ale.',
    facts: [],
    voice: { id: 'low', understudy: { base: 'slt' }, personaplex: { prompt: 'low.wav' } },
    turnTaking: { patienceMs: 600, overlap: 'yield', resume: false, backchannelsPerMinute: 0 },
    sampling: GREEDY,
    lines: {
      greeting: [],
      replies: [],
      interrupted: [],
      idle: [],
      idleEverySeconds: 0,
      farewell: [],
      backchannels: [],
    },
    ...changes,
  };
}
