/**
 * Builds dist/: the sidecar (Node, ESM), its workers, the web plugin and the studio.
 *   node sidecar/build/build.mjs [--if-stale]
 * `--if-stale` builds only when a source is newer than the last build, so that `npm start` costs nothing twice.
 * It is built beside dist/ and put in its place whole, so that a sidecar or a test never meets half of one.
 */
import { copyFile, cp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

const root = fileURLToPath(new URL('../..', import.meta.url));
const at = (...parts) => path.join(root, ...parts);
const stamp = at('dist', '.built');

async function newest(dir) {
  let latest = 0;
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    if (entry.name === 'node_modules' || entry.name === 'dist' || entry.name.startsWith('.')) continue;
    const full = path.join(dir, entry.name);
    const time = entry.isDirectory() ? await newest(full) : (await stat(full)).mtimeMs;
    if (time > latest) latest = time;
  }
  return latest;
}
async function isFresh() {
  if (!existsSync(stamp)) return false;
  const built = (await stat(stamp)).mtimeMs;
  const sources = [at('sidecar'), at('plugins', 'web'), at('test', 'bench')].filter((dir) => existsSync(dir));
  const times = await Promise.all([...sources.map(newest), stat(at('package.json')).then((s) => s.mtimeMs)]);
  return times.every((time) => time < built);
}
if (process.argv.includes('--if-stale') && (await isFresh())) process.exit(0);

const began = performance.now();
// Not before: most starts have nothing to build.
const { build } = await import('tsup');
const draft = at(`.dist-${process.pid}`);
const node = {
  format: ['esm'],
  target: 'node20',
  sourcemap: true,
  clean: false,
  silent: true,
  config: false,
  tsconfig: at('tsconfig.json'),
};
const browser = { ...node, platform: 'browser', target: 'es2022', noExternal: [/.*/] };

const buildSidecar = () =>
  build({
    ...node,
    platform: 'node',
    splitting: true,
    outDir: draft,
    entry: {
      'npc-voice': at('sidecar/cli/main.ts'),
      'workers/tts': at('sidecar/understudy/tts/worker.ts'),
      'workers/vad': at('sidecar/understudy/vad/worker.ts'),
      'workers/probe': at('sidecar/cli/probe-process.ts'),
      'workers/quantise': at('sidecar/personaplex/import/worker.ts'),
      'workers/host': at('sidecar/personaplex/host/process.ts'),
      parity: at('sidecar/personaplex/parity/main.ts'),
      bench: at('test/bench/main.ts'),
    },
  });

/** The audio worklet is a file of its own, for strict content security policies, and inside the client as text. */
async function buildWebPlugin() {
  const web = { ...browser, outDir: path.join(draft, 'web') };
  await build({
    ...web,
    entry: { worklet: at('plugins/web/src/worklet.ts') },
    minify: true,
    sourcemap: false,
  });
  const worklet = await readFile(path.join(draft, 'web', 'worklet.js'), 'utf8');
  await build({
    ...web,
    entry: { index: at('plugins/web/src/index.ts') },
    define: { NPC_VOICE_WORKLET_SOURCE: JSON.stringify(worklet) },
  });
}

async function buildStudio() {
  const outDir = path.join(draft, 'studio');
  await build({ ...browser, entry: { studio: at('sidecar/studio/main.ts') }, outDir, minify: true });
  await cp(at('sidecar', 'studio', 'public'), outDir, { recursive: true });
}

try {
  await Promise.all([buildSidecar(), buildWebPlugin(), buildStudio()]);
  const vad = 'silero_vad_v6.onnx';
  await copyFile(at('node_modules', '@ricky0123', 'vad-web', 'dist', vad), path.join(draft, vad));
  await writeFile(path.join(draft, '.built'), new Date().toISOString());
  const old = at(`.dist-${process.pid}-old`);
  if (existsSync(at('dist'))) await rename(at('dist'), old);
  await rename(draft, at('dist'));
  await rm(old, { recursive: true, force: true });
} finally {
  await rm(draft, { recursive: true, force: true });
}
process.stdout.write(`built dist/ in ${((performance.now() - began) / 1000).toFixed(1)} s\n`);
