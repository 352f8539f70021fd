/** Voice files. */
import { describe, expect, test } from 'vitest';
import { loadVoice } from '../../sidecar/voices';

const said = (text: string) =>
  loadVoice('deep', text).problems.map((p) => `${p.line}:${p.column} ${p.severity} ${p.code}: ${p.message}`);

test('what is not said has its default; what has none stays away', () => {
  expect(loadVoice('deep', 'name: Deep\nunderstudy:\n  base: rms\n').voice).toEqual({
    id: 'deep',
    name: 'Deep',
    understudy: { base: 'rms', rate: 1, shift_semitones: 0, gain: 1 },
  });
});

describe('refused', () => {
  test.each([
    ['', '1:1 error empty: The file is empty.'],
    ['name: Deep', "1:1 error missing: 'understudy' is missing."],
    ['name: D\nunderstudy: {base: slt, pitch_hz: 900}', "2:35 error out_of_range: 'understudy.pitch_hz' is at most 300, not 900."],
    ['name: D\nunderstudy: {base: slt, rat: 1}', "2:25 error unknown_key: 'rat' is not a key of 'understudy'."],
  ])('%j', (text, problem) => {
    expect(said(text)).toEqual([problem]);
  }); // prettier-ignore

  test.each(['../secret.pt', '/etc/passwd', 'a/b.wav', 'a\\b.wav', '..', '.hidden', ''])(
    'a voice prompt %j: it names a file of the folder, and no other',
    (prompt) => {
      const text = `name: D\nunderstudy: {base: slt}\npersonaplex:\n  prompt: ${JSON.stringify(prompt)}\n`;
      expect(said(text)).toHaveLength(1);
      expect(said(text)[0]).toMatch(/^4:11 error wrong_form: 'personaplex.prompt' is /);
    },
  );
  test.each(['NATM1', 'VARF4', 'wren.pt', 'my-voice_2.wav'])('but %s will do', (prompt) => {
    expect(said(`name: D\nunderstudy: {base: slt}\npersonaplex: {prompt: ${prompt}}\n`)).toEqual([]);
  });
});

test("an id that is not the file's name is doubted; the file's name is the id", () => {
  const { voice, problems } = loadVoice('deep', 'id: high\nname: D\nunderstudy: {base: slt}');
  expect(voice?.id).toBe('deep');
  expect(problems).toMatchObject([{ severity: 'warning', code: 'id_differs', line: 1, column: 5 }]);
});
