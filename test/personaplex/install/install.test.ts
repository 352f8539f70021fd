import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { NpcVoiceError } from '../../../sidecar/errors';
import {
  synthesiseCheckpoint,
  syntheticTokenizer,
  type ModelManifest,
} from '../../../sidecar/personaplex/import';
import {
  bytesPresent,
  download,
  Hub,
  installModel,
  isAccepted,
  removeDownloads,
  type CatalogueEntry,
  type HubFile,
  type InstallOptions,
} from '../../../sidecar/personaplex/install';
import { openModel } from '../../../sidecar/personaplex/store';
import { fixtures } from '../checkpoint/build';
import { TINY_LM, TINY_MIMI } from '../tiny-model';
import { tgz } from '../voice/build';
import { HubServer } from './hub-server';

const TOKEN = 'hf_reader';
const REPOSITORY = 'someone/model';
const blob = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7919) >> 3);
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

let folder: string;
let server: HubServer;
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'npc-install-'));
  server = await new HubServer({
    'model.bin': { bytes: blob, large: true },
    'config.json': { bytes: new TextEncoder().encode('{"a":1}'), large: false },
  }).start();
});
afterEach(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const hub = (token: string | undefined = TOKEN, silenceMs?: number): Hub =>
  new Hub({ endpoint: server.endpoint, token, ...(silenceMs ? { silenceMs } : {}) });
const fetchFile = async (
  file?: HubFile,
  from = hub(),
): Promise<{ path: string; sha256: string; waits: string[]; bytes: number[] }> => {
  const waits: string[] = [];
  const bytes: number[] = [];
  const described = file ?? (await from.describe(REPOSITORY, 'main', 'model.bin'));
  const done = await download({
    hub: from, repository: REPOSITORY, revision: 'main', file: described, folder, patienceMs: 1,
    retrying: (why) => waits.push(why), progress: (n) => bytes.push(n),
  }); // prettier-ignore
  return { ...done, waits, bytes };
};
const failure = async (work: Promise<unknown>): Promise<NpcVoiceError> => {
  const error = await work.then(
    () => new Error('it succeeded'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(NpcVoiceError);
  return error as NpcVoiceError;
};

describe('the hub', () => {
  it('describes large files by the redirect to them, small ones by themselves', async () => {
    expect(await hub().describe(REPOSITORY, 'main', 'model.bin')).toEqual({
      name: 'model.bin', commit: server.commit, etag: sha(blob), size: blob.length, sha256: sha(blob),
    }); // prettier-ignore
    expect(server.seen.every((each) => each.at === 'hub')).toBe(true);
    expect(await hub().describe(REPOSITORY, 'main', 'config.json')).toMatchObject({ size: 7, sha256: null });
  });

  it('sees the token; the CDN does not', async () => {
    await fetchFile();
    expect(
      server.seen
        .filter((each) => each.at === 'hub')
        .every((each) => each.authorization === `Bearer ${TOKEN}`),
    ).toBe(true);
    const cdn = server.seen.filter((each) => each.at === 'cdn');
    expect(cdn.length).toBeGreaterThan(0);
    expect(cdn.every((each) => each.authorization === undefined)).toBe(true);
  });

  it('is not left for an insecure place', async () => {
    server.faults.redirectTo = 'http://cdn.example.com/model.bin';
    expect((await failure(hub().read(REPOSITORY, 'main', 'model.bin', 0))).message).toMatch(/not secure/);
    expect(() => new Hub({ endpoint: 'http://hub.example.com' })).toThrow(/https/);
    expect(() => new Hub({ endpoint: 'nonsense' })).toThrow(/not a URL/);
  });

  it('is not followed in circles', async () => {
    server.faults.redirectTo = '/someone/model/resolve/main/model.bin';
    expect((await failure(hub().read(REPOSITORY, 'main', 'model.bin', 0))).message).toMatch(/in circles/);
  });

  it.each([
    ['without a token', undefined, /HF_TOKEN is not set/, /settings\/tokens/],
    ['with a token that is not valid', 'hf_old', /does not accept your HF_TOKEN/, /expired/],
    ['before the licence was accepted', 'hf_new', /may not read someone\/model yet/, /Accept the licence at .*someone\/model/],
  ])('refuses %s, and says what to do', async (_, token, message, hint) => {
    server.faults = { tokens: [TOKEN], notAccepted: ['hf_new'] };
    const error = await failure(new Hub({ endpoint: server.endpoint, token }).describe(REPOSITORY, 'main', 'model.bin'));
    expect(error.code).toBe('unauthorized');
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
  }); // prettier-ignore

  it('names a file it does not have', async () => {
    expect((await failure(hub().describe(REPOSITORY, 'main', 'other.bin'))).message).toMatch(
      /no file other\.bin/,
    );
  });
});

describe('a download', () => {
  const here = (): string[] => readdirSync(folder).sort();

  it('arrives whole, under its name, and nothing beside it', async () => {
    const { path: file, sha256, bytes } = await fetchFile();
    expect(sha256).toBe(sha(blob));
    expect(readFileSync(file).equals(blob)).toBe(true);
    expect(here()).toEqual(['model.bin']);
    expect(bytes.at(-1)).toBe(blob.length);
  });

  it('goes on where a dropped connection stopped', async () => {
    server.faults.drop = { after: 100_000, times: 2 };
    const { sha256, waits } = await fetchFile();
    expect(sha256).toBe(sha(blob));
    expect(waits).toHaveLength(2);
    const ranges = server.seen
      .filter((each) => each.at === 'cdn' && each.method === 'GET')
      .map((each) => each.range);
    expect(ranges[0]).toBeUndefined();
    expect(ranges.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range!))).toBe(true);
  });

  it('goes on in a later session, and asks only for the rest', async () => {
    const file = await hub().describe(REPOSITORY, 'main', 'model.bin');
    // What a session that was killed left behind.
    writeFileSync(path.join(folder, 'model.bin.part'), blob.subarray(0, 123_456));
    writeFileSync(path.join(folder, 'model.bin.part.json'), JSON.stringify({ etag: file.etag }));
    expect(bytesPresent(folder, file)).toBe(123_456);
    server.seen.length = 0;
    const { sha256, bytes } = await fetchFile(file);
    expect(sha256).toBe(sha(blob));
    expect(server.seen.find((each) => each.at === 'cdn')!.range).toBe('bytes=123456-');
    expect(bytes[0]).toBeGreaterThan(123_456);
  });

  it('starts anew when the file on the hub has changed', async () => {
    writeFileSync(path.join(folder, 'model.bin.part'), new Uint8Array(1000).fill(9));
    writeFileSync(path.join(folder, 'model.bin.part.json'), JSON.stringify({ etag: 'of an older version' }));
    const { sha256 } = await fetchFile();
    expect(sha256).toBe(sha(blob));
    expect(server.seen.find((each) => each.at === 'cdn' && each.method === 'GET')!.range).toBeUndefined();
  });

  it('starts anew where the server knows no ranges', async () => {
    server.faults = { ignoreRanges: true, drop: { after: 60_000, times: 1 } };
    expect((await fetchFile()).sha256).toBe(sha(blob));
  });

  it('survives a busy server, and one that falls silent', async () => {
    const file = await hub().describe(REPOSITORY, 'main', 'model.bin');
    server.faults = { busy: 2, hang: { after: 80_000, times: 1 } };
    const { sha256, waits } = await fetchFile(file, hub(TOKEN, 150));
    expect(sha256).toBe(sha(blob));
    expect(waits.join('; ')).toMatch(/503.*no answer/);
  });

  it('asks for a new link where the CDN refuses one', async () => {
    server.faults = { tokens: [TOKEN], expired: 1 };
    const { sha256, waits } = await fetchFile();
    expect(sha256).toBe(sha(blob));
    expect(waits).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+ answered 403$/)]);
  });

  it('gives up after connections that bring nothing, and keeps what it has', async () => {
    const file = await hub().describe(REPOSITORY, 'main', 'model.bin');
    writeFileSync(path.join(folder, 'model.bin.part'), blob.subarray(0, 70_000));
    writeFileSync(path.join(folder, 'model.bin.part.json'), JSON.stringify({ etag: file.etag }));
    server.faults = { busy: 1000 };
    const error = await failure(fetchFile(file));
    expect(error.code).toBe('io');
    expect(error.hint).toMatch(/go on where it stopped/);
    expect(bytesPresent(folder, file)).toBe(70_000);
  });

  it('that arrives damaged is thrown away', async () => {
    server.faults.corrupt = (bytes) => bytes.map((byte, i) => (i === 1234 ? byte ^ 1 : byte));
    const error = await failure(fetchFile());
    expect(error.message).toMatch(/SHA-256 is not the one/);
    expect(here()).toEqual([]);
  });

  it('that is there already is not fetched again, unless it is not the same', async () => {
    const file = await hub().describe(REPOSITORY, 'main', 'model.bin');
    writeFileSync(path.join(folder, 'model.bin'), blob);
    server.seen.length = 0;
    await fetchFile(file);
    expect(server.seen).toEqual([]);
    writeFileSync(
      path.join(folder, 'model.bin'),
      blob.map((byte) => byte ^ 1),
    );
    expect((await fetchFile(file)).sha256).toBe(sha(blob));
  });

  it('says so when the disk is full', async () => {
    const file = await hub().describe(REPOSITORY, 'main', 'model.bin');
    const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    const broken = { read: () => Promise.reject(full) } as unknown as Hub;
    const error = await failure(fetchFile(file, broken));
    expect(error.message).toMatch(/disk of .* is full/);
    expect(error.hint).toMatch(/run the same command again/);
  });
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

  it('leaves alone what is no model’s download', () => {
    mkdirSync(path.join(folder, '.downloads'), { recursive: true });
    expect(removeDownloads(folder, '..')).toBe(false);
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
