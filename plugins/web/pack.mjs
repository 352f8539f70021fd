/** Fills dist/ for `npm pack`: the built client and worklet, and the types in one file. */
import { cp, mkdir, rm } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'tsup';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.join(here, '..', '..');
const dist = path.join(here, 'dist');

execFileSync(process.execPath, [path.join(root, 'sidecar', 'build', 'build.mjs'), '--if-stale'], {
  stdio: 'inherit',
});
await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
for (const file of ['index.js', 'index.js.map', 'worklet.js'])
  await cp(path.join(root, 'dist', 'web', file), path.join(dist, file));
await build({
  entry: { index: path.join(here, 'src', 'index.ts') },
  outDir: dist,
  dts: { only: true, compilerOptions: { stripInternal: true } },
  format: ['esm'],
  config: false,
  silent: true,
  tsconfig: path.join(root, 'tsconfig.json'),
});
