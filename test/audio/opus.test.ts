import fc from 'fast-check';
import {
  Application,
  Bandwidth,
  createEncoder,
  EncoderCtl,
  Signal,
  type EncoderOptions,
  type OpusEncoderHandle,
} from 'libopus-wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type AudioEncoder,
  createAudioDecoder,
  createAudioEncoder,
  FRAME_SAMPLES,
  initOpus,
  opusCodecName,
  opusReport,
} from '../../sidecar/audio';
import { createOpusEncoder, OpusPacketAssembler, OpusPacketLayout } from '../../sidecar/audio/opus';
import { concat, levelDb, noise, packets, sine, voiced } from './signals';

const FORMAT = { codec: 'opus', rate: 24_000, channels: 1 } as const;
/** libopus looks 156 samples ahead at 24 kHz. */
const CODEC_DELAY = 156;

it('needs its libraries loaded', () => {
  expect(() => createAudioDecoder(FORMAT)).toThrow(expect.objectContaining({ code: 'unsupported' }));
});

describe('Opus', () => {
  beforeAll(initOpus);

  /** A steady vowel, well above where the VOIP application's high-pass turns the phase. */
  const vowel = (samples: number): Float32Array => {
    const harmonics = [1, 0.8, 0.6, 0.3, 0.2, 0.2].map((a, h) =>
      sine(400 * (h + 1), 24_000, samples, 0.15 * a),
    );
    return harmonics[0]!.map((_, i) => harmonics.reduce((sum, harmonic) => sum + harmonic[i]!, 0));
  };
  /** Codecs opened in one go are made in the next turn of the event loop. */
  const ready = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const testEncoder = (options: EncoderOptions = {}): Promise<OpusEncoderHandle> =>
    createEncoder({
      sampleRate: 24_000,
      channels: 1,
      application: Application.Voip,
      bitrate: 32_000,
      ...options,
    });

  /** How alike two signals are, 1 for equal but for gain; `decoded` lags by `delay` samples. */
  function likeness(decoded: Float32Array, sent: Float32Array, delay = CODEC_DELAY): number {
    let xy = 0;
    let xx = 0;
    let yy = 0;
    for (let i = 2400; i + delay < decoded.length; i++) {
      const x = decoded[i + delay]!;
      const y = sent[i]!;
      xy += x * y;
      xx += x * x;
      yy += y * y;
    }
    return xy / Math.sqrt(xx * yy);
  }

  it('reports what is loaded', () => {
    const { native, wasm } = opusReport();
    expect(wasm).toEqual({ available: true, version: expect.stringMatching(/^libopus 1\./) });
    expect(opusCodecName()).toBe(native.available ? 'native' : 'wasm');
    if (!native.available) expect(native.why).toMatch(/not installed|opus:native/);
  });

  describe('encoding', () => {
    // The native addon is optional: without a compiler there is only the other.
    const libraries = (): ('native' | 'wasm')[] =>
      opusReport().native.available ? ['native', 'wasm'] : ['wasm'];

    it('puts 80 ms into one packet, in either library, and speech survives it', () => {
      const sent = vowel(25 * FRAME_SAMPLES);
      for (const library of libraries()) {
        const encoder = createOpusEncoder(library);
        const decoder = createAudioDecoder(FORMAT);
        const layout = new OpusPacketLayout();
        const decoded = packets(sent, FRAME_SAMPLES).map((frame) => {
          const packet = encoder.encode(frame);
          expect(layout.read(packet)).toMatchObject({ samples: FRAME_SAMPLES, stereo: false });
          expect(packet.length).toBeLessThan(800);
          return decoder.decode(packet).slice();
        });
        const all = concat(decoded);
        expect(levelDb(all.subarray(4800))).toBeCloseTo(levelDb(sent.subarray(4800)), 0);
        expect(likeness(all, sent)).toBeGreaterThan(0.9);
        encoder.dispose();
        decoder.dispose();
      }
    });

    it('keeps one configuration in a packet, whatever the sound', () => {
      const encoder = createOpusEncoder('wasm');
      const layout = new OpusPacketLayout();
      const sounds = fc.constantFrom(
        () => new Float32Array(FRAME_SAMPLES),
        () => noise(FRAME_SAMPLES, 1),
        () => noise(FRAME_SAMPLES, 0.001),
        () => sine(9000, 24_000, FRAME_SAMPLES, 1),
        () => sine(100, 24_000, FRAME_SAMPLES, 0.9),
        () => voiced(FRAME_SAMPLES),
        () => Float32Array.from({ length: FRAME_SAMPLES }, (_, i) => (i % 500 === 0 ? 1 : 0)),
      );
      fc.assert(
        fc.property(fc.array(sounds, { maxLength: 8 }), (frames) => {
          for (const make of frames) {
            layout.read(encoder.encode(make()));
            expect(layout.count).toBe(4);
            for (let i = 0; i < 4; i++) expect(layout.sizes[i]).toBeGreaterThan(0);
          }
        }),
        { numRuns: 40 },
      );
    });

    it("sends the codec's tail once, then no bytes for silence", () => {
      const encoder = createAudioEncoder(FORMAT);
      expect(encoder.encode(null)).toHaveLength(0);
      encoder.encode(voiced(FRAME_SAMPLES));
      expect(new OpusPacketLayout().read(encoder.encode(null)).samples).toBe(FRAME_SAMPLES);
      expect(encoder.encode(null)).toHaveLength(0);
      expect(encoder.encode(null)).toHaveLength(0);
    });

    it('starts a used encoder afresh: the same packets come out', () => {
      const frames = packets(voiced(5 * FRAME_SAMPLES), FRAME_SAMPLES);
      for (const library of libraries()) {
        const first = createOpusEncoder(library);
        const before = frames.map((frame) => Uint8Array.from(first.encode(frame)));
        first.dispose();
        const second = createOpusEncoder(library);
        expect(frames.map((frame) => Uint8Array.from(second.encode(frame)))).toEqual(before);
        second.dispose();
      }
    });

    it('gives its codec back once, however often it is disposed of', async () => {
      const first = createAudioEncoder(FORMAT);
      first.encode(vowel(FRAME_SAMPLES));
      first.dispose();
      first.dispose();
      const [a, b, other] = [1, 2, 3].map(() => createAudioEncoder(FORMAT)) as [
        AudioEncoder,
        AudioEncoder,
        AudioEncoder,
      ];
      await ready();
      const frames = packets(voiced(4 * FRAME_SAMPLES), FRAME_SAMPLES);
      const alone = frames.map((frame) => Uint8Array.from(a.encode(frame)));
      const besideOther = frames.map((frame) => {
        other.encode(noise(FRAME_SAMPLES));
        return Uint8Array.from(b.encode(frame));
      });
      expect(besideOther).toEqual(alone);
    });

    it('opens many streams in one go', async () => {
      const encoders = Array.from({ length: 64 }, () => createOpusEncoder('wasm'));
      await ready();
      for (const encoder of encoders)
        expect(encoder.encode(voiced(FRAME_SAMPLES)).length).toBeGreaterThan(10);
      for (const encoder of encoders) encoder.dispose();
    });
  });

  describe('decoding', () => {
    it.each([2.5, 5, 10, 20, 40, 60])('takes packets of %f ms', async (ms) => {
      const encoder = await testEncoder({ frameSize: ms * 24, bitrate: 64_000 });
      const decoder = createAudioDecoder(FORMAT);
      const sent = vowel(24_000);
      const decoded = packets(sent, ms * 24)
        .filter((packet) => packet.length === ms * 24)
        .map((packet) => decoder.decode(encoder.encodeFloat(packet)).slice());
      for (const packet of decoded) expect(packet).toHaveLength(ms * 24);
      expect(likeness(concat(decoded), sent)).toBeGreaterThan(0.95);
    });

    it.each([
      [4, 20],
      [2, 40],
      [5, 20],
      [2, 60],
    ])('takes packets of %i frames of %i ms: bit for bit what the frames alone give', async (count, ms) => {
      const encoder = await testEncoder({ application: Application.Voip, signal: Signal.Voice });
      encoder.encoderCtl(EncoderCtl.SetBandwidth, Bandwidth.Wideband);
      const assembler = new OpusPacketAssembler();
      const together = createAudioDecoder(FORMAT);
      const alone = createAudioDecoder(FORMAT);
      const whole = packets(voiced(24_000), count * ms * 24).filter(
        (sound) => sound.length === count * ms * 24,
      );
      for (const sound of whole) {
        assembler.begin();
        const expected = packets(sound, ms * 24).map((frame) => {
          const packet = encoder.encodeFloat(frame, { frameSize: ms * 24 });
          assembler.add(packet);
          return alone.decode(packet).slice();
        });
        expect(together.decode(assembler.finish())).toEqual(concat(expected));
      }
      expect(assembler.mismatched).toBe(0);
    });

    it('gives 24 kHz mono of whatever was captured: 48 kHz stereo', async () => {
      const encoder = await createEncoder({ sampleRate: 48_000, channels: 2, bitrate: 64_000 });
      const decoder = createAudioDecoder({ codec: 'opus', rate: 48_000, channels: 2 });
      const mono = voiced(48_000, 48_000);
      const decoded = packets(mono, 960).map((packet) => {
        const stereo = Float32Array.from({ length: 1920 }, (_, i) => packet[i >> 1]!);
        return decoder.decode(encoder.encodeFloat(stereo)).slice();
      });
      const all = concat(decoded);
      expect(all).toHaveLength(24_000);
      expect(levelDb(all)).toBeCloseTo(levelDb(mono), 0);
    });

    it('refuses what no codec may see, and goes on', async () => {
      const encoder = await testEncoder();
      const decoder = createAudioDecoder(FORMAT);
      const good = encoder.encodeFloat(voiced(480));
      expect(decoder.decode(good)).toHaveLength(480);
      for (const bad of [new Uint8Array(0), Uint8Array.of(3), Uint8Array.of(3, 49), new Uint8Array(2000)]) {
        expect(() => decoder.decode(bad)).toThrow(expect.objectContaining({ code: 'bad_audio' }));
      }
      expect(decoder.decode(good)).toHaveLength(480);
    });

    it('survives any bytes: as many finite samples as the packet says, or bad_audio', async () => {
      const encoder = await testEncoder();
      const good = Uint8Array.from(encoder.encodeFloat(voiced(480)));
      const decoder = createAudioDecoder(FORMAT);
      const layout = new OpusPacketLayout();
      const spoilt = fc
        .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 8 })
        .map((changes) => {
          const bytes = good.slice();
          for (const [at, value] of changes) bytes[at] = value;
          return bytes;
        });
      fc.assert(
        fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), spoilt), (bytes) => {
          try {
            const samples = decoder.decode(bytes);
            expect(samples).toHaveLength(layout.read(bytes).samples);
            expect(samples.every(Number.isFinite)).toBe(true);
            expect(decoder.conceal(bytes)).toHaveLength(samples.length);
          } catch (thrown) {
            expect(thrown).toMatchObject({ code: 'bad_audio' });
          }
        }),
        { numRuns: 500 },
      );
    });
  });

  describe('a lost packet', () => {
    /** Every tenth packet lost; returns how alike the whole is to what would have been heard without loss. */
    async function lossy(stand: 'silence' | 'plc' | 'fec'): Promise<number> {
      const encoder = await testEncoder({
        application: Application.Voip,
        signal: Signal.Voice,
        fec: true,
        packetLossPercent: 20,
      });
      const decoder = createAudioDecoder(FORMAT);
      const complete = createAudioDecoder(FORMAT);
      const sent = voiced(10 * 24_000);
      const coded = packets(sent, 480).map((packet) => Uint8Array.from(encoder.encodeFloat(packet)));
      const decoded = coded.map((packet, i) => {
        if (i % 10 !== 9) return decoder.decode(packet).slice();
        if (stand === 'silence') return new Float32Array(480);
        return decoder.conceal(stand === 'fec' ? coded[i + 1] : undefined).slice();
      });
      for (const packet of decoded) expect(packet).toHaveLength(480);
      const ideal = concat(coded.map((packet) => complete.decode(packet).slice()));
      return likeness(concat(decoded), ideal, 0);
    }

    it('is concealed, and recovered where the next packet carries it', async () => {
      const silence = await lossy('silence');
      const concealed = await lossy('plc');
      const recovered = await lossy('fec');
      expect(concealed).toBeGreaterThan(silence + 0.01);
      expect(recovered).toBeGreaterThan(concealed + 0.01);
    });

    it('of 80 ms is concealed whole', async () => {
      const encoder = createAudioEncoder(FORMAT);
      const decoder = createAudioDecoder(FORMAT);
      for (const frame of packets(voiced(10 * FRAME_SAMPLES), FRAME_SAMPLES))
        decoder.decode(encoder.encode(frame));
      const stand = decoder.conceal();
      expect(stand).toHaveLength(FRAME_SAMPLES);
      expect(levelDb(stand.subarray(0, 480))).toBeGreaterThan(-40);
    });
  });
});
