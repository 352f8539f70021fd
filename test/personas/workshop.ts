/** A library over real folders in a temporary place, with everything it tells written down. */
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';
import {
  PersonaLibrary,
  type PersonaChange,
  type PersonaListing,
  type PersonaRejection,
} from '../../sidecar/personas';

export const VOICE = 'name: Deep\nunderstudy:\n  base: rms\n';

/** A small valid persona. `more` is appended as it is. */
export const persona = (name: string, more = ''): string =>
  `name: ${name}\nrole: You enjoy having a good conversation. You are ${name}.\nvoice: deep\n${more}`;

export interface Workshop {
  library: PersonaLibrary;
  personas: string;
  voices: string;
  /** Everything told since the workshop opened, in order. */
  changed: PersonaChange[];
  rejected: PersonaRejection[];
  listed: PersonaListing[];
  /** Path of a persona's file. */
  file(id: string): string;
  save(id: string, text: string): Promise<void>;
}

const cleanups: (() => Promise<unknown>)[] = [];
// After all, not each: tests that only wait run at the same time.
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

export async function temporaryFolder(): Promise<string> {
  const dir = await realpath(await mkdtemp(path.join(tmpdir(), 'npc-voice-')));
  cleanups.push(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** `files`: persona files by id; `laid: false` leaves both folders missing. */
export async function openWorkshop(
  files: Record<string, string>,
  options: { watch?: boolean; laid?: boolean } = {},
): Promise<Workshop> {
  const dir = await temporaryFolder();
  const [personas, voices] = [path.join(dir, 'npc-personas'), path.join(dir, 'voices')];
  if (options.laid !== false) {
    await mkdir(personas);
    await mkdir(voices);
    await writeFile(path.join(voices, 'deep.yaml'), VOICE);
    for (const [id, text] of Object.entries(files)) await writeFile(path.join(personas, `${id}.yaml`), text);
  }
  const library = await PersonaLibrary.open({ personas, voices, watch: options.watch ?? true });
  cleanups.push(() => library.close());
  const shop: Workshop = {
    library,
    personas,
    voices,
    changed: [],
    rejected: [],
    listed: [],
    file: (id) => path.join(personas, `${id}.yaml`),
    save: (id, text) => writeFile(path.join(personas, `${id}.yaml`), text),
  };
  library.on('changed', (change) => shop.changed.push(change));
  library.on('rejected', (rejection) => shop.rejected.push(rejection));
  library.on('listed', (listing) => shop.listed.push(listing));
  return shop;
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves when `condition` holds; the test's own time limit ends the wait. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(5);
}

/** Long enough for whatever is going to be told to have been told. */
export const quiet = (): Promise<void> => pause(500);
