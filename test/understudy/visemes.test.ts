import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Phone } from '../../sidecar/understudy/tts/flite';
import { mouthTrack } from '../../sidecar/understudy/tts/visemes';
import { VISEMES, type Viseme } from '../../sidecar/wire';

const COUNT = VISEMES.length;
const lasting = (...phones: [string, number][]): Phone[] => {
  let end = 0;
  return phones.map(([name, ms]) => ({ name, end: (end += ms / 1000) }));
};
const track = (phones: Phone[]) => mouthTrack(phones, phones.at(-1)!.end);
const weight = (mouth: Uint8Array, ms: number, viseme: Viseme) =>
  mouth[Math.floor(ms / 20) * COUNT + VISEMES.indexOf(viseme)]!;
const strongest = (mouth: Uint8Array, ms: number) => {
  const step = mouth.subarray(Math.floor(ms / 20) * COUNT, (Math.floor(ms / 20) + 1) * COUNT);
  return VISEMES[step.indexOf(Math.max(...step))];
};

describe('the mouth', () => {
  it('takes the shape of each phone in its middle', () => {
    const mouth = track(lasting(['m', 100], ['aa', 140], ['f', 100], ['iy', 140], ['uw', 160]));
    expect([40, 160, 280, 400, 540].map((ms) => strongest(mouth, ms))).toEqual([
      'PP',
      'aa',
      'FF',
      'ih',
      'ou',
    ]);
  });

  it('closes for a short m between vowels', () => {
    const mouth = track(lasting(['aa', 140], ['m', 45], ['aa', 140]));
    expect(weight(mouth, 145, 'PP')).toBeGreaterThan(140);
  });

  it('moves through both halves of a diphthong', () => {
    const mouth = track(lasting(['ay', 260]));
    expect(strongest(mouth, 50)).toBe('aa');
    expect(strongest(mouth, 180)).toBe('ih');
  });

  it('comes before its sound', () => {
    const mouth = track(lasting(['pau', 200], ['uw', 200]));
    expect(weight(mouth, 180, 'ou')).toBeGreaterThan(60);
  });

  it('comes from rest and goes back to it', () => {
    const mouth = track(lasting(['aa', 300]));
    const middle = weight(mouth, 150, 'sil');
    expect(weight(mouth, 0, 'sil')).toBeGreaterThan(middle);
    expect(weight(mouth, 299, 'sil')).toBeGreaterThan(middle);
  });

  const phones = fc.array(
    fc.tuple(
      fc.constantFrom('pau', 'm', 'aa', 's', 'iy', 'ow', 'k', 'zz', 'r'),
      fc.integer({ min: 25, max: 300 }),
    ),
    { minLength: 1, maxLength: 30 },
  );

  it('always adds up to 255, for every 20 ms there are', () => {
    fc.assert(
      fc.property(phones, (list) => {
        const all = lasting(...list);
        const mouth = track(all);
        expect(mouth.length).toBe(Math.ceil(all.at(-1)!.end / 0.02 - 1e-9) * COUNT);
        for (let at = 0; at < mouth.length; at += COUNT) {
          expect(mouth.subarray(at, at + COUNT).reduce((sum, byte) => sum + byte, 0)).toBe(255);
        }
      }),
    );
  });

  it('never jumps: no weight moves by more than three quarters in 20 ms', () => {
    fc.assert(
      fc.property(phones, (list) => {
        const mouth = track(lasting(...list));
        for (let i = COUNT; i < mouth.length; i++)
          expect(Math.abs(mouth[i]! - mouth[i - COUNT]!)).toBeLessThanOrEqual(191);
      }),
    );
  });
});
