/** The host as a process: it must not outlive what started it. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { distFile } from '../../../sidecar/paths';
import { castOf } from '../tiny-cast';
import { importTinyModel, type TinyModel } from '../tiny-model';

let tiny: TinyModel;
beforeAll(async () => {
  tiny = await importTinyModel();
});
afterAll(() => tiny.remove());

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    // A zombie has ended, and only waits to be told of.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};
async function until<T>(what: () => T | undefined): Promise<T> {
  for (;;) {
    const value = what();
    if (value !== undefined) return value;
    await sleep(20);
  }
}

// Children are looked up in /proc.
describe.runIf(process.platform === 'linux')('the model host', () => {
  it('ends when its parent is killed', async () => {
    const cast = await castOf(tiny);
    const parent = spawn(
      process.execPath,
      [
        distFile('npc-voice.js'),
        'talk',
        '--persona',
        'tiny',
        '--model',
        tiny.folder,
        '--seconds',
        '86400',
        ...cast,
      ],
      { stdio: 'ignore' },
    );
    const host = await until(() => {
      const children = readFileSync(`/proc/${parent.pid}/task/${parent.pid}/children`, 'utf8').trim();
      const [pid] = children.split(' ').map(Number).filter(Boolean);
      // Its libraries are loaded: it has begun to work.
      return pid && readFileSync(`/proc/${pid}/maps`, 'utf8').includes('onnxruntime') ? pid : undefined;
    });
    expect(readFileSync(`/proc/${parent.pid}/maps`, 'utf8')).not.toContain('onnxruntime');
    expect(isAlive(host)).toBe(true);
    parent.kill('SIGKILL');
    await until(() => (isAlive(host) ? undefined : true));
  });
});
