/** "Did you mean": which known word a mistyped one is taken for. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { didYouMean, editDistance, nearest } from '../../sidecar/yaml';

describe('edit distance', () => {
  test.each([
    ['', '', 0],
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
    ['yeild', 'yield', 1],
    ['ca', 'abc', 3],
  ])('%s to %s is %i', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
  });
  test('is a metric of bounded size: symmetric, 0 for equal words only, at most the longer length', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        const d = editDistance(a, b);
        expect(d).toBe(editDistance(b, a));
        expect(d === 0).toBe(a === b);
        expect(d).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
  });
});

describe('the nearest word', () => {
  const keys = ['patience_ms', 'overlap', 'resume', 'backchannels_per_minute'];
  test.each([
    ['patience-ms', 'patience_ms'],
    ['PatienceMs', 'patience_ms'],
    ['patience', 'patience_ms'],
    ['overlapp', 'overlap'],
    ['colour', undefined],
    ['', undefined],
  ])('%j is taken for %j', (word, known) => {
    expect(nearest(word, keys)).toBe(known);
  });
  test('what is like nothing is told what there is', () => {
    expect(didYouMean('zzz', ['a', 'b'])).toBe("Known here: 'a', 'b'.");
    expect(didYouMean('zzz', [])).toBeUndefined();
  });
});
