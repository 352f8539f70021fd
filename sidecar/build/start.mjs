/**
 * `npm start [-- options of serve]`: builds what is stale, then runs the sidecar in this very process. npm passes a
 * signal to the shell it started and no further, so the sidecar is told to end when that shell does.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const here = (file) => fileURLToPath(new URL(file, import.meta.url));
const built = spawnSync(process.execPath, [here('build.mjs'), '--if-stale'], { stdio: 'inherit' });
if (built.status !== 0) process.exit(built.status ?? 1);
const sidecar = new URL('../../dist/npc-voice.js', import.meta.url);
process.argv = [
  process.execPath,
  fileURLToPath(sidecar),
  'serve',
  '--with',
  String(process.ppid),
  ...process.argv.slice(2),
];
await import(sidecar.href);
