import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readWav, writeWav } from '../../sidecar/audio';
import { noise } from './signals';

const ascii = (text: string): number[] => [...text].map((c) => c.charCodeAt(0));
const u16 = (x: number): number[] => [x & 255, (x >> 8) & 255];
const u32 = (x: number): number[] => [...u16(x & 0xffff), ...u16(x >>> 16)];
const chunk = (name: string, body: number[], claimed = body.length): number[] => [
  ...ascii(name),
  ...u32(claimed),
  ...body,
  ...(body.length % 2 ? [0] : []),
];
const riff = (...chunks: number[][]): Uint8Array => {
  const body = chunks.flat();
  return Uint8Array.from([...ascii('RIFF'), ...u32(body.length + 4), ...ascii('WAVE'), ...body]);
};
const format = (
  code: number,
  channels: number,
  rate: number,
  bits: number,
  extra: number[] = [],
): number[] => [
  ...u16(code),
  ...u16(channels),
  ...u32(rate),
  ...u32((rate * channels * bits) / 8),
  ...u16((channels * bits) / 8),
  ...u16(bits),
  ...extra,
];
const extensible = (code: number, channels: number, rate: number, bits: number): number[] =>
  format(0xfffe, channels, rate, bits, [
    ...u16(22), ...u16(bits), ...u32(0), ...u16(code), 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71,
  ]); // prettier-ignore
const bytesOf = (array: Float32Array | Float64Array): number[] => [...new Uint8Array(array.buffer)];

describe('reading WAV', () => {
  it.each([
    ['8 bit', format(1, 1, 8000, 8), [0, 128, 255], [-1, 0, 127 / 128]],
    ['16 bit', format(1, 1, 24_000, 16), [0, 0x80, 0, 0x40, 0xff, 0x7f], [-1, 0.5, 32_767 / 32_768]],
    ['24 bit', format(1, 1, 44_100, 24), [0, 0, 0x80, 0, 0, 0x40, 1, 0, 0], [-1, 0.5, 2 ** -23]],
    ['32 bit', format(1, 1, 48_000, 32), [0, 0, 0, 0x80, 0, 0, 0, 0x40], [-1, 0.5]],
    ['32 bit float', format(3, 1, 48_000, 32), bytesOf(Float32Array.of(0.25, -1.5, NaN)), [0.25, -1.5, 0]],
    ['64 bit float', format(3, 1, 48_000, 64), bytesOf(Float64Array.of(0.25, Infinity)), [0.25, 0]],
    ['extensible 16 bit', extensible(1, 1, 16_000, 16), [0, 0x40], [0.5]],
    ['extensible float', extensible(3, 1, 16_000, 32), bytesOf(Float32Array.of(-0.5)), [-0.5]],
  ])('%s', (_, fmt, data, expected) => {
    const audio = readWav(riff(chunk('fmt ', fmt), chunk('data', data)));
    expect([...audio.channels[0]!]).toEqual(expected);
    expect(audio.rate).toBe(fmt[4]! + 256 * fmt[5]!);
    expect(audio.mono()).toBe(audio.channels[0]);
  });

  it('three channels, and their mean', () => {
    const samples = Float32Array.of(0.3, 0.6, 0, -0.3, -0.6, 0.9);
    const audio = readWav(riff(chunk('fmt ', format(3, 3, 48_000, 32)), chunk('data', bytesOf(samples))));
    expect(audio.channels.map((channel) => [...channel])).toEqual(
      [0, 1, 2].map((c) => [samples[c], samples[c + 3]]),
    );
    expect(audio.mono()[0]).toBeCloseTo(0.3);
    expect(audio.mono()[1]).toBeCloseTo(0);
  });

  it('past chunks it does not know, odd ones with their padding', () => {
    const file = riff(
      chunk('LIST', [1, 2, 3]),
      chunk('fmt ', format(1, 1, 24_000, 16)),
      chunk('junk', [9]),
      chunk('data', [0, 0x40]),
      chunk('id3 ', [1, 2]),
    );
    expect([...readWav(file).mono()]).toEqual([0.5]);
  });

  it('of a stream that never knew its length, or was cut off: what is there', () => {
    const file = riff(chunk('fmt ', format(1, 1, 24_000, 16)), chunk('data', [0, 0x40, 7], 0xffffffff));
    expect([...readWav(file).mono()]).toEqual(
      [0.5, expect.any(Number)].slice(0, readWav(file).mono().length),
    );
    expect(readWav(file).mono()[0]).toBe(0.5);
  });

  it('at any address of a shared buffer', () => {
    const file = writeWav(noise(10), 24_000);
    const shared = new Uint8Array(file.length + 3);
    shared.set(file, 3);
    expect(readWav(shared.subarray(3)).mono()).toEqual(readWav(file).mono());
  });

  const data = chunk('data', [0, 0]);
  it.each([
    ['nothing', new Uint8Array(0), /too short/],
    ['an MP3', Uint8Array.from([...ascii('ID3'), ...u32(0), ...u32(0), ...u32(0)]), /RIFF/],
    ['no format', riff(chunk('junk', [1, 2])), /no format/],
    ['samples first', riff(data, chunk('fmt ', format(1, 1, 24_000, 16))), /before their format/],
    ['no samples', riff(chunk('fmt ', format(1, 1, 24_000, 16))), /no samples/],
    ['a short format', riff(chunk('fmt ', [1, 0, 1, 0]), data), /cut short/],
    [
      'a short extension',
      riff(chunk('fmt ', format(0xfffe, 1, 24_000, 16)), data),
      /extensible format chunk is cut/,
    ],
    ['ADPCM', riff(chunk('fmt ', format(2, 1, 24_000, 4)), data), /compressed \(format 2\)/],
    ['12 bit', riff(chunk('fmt ', format(1, 1, 24_000, 12)), data), /12 bit/],
    ['16 bit float', riff(chunk('fmt ', format(3, 1, 24_000, 16)), data), /16 bit float/],
    ['no channels', riff(chunk('fmt ', format(1, 0, 24_000, 16)), data), /0 channels/],
    ['65535 channels', riff(chunk('fmt ', format(1, 65_535, 24_000, 8)), data), /65535 channels/],
    ['no rate', riff(chunk('fmt ', format(1, 1, 0, 16)), data), /0 Hz/],
    ['a wild rate', riff(chunk('fmt ', format(1, 1, 4_000_000_000, 16)), data), /4000000000 Hz/],
  ])('refuses %s, with a hint', (_, bytes, message) => {
    expect(() => readWav(bytes)).toThrow(message);
    expect(() => readWav(bytes)).toThrow(
      expect.objectContaining({ code: 'bad_audio', hint: expect.any(String) }),
    );
  });

  it('a format chunk that contradicts itself is refused', () => {
    const fmt = format(1, 2, 24_000, 16);
    fmt[12] = 3;
    expect(() => readWav(riff(chunk('fmt ', fmt), data))).toThrow(/contradicts itself/);
  });

  it('any bytes: finite samples that fit in the file, or bad_audio', () => {
    const good = [...writeWav(noise(20), 24_000, 'f32')];
    const spoilt = fc.array(fc.tuple(fc.nat(70), fc.nat(255)), { maxLength: 6 }).map((changes) => {
      const bytes = Uint8Array.from(good);
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    });
    const cut = fc.nat(good.length).map((n) => Uint8Array.from(good.slice(0, n)));
    fc.assert(
      fc.property(fc.oneof(spoilt, cut, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        try {
          const { channels } = readWav(bytes);
          const total = channels.reduce((sum, channel) => sum + channel.length, 0);
          expect(total).toBeLessThanOrEqual(bytes.length);
          for (const channel of channels) expect(channel.every(Number.isFinite)).toBe(true);
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: 'bad_audio' });
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('writing WAV', () => {
  it('s16: exact bytes', () => {
    expect([...writeWav(Float32Array.of(0.5, -1, 2), 24_000)]).toEqual([
      ...riff(chunk('fmt ', format(1, 1, 24_000, 16)), chunk('data', [0, 0x40, 0, 0x80, 0xff, 0x7f])),
    ]);
  });

  it('f32: exact bytes', () => {
    const samples = Float32Array.of(0.5, -2);
    const fmt = format(3, 1, 48_000, 32, u16(0));
    expect([...writeWav(samples, 48_000, 'f32')]).toEqual([
      ...riff(chunk('fmt ', fmt), chunk('fact', u32(2)), chunk('data', bytesOf(samples))),
    ]);
  });

  it('comes back: f32 exactly, s16 to half a step', () => {
    const samples = noise(1000);
    expect(readWav(writeWav(samples, 24_000, 'f32')).mono()).toEqual(samples);
    readWav(writeWav(samples, 24_000))
      .mono()
      .forEach((x, i) => expect(Math.abs(x - samples[i]!)).toBeLessThanOrEqual(0.5 / 32_768 + 1e-9));
  });
});
