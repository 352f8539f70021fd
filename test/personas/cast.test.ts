/** The shipped cast, and the schemas that lie beside it. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { shippedPersonas, shippedVoices } from '../../sidecar/paths';
import { PERSONA_SCHEMA_FILE, personaJsonSchema, PersonaLibrary, schemaText, VOICE_SCHEMA_FILE, voiceJsonSchema } from '../../sidecar/personas'; // prettier-ignore
import { CueMatcher } from '../../sidecar/scene/cues';

const library = await PersonaLibrary.open({ personas: shippedPersonas, voices: shippedVoices, watch: false });
const cast = library.list().map(({ id }) => library.persona(id));
const source = (id: string) => readFileSync(path.join(shippedPersonas, `${id}.yaml`), 'utf8');

test('there are six, each with a voice of its own and a manner of its own', () => {
  expect(library.rejections()).toEqual([]);
  expect(cast.map((p) => p.id)).toEqual(['aldric', 'brenn', 'fitch', 'marta', 'orwin', 'pip']);
  expect(new Set(cast.map((p) => p.voice)).size).toBe(cast.length);
  expect(new Set(cast.map((p) => p.turn_taking.overlap))).toEqual(
    new Set(['yield', 'finish_word', 'hold', 'talk_over']),
  );
  expect(new Set(cast.map((p) => p.turn_taking.patience_ms)).size).toBe(cast.length);
});

describe.each(cast)('$id', (persona) => {
  test('has nothing that lint doubts', () => {
    expect(library.lint(persona.id, source(persona.id)).filter((p) => p.code !== 'prompt_length')).toEqual(
      [],
    );
  });
  test('names the schema that its editor completes from', () => {
    expect(source(persona.id)).toMatch(/^# yaml-language-server: \$schema=\.\/persona\.schema\.json\n/);
  });
  test('has variations enough, uses the state of the game, and sets off its cues', () => {
    const { lines } = persona;
    expect(lines.greeting.length).toBeGreaterThanOrEqual(3);
    expect(lines.replies.length).toBeGreaterThanOrEqual(8);
    for (const kind of ['interrupted', 'idle', 'farewell'] as const)
      expect(lines[kind].length).toBeGreaterThanOrEqual(3);
    expect(Object.keys(persona.state).length).toBeGreaterThan(0);
    expect(persona.cues.length).toBeGreaterThan(0);
    const { lines: said } = library.brief(persona, {});
    const heard = new Set(
      Object.values(said).flatMap((kind) => (Array.isArray(kind) ? kind : [])).flatMap((line: string) => new CueMatcher(persona.cues).heard(line)),
    ); // prettier-ignore
    expect([...heard].sort()).toEqual(persona.cues.map((c) => c.id).sort());
  });
  test('is told who it is as PersonaPlex learned to be told', () => {
    const { prompt } = library.brief(persona, {});
    expect(prompt).toMatch(/^You enjoy having a good conversation\. /);
    expect(prompt).not.toMatch(/[{}<>\n]/);
  });
});

test('voices differ in what the understudy makes of them, and name a voice for PersonaPlex', () => {
  const voices = library.voices().map(({ id }) => library.voice(id));
  expect(new Set(voices.map((v) => JSON.stringify(v.understudy))).size).toBe(voices.length);
  expect(new Set(voices.map((v) => v.understudy.base)).size).toBe(4);
  for (const voice of voices) {
    expect(voice.personaplex?.prompt).toMatch(/^(NAT[FM][0-3]|VAR[FM][0-4])$/);
    // rms has no pitch to set.
    if (voice.understudy.base === 'rms') expect(voice.understudy.pitch_hz).toBeUndefined();
  }
});

test.each([
  [path.join(shippedPersonas, PERSONA_SCHEMA_FILE), personaJsonSchema],
  [path.join(shippedVoices, VOICE_SCHEMA_FILE), voiceJsonSchema],
])('%s is up to date (`npc-voice persona schema` writes it)', (file, make) => {
  expect(readFileSync(file, 'utf8')).toBe(schemaText(make()));
});

test('every key of the schemas is described, every number has its range', () => {
  const check = (schema: Record<string, any>, at: string): void => {
    for (const [key, inner] of Object.entries<Record<string, any>>(schema.properties ?? {})) {
      expect(inner.description, `${at}${key}`).toMatch(/\S/);
      if (inner.type === 'number' || inner.type === 'integer')
        expect([inner.minimum, inner.maximum], `${at}${key}`).not.toContain(undefined);
      check(inner, `${at}${key}.`);
      if (inner.items) check(inner.items, `${at}${key}[].`);
    }
  };
  check(personaJsonSchema(), '');
  check(voiceJsonSchema(), 'voice ');
});
