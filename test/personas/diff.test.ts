/** What changed between two versions, and how fast it reaches a live NPC. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { classifyChange, diffPersona, loadPersona, type Persona } from '../../sidecar/personas';

const base = {
  name: 'Ada',
  role: 'You are Ada of {town}.',
  voice: 'deep',
  facts: ['Bread costs {price}.'],
  state: { town: 'Rye', price: 2, mood: 'fine' },
  lines: { replies: ['I am {mood}.'] },
};
const load = (file: object): Persona => {
  const { persona, problems } = loadPersona('ada', stringify(file), { voices: ['deep', 'high'] });
  if (!persona) throw new Error(problems.map((p) => p.message).join());
  return persona;
};

describe('diff', () => {
  test.each<[object, string[]]>([
    [{}, []],
    [{ voice: 'high' }, ['voice']],
    [{ turn_taking: { patience_ms: 700 } }, ['turn_taking.patience_ms']],
    [{ turn_taking: { patience_ms: 600 } }, []],
    [{ lines: { replies: ['I am {mood}!'], greeting: ['Hi.'] } }, ['lines.greeting', 'lines.replies']],
    [{ state: { ...base.state, price: '2' } }, ['state.price']],
    [{ state: { ...base.state, gold: 1 } }, ['state.gold']],
    [{ cues: [{ id: 'a', says: ['b'] }] }, ['cues']],
  ])('%j changes %j', (change, paths) => {
    expect(diffPersona(load(base), load({ ...base, ...change })).sort()).toEqual(paths);
  });

  const versions = fc.record({
    name: fc.constantFrom('Ada', 'Eve'),
    role: fc.constantFrom('You are Ada.', 'You are Eve.'),
    voice: fc.constantFrom('deep', 'high'),
    facts: fc.array(fc.constantFrom('a', 'b'), { maxLength: 2 }),
    state: fc.dictionary(fc.constantFrom('a', 'b'), fc.oneof(fc.boolean(), fc.integer())),
    turn_taking: fc.record({ patience_ms: fc.constantFrom(300, 600), resume: fc.boolean() }),
  });
  test('names nothing for equal versions, the same both ways, and all that makes them equal', () => {
    fc.assert(
      fc.property(versions, versions, (x, y) => {
        const [a, b] = [load(x), load(y)];
        expect(diffPersona(a, load(x))).toEqual([]);
        const paths = diffPersona(a, b);
        expect(diffPersona(b, a).sort()).toEqual([...paths].sort());
        const patched = structuredClone(a) as unknown as Record<string, unknown>;
        for (const path of paths) copy(path.split('.'), patched, b as unknown as Record<string, unknown>);
        expect(patched).toEqual(b);
      }),
    );
  });
  function copy([key, ...rest]: string[], to: Record<string, unknown>, from: Record<string, unknown>): void {
    if (rest.length > 0)
      copy(rest, to[key!] as Record<string, unknown>, from[key!] as Record<string, unknown>);
    else if (Object.hasOwn(from, key!)) to[key!] = from[key!];
    else delete to[key!];
  }
});

describe('speed', () => {
  test.each([
    [[], 'instant'],
    [
      ['name', 'sampling.text_top_k', 'turn_taking.overlap', 'hearing.range_m', 'cues', 'lines.idle'],
      'instant',
    ],
    [['lines.idle', 'facts'], 'quiet'],
    [['facts', 'role'], 'reprime'],
    [['voice'], 'reprime'],
    [['language'], 'reprime'],
  ])('%j is %s', (paths, speed) => {
    expect(classifyChange(paths)).toBe(speed);
  });
  test.each([
    ['state.mood', 'instant'],
    ['state.price', 'quiet'],
    ['state.town', 'reprime'],
  ])('%s is as slow as the text that uses it: %s', (path, speed) => {
    expect(classifyChange([path], load(base))).toBe(speed);
  });
  test('one more path never makes it faster', () => {
    const path = fc.constantFrom('name', 'facts', 'role', 'voice', 'lines.idle', 'state.price', 'state.town');
    const rank = { instant: 0, quiet: 1, reprime: 2 };
    const persona = load(base);
    fc.assert(
      fc.property(fc.array(path), path, (paths, more) => {
        expect(rank[classifyChange([...paths, more], persona)]).toBeGreaterThanOrEqual(
          rank[classifyChange(paths, persona)],
        );
      }),
    );
  });
});
