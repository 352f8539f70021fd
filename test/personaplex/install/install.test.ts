import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import fsPromises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  synthesiseCheckpoint,
  syntheticTokenizer,
  type ModelManifest,
} from '../../../sidecar/personaplex/import';
import {
  download,
  Hub,
  installModel,
  isAccepted,
  removeDownloads,
  type CatalogueEntry,
  type InstallOptions,
} from '../../../sidecar/personaplex/install';
import { openModel } from '../../../sidecar/personaplex/store';
import { fixtures } from '../checkpoint/build';
import { TINY_LM, TINY_MIMI } from '../tiny-model';
import { tgz } from '../voice/build';
import { HubServer } from './hub-server';
import { failure, REPOSITORY, sha, TOKEN } from './support';

let folder: string;
let server: HubServer;
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'npc-install-'));
  server = await new HubServer({}).start();
});
afterEach(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('an installation', () => {
  let codec: Uint8Array;
  beforeAll(() => {
    const made = mkdtempSync(path.join(tmpdir(), 'npc-install-'));
    synthesiseCheckpoint(made, { lm: TINY_LM, mimi: TINY_MIMI, seed: 5 });
    codec = new Uint8Array(readFileSync(path.join(made, 'tokenizer-e351c8d8-checkpoint125.safetensors')));
    rmSync(made, { recursive: true });
  });
  const read = (name: string): Uint8Array => new Uint8Array(readFileSync(path.join(fixtures, name)));
  const entry: CatalogueEntry = {
    id: 'tiny', name: 'Tiny', about: '', repository: REPOSITORY, gated: true,
    licence: { name: 'Test Licence', url: 'https://example.com', summary: [] },
    files: ['config.json', 'model.safetensors', 'tokenizer-e351c8d8-checkpoint125.safetensors', 'tokenizer_spm_32k_3.model', 'voices.tgz'],
  }; // prettier-ignore
  let asked: number;
  const run = (change: Partial<InstallOptions> = {}): ReturnType<typeof installModel> =>
    installModel({
      entry, models: folder, tier: 'f32', place: async () => ({ provider: 'cpu' }), hub: { endpoint: server.endpoint, token: TOKEN }, threads: 0,
      accept: async () => { asked++; return true; },
      keepDownload: false, on: {}, patienceMs: 1, ...change,
    }); // prettier-ignore
  const install = async (change?: Partial<InstallOptions>): Promise<ModelManifest> => {
    const { manifest, wasHere } = await run(change);
    expect(wasHere).toBe(false);
    return manifest;
  };
  beforeEach(() => {
    asked = 0;
    server.faults.tokens = [TOKEN];
    server.files = {
      'config.json': { bytes: new TextEncoder().encode('{"num_heads":4,"depformer_num_heads":2,"context":64}'), large: false },
      'model.safetensors': { bytes: read('tiny-lm.safetensors'), large: true },
      'tokenizer-e351c8d8-checkpoint125.safetensors': { bytes: codec, large: true },
      'tokenizer_spm_32k_3.model': { bytes: syntheticTokenizer(96), large: true },
      'voices.tgz': { bytes: tgz([{ name: 'voices/NATF2.pt', bytes: read('tiny-voice.pt') }]), large: true },
    };
  }); // prettier-ignore

  it('downloads, imports and cleans up; the licence is asked for once', async () => {
    const manifest = await install();
    expect(manifest).toMatchObject({
      id: 'tiny',
      form: 'personaplex',
      voices: ['NATF2'],
      lm: { heads: 4, depthHeads: 2, context: 64 },
    });
    expect(manifest.source).toMatchObject({
      from: REPOSITORY,
      revision: server.commit,
      licence: 'Test Licence',
    });
    expect(manifest.source.files.find((file) => file.name === 'model.safetensors')!.sha256).toBe(
      sha(read('tiny-lm.safetensors')),
    );
    const installed = openModel('tiny', folder);
    expect(existsSync(path.join(installed.voices, 'NATF2.pt'))).toBe(true);
    expect(existsSync(path.join(folder, '.downloads', 'tiny'))).toBe(false);
    await install({ keepDownload: true });
    expect(asked).toBe(1);
    expect(existsSync(path.join(folder, '.downloads', 'tiny', 'model.safetensors'))).toBe(true);
  });

  it('asks for every file at the commit the first was of', async () => {
    await install();
    const paths = server.seen
      .filter((each) => each.at === 'hub')
      .map((each) => each.path.split('/resolve/')[1]!.split('/')[0]);
    expect(paths[0]).toBe('main');
    expect(paths.slice(1).every((revision) => revision === server.commit)).toBe(true);
  });

  it('downloads nothing when the licence is declined, and asks again next time', async () => {
    const error = await failure(install({ accept: async () => false }));
    expect(error.message).toMatch(/not accepted; nothing was downloaded/);
    expect(server.seen).toEqual([]);
    expect(isAccepted(folder, REPOSITORY)).toBe(false);
  });

  it('needs a token for a gated model, before anything else', async () => {
    const error = await failure(install({ hub: { endpoint: server.endpoint } }));
    expect(error.code).toBe('unauthorized');
    expect(error.hint).toMatch(/moshiko. needs no token/);
    expect(asked).toBe(0);
  });

  it('resumes after a damaged file', async () => {
    server.faults.corrupt = (bytes) =>
      bytes.length > 1e6 ? bytes.map((byte, i) => (i === 99_999 ? byte ^ 4 : byte)) : bytes;
    expect((await failure(install())).message).toMatch(/model\.safetensors arrived damaged/);
    server.faults.corrupt = undefined!;
    await install();
    expect(asked).toBe(1);
  });

  it('is not begun while another process is at it, and does not take its download away', async () => {
    mkdirSync(path.join(folder, '.downloads', 'tiny'), { recursive: true });
    writeFileSync(path.join(folder, '.downloads', 'tiny.lock'), String(process.ppid));
    expect((await failure(install())).code).toBe('conflict');
    expect((await failure(removeDownloads(folder, 'tiny'))).code).toBe('conflict');
    expect(readdirSync(path.join(folder, '.downloads')).sort()).toEqual(['tiny', 'tiny.lock']);
  });

  it('has the room back that a killed import took before it asks how much there is', async () => {
    const left = path.join(folder, `.import-tiny-${2 ** 22 + 12345}`);
    mkdirSync(left, { recursive: true });
    const space = vi.spyOn(fsPromises, 'statfs').mockImplementation(async () => {
      const bavail = existsSync(left) ? 1 : 2 ** 30;
      return { bavail, bsize: 4096 } as never;
    });
    syncBuiltinESMExports();
    try {
      await install();
    } finally {
      space.mockRestore();
      syncBuiltinESMExports();
    }
  });

  it('keeps the model there was when a new import fails', async () => {
    await install();
    const before = readFileSync(path.join(folder, 'tiny', 'manifest.json'), 'utf8');
    const wrong = read('tiny-lm.safetensors').slice(0, -4);
    server.files['model.safetensors'] = { bytes: wrong, large: true };
    server.commit = 'another';
    expect((await failure(install())).message).toMatch(/truncated/);
    expect(readFileSync(path.join(folder, 'tiny', 'manifest.json'), 'utf8')).toBe(before);
    expect(readdirSync(folder).filter((name) => name.startsWith('.import'))).toEqual([]);
  });

  describe('of a model that is here', () => {
    let manifest: ModelManifest;
    beforeEach(async () => {
      manifest = await install();
      server.seen.length = 0;
    });
    const gets = (): number => server.seen.filter(({ method }) => method === 'GET').length;

    it('asks the hub for its commit, and leaves it at that', async () => {
      expect(await run()).toEqual({ manifest, wasHere: true });
      expect(server.seen.map(({ at, method, path }) => `${at} ${method} ${path}`)).toEqual([
        `hub HEAD /${REPOSITORY}/resolve/main/model.safetensors`,
      ]);
    });

    it('goes by the weights where a mirror tells no commit', async () => {
      server.commit = '';
      expect(await run()).toEqual({ manifest, wasHere: true });
      server.files['model.safetensors'] = { bytes: read('tiny-lm.safetensors').slice(0, -4), large: true };
      await failure(install());
      expect(gets()).toBeGreaterThan(0);
    });

    it('says that it is outdated before it fetches anything', async () => {
      const told: number[] = [];
      server.commit = 'another';
      await run({ on: { outdated: () => told.push(gets()) } });
      expect(told).toEqual([0]);
    });

    it.each([
      ['is told to do it again', () => ({ again: true })],
      ['is to keep the download', () => ({ keepDownload: true })],
      ['has another commit', () => ((server.commit = 'another'), {})],
      ['is of another tier', () => ({ tier: 'q8' as const })],
      ['is for another place', () => ({ place: async () => ({ provider: 'webgpu' as const }) })],
      ['lost a file', () => (rmSync(path.join(folder, 'tiny', 'depth.onnx.data')), {})],
      ['lost a voice', () => (rmSync(path.join(folder, 'tiny', 'voices', 'NATF2.pt')), {})],
      ['came from elsewhere', () => ({ entry: { ...entry, repository: 'someone/other' } })],
    ] as [string, () => Partial<InstallOptions>][])('does it all when it %s', async (_, change) => {
      await install(change());
      expect(gets()).toBeGreaterThanOrEqual(entry.files.length);
    });

    it.each([
      ['is busy', () => ((server.faults.busy = 9), {}), /^the hub answered 503$/],
      ['cannot be reached', () => ({ hub: { endpoint: 'http://127.0.0.1:1' } }), /^127\.0\.0\.1:1 could not be reached \(/],
      ['does not know who asks', () => ({ hub: { endpoint: server.endpoint } }), /HF_TOKEN is not set/],
    ] as [string, () => Partial<InstallOptions>, RegExp][])('keeps it when the hub %s, and says why no more is known', async (_, change, why) => {
      expect(await run(change())).toEqual({ manifest, wasHere: true, notAsked: expect.stringMatching(why) });
      expect(server.seen.length).toBeLessThanOrEqual(1);
    });
  }); // prettier-ignore

  it('leaves alone what is no model’s download', async () => {
    mkdirSync(path.join(folder, '.downloads'), { recursive: true });
    expect(await removeDownloads(folder, '..')).toBe(false);
    expect(existsSync(folder)).toBe(true);
  });

  it('says how much room is missing before it downloads', async () => {
    mkdirSync(folder, { recursive: true });
    server.files['model.safetensors'] = { bytes: new Uint8Array(8), large: true };
    const original = Hub.prototype.describe;
    Hub.prototype.describe = async function (...args) {
      return { ...(await original.apply(this, args)), size: 2 ** 52 };
    };
    try {
      expect((await failure(install())).message).toMatch(/needs \d+\.\d GB in .*, but only/);
      expect(server.seen.some((each) => each.at === 'cdn' && each.method === 'GET')).toBe(false);
    } finally {
      Hub.prototype.describe = original;
    }
  });
});
