/** The runtime file: where it is, who may read it, whose it is. */
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  findRunning, readRuntimeFile, removeRuntimeFile, runtimeDir, runtimeFile, writeRuntimeFile, type RuntimeInfo,
} from '../../sidecar/server'; // prettier-ignore

const ours: RuntimeInfo = {
  port: 7766, pid: 42, token: 'a', version: '0.1.0', protocol: 1, url: 'ws://127.0.0.1:7766/', startedAt: '', personas: '',
}; // prettier-ignore
let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'npc-voice-test-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

it('is where the platform keeps such things, or where the user says', () => {
  expect(runtimeDir({ NPC_VOICE_RUNTIME_DIR: '/somewhere', XDG_RUNTIME_DIR: '/run/user/1' })).toBe(
    '/somewhere',
  );
  expect(runtimeDir({ XDG_RUNTIME_DIR: '/run/user/1' }, 'linux')).toBe('/run/user/1/npc-voice');
  expect(runtimeDir({}, 'linux')).toBe(path.join(os.tmpdir(), `npc-voice-${os.userInfo().uid}`));
  expect(runtimeDir({ HOME: '/Users/ann' }, 'darwin')).toBe(
    '/Users/ann/Library/Application Support/npc-voice',
  );
  expect(runtimeDir({ LOCALAPPDATA: '/ann/Local' }, 'win32')).toBe('/ann/Local/npc-voice');
});

describe('writing it', () => {
  it('leaves nothing but it behind, and replaces what was there', async () => {
    await writeRuntimeFile(ours, root);
    await writeRuntimeFile({ ...ours, pid: 43 }, root);
    expect(await readdir(root)).toEqual(['sidecar.json']);
    expect((await readRuntimeFile(root))?.pid).toBe(43);
  });

  it.skipIf(process.platform === 'win32')(
    'refuses a folder that is a link: somebody may have planted it',
    async () => {
      const [real, link] = [path.join(root, 'real'), path.join(root, 'link')];
      await mkdir(real);
      await symlink(real, link);
      await expect(writeRuntimeFile(ours, link)).rejects.toMatchObject({
        code: 'io',
        message: expect.stringContaining('is not a folder of yours'),
      });
    },
  );

  it('says what to do where it cannot be written', async () => {
    await writeFile(path.join(root, 'file'), '');
    await expect(writeRuntimeFile(ours, path.join(root, 'file', 'dir'))).rejects.toMatchObject({
      code: 'io',
      hint: expect.stringContaining('NPC_VOICE_RUNTIME_DIR'),
    });
  });
});

describe('removing it', () => {
  it('leaves the file of a sidecar that came after', async () => {
    await writeRuntimeFile({ ...ours, pid: 43 }, root);
    await removeRuntimeFile(ours, root);
    await writeRuntimeFile({ ...ours, token: 'b' }, root);
    await removeRuntimeFile(ours, root);
    expect(await readRuntimeFile(root)).toMatchObject({ token: 'b' });
    await removeRuntimeFile({ ...ours, token: 'b' }, root);
    expect(await readRuntimeFile(root)).toBeUndefined();
  });
});

it('that is missing, broken or of nobody finds nobody', async () => {
  expect(await findRunning(root)).toBeUndefined();
  for (const text of ['', 'null', '{}', '{"port":1,"pid":1,"token":"x","url":"nonsense"}', '"x"']) {
    await writeFile(runtimeFile(root), text);
    expect(await findRunning(root), text).toBeUndefined();
  }
});
