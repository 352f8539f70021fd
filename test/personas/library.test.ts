/** The library as the scene and the server use it: what it knows, and reading, checking and writing files. */
import { link, mkdir, readdir, readFile, rename, stat, symlink, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { NpcVoiceError } from '../../sidecar/errors';
import { PersonaLibrary } from '../../sidecar/personas';
import { openWorkshop, persona, temporaryFolder } from './workshop';

const still = (files: Record<string, string>) => openWorkshop(files, { watch: false });
async function refusal(run: () => unknown): Promise<NpcVoiceError> {
  try {
    await run();
  } catch (thrown) {
    if (thrown instanceof NpcVoiceError) return thrown;
    throw thrown;
  }
  throw new Error('nothing was refused');
}

const PATHS = [
  '../ada',
  '..',
  '.',
  '/etc/passwd',
  'a/b',
  'a\\b',
  'C:ada',
  'ada.yaml',
  'ada\0',
  'Ada',
  '',
  'a'.repeat(65),
  '%2e%2e',
];

describe('what it knows', () => {
  test('personas by id with every default filled in', async () => {
    const { library } = await still({ ada: persona('Ada') });
    expect(library.persona('ada')).toMatchObject({
      id: 'ada',
      name: 'Ada',
      language: 'en',
      facts: [],
      state: {},
      turn_taking: { patience_ms: 600, overlap: 'yield', resume: false, backchannels_per_minute: 6 },
      hearing: { range_m: 12, echo_guard: true },
      sampling: { text_temperature: 0.7, text_top_k: 25, audio_temperature: 0.8, audio_top_k: 250 },
      lines: { greeting: [], replies: [], idle_every_s: 45 },
    });
    expect(library.list()).toEqual([{ id: 'ada', name: 'Ada', voice: 'deep', language: 'en' }]);
    expect(library.voices()).toEqual([{ id: 'deep', name: 'Deep' }]);
  });

  test('an unknown persona or voice is refused with the one that was meant', async () => {
    const { library } = await still({ aldric: persona('Aldric') });
    const who = await refusal(() => library.persona('aldrik'));
    expect([who.code, who.hint]).toEqual(['unknown_persona', "Did you mean 'aldric'?"]);
    const voice = await refusal(() => library.voice('deeep'));
    expect([voice.code, voice.hint]).toEqual(['unknown_voice', "Did you mean 'deep'?"]);
  });

  test('one that never was valid is refused with its place', async () => {
    const { library, file } = await still({ ada: 'name: Ada\nrole: You are Ada.\nvoice: deep\nfcats: []\n' });
    const error = await refusal(() => library.persona('ada'));
    expect([error.code, error.place]).toEqual(['persona_invalid', { file: file('ada'), line: 4, column: 1 }]);
  });

  test('a persona whose voice is refused is told so, with the place in the voice file', async () => {
    const { voices, save, personas } = await still({});
    await writeFile(path.join(voices, 'high.yaml'), 'name: High\n');
    await save('ada', persona('Ada').replace('deep', 'high'));
    const library = await PersonaLibrary.open({ personas, voices, watch: false });
    expect(library.rejections()).toMatchObject([
      {
        persona: 'ada',
        code: 'unknown_voice',
        msg: "The voice 'high' is refused: 'understudy' is missing.",
        hint: `See ${path.join(voices, 'high.yaml')}:1:1.`,
      },
    ]);
  });

  test.each(PATHS)('%j names no persona and no voice', async (id) => {
    const { library } = await still({ ada: persona('Ada') });
    expect((await refusal(() => library.persona(id))).code).toBe('unknown_persona');
    expect((await refusal(() => library.voice(id))).code).toBe('unknown_voice');
    for (const call of [
      () => library.read(id),
      () => library.lint(id, ''),
      () => library.write(id, persona('X')),
    ])
      expect((await refusal(call)).code).toBe('bad_field');
  });
});

describe('briefs', () => {
  const ada = persona(
    'Ada',
    'state: {gold: 3, who: you}\nfacts: ["It costs {gold} gold"]\nlines:\n  greeting: ["{who}: {{gold}} is {gold}"]\n',
  );
  test('variables are what the game says, else what the file says; values are put in as they are', async () => {
    const { library } = await still({ ada });
    const brief = library.brief(library.persona('ada'), { who: '{gold}', unused: true });
    expect(brief.lines.greeting).toEqual(['{gold}: {gold} is 3']);
    expect(brief.prompt).toBe('You enjoy having a good conversation. You are Ada. It costs 3 gold.');
    expect(brief.facts).toEqual(['It costs 3 gold']);
  });
  test('names of inherited properties are no variables', async () => {
    const { library } = await still({
      ada: persona('Ada', 'state: {constructor: 1}\nfacts: ["{constructor}"]\n'),
    });
    expect(library.brief(library.persona('ada'), {}).facts).toEqual(['1']);
  });
  test('overrides go before the file', async () => {
    const { library, voices } = await still({ ada });
    await writeFile(path.join(voices, 'deep.yaml'), 'unused');
    const brief = library.brief(
      library.persona('ada'),
      {},
      { patienceMs: 1, overlap: 'hold', backchannelsPerMinute: 0 },
    );
    expect(brief.turnTaking).toEqual({
      patienceMs: 1,
      overlap: 'hold',
      resume: false,
      backchannelsPerMinute: 0,
    });
    expect((await refusal(() => library.brief(library.persona('ada'), {}, { voice: 'none' }))).code).toBe(
      'unknown_voice',
    );
  });
});

describe('reading and writing', () => {
  test('what is read is what is on disk, with the hash that writing asks for', async () => {
    const { library, file, save } = await still({ ada: persona('Ada') });
    const { yaml, hash } = await library.read('ada');
    expect(yaml).toBe(persona('Ada'));
    const saved = await library.write('ada', persona('Adele'), hash);
    expect(await readFile(file('ada'), 'utf8')).toBe(persona('Adele'));
    expect((await library.read('ada')).hash).toBe(saved.hash);
    await save('ada', 'not: [valid');
    expect((await library.read('ada')).yaml).toBe('not: [valid');
  });

  test('a write is in force at once, and told once', async () => {
    const shop = await openWorkshop({ ada: persona('Ada') });
    await shop.library.write('ada', persona('Adele'));
    expect(shop.library.persona('ada').name).toBe('Adele');
    expect(shop.changed).toHaveLength(1);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(shop.changed).toHaveLength(1);
  });

  test('a text with errors is refused and nothing is written', async () => {
    const { library, file } = await still({ ada: persona('Ada') });
    const error = await refusal(() => library.write('ada', persona('Ada', 'pateince: 3\n')));
    expect([error.code, error.place]).toEqual(['persona_invalid', { file: file('ada'), line: 4, column: 1 }]);
    expect((await refusal(() => library.write('ada', persona('Ada').replace('deep', 'dep')))).code).toBe(
      'unknown_voice',
    );
    expect(await readFile(file('ada'), 'utf8')).toBe(persona('Ada'));
  });

  test('a file that was changed, or has gone, since it was read is a conflict', async () => {
    const { library, file, save } = await still({ ada: persona('Ada') });
    const { hash } = await library.read('ada');
    await save('ada', persona('Eve'));
    expect((await refusal(() => library.write('ada', persona('Adele'), hash))).code).toBe('conflict');
    expect(await readFile(file('ada'), 'utf8')).toBe(persona('Eve'));
    await unlink(file('ada'));
    expect((await refusal(() => library.write('ada', persona('Adele'), hash))).code).toBe('conflict');
  });

  test('of two writers with the same hash one is refused', async () => {
    const { library } = await still({ ada: persona('Ada') });
    const { hash } = await library.read('ada');
    const results = await Promise.allSettled(
      ['B', 'C', 'D'].map((name) => library.write('ada', persona(name), hash)),
    );
    expect(results.map((r) => r.status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(library.persona('ada').name).toBe('B');
  });

  test('nothing is left beside the file, its mode stays, and a reader never sees half of it', async () => {
    const { library, personas, file } = await still({ ada: persona('Ada') });
    const inode = (await stat(file('ada'))).ino;
    await link(file('ada'), `${personas}/kept`);
    await library.write('ada', persona('Adele'));
    expect((await readdir(personas)).sort()).toEqual(['ada.yaml', 'kept']);
    expect((await stat(file('ada'))).mode & 0o777).toBe((await stat(`${personas}/kept`)).mode & 0o777);
    // Renamed over, not written into: the old file is whole still.
    expect((await stat(file('ada'))).ino).not.toBe(inode);
    expect(await readFile(`${personas}/kept`, 'utf8')).toBe(persona('Ada'));
  });

  test('a new persona can be written', async () => {
    const { library, listed } = await still({});
    await library.write('bob', persona('Bob'));
    expect(listed).toEqual([{ persona: 'bob', there: true, name: 'Bob' }]);
  });

  test('links that lead out of the folder are neither read nor written', async () => {
    const { library, file } = await still({ ada: persona('Ada') });
    const outside = path.join(await temporaryFolder(), 'x.yaml');
    await writeFile(outside, persona('Secret'));
    await symlink(outside, file('out'));
    expect((await refusal(() => library.read('out'))).code).toBe('io');
    expect((await refusal(() => library.write('out', persona('X')))).code).toBe('io');
    expect(await readFile(outside, 'utf8')).toBe(persona('Secret'));
  });

  test('a link within the folder is written through; a folder that is itself a link is fine', async () => {
    const { library, file, personas } = await still({ ada: persona('Ada') });
    await symlink('ada.yaml', file('eve'));
    await library.write('eve', persona('Eve'));
    expect(await readFile(file('ada'), 'utf8')).toBe(persona('Eve'));
    await rename(personas, `${personas}.real`);
    await symlink(`${personas}.real`, personas);
    expect((await library.read('ada')).yaml).toBe(persona('Eve'));
  });

  test('a link to a neighbour whose name only begins alike leads out', async () => {
    const { library, file, personas } = await still({});
    await mkdir(`${personas}-private`);
    await writeFile(`${personas}-private/x.yaml`, persona('Secret'));
    await symlink(`${personas}-private/x.yaml`, file('out'));
    expect((await refusal(() => library.read('out'))).code).toBe('io');
  });

  test('a folder that is not there', async () => {
    const { library } = await openWorkshop({}, { laid: false, watch: false });
    expect((await refusal(() => library.read('ada'))).code).toBe('unknown_persona');
    expect((await refusal(() => library.persona('ada'))).code).toBe('unknown_persona');
  });
});
