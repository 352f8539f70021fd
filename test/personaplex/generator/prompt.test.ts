import { describe, expect, it } from 'vitest';
import { PERSONAPLEX_TOKENS, promptColumns, type Prompt } from '../../../sidecar/personaplex/generator';
import { SMALL } from '../graphs/models';

const PUBLISHED = { ...SMALL, card: 2048, textCard: 32000 };
const column = (tokens: Int32Array, at: number): number[] => [...tokens.subarray(at * 17, (at + 1) * 17)];

const voice = Int32Array.from({ length: 3 * 8 }, (_, i) => 100 * (Math.floor(i / 8) + 1) + (i % 8));
const prompt: Prompt = { voice: { kind: 'codes', codes: voice }, text: [607, 4831] };
const { silence, sine } = PERSONAPLEX_TOKENS;

describe('prompt columns', () => {
  const { count, tokens, agentAcoustic, userAcoustic } = promptColumns(PUBLISHED, PERSONAPLEX_TOKENS, prompt);

  it('are voice, six of silence, the role’s text, six of silence', () => {
    expect(count).toBe(3 + 6 + 2 + 6);
    expect(Array.from({ length: count }, (_, p) => column(tokens, p)[0])).toEqual([
      32000, ...Array<number>(8).fill(3), 607, 4831, ...Array<number>(6).fill(3),
    ]); // prettier-ignore
  });

  it('begin with the initial column, and hold the acoustic codes back by one', () => {
    expect(column(tokens, 0)).toEqual([32000, ...Array<number>(16).fill(2048)]);
    expect(column(tokens, 1)).toEqual([
      3,
      200,
      ...Array<number>(7).fill(2048),
      sine[0],
      ...Array<number>(7).fill(2048),
    ]);
    expect(column(tokens, 2)).toEqual([3, 300, 201, 202, 203, 204, 205, 206, 207, ...sine]);
    expect(column(tokens, 3)).toEqual([3, silence[0], 301, 302, 303, 304, 305, 306, 307, ...sine]);
    expect(column(tokens, 4)).toEqual([3, ...silence, ...sine]);
  });

  it('leave the last frame’s acoustic codes for the first live column', () => {
    expect([...agentAcoustic]).toEqual(silence.slice(1));
    expect([...userAcoustic]).toEqual(sine.slice(1));
  });

  it('of plain Moshi are the initial column alone', () => {
    const none = promptColumns(PUBLISHED, PERSONAPLEX_TOKENS, null);
    expect(column(none.tokens, 0)).toEqual([32000, ...Array<number>(16).fill(2048)]);
    expect(none.count).toBe(1);
    expect([...none.agentAcoustic]).toEqual(Array<number>(7).fill(2048));
  });
});

describe('a stored voice', () => {
  const ring = Int32Array.from({ length: 17 * 4 }, (_, i) => i);
  const embeddings = new Float32Array(2 * SMALL.dim).fill(0.5);
  const stored: Prompt = { voice: { kind: 'embeddings', embeddings, ring }, text: [] };

  it('stands as embeddings until its last column, which is in its ring', () => {
    const columns = promptColumns(PUBLISHED, PERSONAPLEX_TOKENS, stored);
    expect(columns.count).toBe(3 + 12);
    expect(column(columns.tokens, 0)).toEqual(Array<number>(17).fill(-1));
    expect(column(columns.tokens, 1)).toEqual(Array<number>(17).fill(-1));
    // Column 2 is at place 2 of each stream of the ring.
    expect(column(columns.tokens, 2)).toEqual(Array.from({ length: 17 }, (_, stream) => 4 * stream + 2));
    // Column 3 takes the delayed codes from place 3.
    const delayed = (from: number): number[] => Array.from({ length: 7 }, (_, k) => 4 * (from + k) + 3);
    expect(column(columns.tokens, 3)).toEqual([3, silence[0], ...delayed(2), sine[0], ...delayed(10)]);
    expect([...columns.embeddings!.subarray(0, 2 * SMALL.dim)].every((value) => value === 0.5)).toBe(true);
    expect([...columns.embeddings!.subarray(2 * SMALL.dim)].every((value) => value === 0)).toBe(true);
  });

  it.each([
    ['rows of another width', { ...stored.voice, embeddings: new Float32Array(SMALL.dim + 1) }, 'rows of 32'],
    ['another ring', { ...stored.voice, ring: new Int32Array(17) }, '17 by 4'],
    ['tokens never written', { ...stored.voice, ring: ring.map(() => -2) }, 'holds -2'],
    ['a code that does not exist', { kind: 'codes', codes: new Int32Array(8).fill(2048) }, 'outside 0..2047'],
    ['half a frame', { kind: 'codes', codes: new Int32Array(12) }, 'whole frames'],
  ] as [string, Prompt['voice'], string][])('of %s is refused', (_, bad, why) => {
    expect(() => promptColumns(PUBLISHED, PERSONAPLEX_TOKENS, { voice: bad, text: [] })).toThrow(why);
  });
});
