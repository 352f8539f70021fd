import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alignWords } from '../../sidecar/understudy/tts/align';

const phones = (text: string) => text.split(' ');

describe('words among phones', () => {
  it('finds each where it begins', () => {
    expect(
      alignWords(phones('w eh l m eh t s t r'), [phones('w eh l'), phones('m eh t'), phones('s t r')]),
    ).toEqual([0, 3, 6]);
  });
  it('bears weakened vowels and swallowed phones', () => {
    // "and the" said as "ax n dh iy", its d gone.
    expect(
      alignWords(phones('ax n dh iy g ey t'), [phones('ae n d'), phones('dh ax'), phones('g ey t')]),
    ).toEqual([0, 2, 4]);
  });
  it('gives every word a place, in order, whatever is said', () => {
    const phone = fc.constantFrom('aa', 'b', 'iy', 's', 't');
    fc.assert(
      fc.property(
        fc.array(phone, { minLength: 1, maxLength: 25 }),
        fc.array(fc.array(phone, { maxLength: 5 }), { minLength: 1, maxLength: 8 }),
        (spoken, words) => {
          const starts = alignWords(spoken, words);
          expect(starts).toHaveLength(words.length);
          expect(starts[0]).toBe(0);
          starts.forEach((start, i) => {
            expect(start).toBeGreaterThanOrEqual(starts[i - 1] ?? 0);
            expect(start).toBeLessThan(spoken.length);
          });
        },
      ),
    );
  });
  it('finds any words that are said one after the other', () => {
    const word = fc.array(fc.constantFrom('aa', 'b', 'iy', 's', 't', 'k', 'm'), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 8 }), (words) => {
        let at = 0;
        const expected = words.map((w) => (at += w.length) - w.length);
        expect(alignWords(words.flat(), words)).toEqual(expected);
      }),
    );
  });
});
