import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OpusPacketAssembler, OpusPacketLayout } from '../../sidecar/audio/opus';

const packet = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);
const toc = (config: number, code: number, stereo = false): number => (config << 3) | (stereo ? 4 : 0) | code;
const zeros = (n: number): number[] => Array.from({ length: n }, () => 0);

function read(...bytes: number[]) {
  const layout = new OpusPacketLayout().read(packet(...bytes));
  const { count, samples, stereo } = layout;
  return {
    count,
    samples,
    stereo,
    frames: [...layout.starts.subarray(0, count)].map((start, i) => [start, layout.sizes[i]]),
  };
}

describe('the layout of a packet', () => {
  it('of code 0: one frame, all the rest', () => {
    expect(read(toc(1, 0), 1, 2, 3)).toEqual({ count: 1, samples: 480, stereo: false, frames: [[1, 3]] });
    expect(read(toc(1, 0, true))).toEqual({ count: 1, samples: 480, stereo: true, frames: [[1, 0]] });
  });

  it('of code 1: two frames of equal size', () => {
    expect(read(toc(13, 1), 1, 2, 3, 4)).toMatchObject({ count: 2, samples: 960, frames: [[1, 2], [3, 2]] }); // prettier-ignore
  });

  it('of code 2: the first of a given size, in one byte or two', () => {
    expect(read(toc(13, 2), 1, 9, 9, 9).frames).toEqual([[2, 1], [3, 2]]); // prettier-ignore
    expect(read(toc(13, 2), 253, 1, ...zeros(260)).frames).toEqual([[3, 257], [260, 3]]); // prettier-ignore
  });

  it('of code 3: equal sizes, given sizes, padding', () => {
    expect(read(toc(1, 3), 4, ...zeros(8))).toMatchObject({ count: 4, samples: 1920 });
    expect(read(toc(1, 3), 0x83, 1, 2, 7, 8, 8, 9).frames).toEqual([[4, 1], [5, 2], [7, 1]]); // prettier-ignore
    expect(read(toc(1, 3), 0x42, 2, 5, 5, 0, 0).frames).toEqual([[3, 1], [4, 1]]); // prettier-ignore
    expect(read(toc(1, 3), 0x42, 255, 0, 5, 5, ...zeros(254)).frames).toEqual([[4, 1], [5, 1]]); // prettier-ignore
  });

  it.each([
    [0, 10], [3, 60], [4, 10], [11, 60], [12, 10], [13, 20], [14, 10], [15, 20], [16, 2.5], [17, 5], [18, 10],
    [19, 20], [28, 2.5], [31, 20],
  ])('of configuration %i: frames of %f ms', (config, ms) => {
    expect(read(toc(config, 0), 0).samples).toBe(ms * 24);
  }); // prettier-ignore

  it.each([
    ['empty', [], /is empty/],
    ['code 1 with an odd rest', [toc(1, 1), 0], /equal size/],
    ['code 2 without a length', [toc(1, 2)], /length is missing/],
    ['code 2 with half a length', [toc(1, 2), 252], /cut short/],
    ['code 2 with a frame past the end', [toc(1, 2), 5, 0], /past its end/],
    ['code 3 without a count', [toc(1, 3)], /count is missing/],
    ['code 3 of no frames', [toc(1, 3), 0x80], /no frames/],
    ['code 3 of 49 frames', [toc(16, 3), 49], /more than 48/],
    ['code 3 with an uneven rest', [toc(1, 3), 2, 0], /equal size/],
    ['code 3 with lengths past the end', [toc(1, 3), 0x82, 9, 0], /past its end/],
    ['code 3 with endless padding', [toc(1, 3), 0x41, 255, 255], /padding/],
    ['code 3 with more padding than bytes', [toc(1, 3), 0x41, 9, 0], /padding/],
    ['140 ms', [toc(1, 3), 7, ...zeros(7)], /longer than 120 ms/],
    ['a frame of 1276 bytes', [toc(1, 0), ...zeros(1276)], /more than 1275/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => read(...bytes)).toThrow(message);
    expect(() => read(...bytes)).toThrow(expect.objectContaining({ code: 'bad_audio' }));
  });

  it('refuses 100 kB before looking inside', () => {
    expect(() => new OpusPacketLayout().read(new Uint8Array(100_000))).toThrow(/too long/);
  });

  it('of any bytes: within the packet and legal, or bad_audio', () => {
    const layout = new OpusPacketLayout();
    const lengths = fc.uint8Array({ maxLength: 400, size: 'max' });
    const code3 = fc
      .tuple(fc.nat(31), fc.nat(255), lengths)
      .map(([c, h, rest]) => packet(toc(c, 3), h, ...rest));
    fc.assert(
      fc.property(fc.oneof(lengths, code3), (bytes) => {
        try {
          layout.read(bytes);
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: 'bad_audio' });
          return;
        }
        expect(layout.samples % 60).toBe(0);
        expect(layout.samples).toBeGreaterThan(0);
        expect(layout.samples).toBeLessThanOrEqual(2880);
        let end = layout.starts[0]!;
        for (let i = 0; i < layout.count; i++) {
          expect(layout.starts[i]).toBe(end);
          end += layout.sizes[i]!;
        }
        expect(end).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('putting a packet together', () => {
  it('gives the bytes of RFC 6716 section 3.2.5', () => {
    const assembler = new OpusPacketAssembler();
    assembler.begin();
    for (const frame of [[1, 2], [3], [], [4, 5, 6]]) assembler.add(packet(toc(13, 0), ...frame));
    expect([...assembler.finish()]).toEqual([toc(13, 3), 0x84, 2, 1, 0, 1, 2, 3, 4, 5, 6]);
  });

  it('and reading it again gives the frames back, whatever their sizes', () => {
    const assembler = new OpusPacketAssembler();
    const sizes = fc.array(fc.oneof(fc.nat(1275), fc.constantFrom(251, 252, 255, 256)), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(sizes, (lengths) => {
        assembler.begin();
        const frames = lengths.map((n, i) => new Uint8Array(n).fill(i + 1));
        for (const frame of frames) assembler.add(packet(toc(1, 0), ...frame));
        const made = assembler.finish();
        const layout = new OpusPacketLayout().read(made);
        expect(layout.count).toBe(frames.length);
        frames.forEach((frame, i) => {
          const start = layout.starts[i]!;
          expect(made.subarray(start, start + layout.sizes[i]!)).toEqual(frame);
        });
      }),
      { numRuns: 100 },
    );
  });

  it('leaves a frame of another configuration out, to be concealed, and counts it', () => {
    const assembler = new OpusPacketAssembler();
    assembler.begin();
    assembler.add(packet(toc(13, 0), 1));
    assembler.add(packet(toc(19, 0), 2));
    assembler.add(packet(toc(13, 0), 3));
    expect([...assembler.finish()]).toEqual([toc(13, 3), 0x83, 1, 0, 1, 3]);
    expect(assembler.mismatched).toBe(1);
  });
});
