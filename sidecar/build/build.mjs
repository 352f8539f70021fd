/**
 * Builds dist/: the sidecar (Node, ESM), its workers, the web plugin and the studio.
 *   node sidecar/build/build.mjs [--if-stale]
 * `--if-stale` builds only when a source is newer than the last build, so that `npm start` costs nothing twice.
 */
import { build } from 'tsup';
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
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
await rm(at('dist'), { recursive: true, force: true });
await mkdir(at('dist'), { recursive: true });

/** Entries that exist; rooms under construction are left out rather than failing the rest. */
const entries = (map) =>
  Object.fromEntries(
    Object.entries(map)
      .filter(([, file]) => existsSync(at(file)))
      .map(([k, f]) => [k, at(f)]),
  );
const common = {
  format: ['esm'],
  target: 'node20',
  sourcemap: true,
  clean: false,
  silent: true,
  outDir: at('dist'),
  config: false,
  tsconfig: at('tsconfig.json'),
};

/** The audio worklet is a file of its own, for strict content security policies, and inside the client as text. */
async function buildWebPlugin() {
  const web = {
    ...common,
    platform: 'browser',
    target: 'es2022',
    outDir: at('dist', 'web'),
    noExternal: [/.*/],
  };
  await build({
    ...web,
    entry: entries({ worklet: 'plugins/web/src/worklet.ts' }),
    minify: true,
    sourcemap: false,
  });
  const worklet = await readFile(at('dist', 'web', 'worklet.js'), 'utf8');
  await build({
    ...web,
    entry: entries({ index: 'plugins/web/src/index.ts' }),
    define: { NPC_VOICE_WORKLET_SOURCE: JSON.stringify(worklet) },
  });
}

const jobs = [
  build({
    ...common,
    platform: 'node',
    splitting: true,
    entry: entries({
      'npc-voice': 'sidecar/cli/main.ts',
      'workers/tts': 'sidecar/understudy/tts/worker.ts',
      'workers/vad': 'sidecar/understudy/vad/worker.ts',
      'workers/probe': 'sidecar/cli/doctor/probe.ts',
      'workers/quantise': 'sidecar/personaplex/import/worker.ts',
      'workers/host': 'sidecar/personaplex/host/process.ts',
      parity: 'sidecar/personaplex/parity/main.ts',
      bench: 'test/bench/main.ts',
    }),
  }),
  buildWebPlugin(),
  build({
    ...common,
    platform: 'browser',
    target: 'es2022',
    minify: true,
    entry: entries({ studio: 'sidecar/studio/main.ts' }),
    outDir: at('dist', 'studio'),
    noExternal: [/.*/],
  }),
].filter(Boolean);
await Promise.all(jobs);

// What is shipped as it is.
const vad = at('node_modules', '@ricky0123', 'vad-web', 'dist', 'silero_vad_v6.onnx');
const copies = [
  [at('sidecar', 'studio', 'public'), at('dist', 'studio')],
  [vad, at('dist', 'silero_vad_v6.onnx')],
];
for (const [from, to] of copies) if (existsSync(from)) await cp(from, to, { recursive: true });
await writeFile(stamp, new Date().toISOString());
process.stdout.write(`built dist/ in ${((performance.now() - began) / 1000).toFixed(1)} s\n`);
