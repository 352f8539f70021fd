/** {variables} in text. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { escapeBraces, fillVariables, scanVariables } from '../../sidecar/personas';

const values: Record<string, string | number | boolean> = {
  gold: 12,
  who: 'Ann',
  rain: false,
  brace: '{gold}',
};
const fill = (text: string) => fillVariables(text, (name) => values[name]);

describe('filling in', () => {
  test.each([
    ['{gold} gold for {who}', '12 gold for Ann'],
    ['{rain}', 'false'],
    ['{{gold}}', '{gold}'],
    ['{{{gold}}}', '{12}'],
    ['{brace}', '{gold}'],
    ['a } b', 'a } b'],
    ['{unknown}', '{unknown}'],
  ])('%j is %j', (text, filled) => {
    expect(fill(text)).toBe(filled);
  });
  test('escaped text comes back as it was, whatever it is', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom('{', '}', 'a', 'gold', ' ') }), (text) => {
      expect(fill(escapeBraces(text))).toBe(text);
      expect(scanVariables(escapeBraces(text))).toEqual({ uses: [], stray: [] });
    })); // prettier-ignore
  });
  test('a value stands where its variable stood, between texts that stay as they are', () => {
    fc.assert(fc.property(fc.string(), fc.string(), fc.string(), (before, value, after) => {
      const text = `${escapeBraces(before)}{x}${escapeBraces(after)}`;
      expect(fillVariables(text, () => value)).toBe(before + value + after);
      expect(scanVariables(text).uses).toEqual([{ name: 'x', at: escapeBraces(before).length }]);
    })); // prettier-ignore
  });
});

test('uses are told with their places; braces that begin no variable are stray', () => {
  expect(scanVariables('{a} {b} {{a}} {a} {A} {a b} {')).toEqual({
    uses: [
      { name: 'a', at: 0 },
      { name: 'b', at: 4 },
      { name: 'a', at: 14 },
    ],
    stray: ['{A} {a b} {', '{a b} {', '{'],
  });
});
