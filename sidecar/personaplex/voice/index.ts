/** Voice prompts: what makes PersonaPlex sound like somebody. */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { NpcVoiceError } from '../../errors';
import { readVoiceEmbeddings, type VoiceEmbeddings } from './embeddings';
import { readVoiceRecording, type VoiceRecording } from './recording';

export { readVoiceArchive } from './archive';
export { readVoiceEmbeddings, type VoiceEmbeddings } from './embeddings';
export { PUBLISHED_VOICES } from './published';
export { readVoiceRecording, resampleWhole, type VoiceRecording } from './recording';
export { writeVoiceArchive, writeVoiceEmbeddings, type SavedVoice } from './write';

export type VoicePrompt = VoiceEmbeddings | VoiceRecording;

/** A file name of one folder: no separators, no drive, no dots at its start. */
const PROMPT_NAME = /^[A-Za-z0-9_][A-Za-z0-9_-]*(\.(pt|wav))?$/;
/** 30 s of 8-channel 192 kHz float is 184 MB; nobody's voice prompt is more. */
const MAX_FILE_BYTES = 200 * 2 ** 20;

/**
 * The file of a voice prompt.
 * @param prompt `NATM1`, `NATM1.pt` or `innkeeper.wav`; a bare name is a `.pt`
 * @param roots folders to look in, first match wins; links that lead out of their folder are refused
 * @throws NpcVoiceError `voice_invalid` for a name that is no file name, `unknown_voice` when no folder has it
 */
export function findVoicePrompt(prompt: string, roots: readonly string[]): string {
  const match = PROMPT_NAME.exec(prompt);
  if (!match)
    throw new NpcVoiceError('voice_invalid', `“${prompt.slice(0, 80)}” is not the name of a voice prompt.`, {
      hint: 'Name a .pt or .wav file of the voices folder, or one of NVIDIA’s voices: NATF0 to NATM3, VARF0 to VARM4.',
    });
  const file = match[1] ? prompt : `${prompt}.pt`;
  for (const root of roots) {
    let real: string;
    let realRoot: string;
    try {
      realRoot = realpathSync(root);
      real = realpathSync(path.join(root, file));
    } catch {
      continue;
    }
    if (!real.startsWith(realRoot + path.sep))
      throw new NpcVoiceError(
        'voice_invalid',
        `The voice prompt ${file} is a link that leads out of its folder.`,
        {
          hint: 'Copy the file into the folder.',
        },
      );
    return real;
  }
  throw new NpcVoiceError('unknown_voice', `There is no voice prompt ${file}.`, { hint: whatThereIs(roots) });
}

/** Which prompts there are instead, and that a recording does as well. */
function whatThereIs(roots: readonly string[]): string {
  const names = roots.flatMap((root) => {
    try {
      return readdirSync(root).filter((name) => /\.(pt|wav)$/.test(name) && PROMPT_NAME.test(name));
    } catch {
      return [];
    }
  });
  const there = [...new Set(names.map((name) => name.replace(/\.pt$/, '')))].sort();
  const recording = `a WAV recording of one voice, 4 to 10 s, in ${roots[0] ?? 'the voices folder'}`;
  return there.length > 0
    ? `There ${there.length > 1 ? 'are' : 'is'} ${there.join(', ')}; or name ${recording}.`
    : `The model came without voices: name ${recording}.`;
}

/**
 * Reads a voice prompt's file, by its ending.
 * @throws NpcVoiceError `io`, `voice_invalid` or `bad_audio`
 */
export function readVoicePrompt(file: string): VoicePrompt {
  let bytes: Uint8Array;
  try {
    const { size } = statSync(file);
    if (size > MAX_FILE_BYTES)
      throw new NpcVoiceError(
        'voice_invalid',
        `${path.basename(file)} has ${Math.round(size / 2 ** 20)} MB: no voice prompt is so large.`,
      );
    bytes = readFileSync(file);
  } catch (cause) {
    if (cause instanceof NpcVoiceError) throw cause;
    throw new NpcVoiceError('io', `The voice prompt could not be read: ${(cause as Error).message}.`, {
      cause,
    });
  }
  return file.endsWith('.wav') ? readVoiceRecording(bytes) : readVoiceEmbeddings(bytes);
}
