import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type AudioFormat,
  createAudioDecoder,
  createAudioEncoder,
  FRAME_SAMPLES,
  initOpus,
} from '../../sidecar/audio';
import { NpcVoiceError } from '../../sidecar/errors';
import { concat, fitSine, levelDb, noise, packets, sine, voiced, worstClick } from './signals';

beforeAll(initOpus);

const bytesOf = (array: Int16Array | Float32Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const s16 = (...samples: number[]): Uint8Array => bytesOf(Int16Array.from(samples));
const f32 = (...samples: number[]): Uint8Array => bytesOf(Float32Array.from(samples));
const toBytes = (samples: Float32Array): Uint8Array => bytesOf(samples.slice());

/** The error a call throws. */
function failure(call: () => unknown): NpcVoiceError {
  try {
    call();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(NpcVoiceError);
    return thrown as NpcVoiceError;
  }
  throw new Error('nothing was thrown');
}

describe('decoding PCM', () => {
  it.each([
    ['s16', 1, s16(0, 16_384, -32_768, 32_767), [0, 0.5, -1, 32_767 / 32_768]],
    ['s16', 2, s16(16_384, -16_384, 16_384, 16_384, -32_768, -32_768), [0, 0.5, -1]],
    ['f32', 1, f32(0, 0.25, -1, 1), [0, 0.25, -1, 1]],
    ['f32', 2, f32(0.5, 0, -1, -0.5), [0.25, -0.75]],
  ] as const)('%s, %i channel(s), gives the mean of the channels', (codec, channels, packet, expected) => {
    const decoder = createAudioDecoder({ codec, rate: 24_000, channels });
    expect([...decoder.decode(packet)]).toEqual(expected);
  });

  it('makes numbers of what is none, and clips what is beyond full scale', () => {
    const decoder = createAudioDecoder({ codec: 'f32', rate: 24_000, channels: 1 });
    expect([...decoder.decode(f32(NaN, Infinity, -Infinity, 1e30, -2))]).toEqual([0, 1, -1, 1, -1]);
  });

  it('reads packets at any address of a shared buffer', () => {
    for (const offset of [0, 1, 2, 3]) {
      const shared = new Uint8Array(64).fill(0xaa);
      shared.set(f32(0.5, -0.25), offset);
      const decoder = createAudioDecoder({ codec: 'f32', rate: 24_000, channels: 1 });
      expect([...decoder.decode(shared.subarray(offset, offset + 8))]).toEqual([0.5, -0.25]);
    }
  });

  it.each([
    ['ends inside a sample', new Uint8Array(3), /ends inside a sample/, /multiple of 4 bytes/],
    ['is empty', new Uint8Array(0), /empty/, /no packet at all/],
    ['is longer than 120 ms', new Uint8Array(4 * 2881), /longer than 120 ms/, /at most 11520 bytes/],
  ])('refuses a packet that %s, with a hint, and goes on', (_, packet, message, hint) => {
    const decoder = createAudioDecoder({ codec: 's16', rate: 24_000, channels: 2 });
    const error = failure(() => decoder.decode(packet));
    expect(error.code).toBe('bad_audio');
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
    expect(decoder.decode(new Uint8Array(4 * 2880))).toHaveLength(2880);
  });

  it('takes any bytes: finite samples or bad_audio', () => {
    const codecs = fc.constantFrom('s16' as const, 'f32' as const);
    const rates = fc.integer({ min: 8000, max: 48_000 });
    const anyPackets = fc.array(fc.uint8Array({ maxLength: 2000 }), { maxLength: 4 });
    fc.assert(
      fc.property(
        codecs,
        rates,
        fc.constantFrom(1 as const, 2 as const),
        anyPackets,
        (codec, rate, channels, sent) => {
          const decoder = createAudioDecoder({ codec, rate, channels });
          for (const packet of sent) {
            try {
              for (const x of decoder.decode(packet)) if (!(Math.abs(x) < 2)) throw new Error(`sample ${x}`);
            } catch (thrown) {
              expect(thrown).toMatchObject({ code: 'bad_audio' });
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each([
    [{ codec: 's16', rate: 7999, channels: 1 }, /7999 Hz/],
    [{ codec: 's16', rate: 24_000.5, channels: 1 }, /24000.5 Hz/],
    [{ codec: 's16', rate: NaN, channels: 1 }, /NaN Hz/],
    [{ codec: 'f32', rate: 48_000, channels: 3 }, /3 channels/],
    [{ codec: 'mp3', rate: 48_000, channels: 1 }, /no audio codec "mp3"/],
  ])('refuses the format %j', (format, message) => {
    for (const create of [createAudioDecoder, createAudioEncoder]) {
      const error = failure(() => create(format as AudioFormat));
      expect(error.code).toBe('bad_audio');
      expect(error.message).toMatch(message);
    }
  });

  it.each([8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000])(
    'at %i Hz carries a sine through 20 ms packets with no click: SINAD >= 80 dB, exact length',
    (rate) => {
      const decoder = createAudioDecoder({ codec: 'f32', rate, channels: 1 });
      const sent = packets(sine(997, rate, 2 * rate), Math.round(rate / 50));
      const out = concat(sent.map((packet) => decoder.decode(toBytes(packet)).slice()));
      expect(out).toHaveLength(48_000);
      expect(fitSine(out.subarray(2400), 997, 24_000).sinad).toBeGreaterThan(80);
    },
  );
});

describe('a lost PCM packet', () => {
  it('is replaced by the same length of the same pitch, without a click at either end', () => {
    for (const rate of [8000, 24_000, 48_000]) {
      const decoder = createAudioDecoder({ codec: 'f32', rate, channels: 1 });
      const sent = packets(sine(213, rate, rate), rate / 50);
      const out = sent.map((packet, i) =>
        (i === 20 ? decoder.conceal() : decoder.decode(toBytes(packet))).slice(),
      );
      const all = concat(out);
      expect(all).toHaveLength(24_000);
      expect(worstClick(all.subarray(1000), 213, 24_000)).toBeLessThan(0.02);
      expect(levelDb(out[20]!)).toBeGreaterThan(-15);
    }
  });

  it('goes on from the last sample even where there is no pitch to repeat', () => {
    const decoder = createAudioDecoder({ codec: 'f32', rate: 24_000, channels: 1 });
    let last = 0;
    for (const packet of packets(sine(31, 24_000, 4800), 480)) last = decoder.decode(toBytes(packet)).at(-1)!;
    expect(Math.abs(decoder.conceal()[0]! - last)).toBeLessThan(0.01);
  });

  it('resembles speech more than silence does', () => {
    const input = voiced(24_000);
    const decoder = createAudioDecoder({ codec: 'f32', rate: 24_000, channels: 1 });
    let left = 0;
    let lost = 0;
    packets(input, 480).forEach((packet, i) => {
      if (i % 10 !== 9) return void decoder.decode(toBytes(packet));
      decoder.conceal().forEach((x, k) => {
        left += (x - packet[k]!) ** 2;
        lost += packet[k]! ** 2;
      });
    });
    expect(left / lost).toBeLessThan(0.5);
  });

  it('fades to silence when no more come', () => {
    const decoder = createAudioDecoder({ codec: 'f32', rate: 24_000, channels: 1 });
    for (const packet of packets(sine(200, 24_000, 4800), 480)) decoder.decode(toBytes(packet));
    const gap = concat([1, 2, 3, 4, 5].map(() => decoder.conceal().slice()));
    expect(gap.subarray(1440)).toEqual(new Float32Array(960));
  });

  it('before the first packet is nothing', () => {
    for (const codec of ['s16', 'opus'] as const) {
      expect(createAudioDecoder({ codec, rate: 24_000, channels: 1 }).conceal()).toHaveLength(0);
    }
  });
});

describe('encoding PCM', () => {
  it('s16 rounds, clips and comes back exactly', () => {
    const format = { codec: 's16', rate: 24_000, channels: 1 } as const;
    const frame = new Float32Array(FRAME_SAMPLES);
    frame.set([0.5, -1, 1, 2, -2, 1.4 / 32_768]);
    const bytes = createAudioEncoder(format).encode(frame);
    expect(bytes).toHaveLength(3840);
    expect([...new Int16Array(bytes.slice().buffer, 0, 6)]).toEqual([
      16_384, -32_768, 32_767, 32_767, -32_768, 1,
    ]);
    const quantised = createAudioDecoder(format).decode(bytes).slice();
    expect(createAudioEncoder(format).encode(quantised)).toEqual(bytes);
  });

  it.each(['s16', 'f32'] as const)('%s stereo carries the voice in both channels', (codec) => {
    const frame = noise(FRAME_SAMPLES);
    const mono = createAudioEncoder({ codec, rate: 24_000, channels: 1 }).encode(frame);
    const stereo = createAudioEncoder({ codec, rate: 24_000, channels: 2 }).encode(frame);
    const size = codec === 's16' ? 2 : 4;
    for (let i = 0; i < FRAME_SAMPLES; i++) {
      const sample = mono.subarray(i * size, (i + 1) * size);
      expect(stereo.subarray(2 * i * size, (2 * i + 1) * size)).toEqual(sample);
      expect(stereo.subarray((2 * i + 1) * size, (2 * i + 2) * size)).toEqual(sample);
    }
  });

  it.each([8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000])(
    'at %i Hz every frame is exactly 80 ms and a sine keeps SINAD >= 80 dB',
    (rate) => {
      const encoder = createAudioEncoder({ codec: 'f32', rate, channels: 1 });
      const frames = packets(sine(997, 24_000, 25 * FRAME_SAMPLES), FRAME_SAMPLES).map((frame) => {
        const bytes = encoder.encode(frame);
        expect(bytes).toHaveLength((rate * 4 * 80) / 1000);
        return new Float32Array(bytes.slice().buffer);
      });
      expect(fitSine(concat(frames).subarray(rate / 10), 997, rate).sinad).toBeGreaterThan(80);
    },
  );

  it('has no bytes for silence', () => {
    const encoder = createAudioEncoder({ codec: 's16', rate: 24_000, channels: 1 });
    expect(encoder.encode(null)).toHaveLength(0);
    encoder.encode(noise(FRAME_SAMPLES));
    expect(encoder.encode(null)).toHaveLength(0);
  });

  it("at another rate sends the filter's tail first: a sound that ends with its frame is heard to its end", () => {
    const encoder = createAudioEncoder({ codec: 'f32', rate: 48_000, channels: 1 });
    encoder.encode(sine(500, 24_000, FRAME_SAMPLES));
    const tail = new Float32Array(encoder.encode(null).slice().buffer);
    expect(tail).toHaveLength(3840);
    expect(levelDb(tail.subarray(0, 60))).toBeGreaterThan(-15);
    expect(tail.subarray(200)).toEqual(new Float32Array(3640));
    expect(encoder.encode(null)).toHaveLength(0);
  });

  it('does not allocate: equal frames come in one and the same array', () => {
    for (const rate of [24_000, 44_100]) {
      const encoder = createAudioEncoder({ codec: 's16', rate, channels: 2 });
      const first = encoder.encode(noise(FRAME_SAMPLES));
      expect(encoder.encode(noise(FRAME_SAMPLES))).toBe(first);
    }
  });
});
