import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { appendFileSync, mkdirSync } from 'node:fs';
import { bytesPresent, download, Hub, type HubFile } from '../../../sidecar/personaplex/install';
import { lockFolder } from '../../../sidecar/personaplex/install/lock';
import { HubServer } from './hub-server';
import { failure, REPOSITORY, sha, TOKEN } from './support';

const blob = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7919) >> 3);
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
describe('the hub', () => {
  it.each([
    ['of two lines', 'hf_secret\nhf_other'],
    ['with a space that is not seen', 'hf_secret\u200b'],
    ['in smart quotes', '“hf_secret”'],
  ])('is not asked with a token %s, and the token is not told', async (_, token) => {
    const error = await failure((async () => new Hub({ endpoint: server.endpoint, token }))());
    expect(error).toMatchObject({ code: 'unauthorized', message: 'HF_TOKEN holds a character that no token has.' });
    expect(`${error.message} ${error.hint}`).not.toContain('secret');
  }); // prettier-ignore

  it.each(['http://user:secret@127.0.0.1:1', 'https://secret@example.com', 'secret://x', 'secret'])(
    'has no secrets in its address: %s',
    async (endpoint) => {
      const error = await failure((async () => new Hub({ endpoint }))());
      expect(error.code).toBe('bad_field');
      expect(`${error.message} ${error.hint}`).not.toMatch(/secret@|:secret|^secret$/);
    },
  );

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

  it('that another process wrote into is thrown away, though every byte that came was right', async () => {
    const file = await hub().describe(REPOSITORY, 'main', 'model.bin');
    const other = { ...file, sha256: null };
    const meddling = hub();
    const read = meddling.read.bind(meddling);
    meddling.read = async (...args) => {
      const { start, bytes } = await read(...args);
      const meddled = async function* () {
        for await (const chunk of bytes) {
          yield chunk;
          appendFileSync(path.join(folder, 'model.bin.part'), 'x');
        }
      };
      return { start, bytes: meddled() };
    };
    for (const each of [file, other]) {
      expect((await failure(fetchFile(each, meddling))).message).toMatch(/size on the disk is not the one/);
      expect(here()).toEqual([]);
    }
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

describe('a folder', () => {
  it('is one process’s at a time', async () => {
    const at = path.join(folder, 'downloads', 'model');
    const unlock = await lockFolder(at);
    const error = await failure(lockFolder(at));
    expect(error).toMatchObject({ code: 'conflict', message: `Process ${process.pid} works on ${at} already.` });
    expect(error.hint).toContain(`${at}.lock`);
    unlock();
    (await lockFolder(at))();
    expect(readdirSync(path.dirname(at))).toEqual([]);
  }); // prettier-ignore

  it.each([
    ['a process that is gone', String(2 ** 22 + 12345)],
    ['a process of the number this one has', String(process.pid)],
    ['one that was killed before it wrote its number', ''],
    ['nobody that can be told', 'half'],
  ])('that was left locked by %s is free', async (_, content) => {
    const at = path.join(folder, 'downloads', 'model');
    mkdirSync(path.dirname(at));
    writeFileSync(`${at}.lock`, content);
    (await lockFolder(at))();
    expect(readdirSync(path.dirname(at))).toEqual([]);
  });

  it('of a process that runs is not free', async () => {
    const at = path.join(folder, 'model');
    writeFileSync(`${at}.lock`, String(process.ppid));
    expect((await failure(lockFolder(at))).code).toBe('conflict');
    expect(readdirSync(folder)).toEqual(['model.lock']);
  });
});
