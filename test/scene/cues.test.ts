import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CueMatcher, cueWords, type CueDefinition } from '../../sidecar/scene/cues';

/** Says a line as frames carry it: each word with a space before it. */
function say(matcher: CueMatcher, line: string): string[][] {
  return line.split(' ').map((word) => [...matcher.heard(' ' + word)]);
}

describe('cues', () => {
  it.each([
    ['fires in the frame in which the phrase is completed', ['gold coins'], 'Ten gold coins please', [2]],
    ['does not mind case and punctuation', ["That's the deal."], '“THATS the—deal!”', [1]],
    ['takes hyphens and dashes for gaps between words', ['well met'], 'Well-met, friend', [0]],
    ['takes * for any one word', ['the * sword'], 'draw the red sword now', [3]],
    ['takes * for exactly one', ['the * sword'], 'draw the sword', []],
    ['fires once for each occurrence', ['aye'], 'aye aye and aye', [0, 1, 3]],
    ['does not let occurrences overlap', ['ha ha'], 'ha ha ha ha', [1, 3]],
    ['fires once where two of its phrases end', ['gold', 'some gold'], 'some gold', [1]],
    ['keeps accents', ['café'], 'the cafe café', [2]],
    ['knows other scripts', ['добрый день'], 'Добрый день!', [1]],
  ])('%s', (_, says, line, frames) => {
    const fired = say(new CueMatcher([{ id: 'cue', says }]), line);
    expect(fired.flatMap((ids, i) => ids.map(() => i))).toEqual(frames);
  });

  it('does not find a phrase across two lines', () => {
    const matcher = new CueMatcher([{ id: 'gold', says: ['ten gold'] }]);
    expect(matcher.heard(' ten')).toEqual([]);
    matcher.restart();
    expect(matcher.heard(' gold')).toEqual([]);
    expect(matcher.heard(' ten gold')).toEqual(['gold']);
  });

  it('finds several cues in one frame, in the order of their words', () => {
    const matcher = new CueMatcher([
      { id: 'b', says: ['two'] },
      { id: 'a', says: ['one', 'three'] },
    ]);
    expect(matcher.heard(' one two three')).toEqual(['a', 'b', 'a']);
  });

  it('never fires for a phrase of punctuation only', () => {
    expect(new CueMatcher([{ id: 'x', says: ['!?', '--'] }]).heard(' !? --')).toEqual([]);
  });

  const word = fc.constantFrom('a', 'b', 'c');
  const phrase = fc.array(fc.constantFrom('a', 'b', 'c', '*'), { minLength: 1, maxLength: 3 });

  it('agrees with a search of the whole line, however the line is cut into frames', () => {
    fc.assert(
      fc.property(
        fc.array(phrase, { minLength: 1, maxLength: 3 }),
        fc.array(word, { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 20 }),
        (phrases, words, cuts) => {
          const cue: CueDefinition = { id: 'x', says: phrases.map((p) => p.join(' ')) };
          const matcher = new CueMatcher([cue]);
          let fired = 0;
          for (let at = 0, i = 0; at < words.length; i++) {
            const size = cuts[i] ?? 1;
            fired += matcher.heard(' ' + words.slice(at, at + size).join(' ')).length;
            at += size;
          }
          expect(fired).toBe(occurrences(phrases, words));
        },
      ),
    );
  });

  it('compares words that a person would call the same', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(cueWords(text.toUpperCase().toLowerCase())).toEqual(
          cueWords(text.toUpperCase().toLowerCase() + '!'),
        );
        for (const w of cueWords(text)) expect(cueWords(w)).toEqual([w]);
      }),
    );
  });
});

/** Leftmost-ending occurrences that do not overlap. */
function occurrences(phrases: string[][], words: string[]): number {
  let count = 0;
  let spent = 0;
  for (let end = 1; end <= words.length; end++) {
    const ends = phrases.some((p) => {
      const from = end - p.length;
      return from >= spent && p.every((w, i) => w === '*' || w === words[from + i]);
    });
    if (!ends) continue;
    count++;
    spent = end;
  }
  return count;
}
