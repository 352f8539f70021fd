/** What `npc-voice serve` says of personas that it cannot serve. The real command, from dist/. */
import { spawn, type ChildProcess } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { distFile, shippedPersonas } from '../../sidecar/paths';

let dir: string;
let child: ChildProcess | undefined;
let said = '';
const at = (...parts: string[]): string => path.join(dir, ...parts);

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'npc-voice-serve-'));
});
afterEach(async () => {
  const ended = child && new Promise((resolve) => child!.once('close', resolve));
  child?.kill('SIGTERM');
  await ended;
  await rm(dir, { recursive: true, force: true });
});

/** Both of its streams, once it serves. */
async function serve(...args: string[]): Promise<void> {
  said = '';
  child = spawn(process.execPath, [distFile('npc-voice.js'), 'serve', '--port', '0', ...args], {
    env: { ...process.env, NPC_VOICE_RUNTIME_DIR: at('run'), NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (text) => (said += String(text)));
  await until(/studio: .*\n/);
}
async function until(what: RegExp): Promise<void> {
  while (!what.test(said)) {
    if (child!.exitCode !== null) throw new Error(`serve ended: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a folder that is not there is told, and keeps nobody from serving', async () => {
  await serve('--personas', at('typo'));
  expect(said).toContain(`There is no folder ${at('typo')}. Its files are taken up when it comes.`);
  expect(said).toContain('0 personas in ');
});

test('a file that ends in .yml is told its name', async () => {
  await mkdir(at('npc-personas'));
  await cp(path.join(shippedPersonas, 'marta.yaml'), at('npc-personas', 'marta.yaml'));
  await writeFile(at('npc-personas', 'hugo.yml'), 'name: Hugo\n');
  await serve('--personas', at('npc-personas'));
  expect(said).toMatch(
    /hugo\.yml:1:1: 'hugo\.yml' is not read: files here end in \.yaml\. Rename it hugo\.yaml\./,
  );
  expect(said).toContain('1 personas in ');
});
