/** Lint: each kind of problem, where it is said to stand, and how it is said to be mended. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { lintPersona, nameFromId, personaTemplate, type Problem } from '../../sidecar/personas';

const context = { voices: ['aldric', 'marta'] };
const CLEAN = `name: Ada
role: You enjoy having a good conversation. You are Ada.
voice: aldric
lines:
  greeting: [Hello.]
  replies: [One., Two., Three., Four.]
  idle: [Hm.]
  farewell: [Bye.]
  backchannels: [mm-hm]
`;
const lint = (text: string, id = 'ada') => lintPersona(id, text, context);
const seen = (text: string) =>
  lint(text)
    .filter((p) => p.code !== 'prompt_length')
    .map((p) => `${p.line}:${p.column}-${p.endColumn} ${p.severity} ${p.code}: ${p.message}`);
const hintOf = (text: string, code: string) => lint(text).find((p) => p.code === code)?.hint;

test('a clean persona has nothing but its length told', () => {
  expect(lint(CLEAN).map((p) => p.code)).toEqual(['prompt_length']);
});

describe('errors', () => {
  test.each<[string, string, string[]]>([
    ['a key that is none', 'colour: red', ["10:1-7 error unknown_key: 'colour' is not a key of the file."]],
    ['a key of another place', 'patience_ms: 5', ["10:1-12 error unknown_key: 'patience_ms' is not a key of the file."]],
    ['a key of a key', 'hearing: {rang_m: 3}', ["10:11-17 error unknown_key: 'rang_m' is not a key of 'hearing'."]],
    ['a value of a list', 'turn_taking: {overlap: shout}', [
      "10:24-29 error wrong_value: 'turn_taking.overlap' takes 'yield', 'finish_word', 'hold', 'talk_over', not 'shout'.",
    ]],
    ['text for a number', 'turn_taking: {patience_ms: long}', ["10:28-32 error wrong_type: 'turn_taking.patience_ms' takes a number, not 'long'."]],
    ['a number out of range', 'hearing: {range_m: -1}', ["10:20-22 error out_of_range: 'hearing.range_m' is at least 0, not -1."]],
    ['half a millisecond', 'turn_taking: {patience_ms: 600.5}', ["10:28-33 error wrong_type: 'turn_taking.patience_ms' takes a whole number, not 600.5."]],
    ['text for a list', 'facts: one', ["10:8-11 error wrong_type: 'facts' takes a list, not 'one'."]],
    ['an unquoted colon', 'facts:\n  - Gold: all', ["11:5-14 error wrong_type: Entry 1 of 'facts' takes text, not keys and values."]],
    ['an empty entry', 'facts: [""]', ["10:9-11 error out_of_range: Entry 1 of 'facts' is empty."]],
    ['a missing key in a list', 'cues:\n  - says: [hm]', ["11:5-5 error missing: 'id' of entry 1 of 'cues' is missing."]],
    ['a form that is none', 'language: English', ["10:11-18 error wrong_form: 'language' is 'English', and a language is like en or en-GB."]],
    ['a variable that cannot be', 'state: {Gold: 1}\nfacts: ["{Gold}"]', [
      "10:9-13 error bad_key: 'state.Gold' cannot be called that: a variable is a-z, 0-9 and _, not starting with a digit.",
      "11:10-16 error stray_brace: '{Gold}' begins no variable.",
    ]],
    ['a variable without a value', 'state: {gold: }\nfacts: ["{gold}"]', ["10:9-13 error wrong_type: 'state.gold' takes text, a number or true/false, not nothing."]],
    ['a variable that is not declared', 'state: {gold: 1}\nfacts: ["{gold} {golt}"]', ["11:17-23 error unknown_variable: There is no variable 'golt' in state."]],
    ['the second of two alike', 'facts: ["{{gold}} and {gold}"]', ["10:23-29 error unknown_variable: There is no variable 'gold' in state."]],
    ['a brace left open', 'facts: ["{gold is"]', ["10:10-18 error stray_brace: '{gold is' begins no variable."]],
  ])('%s', (_name, more, problems) => {
    expect(seen(`${CLEAN}${more}\n`)).toEqual(problems);
  }); // prettier-ignore

  test('a missing voice, with the one that was meant', () => {
    const text = CLEAN.replace('voice: aldric', 'voice: aldrik');
    expect(seen(text)).toEqual(["3:8-14 error unknown_voice: There is no voice 'aldrik'."]);
    expect(hintOf(text, 'unknown_voice')).toBe("Did you mean 'aldric'?");
  });
  test.each([
    ['patience_ms: 5', 'unknown_key', 'It belongs there: turn_taking.patience_ms'],
    ['turn_taking: {patience: 5}', 'unknown_key', "Did you mean 'patience_ms'?"],
    ['turn_taking: {overlap: yeild}', 'wrong_value', "Did you mean 'yield'?"],
    ['state: {gold: 1}\nfacts: ["{golt} {gold}"]', 'unknown_variable', "Did you mean 'gold'?"],
    ['facts: [5]', 'wrong_type', 'For the word, write "5" in quotes.'],
  ])('%s: %s, %s', (more, code, hint) => {
    expect(hintOf(`${CLEAN}${more}\n`, code)).toBe(hint);
  });

  test('what is missing is told where the file begins; a key without a value counts as missing, or as absent', () => {
    expect(seen('name:\nrole: You are Ada.\nfacts:\nlines:\n  greeting:\n')).toEqual([
      "1:1-5 error missing: 'name' is missing.",
      "1:1-1 error missing: 'voice' is missing.",
    ]);
  });
  test('system tags have no place in a role', () => {
    const text = CLEAN.replace('You are Ada.', 'You are Ada. <system>');
    expect(seen(text)).toEqual(['2:58-66 error system_tag: <system> does not belong in a role.']);
  });
  test('mistakes of meaning and of form are told together', () => {
    const text = `${CLEAN.replace('voice: aldric', 'voice: x')}nmae: y\nfacts: ["{z}"]\n`;
    expect(lint(text).map((p) => p.code)).toEqual(['unknown_voice', 'unknown_key', 'unknown_variable']);
  });
  test('a variable is found in text that is folded over lines', () => {
    const text = CLEAN.replace('role: You', 'role: >\n  You\n  {wether} {wether}').replace(
      'You are Ada.',
      'x.',
    );
    expect(seen(text).map((s) => s.slice(0, 10))).toEqual(['4:3-11 err', '4:12-20 er']);
  });
});

describe('warnings', () => {
  const role = (text: string) => CLEAN.replace(/role: .*/, `role: ${text}`);
  test.each<[string, string, string[]]>([
    ['a role that speaks of it', role('Ada is a smith.'), ['2:1-5 warning role_person: The role does not speak to the character.']],
    ['a role of another shape', role('You are Ada.'), ['2:1-5 info role_style: PersonaPlex learned from roles of another shape.']],
    ['a role without a name', role('You enjoy having a good conversation.'), ['2:1-5 warning role_name: The role does not say that its name is Ada.']],
    ['an id that is not the file', `id: eve\n${CLEAN}`, ["1:5-8 warning id_differs: The id is 'eve', but the file's name makes it 'ada'."]],
    ['another language', `${CLEAN}language: de\n`, ["10:11-13 warning language: PersonaPlex and the understudy speak English, not 'de'."]],
    ['no replies', CLEAN.replace(/ {2}replies.*\n/, ''), ['4:1-6 warning lines_missing: Without replies the understudy answers nothing.']],
    ['few replies', CLEAN.replace(', Three., Four.', ''), ['6:3-10 info few_lines: With 2 replies it will soon repeat itself.']],
    ['no backchannels', CLEAN.replace(/ {2}backch.*\n/, ''), ['4:1-6 warning lines_missing: There are no backchannels to say.']],
    ['no backchannels wanted', `${CLEAN.replace(/ {2}backch.*\n/, '')}turn_taking: {backchannels_per_minute: 0}\n`, []],
    ['no idle lines', CLEAN.replace(/ {2}idle.*\n/, ''), ['4:1-6 info lines_missing: Without idle lines it is silent in a quiet.']],
    ['a line twice', CLEAN.replace('Two.', 'One.'), ['6:19-23 info repeated_line: This line is there already.']],
    ['a variable without a use', `${CLEAN}state: {gold: 1}\n`, ["10:9-13 warning unused_variable: Nothing uses the variable 'gold'."]],
    ['a cue that no line sets off', `${CLEAN}cues: [{id: shop, says: [hello, my wares]}]\n`, [
      "10:33-41 warning unreachable_cue: No line says 'my wares', so the understudy never sets off 'shop'.",
    ]],
    ['letters it cannot speak', CLEAN.replace('Hello.', 'Caf\u00e9.'), ["5:17-18 warning unspeakable: The understudy cannot speak '\u00e9'."]],
    ['typographic quotes, which it can', CLEAN.replace('Hello.', '\u201cIt\u2019s me\u201d \u2014 so\u2026'), []],
    ['a stage direction', CLEAN.replace('Hello.', '"*sighs* Hello."'), ['5:15-22 warning spoken_aside: The understudy says this aloud: *sighs*']],
    ['a long line', CLEAN.replace('Hello.', 'So it goes. '.repeat(20).trim()), ['5:14-253 warning long_line: This line has 239 characters.']],
    ['a long clause', CLEAN.replace('Hello.', 'on and '.repeat(17).trim()), ['5:14-132 info long_clause: This line has a long clause.']],
  ])('%s', (_name, text, problems) => {
    expect(seen(text)).toEqual(problems);
  }); // prettier-ignore

  test('a cue is reached through a variable, and by a phrase with a wildcard', () => {
    const cues = 'state: {price: 40}\nfacts: ["{price}"]\ncues: [{id: a, says: [it is 40 gold, it is * gold]}]\n';
    expect(seen(CLEAN.replace('Hello.', 'It is "{price}" gold.').replace('[It', "['It").replace('gold.]', "gold.']") + cues)).toEqual([]);
  }); // prettier-ignore

  test('the prompt is estimated, and a long one doubted', () => {
    const [short] = lint(CLEAN).filter((p) => p.code === 'prompt_length');
    expect(short).toMatchObject({ severity: 'info', line: 2, column: 1 });
    expect(short!.message).toMatch(/about \d+ tokens: [\d.]+ s to prime at one token a frame.*an estimate/);
    const [long] = lint(
      `${CLEAN}facts: [${'You know a great many things about iron. '.repeat(7)}, ${'And about steel. '.repeat(17)}, ${'And of tin. '.repeat(24)}, ${'And gold. '.repeat(29)}]\n`,
    ).filter((p) => p.code === 'prompt_length');
    expect(long!.severity).toBe('warning');
  });
});

test('a persona begun from the template has nothing wrong', () => {
  for (const id of ['tom', 'old_tom', 'mr-x', '7', '_']) {
    const problems = lint(personaTemplate({ name: nameFromId(id), voice: 'marta' }), id);
    expect(problems.filter((p) => p.severity !== 'info')).toEqual([]);
  }
});

describe('any text at all', () => {
  const inBounds = (text: string, problems: readonly Problem[]) => {
    for (const p of problems) {
      expect(p.from).toBeLessThanOrEqual(p.to);
      expect(p.to).toBeLessThanOrEqual(text.length);
      const before = text.slice(0, p.from);
      expect([p.line, p.column]).toEqual([before.split('\n').length, p.from - before.lastIndexOf('\n')]);
      expect(p.message).toMatch(/\S/);
    }
  };
  const anything = fc.anything({ withNullPrototype: false, maxDepth: 3 });
  const keys = [
    'name',
    'role',
    'facts',
    'state',
    'voice',
    'cues',
    'lines',
    'sampling',
    'turn_taking',
    'hearing',
    'id',
    'language',
  ];
  test('values of every type under every key are problems with places, or a persona', () => {
    const file = fc.dictionary(
      fc.constantFrom(...keys),
      fc.oneof(fc.constant('{x} y'), fc.array(fc.constant('{a')), anything),
    );
    fc.assert(fc.property(file, (value) => {
      let text: string;
      try {
        text = stringify(value);
      } catch {
        return; // not everything can be written as YAML
      }
      inBounds(text, lint(text));
    }), { numRuns: 500 }); // prettier-ignore
  });
  test('a clean file with pieces cut out, doubled or swapped', () => {
    const cut = fc.tuple(
      fc.nat(CLEAN.length),
      fc.nat(20),
      fc.constantFrom('', '\t', ': ', '{', '}', '"', '- ', '\n', '*', '&a ', '\u2028'),
    );
    fc.assert(fc.property(fc.array(cut, { maxLength: 4 }), (cuts) => {
      const text = cuts.reduce((t, [at, length, put]) => t.slice(0, at) + put + t.slice(at + length), CLEAN);
      inBounds(text, lint(text));
    }), { numRuns: 500 }); // prettier-ignore
  });

  // Each of these once was, or would easily be, quadratic in a file of a quarter of a megabyte.
  const many = (n: number, of: (i: number) => string) => Array.from({ length: n }, (_, i) => of(i)).join('');
  test.each([
    ['variables in one text', `${CLEAN}facts: ["${'{gold}'.repeat(40_000)}"]\n`],
    ['escaped variables', `${CLEAN}facts: ["${'\\x7bgold}'.repeat(20_000)}"]\n`],
    ['the same long line by alias', `${CLEAN}state: {a: &l "${'{a}'.repeat(300)}"}\nfacts: [${'*l, '.repeat(900)}]\n`],
    ['unknown keys', `${CLEAN}${many(900, (i) => `unknown_key_number_${i}: 1\n`)}`],
    ['misspelt variables', `${CLEAN}state: {${many(900, (i) => `variable_with_a_long_name_${i}: 1, `)}}\nfacts: [${many(60, (i) => `"{varable_with_a_lang_name_${i}}{variable_wiht_a_name_${i}}", `)}]\n`],
    ['cues', `${CLEAN}cues:\n${many(60, (i) => `  - id: c${i}\n    says: [${many(32, (j) => `on and on ${j}, `)}]\n`)}`.replace('Hello.', `${'on and on '.repeat(55)}`)],
    ['stray braces', `${CLEAN}facts: [${'"{{{{{{{{{{{{{{{{{{{{{", '.repeat(64)}]\n`],
  ])('%s are looked at in bounded time', (_name, text) => {
    expect(text.length).toBeLessThan(256 * 1024);
    expect(lint(text).length).toBeLessThanOrEqual(100);
  }); // prettier-ignore
});
