import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bag, Chance } from '../../sidecar/understudy/turns/bag';

describe('a shuffled bag', () => {
  it('draws each once a round, and never one twice in a row', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.nat(), (size, seed) => {
        const bag = new Bag(size, new Chance(seed));
        const drawn = Array.from({ length: 5 * size }, () => bag.draw()!);
        for (let round = 0; round < 5; round++) {
          expect(new Set(drawn.slice(round * size, (round + 1) * size)).size).toBe(size);
        }
        if (size > 1) drawn.forEach((index, i) => expect(index).not.toBe(drawn[i - 1]));
      }),
    );
  });
  it('draws the same for the same seed, and not for another', () => {
    const draws = (seed: number) => {
      const bag = new Bag(10, new Chance(seed));
      return Array.from({ length: 30 }, () => bag.draw());
    };
    expect(draws(3)).toEqual(draws(3));
    expect(draws(3)).not.toEqual(draws(4));
  });
  it('gives nothing when empty', () => {
    expect(new Bag(0, new Chance(1)).draw()).toBeUndefined();
  });
});
