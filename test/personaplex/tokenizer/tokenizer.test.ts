import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NpcVoiceError } from '../../../sidecar/errors';
import { PieceType, SpokenText, Tokenizer } from '../../../sidecar/personaplex/tokenizer';
import { bytePieces, charsmap, marks, modelBytes, oracle, type ModelSpec } from './build';

const table = charsmap({
  'ﬁ': 'fi', 'Ａ': 'A', '①': '1', '\t': ' ', '\u3000': ' ', '…': '...', 'ß': 'ss', 'e\u0301': '\u00e9', '\u200b': '',
}); // prettier-ignore

/** Words, parts of words and characters with scores that make segmentation a real choice. */
const vocabulary = (): ModelSpec['pieces'] => {
  const words = '▁the ▁a ▁cat ▁sat ▁on ▁mat c at s ca tt ▁th he at▁ ▁▁ fi fin ine ▁fine . , ! ? ... 1 2 A ss é the then hen ▁hat hat'.split(' ');
  const letters = [...'abcdefghijklmnopqrstuvwxyz▁'];
  const texts = [...new Set([...words, ...letters])];
  return texts.map((text, i) => ({ text, score: -1 - ((i * 37) % 101) / 7 - (text.length === 1 ? 6 : 0) }));
}; // prettier-ignore

const models: Record<string, ModelSpec> = {
  'with a table and bytes': {
    pieces: [...marks, ...bytePieces, ...vocabulary()],
    byteFallback: true,
    charsmap: table,
  },
  'without either': { pieces: [...marks, ...vocabulary()] },
  'that keeps spaces and adds none': {
    pieces: [...marks, ...bytePieces, ...vocabulary()],
    byteFallback: true,
    removeExtraWhitespaces: false,
    addDummyPrefix: false,
  },
  'with user-defined and unused pieces': {
    pieces: [
      ...marks,
      ...bytePieces,
      ...vocabulary(),
      { text: '<sep>', type: PieceType.USER_DEFINED },
      { text: 'cat sat', type: PieceType.USER_DEFINED },
      { text: 'onma', score: 5, type: PieceType.UNUSED },
    ],
    byteFallback: true,
    charsmap: table,
  },
};

const texts = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.array(fc.constantFrom('the', 'then', 'cat', 'cat sat', ' ', '  ', 'ﬁne', '<sep>', '①', 'Ａ', '\t', '…', '\u200b', '▁', 'hat.', 'onmat', '日', '😀', 'é', '\0'), { maxLength: 20 })
    .map((parts) => parts.join('')),
); // prettier-ignore

describe.each(Object.entries(models))('a unigram model %s', (_, spec) => {
  it('cuts text as SentencePiece does', async () => {
    const bytes = modelBytes(spec);
    const ours = Tokenizer.fromBytes(bytes);
    const theirs = await oracle(bytes);
    fc.assert(
      fc.property(texts, (text) => {
        // A lone surrogate has no UTF-8, so the two are not given the same text.
        const whole = !/\p{Surrogate}/u.test(text);
        if (whole) expect(ours.encode(text)).toEqual(Array.from(theirs.encodeIds(text)));
      }),
      {
        numRuns: 500,
        examples: [[''], ['   '], [' a  cat '], ['<unk><s>'], ['the cat sat on the mat, then fine…']],
      },
    );
  });

  it('speaks ids as SentencePiece decodes them, but streaming', async () => {
    const bytes = modelBytes(spec);
    const ours = Tokenizer.fromBytes(bytes);
    const theirs = await oracle(bytes);
    fc.assert(
      fc.property(texts, (text) => {
        const ids = ours.encode(text).filter((id) => id > 3);
        const spoken = new SpokenText(ours);
        const said = ids.map((id) => spoken.push(id)).join('') + spoken.flush();
        expect(said.replace(/^ +/, '')).toBe(theirs.decodeIds(ids).replace(/^ +/, ''));
      }),
      { numRuns: 200 },
    );
  });
});

describe('spoken text', () => {
  const tokenizer = Tokenizer.fromBytes(modelBytes(models['with a table and bytes']!));
  const id = (byte: number): number => 4 + byte;
  const the = tokenizer.encode('the')[0]!;

  it('keeps the space before a word', () => {
    expect(new SpokenText(tokenizer).push(the)).toBe(' the');
  });

  it('drops padding and marks', () => {
    const spoken = new SpokenText(tokenizer);
    expect([0, 1, 2, 3].map((mark) => spoken.push(mark)).join('')).toBe('');
  });

  it('joins bytes into characters, also across padding', () => {
    const spoken = new SpokenText(tokenizer);
    const ids = [...new TextEncoder().encode('é😀')].flatMap((byte) => [id(byte), 3]);
    expect(ids.map((each) => spoken.push(each))).toEqual(
      ['', '', 'é', '', '', '', '', '', '', '', '😀', ''],
    );
  }); // prettier-ignore

  it('shows an unfinished character as U+FFFD when a word follows', () => {
    const spoken = new SpokenText(tokenizer);
    expect(spoken.push(id(0xe2))).toBe('');
    expect(spoken.push(the)).toBe('\ufffd the');
    expect(spoken.flush()).toBe('');
  });

  it('has no piece beyond its ids', () => {
    expect(() => tokenizer.piece(tokenizer.size)).toThrow(RangeError);
  });
});

describe('the published ids of PersonaPlex’s prompts', () => {
  // The real model is not here. These are the pieces its published ids must stand for, at those ids, scored as
  // frequent words are against their letters: it shows that segmentation and wrapping give the published sequence
  // from those pieces, not that the real file holds them.
  const known: Record<string, number> = {
    '▁<': 607, system: 4831, '>': 578, '<': 934, '▁You': 493, '▁are': 298, '▁a': 272, '▁wise': 11821, '▁and': 267,
    '▁friendly': 7514, '▁teacher': 3290, '.': 263, '▁Answer': 506, '▁questions': 1292, '▁or': 307, '▁provide': 775,
    '▁advice': 3574, '▁in': 271, '▁clear': 1195, '▁engaging': 12250, '▁way': 488, '▁helpful': 3850, '▁assistant': 5019,
  }; // prettier-ignore
  const pieces: { text: string; score?: number; type?: 1 | 2 | 3 | 6 }[] = Array.from(
    { length: 32000 },
    (_, i) => ({
      text: `unused${i}`,
      score: -30,
    }),
  );
  [...marks, ...bytePieces].forEach((piece, i) => (pieces[i] = piece as (typeof pieces)[number]));
  for (const [text, at] of Object.entries(known)) pieces[at] = { text, score: -5 - Math.log(at) };
  [...'abcdefghijklmnopqrstuvwxyzYA▁'].forEach(
    (letter, i) => (pieces[31000 + i] = { text: letter, score: -14 }),
  );
  const tokenizer = Tokenizer.fromBytes(modelBytes({ pieces, byteFallback: true }));

  it.each([
    [
      '<system> You are a wise and friendly teacher. Answer questions or provide advice in a clear and engaging way. <system>',
      '607 4831 578 493 298 272 11821 267 7514 3290 263 506 1292 307 775 3574 271 272 1195 267 12250 488 263 607 4831 578',
    ],
    [
      '<system> You are a helpful assistant. Answer questions',
      '607 4831 578 493 298 272 3850 5019 263 506 1292',
    ],
    ['<system> You are wise.<system>', '607 4831 578 493 298 11821 263 934 4831 578'],
  ])('%s', (text, ids) => {
    expect(tokenizer.encode(text).join(' ')).toBe(ids);
  });
});

describe('a model file that cannot be used is refused', () => {
  const good = modelBytes({
    ...models['with a table and bytes']!,
    pieces: [...marks, ...bytePieces, ...vocabulary()],
  });

  it.each([
    ['BPE', { pieces: marks, modelType: 2 }, 'unsupported', /BPE kind/],
    ['no unknown piece', { pieces: vocabulary() }, 'model_invalid', /no unknown piece/],
    ['no pieces', { pieces: [] }, 'model_invalid', /no pieces/],
    ['byte fallback without bytes', { pieces: marks, byteFallback: true }, 'model_invalid', /lacks pieces/],
    ['an infinite score', { pieces: [...marks, { text: 'x', score: Infinity }] }, 'model_invalid', /score of “x”/],
    ['a piece of 257 bytes', { pieces: [...marks, { text: 'x'.repeat(257) }] }, 'model_invalid', /257 bytes/],
    ['a table that makes a page of a letter', { pieces: marks, charsmap: charsmap({ a: 'b'.repeat(257) }) }, 'model_invalid', /replaces some by 257 bytes/],
    ['more than 2 MiB', { pieces: Array.from({ length: 9000 }, () => ({ text: 'x'.repeat(240) })) }, 'model_invalid', /has \d+ bytes/],
    ['a table that lies about its size', { pieces: marks, charsmap: Uint8Array.of(255, 0, 0, 0, 1) }, 'model_invalid', /table of characters/],
  ] as [string, ModelSpec, string, RegExp][])('%s', (_, spec, code, message) => {
    expect(() => Tokenizer.fromBytes(modelBytes(spec))).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  }); // prettier-ignore

  it('never crashes or hangs, however it is spoiled', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        fc.nat(good.length),
        (changes, end) => {
          const bytes = good.slice(0, end === 0 ? good.length : end);
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
          try {
            const tokenizer = Tokenizer.fromBytes(bytes);
            for (const id of tokenizer.encode('the ﬁne cat … 日本')) expect(id).toBeLessThan(tokenizer.size);
          } catch (error) {
            expect(error).toBeInstanceOf(NpcVoiceError);
          }
        },
      ),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(() => Tokenizer.fromBytes(bytes)).toThrow(NpcVoiceError);
      }),
    );
  });
});
