import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packageRoot } from '../sidecar/paths';
import { runtimeFile, type RuntimeInfo } from '../sidecar/server';

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'npc-voice-start-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe.skipIf(process.platform === 'win32')('npm start', () => {
  it('leaves no sidecar behind when npm is told to end', async () => {
    const npm = spawn('npm', ['start', '--', '--port', '0'], {
      cwd: packageRoot,
      env: { ...process.env, NPC_VOICE_RUNTIME_DIR: dir },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await new Promise<void>((resolve, reject) => {
      let said = '';
      npm.stdout.on('data', (text: Buffer) => (said += text).includes('Open the studio') && resolve());
      npm.once('exit', () => reject(new Error(`npm start ended: ${said}`)));
    });
    const { pid } = JSON.parse(await readFile(runtimeFile(dir), 'utf8')) as RuntimeInfo;
    npm.kill('SIGTERM');
    await expect.poll(() => isRunning(pid), { timeout: 20_000 }).toBe(false);
    expect(existsSync(runtimeFile(dir))).toBe(false);
  });
});
