/** A persona and a voice for the tiny model, as files. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { TinyModel } from './tiny-model';

/** @returns command-line options that name the cast's folders */
export async function castOf(tiny: TinyModel): Promise<string[]> {
  const personas = path.join(path.dirname(tiny.models), 'npc-personas');
  await mkdir(personas, { recursive: true });
  await writeFile(path.join(personas, 'tiny.yaml'), 'name: Tiny\nvoice: low\nrole: you sell ale.\n');
  await writeFile(
    path.join(tiny.voices, 'low.yaml'),
    'name: Low\nunderstudy:\n  base: slt\npersonaplex:\n  prompt: low.wav\n',
  );
  return ['--personas', personas, '--voices', tiny.voices];
}
