/** Where the package's own files are, from source and from the bundle alike. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

function findPackageRoot(): string {
  let dir = path.dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const manifest = path.join(dir, 'package.json');
    if (existsSync(manifest) && readFileSync(manifest, 'utf8').includes('"name": "npc-voice"')) return dir;
    const up = path.dirname(dir);
    if (up === dir) throw new Error('the npc-voice package folder was not found above ' + dir);
    dir = up;
  }
}

export const packageRoot = findPackageRoot();
export const shippedPersonas = path.join(packageRoot, 'npc-personas');
export const shippedVoices = path.join(packageRoot, 'voices');

/** A built file: workers and studio run from dist/ even when the rest runs from source (tests). */
export const distFile = (...parts: string[]): string => path.join(packageRoot, 'dist', ...parts);

/** This package's version. */
export const version: string = (
  JSON.parse(readFileSync(path.join(packageRoot, 'package.json'), 'utf8')) as { version: string }
).version;
