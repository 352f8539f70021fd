/** Voice prompts as the model takes them; a file that has not changed is read and heard once. */
import { statSync } from 'node:fs';
import { FRAME_SAMPLES } from '../../audio/frame';
import { NpcVoiceError } from '../../errors';
import type { VoicePrompt } from '../generator';
import { DEPTH_STEPS } from '../graphs/types';
import type { MimiEncoder } from '../runtime';
import { readVoicePrompt } from '../voice';
import type { Turns } from './turns';

/** Voices kept: each a few kilobytes of codes, or a megabyte of embeddings. */
const KEPT = 64;

export class Voices {
  readonly #turns: Turns;
  readonly #newEncoder: () => MimiEncoder;
  /** Least recently used first. */
  readonly #voices = new Map<string, Promise<VoicePrompt>>();

  /** @param newEncoder an encoder of one stream that has heard nothing */
  constructor(turns: Turns, newEncoder: () => MimiEncoder) {
    this.#turns = turns;
    this.#newEncoder = newEncoder;
  }

  /** @throws NpcVoiceError `io`, `voice_invalid` or `bad_audio` */
  async read(file: string): Promise<VoicePrompt> {
    const key = versionOf(file);
    const known = this.#voices.get(key);
    const voice = known ?? this.#load(file);
    this.#voices.delete(key);
    this.#voices.set(key, voice);
    for (const oldest of this.#voices.keys()) {
      if (this.#voices.size <= KEPT) break;
      this.#voices.delete(oldest);
    }
    try {
      return await voice;
    } catch (error) {
      this.#voices.delete(key);
      throw error;
    }
  }

  async #load(file: string): Promise<VoicePrompt> {
    const prompt = await this.#turns.slice(async () => readVoicePrompt(file));
    if (prompt.kind === 'embeddings')
      return { kind: 'embeddings', embeddings: prompt.rows, ring: prompt.cache };
    const codes = new Int32Array(prompt.frames * DEPTH_STEPS);
    const encoder = this.#newEncoder();
    for (let frame = 0; frame < prompt.frames; frame++) {
      const samples = prompt.samples.subarray(frame * FRAME_SAMPLES, (frame + 1) * FRAME_SAMPLES);
      const heard = await this.#turns.slice(() => encoder.encode(samples));
      codes.set(heard.codes, frame * DEPTH_STEPS);
    }
    return { kind: 'codes', codes };
  }
}

/** Names what a file now holds. */
function versionOf(file: string): string {
  try {
    const { size, mtimeMs } = statSync(file);
    return `${file}|${size}|${mtimeMs}`;
  } catch (cause) {
    throw new NpcVoiceError('io', `The voice prompt could not be read: ${(cause as Error).message}.`, {
      cause,
    });
  }
}
