/** YAML files within limits: what parses, what is refused, and where each problem is said to stand. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { MAX_DEPTH, YamlSource } from '../../sidecar/yaml';

const read = (text: string) => new YamlSource('f.yaml', text);
const said = (text: string) =>
  read(text).problems.map((p) => `${p.line}:${p.column}-${p.endLine}:${p.endColumn} ${p.code}: ${p.message}`);

describe('what is read', () => {
  test('YAML 1.2 core: yes and 012 are text and a number, not a boolean and an octal', () => {
    expect(read('a: yes\nb: 012\nc: ~\nd: 0x10').value).toEqual({ a: 'yes', b: 12, c: null, d: 16 });
  });
  test('a merge key is a key like any other', () => {
    expect(read('a: &a {x: 1}\nb:\n  <<: *a').value).toEqual({ a: { x: 1 }, b: { '<<': { x: 1 } } });
  });
  test('an alias is what its anchor last stood for above it', () => {
    expect(read('a: &x 1\nb: *x\nc: &x 2\nd: *x').value).toEqual({ a: 1, b: 1, c: 2, d: 2 });
  });
  test('Windows line ends count as one', () => {
    const source = read('a: 1\r\nb: 2\r\nb: 3\r\n');
    expect(source.problems).toMatchObject([{ line: 3, column: 1, source: 'b: 3' }]);
  });
  test('any plain value comes back from what yaml writes of it', () => {
    const key = fc.stringMatching(/^[a-z_]{1,8}$/);
    const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean());
    const value = fc.dictionary(
      key,
      fc.oneof(leaf, fc.array(leaf, { maxLength: 5 }), fc.dictionary(key, leaf)),
      {
        maxKeys: 8,
      },
    );
    fc.assert(
      fc.property(value, (v) => {
        const { value: back, problems } = read(stringify(v));
        expect(problems).toEqual([]);
        expect(JSON.parse(JSON.stringify(back))).toEqual(JSON.parse(JSON.stringify(v)));
      }),
    );
  });
});

describe('what is refused, and where', () => {
  test.each([
    ['a: 1\na: 2', '2:1-2:2 duplicate_key: This key is there twice.'],
    ['a:\n\tb: 1', '2:1-2:2 yaml_syntax: Lines are indented with spaces here, not tabs.'],
    ['a:\n  b: 1\n c: 2', '3:1-3:2 yaml_syntax: This line does not line up with its neighbours.'],
    ['a: !python/object x', '1:4-1:18 yaml_syntax: Tags are not used here.'],
    ['%YAML 1.1\n---\na: 1', '1:1-1:10 yaml_directive: Directives are not used here.'],
    ['a: 1\n---\nb: 2', '2:1-2:1 yaml_documents: There is a second document in this file.'],
    ['a: *sighs*', "1:4-1:11 bad_alias: '*sighs*' stands for nothing that is complete above it."],
    ['a: &x [*x]', "1:8-1:10 bad_alias: '*x' stands for nothing that is complete above it."],
    ['__proto__: 1', "1:1-1:10 bad_key: '__proto__' cannot be a key."],
    ['[a]: 1', '1:1-1:4 bad_key: A key is plain text.'],
    ["a:\n  - 'Tis so\n  - And more", '2:5-2:6 yaml_syntax: This quote is never closed.'],
    ['name: X\nrole: [a\nvoice: aldric', '2:7-2:8 yaml_syntax: This [ is never closed.'],
    ['a: {b: 1\nc: 2\n', '1:4-1:5 yaml_syntax: This { is never closed.'],
    ['a: [b, [c]\nd: 1', '1:4-1:5 yaml_syntax: This [ is never closed.'],
    ['a:\n  - [b\n  - c', '2:5-2:6 yaml_syntax: This [ is never closed.'],
    ['a: [b}\nc: 1', '1:4-1:5 yaml_syntax: This [ is never closed.'],
    ['a: [b,\n  c\nd: 1', '1:4-1:5 yaml_syntax: This [ is never closed.'],
    ['{a: 1', '1:1-1:2 yaml_syntax: This { is never closed.'],
    ['a:\n  - {gold} coins', '2:5-2:11 yaml_syntax: Text that begins with {gold} needs quotes.'],
    ['a: "b" c', '1:8-1:9 yaml_syntax: YAML cannot make sense of this: c'],
  ])('%j', (text, problem) => {
    expect(said(text)).toEqual([problem]);
  });

  test('every mistake is told, not the first only', () => {
    expect(said('a: 1\na: 2\nb: 1\nb: 2')).toHaveLength(2);
    expect(said('a: [b\nc: {d: 1\ne: "[" # ]').map((words) => words.split(' ')[0])).toEqual([
      '1:4-1:5',
      '2:4-2:5',
    ]);
  });

  test('a problem carries the whole line at fault and offsets into the text', () => {
    const text = 'a: 1\n  # a comment\nb: !x y   \n';
    const [problem] = read(text).problems;
    expect(problem).toMatchObject({ file: 'f.yaml', severity: 'error', source: 'b: !x y   ' });
    expect(text.slice(problem!.from, problem!.to)).toBe('!x');
  });
});

describe('limits', () => {
  const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
  test(`${MAX_DEPTH} levels and no more`, () => {
    expect(said(deep(MAX_DEPTH))).toEqual([]);
    expect(said(deep(MAX_DEPTH + 1))).toEqual([
      `1:${MAX_DEPTH + 1}-1:${MAX_DEPTH + 2} too_complex: This goes more than ${MAX_DEPTH} levels deep.`,
    ]);
  });

  const bomb =
    'a: &a [x, x, x, x, x, x, x, x, x]\n' +
    [...'bcdefghi']
      .map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(', ')}]\n`)
      .join('');
  // Each of these takes seconds to minutes, or the stack, in a parser without limits.
  test.each([
    ['billion laughs', bomb],
    ['brackets', '['.repeat(250_000)],
    ['braces', '{a: '.repeat(60_000)],
    ['dashes in a line', '- '.repeat(120_000)],
    ['question marks', '? '.repeat(120_000)],
    ['steps', Array.from({ length: 700 }, (_, i) => ' '.repeat(i) + 'a:').join('\n')],
    ['keys', Array.from({ length: 30_000 }, (_, i) => `k${i}:`).join('\n')],
    ['items', '-\n'.repeat(120_000)],
    ['commas', '[' + ','.repeat(200_000)],
    ['anchors', '&a '.repeat(80_000)],
    ['documents', '---\n'.repeat(60_000)],
    ['comments', '#\n'.repeat(120_000)],
    ['aliases', `a: &a x\nb: [${'*a, '.repeat(900)}]\n`.repeat(20)],
  ])('%s are refused in bounded time', (_name, text) => {
    const { problems, value } = read(text);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.length).toBeLessThanOrEqual(100);
    expect(value).toBeUndefined();
  });

  test('aliases of sensible use are fine', () => {
    expect(said(`a: &a x\nb: [${'*a, '.repeat(500)}]`)).toEqual([]);
  });
});

describe('fuzz', () => {
  const piece = fc.constantFrom(
    ...'- : ? , [ ] { } # & * ! | > \' " % @ ` --- ... &a *a !!str <<: a b 1 true ~ \n \t \r\n \\ \u2028 \0'.split(
      ' ',
    ),
    '\n  ',
    '\n',
    ' ',
    'a: ',
    '\n- ',
    '\ud800',
    '😀',
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 60 }).map((p) => p.join('')),
  );
  test('any text is a value or problems with places inside it; nothing is thrown', () => {
    fc.assert(
      fc.property(text, (t) => {
        const source = read(t);
        for (const p of source.problems) {
          expect(p.from).toBeGreaterThanOrEqual(0);
          expect(p.to).toBeGreaterThanOrEqual(p.from);
          expect(p.to).toBeLessThanOrEqual(t.length);
          const start =
            t
              .split('\n')
              .slice(0, p.line - 1)
              .join('\n').length + (p.line > 1 ? 1 : 0);
          expect(start + p.column - 1).toBe(p.from);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
