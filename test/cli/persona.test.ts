/** `npc-voice persona` and `npc-voice init`, as somebody at a terminal meets them. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { registerInitCommand } from '../../sidecar/cli/init';
import { registerPersonaCommands } from '../../sidecar/cli/persona';
import { shippedPersonas, shippedVoices } from '../../sidecar/paths';
import { inFreshFolder, run } from './terminal';

const place = inFreshFolder();
const persona = (...args: string[]) => run(registerPersonaCommands, 'persona', ...args);
const init = (...args: string[]) => run(registerInitCommand, 'init', ...args);
const text = (file: string) => readFile(file, 'utf8');

describe('init', () => {
  test('lays a starter, voices and schemas, says so, and what to do next', async () => {
    const { out, code } = await init();
    expect(code).toBe(0);
    expect((await readdir('npc-personas')).sort()).toEqual(['persona.schema.json', 'robin.yaml']);
    expect((await readdir('voices')).sort()).toEqual((await readdir(shippedVoices)).sort());
    expect(out).toContain('laid npc-personas/robin.yaml');
    expect(out).toMatch(/Next:\n {2}npc-voice serve/);
    expect((await persona('lint')).out).toMatch(/^ok 7 files, nothing wrong$/m);
  });

  test('with --cast, the whole cast', async () => {
    await init('--cast');
    const shipped = (await readdir(shippedPersonas)).filter((name) => name.endsWith('.yaml'));
    expect(await readdir('npc-personas')).toEqual(expect.arrayContaining(shipped));
    expect((await persona('lint', '--strict')).code).toBe(0);
  });

  test('into a folder that is named, and never over what is there', async () => {
    await init('game/client');
    await writeFile('game/client/npc-personas/robin.yaml', 'mine');
    const { out, code } = await init('game/client');
    expect(code).toBe(0);
    expect(out).toContain('kept game/client/npc-personas/robin.yaml');
    expect(out).not.toContain('laid');
    expect(out).toContain('cd game/client');
    expect(await text('game/client/npc-personas/robin.yaml')).toBe('mine');
  });

  test('a file where a folder should be is told', async () => {
    await writeFile('npc-personas', '');
    const { err, code } = await init();
    expect([code, err]).toEqual([1, expect.stringContaining('npc-personas cannot be made: EEXIST.')]);
  });
});

describe('lint', () => {
  const broken = 'name: Ada\nrole: You are Ada.\nvoice: marta\nturn_taking:\n\n  overlap: yeild\n';
  const laid = async () => {
    await init();
    await writeFile('npc-personas/ada.yaml', broken);
  };

  test('shows the line at fault, a caret under the place, the hint, and fails', async () => {
    await laid();
    const { out, code } = await persona('lint', 'ada');
    expect(code).toBe(1);
    expect(out).toBe(
      [
        "npc-personas/ada.yaml:6:12: error: 'turn_taking.overlap' takes 'yield', 'finish_word', 'hold', 'talk_over', not 'yeild'. [wrong_value]",
        '  6 |   overlap: yeild',
        '    |            ^^^^^',
        "  Did you mean 'yield'?",
        'refused 1 error in 1 file',
        '',
      ].join('\n'),
    );
  });

  test('a caret stands under its column in a line with tabs, and in one too long to show', async () => {
    await laid();
    await writeFile('npc-personas/ada.yaml', `name: "A\tB"\tx\n`);
    const tabs = await persona('lint', 'ada');
    const [line, caret] = tabs.out.split('\n').slice(1, 3);
    expect(line!.replace(/[^\t]/g, '').length).toBeGreaterThan(0);
    expect(caret!.indexOf('^')).toBe(line!.indexOf('x'));
    await writeFile(
      'npc-personas/ada.yaml',
      `name: Ada\nrole: "${'x'.repeat(300)} {gold} y"\nvoice: marta\n`,
    );
    const long = (await persona('lint', 'ada')).out.split('\n');
    const at = long.findIndex((l) => l.includes('^^^^^^'));
    expect(long[at - 1]!.length).toBeLessThan(120);
    expect(long[at - 1]!.slice(long[at]!.indexOf('^')).startsWith('{gold}')).toBe(true);
  });

  test('takes ids, files of either kind, or everything', async () => {
    await laid();
    expect((await persona('lint', 'robin')).code).toBe(0);
    expect((await persona('lint', 'npc-personas/ada.yaml', 'voices/marta.yaml')).out).toContain(
      '1 error in 2 files',
    );
    expect((await persona('lint')).out).toContain('1 error in 8 files');
    const { err, code } = await persona('lint', 'rubin');
    expect([code, err]).toEqual([1, expect.stringContaining("Did you mean 'robin'?")]);
  });

  test('finds the voices beside a file that lies elsewhere', async () => {
    await init('game');
    expect((await persona('lint', 'game/npc-personas/robin.yaml')).code).toBe(0);
  });

  test('a folder stands for the files in it', async () => {
    await init('game');
    await writeFile('game/npc-personas/ada.yaml', broken);
    expect((await persona('lint', 'game/npc-personas')).out).toContain('1 error in 2 files');
    expect((await persona('lint', 'game/voices/')).out).toContain('ok 6 files');
    const { err, code } = await persona('lint', 'game');
    expect([code, err]).toEqual([1, expect.stringContaining('There are no persona or voice files in game.')]);
  });

  test('a file that ends in .yml is told its name', async () => {
    await init();
    await writeFile('npc-personas/hugo.yml', 'name: Hugo\n');
    for (const targets of [[], ['npc-personas'], ['npc-personas/hugo.yml']]) {
      const { out, code } = await persona('lint', ...targets);
      expect(code).toBe(1);
      expect(out).toContain(
        "npc-personas/hugo.yml:1:1: error: 'hugo.yml' is not read: files here end in .yaml.",
      );
      expect(out).toContain('  Rename it hugo.yaml.');
    }
    expect((await persona('list')).out).toContain(
      "refused npc-personas/hugo.yml:1:1: 'hugo.yml' is not read",
    );
  });

  test('--json tells the same to programs; --strict fails on warnings', async () => {
    await laid();
    const { out, code } = await persona('lint', 'ada', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject([
      {
        file: path.join(place.dir, 'npc-personas', 'ada.yaml'),
        problems: [{ severity: 'error', code: 'wrong_value', line: 6, column: 12, endColumn: 17 }],
      },
    ]);
    const doubtful = 'name: Ada\nrole: Ada is a smith.\nvoice: marta\n';
    await writeFile('npc-personas/ada.yaml', doubtful);
    expect((await persona('lint', 'ada')).code).toBe(0);
    expect((await persona('lint', 'ada', '--strict')).code).toBe(1);
  });

  test('a file that cannot be read as text is a problem like another', async () => {
    await laid();
    await writeFile('npc-personas/ada.yaml', new Uint8Array([0x61, 0xff]));
    expect((await persona('lint', 'ada')).out).toContain('ada.yaml:1:2: error: This is not UTF-8 text.');
  });
});

describe('new', () => {
  test('begins a valid file named after the id, and lays the schema beside it', async () => {
    await mkdir('npc-personas');
    const { out, code } = await persona('new', 'old_tom');
    expect(code).toBe(0);
    expect(out).toContain('wrote npc-personas/old_tom.yaml');
    expect(await text('npc-personas/old_tom.yaml')).toContain('name: "Old Tom"');
    expect(await readdir('npc-personas')).toContain('persona.schema.json');
    expect((await persona('lint', 'old_tom', '--strict')).code).toBe(0);
  });

  test('with the voice that is asked for, or one called like it', async () => {
    await init();
    await persona('new', 'tom', '--voice', 'orwin', '--name', 'Tom: the "Cat"');
    expect(await text('npc-personas/tom.yaml')).toMatch(/^voice: orwin$/m);
    expect((await persona('list')).out).toMatch(/^tom +Tom: the "Cat" +orwin +yield +600 ms +8$/m);
    await persona('new', 'pip');
    expect(await text('npc-personas/pip.yaml')).toMatch(/^voice: pip$/m);
  });

  test.each([
    [['robin'], 'npc-personas/robin.yaml is there already. (conflict)'],
    [['Tom'], "'Tom' is no persona id: an id is 1 to 64 of a-z, 0-9, _ and -. (bad_field)"],
    [['../tom'], "'../tom' is no persona id"],
    [['tom', '--voice', 'orwn'], "There is no voice 'orwn'. (unknown_voice)\n      Did you mean 'orwin'?"],
  ])('%j is refused, and nothing is written', async (args, message) => {
    await init();
    const { err, code } = await persona('new', ...args);
    expect([code, err]).toEqual([1, expect.stringContaining(message)]);
    expect((await readdir('npc-personas')).sort()).toEqual(['persona.schema.json', 'robin.yaml']);
  });

  test('never into the shipped cast', async () => {
    const { err, code } = await persona('new', 'tom');
    expect([code, err]).toEqual([1, expect.stringContaining('npc-voice init')]);
  });
});

describe('list and schema', () => {
  test('list tells who there is and who is refused', async () => {
    await init();
    await writeFile('npc-personas/ada.yaml', 'name: Ada\n');
    const { out } = await persona('list');
    expect(out).toMatch(
      /^id +name +voice +cut in on +patience +replies\nrobin +Robin +marta +yield +600 ms +8\n/,
    );
    expect(out).toContain("refused npc-personas/ada.yaml:1:1: 'role' is missing.");
    const { personas, rejected } = JSON.parse((await persona('list', '--json')).out);
    expect([personas.length, rejected.length]).toEqual([1, 1]);
  });

  test.each([['list'], ['schema'], ['lint']])('%s of a folder that is not there fails', async (command) => {
    await init();
    for (const option of ['--personas', '--voices']) {
      const { err, code, out } = await persona(command, option, 'typo');
      expect([code, out]).toEqual([1, '']);
      expect(err).toContain(`There is no folder ${path.join(place.dir, 'typo')}. (io)`);
    }
  });

  test('schema writes both files anew, or prints one', async () => {
    await init();
    await writeFile('npc-personas/persona.schema.json', '{}');
    expect((await persona('schema')).out).toContain('wrote npc-personas/persona.schema.json');
    expect(await text('npc-personas/persona.schema.json')).toBe(
      await text(path.join(shippedPersonas, 'persona.schema.json')),
    );
    expect(JSON.parse((await persona('schema', '--print', 'voice')).out)).toMatchObject({
      title: 'NPC Voice voice',
    });
    expect((await persona('schema', '--print', 'x')).code).toBe(1);
  });
});
