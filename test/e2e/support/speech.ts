/** What the fake microphone plays: a line spoken offline by a character of the test's own. */
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { readWav, writeWav } from '../../../sidecar/audio';
import { distFile, shippedVoices } from '../../../sidecar/paths';

const SPEAKER = (line: string): string => `
name: Speaker
role: You enjoy having a good conversation. You are Speaker.
voice: marta
lines: { greeting: [${JSON.stringify(line)}], replies: [Yes.], idle_every_s: 0 }
`;

/** Writes a WAV of `quiet` seconds of silence, the line, and silence up to `seconds` after the quiet. */
export async function recordSpeech(file: string, quiet: number, line: string, seconds = 7): Promise<void> {
  const personas = path.join(path.dirname(file), 'speaker');
  const spoken = path.join(personas, 'spoken.wav');
  await mkdir(personas, { recursive: true });
  await writeFile(path.join(personas, 'speaker.yaml'), SPEAKER(line));
  await promisify(execFile)(process.execPath, [
    distFile('npc-voice.js'),
    'talk',
    ...['--personas', personas, '--voices', shippedVoices, '--persona', 'speaker'],
    ...['--seconds', String(seconds), '--output', spoken],
  ]);
  const wav = readWav(await readFile(spoken));
  const { rate } = wav;
  const samples = wav.mono();
  const whole = new Float32Array(Math.round(quiet * rate) + samples.length);
  whole.set(samples, whole.length - samples.length);
  await writeFile(file, writeWav(whole, rate));
}
