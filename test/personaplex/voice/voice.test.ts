import fc from 'fast-check';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { integratedLoudness, writeWav } from '../../../sidecar/audio';
import { NpcVoiceError } from '../../../sidecar/errors';
import {
  findVoicePrompt,
  readVoiceArchive,
  readVoiceEmbeddings,
  readVoicePrompt,
  readVoiceRecording,
  writeVoiceArchive,
  writeVoiceEmbeddings,
} from '../../../sidecar/personaplex/voice';
import { fixtures } from '../checkpoint/build';
import { pickle, tensor, tgz, zip, type PickledTensor } from './build';

const tiny = new Uint8Array(readFileSync(path.join(fixtures, 'tiny-voice.pt')));
const reference = JSON.parse(readFileSync(path.join(fixtures, 'tiny-lm-voice-pt.json'), 'utf8'));

const bf16 = (values: readonly number[]): Uint8Array =>
  new Uint8Array(
    Uint16Array.from(new Uint32Array(Float32Array.from(values).buffer), (bits) => bits >>> 16).buffer,
  );
const int64 = (values: readonly number[]): Uint8Array =>
  new Uint8Array(BigInt64Array.from(values, BigInt).buffer);

const rows: PickledTensor = {
  key: '0',
  storage: 'torch\nBFloat16Storage',
  elements: 4,
  shape: [2, 1, 1, 2],
  strides: [2, 2, 2, 1],
};
const cache: PickledTensor = {
  key: '1',
  storage: 'torch\nLongStorage',
  elements: 68,
  shape: [1, 17, 4],
  strides: [68, 4, 1],
};
const tokens = Array.from({ length: 68 }, (_, i) => i - 2);

function voice(change: {
  embeddings?: Partial<PickledTensor>;
  cache?: Partial<PickledTensor>;
  pickle?: Uint8Array;
  values?: readonly number[];
  tokens?: readonly number[];
} = {}): Uint8Array {
  const data = change.pickle ?? pickle({ embeddings: tensor({ ...rows, ...change.embeddings }), cache: tensor({ ...cache, ...change.cache }) });
  return zip([
    { name: 'v/data.pkl', bytes: data, extra: 13 },
    { name: 'v/data/0', bytes: bf16(change.values ?? [1, -2, 0.5, 3]), extra: 60 },
    { name: 'v/data/1', bytes: int64(change.tokens ?? tokens) },
    { name: 'v/version', bytes: Uint8Array.from([51, 10]) },
    { name: 'v/byteorder', bytes: Buffer.from('little') },
  ]);
} // prettier-ignore

describe('a .pt voice', () => {
  it('is what torch saved', () => {
    const read = readVoiceEmbeddings(tiny);
    expect([read.frames, read.dim]).toEqual([5, 64]);
    const exact = (reference.embeddings as number[][]).flat();
    // bfloat16 keeps 8 bits of the fraction.
    exact.forEach((value, i) =>
      expect(Math.abs(read.rows[i]! - value)).toBeLessThanOrEqual(Math.abs(value) * 2 ** -8 + 1e-6),
    );
    expect([...read.cache]).toEqual((reference.cache as number[][][]).flat(2));
  });

  it('follows the local headers, whatever padding they claim', () => {
    const read = readVoiceEmbeddings(voice());
    expect([...read.rows]).toEqual([1, -2, 0.5, 3]);
    expect([...read.cache]).toEqual(tokens);
  });

  it('may be strided', () => {
    const read = readVoiceEmbeddings(voice({ embeddings: { strides: [1, 9, 9, 2] } }));
    expect([...read.rows]).toEqual([1, 0.5, -2, 3]);
  });
});

describe('a .pt voice is refused with the reason', () => {
  const pickled = (...bytes: (number | string)[]): Uint8Array =>
    voice({
      pickle: Uint8Array.from(
        Buffer.concat(bytes.map((b) => (typeof b === 'number' ? Buffer.from([b]) : Buffer.from(b)))),
      ),
    });
  const members = (change: object): Uint8Array =>
    zip([{ name: 'v/data.pkl', bytes: new Uint8Array(200), ...change }]);
  it.each([
    ['that runs a command', pickled(0x80, 2, 'cos\nsystem\n'), /names “os system”/],
    ['that imports a builtin', pickled(0x80, 2, 'c__builtin__\neval\n'), /names “__builtin__ eval”/],
    ['that uses another storage', voice({ embeddings: { storage: 'torch\nFloatStorage' } }), /names “torch FloatStorage”/],
    ['with an opcode that builds objects', pickled(0x80, 2, '}b.'), /opcode 0x62/],
    ['with INST', pickled(0x80, 2, '(ios\nsystem\n.'), /opcode 0x69/],
    ['with STACK_GLOBAL', pickled(0x80, 2, 0x93), /opcode 0x93/],
    ['with EXT1', pickled(0x80, 2, 0x82, 1), /opcode 0x82/],
    ['of pickle protocol 4', pickled(0x80, 4, '}.'), /protocol 4/],
    ['that calls a storage', pickled(0x80, 2, 'ctorch\nLongStorage\n)R.'), /calls torch LongStorage/],
    ['with a pickle cut short', pickled(0x80, 2, 'X', 255, 255, 255, 255), /cut short/],
    ['with an empty stack', pickled(0x80, 2, '.'), /empty stack/],
    ['that recalls nothing', pickled(0x80, 2, 'h', 9), /recalls value 9/],
    ['that sets items of a number', pickled(0x80, 2, 'K', 1, 'K', 1, 'K', 1, 's.'), /not a dictionary/],
    ['that holds a number', pickled(0x80, 2, 'K', 1, '.'), /not hold a dictionary/],
    ['that holds other entries', voice({ pickle: pickle({ weights: tensor(rows) }) }), /exactly “embeddings” and “cache”/],
    ['with tokens for rows', voice({ embeddings: { key: '1', storage: 'torch\nLongStorage' } }), /int64, not bfloat16/],
    ['that reaches beyond its storage', voice({ embeddings: { offset: 1 } }), /beyond its storage/],
    ['with a stride that overflows', voice({ embeddings: { strides: [65535, 65535, 65535, 65535] } }), /beyond its storage/],
    ['that makes much of little', voice({ embeddings: { shape: [2999, 1, 1, 16384], strides: [0, 0, 0, 0] } }), /more elements than its storage/],
    ['whose storage claims more than is there', voice({ embeddings: { elements: 5 } }), /missing or too small/],
    ['whose storage is a path', voice({ embeddings: { key: '../../etc/passwd' } }), /missing or too small/],
    ['of no rows', voice({ embeddings: { shape: [0, 1, 1, 2] } }), /shape \[0, 1, 1, 2\]/],
    ['of 3000 rows', voice({ embeddings: { shape: [3000, 1, 1, 2], strides: [0, 0, 0, 0] } }), /shape \[3000, 1, 1, 2\]/],
    ['with another cache', voice({ cache: { shape: [1, 4, 17] } }), /cache is of shape \[1, 4, 17\]/],
    ['with a token that is none', voice({ tokens: tokens.map((t) => (t === 5 ? 2 ** 40 : t)) }), /holds 1099511627776/],
    ['with NaN', voice({ values: [1, NaN, 2, 3] }), /not finite/],
    ['that is a zip bomb', members({ method: 8, size: 2 ** 31, packed: 200 }), /is compressed/],
    ['whose members overlap', zip(Array.from({ length: 3 }, (_, i) => ({ name: `v/${i}`, bytes: new Uint8Array(10), size: 200 }))), /more bytes than the file|past the end/],
    ['with a damaged member', members({ crc: 1 }), /damaged \(checksum\)/],
    ['that is encrypted', members({ flags: 1 }), /encrypted/],
    ['of 65 members', zip(Array.from({ length: 65 }, (_, i) => ({ name: `v/${i}`, bytes: new Uint8Array(1) }))), /65 members/],
    ['that is no archive', new TextEncoder().encode('<html>Access denied</html>'), /not a ZIP archive/],
    ['that is empty', new Uint8Array(0), /not a ZIP archive/],
  ])('%s', (_, bytes, reason) => {
    expect(() => readVoiceEmbeddings(bytes)).toThrow(expect.objectContaining({ code: 'voice_invalid', message: expect.stringMatching(reason) }));
  }); // prettier-ignore

  it('never crashes or hangs, however it is spoiled', () => {
    const good = readVoiceEmbeddings(tiny);
    const spoil = fc.array(fc.tuple(fc.nat(tiny.length - 1), fc.nat(255)), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(spoil, fc.nat(tiny.length), (changes, end) => {
        const bytes = tiny.slice(0, end % 7 === 0 ? end : tiny.length);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        try {
          expect(readVoiceEmbeddings(bytes).rows.length).toBeLessThanOrEqual(good.rows.length);
        } catch (error) {
          expect(error).toBeInstanceOf(NpcVoiceError);
        }
      }),
      { numRuns: 500 },
    );
    // Past the checksum, straight into the pickle.
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constantFrom(...Buffer.from('}(tX)KMcqhQRsu.'), 0x80, 2, 0x85, 0x89), fc.nat(255)), { maxLength: 80 }), (bytes) => {
        expect(() => readVoiceEmbeddings(voice({ pickle: Uint8Array.from(bytes) }))).toThrow(NpcVoiceError);
      }),
      { numRuns: 500 },
    );
  }); // prettier-ignore
});

describe('a recording', () => {
  const tone = (rate: number, seconds: number, hz = 440, amplitude = 0.1): Float32Array =>
    Float32Array.from(
      { length: Math.round(rate * seconds) },
      (_, i) => amplitude * Math.sin((2 * Math.PI * hz * i) / rate),
    );

  it.each([8000, 16000, 22050, 24000, 44100, 48000, 96000])('of %i Hz becomes frames at -24 LUFS', (rate) => {
    const { frames, samples } = readVoiceRecording(writeWav(tone(rate, 1.01), rate, 'f32'));
    expect(frames).toBe(13);
    expect(samples.length).toBe(13 * 1920);
    expect(integratedLoudness(samples.subarray(0, Math.round(1.01 * 24000)), 24000)).toBeCloseTo(-24, 5);
    // The tone keeps its pitch and its place: its phase is that of a 440 Hz sine from sample 0.
    let inPhase = 0;
    let crossPhase = 0;
    for (let i = 2400; i < 21600; i++) {
      inPhase += samples[i]! * Math.sin((2 * Math.PI * 440 * i) / 24000);
      crossPhase += samples[i]! * Math.cos((2 * Math.PI * 440 * i) / 24000);
    }
    expect(Math.atan2(crossPhase, inPhase)).toBeCloseTo(0, 1);
    expect(
      [...samples.subarray(Math.ceil((Math.round(1.01 * rate) * 24000) / rate))].every(
        (sample) => sample === 0,
      ),
    ).toBe(true);
  });

  it('in stereo is averaged', () => {
    const left = tone(24000, 0.5);
    const mono = writeWav(left, 24000, 'f32');
    const stereo = Buffer.from(writeWav(Float32Array.from({ length: left.length * 2 }, (_, i) => (i % 2 ? 0 : 2 * left[i >> 1]!)), 24000, 'f32'));
    stereo.writeUInt16LE(2, 22);
    stereo.writeUInt32LE(24000 * 8, 28);
    stereo.writeUInt16LE(8, 32);
    const [a, b] = [readVoiceRecording(mono).samples, readVoiceRecording(stereo).samples];
    a.forEach((sample, i) => expect(Math.abs(sample - b[i]!)).toBeLessThan(1e-6));
  }); // prettier-ignore

  it('that is too long is not read to its end', () => {
    // Three minutes that claim to be 64 channels: 190 million samples, were they read.
    const file = Buffer.alloc(44 + 64 * 8000 * 180);
    Buffer.from(writeWav(tone(8000, 1), 8000)).copy(file, 0, 0, 44);
    file.writeUInt16LE(64, 22);
    file.writeUInt16LE(64, 32);
    file.writeUInt16LE(8, 34);
    file.writeUInt32LE(file.length - 44, 40);
    const before = process.memoryUsage().arrayBuffers;
    expect(() => readVoiceRecording(file)).toThrow(/180 s long/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e6);
  });

  it.each([
    ['shorter than 0.4 s', () => writeWav(tone(24000, 0.399), 24000), /399 ms long: too short/],
    ['longer than 30 s', () => writeWav(tone(8000, 31), 8000), /31 s long/],
    ['of silence', () => writeWav(new Float32Array(24000), 24000), /silent/],
    ['of 4 kHz', () => writeWav(tone(4000, 1), 4000), /4000 samples a second/],
    ['that is no WAV', () => tiny, /not a WAV/],
  ])('%s is refused', (_, make, reason) => {
    expect(() => readVoiceRecording(make())).toThrow(expect.objectContaining({ code: 'bad_audio', message: expect.stringMatching(reason) }));
  }); // prettier-ignore
});

describe('voices.tgz', () => {
  const pt = Uint8Array.of(1, 2, 3);

  it('gives its voices by file name', () => {
    const voices = readVoiceArchive(
      tgz([
        { name: 'voices/', type: '5' },
        { name: 'pax', type: 'x', bytes: Buffer.from('30 mtime=1700000000.0\n') },
        { name: 'voices/NATF0.pt', bytes: pt },
        { name: './voices/VARM4.pt', bytes: new Uint8Array(700) },
        { name: 'voices/._NATF0.pt', bytes: pt },
        { name: 'voices/readme.txt', bytes: pt },
        { name: 'other/X.pt', bytes: pt },
      ]),
    );
    expect([...voices].map(([name, bytes]) => [name, bytes.length])).toEqual([['NATF0.pt', 3], ['VARM4.pt', 700]]);
    expect([...voices.get('NATF0.pt')!]).toEqual([1, 2, 3]);
  }); // prettier-ignore

  it.each([
    ['that leaves its folder', tgz([{ name: 'voices/../../x.pt', bytes: pt }]), /leads out/],
    ['with an absolute path', tgz([{ name: '/etc/x.pt', bytes: pt }]), /leads out/],
    ['with a backslash path', tgz([{ name: 'voices\\..\\x.pt', bytes: pt }]), /leads out/],
    ['with a symbolic link', tgz([{ name: 'voices/A.pt', type: '2' }]), /neither a file nor a folder/],
    ['with a hard link', tgz([{ name: 'voices/A.pt', type: '1' }]), /neither a file nor a folder/],
    ['that ends early', tgz([{ name: 'voices/A.pt', bytes: pt, size: 99999 }]), /ends within/],
    ['without voices', tgz([{ name: 'a.txt', bytes: pt }]), /no voices/],
    ['that is not gzip', pt, /damaged/],
    ['with a damaged header', gzipSync(Buffer.alloc(1024, 7)), /damaged header|is none/],
    ['that is a bomb', gzipSync(Buffer.alloc(257 * 2 ** 20)), /more than 256 MB/],
  ])('is refused %s', (_, bytes, reason) => {
    expect(() => readVoiceArchive(bytes)).toThrow(expect.objectContaining({ code: 'voice_invalid', message: expect.stringMatching(reason) }));
  }); // prettier-ignore

  it('never crashes or hangs, however it is spoiled', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1500 }), (bytes) => {
        expect(() => readVoiceArchive(gzipSync(bytes))).toThrow(NpcVoiceError);
        expect(() => readVoiceArchive(bytes)).toThrow(NpcVoiceError);
      }),
    );
  });
});

describe('a voice that is written', () => {
  const saved = { rows: Uint16Array.of(0x3f80, 0xc000, 0x3f00, 0x4040), dim: 2, cache: Int32Array.from(tokens) };

  it('is read as it was, from an archive too', () => {
    const pt = writeVoiceEmbeddings(saved);
    expect(readVoiceEmbeddings(pt)).toEqual({
      kind: 'embeddings', frames: 3, dim: 2, rows: Float32Array.of(1, -2, 0.5, 3), cache: saved.cache,
    });
    expect(readVoiceEmbeddings(pt)).toEqual(readVoiceEmbeddings(voice()));
    const read = readVoiceArchive(writeVoiceArchive(new Map([['NATF0.pt', pt], ['VARM4.pt', pt]])));
    expect([...read.keys()]).toEqual(['NATF0.pt', 'VARM4.pt']);
    expect(Buffer.from(read.get('VARM4.pt')!).equals(pt)).toBe(true);
  });
}); // prettier-ignore

describe('a voice prompt’s name', () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(path.join(tmpdir(), 'npc-voices-'));
    for (const folder of ['own', 'model']) mkdirSync(path.join(root, folder));
    writeFileSync(path.join(root, 'model', 'NATM1.pt'), tiny);
    writeFileSync(path.join(root, 'own', 'smith.wav'), writeWav(Float32Array.from({ length: 24000 }, (_, i) => Math.sin(i / 9) / 9), 24000));
    writeFileSync(path.join(root, 'secret.pt'), tiny);
    symlinkSync(path.join(root, 'secret.pt'), path.join(root, 'own', 'leak.pt'));
  }); // prettier-ignore
  afterAll(() => rmSync(root, { recursive: true }));
  const find = (prompt: string): string =>
    findVoicePrompt(prompt, [path.join(root, 'own'), path.join(root, 'model')]);

  it('finds NVIDIA’s voices and one’s own', () => {
    expect(readVoicePrompt(find('NATM1'))).toMatchObject({ kind: 'embeddings', frames: 5 });
    expect(readVoicePrompt(find('NATM1.pt'))).toMatchObject({ kind: 'embeddings' });
    expect(readVoicePrompt(find('smith.wav'))).toMatchObject({ kind: 'recording', frames: 13 });
  });

  it('does not leave its folder', () => {
    for (const name of [
      '../secret',
      '/etc/passwd',
      'a/b.pt',
      '..',
      '.hidden.pt',
      'C:x.pt',
      'x\\y.pt',
      'NATM1.exe',
      '',
    ])
      expect(() => find(name), name).toThrow(expect.objectContaining({ code: 'voice_invalid' }));
    expect(() => find('leak.pt')).toThrow(/leads out of its folder/);
  });

  it('that nobody has is answered with those there are, and the way of a recording', () => {
    const refused = (roots: readonly string[], hint: string): void =>
      expect(() => findVoicePrompt('NATM9', roots)).toThrow(
        expect.objectContaining({ code: 'unknown_voice', message: 'There is no voice prompt NATM9.pt.', hint }),
      );
    const own = path.join(root, 'own');
    refused([own, path.join(root, 'model')], `There are NATM1, leak, smith.wav; or name a WAV recording of one voice, 4 to 10 s, in ${own}.`);
    refused([root], `There is secret; or name a WAV recording of one voice, 4 to 10 s, in ${root}.`);
    refused([path.join(root, 'absent')], `The model came without voices: name a WAV recording of one voice, 4 to 10 s, in ${path.join(root, 'absent')}.`);
  }); // prettier-ignore
});
