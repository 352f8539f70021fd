/** Writes test/fixtures/wire from test/wire/vectors.ts: `node test/wire/write-vectors.mjs`. */
import { build } from 'tsup';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const outDir = await mkdtemp(path.join(os.tmpdir(), 'npc-voice-vectors-'));
try {
  await build({
    entry: { vectors: path.join(root, 'test/wire/vectors.ts') },
    format: ['esm'],
    outDir,
    silent: true,
    noExternal: [/.*/],
    config: false,
  });
  const { FILES, format } = await import(pathToFileURL(path.join(outDir, 'vectors.js')).href);
  for (const [name, file] of Object.entries(FILES))
    await writeFile(path.join(root, 'test/fixtures/wire', name), format(file));
} finally {
  await rm(outDir, { recursive: true, force: true });
}
