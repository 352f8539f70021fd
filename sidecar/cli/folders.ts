/** Which personas and voices a command works on. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { NpcVoiceError } from '../errors';
import { shippedPersonas, shippedVoices } from '../paths';

export interface CastFolders {
  personas: string;
  voices: string;
}

/**
 * What was asked for, else the game's own ./npc-personas, else the shipped cast; voices lie beside the personas,
 * else they are the shipped ones.
 */
export function castFolders(asked: { personas?: string; voices?: string }): CastFolders {
  const own = path.resolve('npc-personas');
  const personas =
    asked.personas !== undefined ? path.resolve(asked.personas) : existsSync(own) ? own : shippedPersonas;
  const beside = path.join(path.dirname(personas), 'voices');
  const voices =
    asked.voices !== undefined ? path.resolve(asked.voices) : existsSync(beside) ? beside : shippedVoices;
  return { personas, voices };
}

/** Says of folders that are not there, which were then asked for by name. */
export function missingFolders({ personas, voices }: CastFolders): string[] {
  return [personas, voices].filter((dir) => !existsSync(dir)).map((dir) => `There is no folder ${dir}.`);
}

/** @throws NpcVoiceError `io` when one of the folders is not there */
export function requireFolders(folders: CastFolders): void {
  const [missing] = missingFolders(folders);
  if (missing !== undefined)
    throw new NpcVoiceError('io', missing, { hint: 'Lay personas and voices with `npc-voice init`.' });
}

/** The options by which a command is told them. */
export const withCastFolders = (command: Command): Command =>
  command
    .option('--personas <dir>', 'folder of persona files (default: ./npc-personas, else the shipped cast)')
    .option(
      '--voices <dir>',
      'folder of voice files (default: voices beside the personas, else the shipped ones)',
    );

/** A path as short as it can be written from here. */
export function shortPath(file: string): string {
  const relative = path.relative('', file);
  return relative !== '' && relative.length < file.length ? relative : file;
}
