import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitClauses } from '../../sidecar/understudy/text/clauses';
import { interjectionPhones, normaliseWord, writtenWords } from '../../sidecar/understudy/text/normalise';

describe('a written word as flite can read it', () => {
  it.each([
    ['Café', 'Cafe'],
    ['naïve', 'naive'],
    ['Straße', 'Strasse'],
    ['Ærø', 'AEro'],
    ['Œuvre', 'OEuvre'],
    ['“isn’t”', '"isn\'t"'],
    ['wait…', 'wait...'],
    ['fish&chips', 'fish and chips'],
    ['50%', '50 percent'],
    ['5–7', '5 to 7'],
    ['£3.50', '3.50 pounds'],
    ['**bold**', 'bold'],
    ['ﬁne', 'fine'],
    ['日本語', ''],
    ['🙂', ''],
  ])('%s → %s', (written, spoken) => {
    expect(normaliseWord(written)).toBe(spoken);
  });

  it('is always printable ASCII with single spaces', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        for (const word of writtenWords(text)) expect(normaliseWord(word)).toMatch(/^$|^[!-~]+( [!-~]+)*$/);
      }),
    );
  });

  it('speaks interjections by phones, and nothing else', () => {
    expect(interjectionPhones('Mm-hm.')).toEqual(['m', 'm', 'hh', 'm', 'm']);
    expect(interjectionPhones('"Uh-huh,"')).toEqual(['ah', 'hh', 'ah']);
    expect(interjectionPhones('hammer')).toBeUndefined();
  });
});

describe('a line in clauses', () => {
  const said = (line: string) => splitClauses(line).map((clause) => clause.spoken);

  it.each<[string, string[]]>([
    ['Well met, stranger. Mind the sparks!', ['Well met,', 'stranger.', 'Mind the sparks!']],
    ['Dr. Smith met Mrs. Jones of St. Ives.', ['doctor Smith met missus Jones of saint Ives.']],
    ['It is $42.50, not 1,000; come at 10:30.', ['It is $42.50,', 'not 1,000,', 'come at 10:30.']],
    [
      'Bring tools, e.g. a hammer, etc. They help.',
      ['Bring tools,', 'for example a hammer,', 'et cetera.', 'They help.'],
    ],
    ['You and I. J. R. Hartley knows.', ['You and I.', 'J R Hartley knows.']],
    ['No—wait – yes -- maybe.', ['No,', 'wait,', 'yes,', 'maybe.']],
    ['“Stop!” he said… “Now?”', ['Stop!', 'he said.', 'Now?']],
    ['Hmm, let me think.', ['hum,', 'let me think.']],
    ['No. I will not.', ['No.', 'I will not.']],
    ['no end', ['no end.']],
    ['<b>Bold</b> words', ['Bold words.']],
    ['日本語', []],
    ['', []],
    ['... — !', []],
  ])('%s', (line, clauses) => {
    expect(said(line)).toEqual(clauses);
  });

  it('breaks a long stretch before a conjunction', () => {
    expect(said('I was out by the old mill at sunrise with the rest of them and the river had come up over the stones')).toEqual([
      'I was out by the old mill at sunrise with the rest of them,',
      'and the river had come up over the stones.',
    ]); // prettier-ignore
  });

  it('rests longer after a sentence than after a comma', () => {
    const [comma, stop] = splitClauses('Well, no. Yes.');
    expect(comma!.pauseMs).toBeGreaterThan(50);
    expect(stop!.pauseMs).toBeGreaterThan(2 * comma!.pauseMs - 1);
  });

  it('gives phones only to clauses that are all interjection', () => {
    expect(splitClauses('Mm-hm.')[0]!.phones).toEqual(['m', 'm', 'hh', 'm', 'm']);
    expect(splitClauses('Hmm let me see')[0]!.phones).toBeUndefined();
  });

  it('shows captions as they were written', () => {
    const shown = splitClauses('The café — 50% off 🙂, Dr. Who!').flatMap((clause) =>
      clause.words.map((word) => word.text),
    );
    expect(shown).toEqual(['The', 'café—', '50%', 'off 🙂,', 'Dr.', 'Who!']);
  });

  it('neither loses nor invents a letter or digit', () => {
    const word = fc.stringMatching(/^[A-Za-z0-9',.;:!?'"-]{1,12}$/);
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), (words) => {
        const line = words.join(' ');
        const shown = splitClauses(line).map((clause) => clause.text).join(''); // prettier-ignore
        const letters = (text: string) => text.replace(/[^A-Za-z0-9]/g, '');
        expect(letters(shown)).toBe(letters(line));
      }),
    );
  });

  it('makes clauses short, speakable and never empty, of any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (line) => {
        for (const clause of splitClauses(line)) {
          expect(clause.words.length).toBeGreaterThan(0);
          expect(clause.words.length).toBeLessThanOrEqual(24);
          expect(clause.spoken).toMatch(/^[ -~]*[a-zA-Z0-9][ -~]*[.,!?]$/);
          for (const word of clause.words) expect(word.spoken).toMatch(/[a-z0-9]/i);
        }
      }),
    );
  });
});
