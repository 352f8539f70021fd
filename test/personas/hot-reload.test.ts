/** Files saved as editors and people save them, in a real folder: what the library makes of each, and tells. */
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, closeSync, openSync, writeSync } from 'node:fs';
import { chmod, mkdir, rename, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFailed, test } from 'vitest';
import {
  openWorkshop,
  pause,
  persona,
  quiet,
  temporaryFolder,
  until,
  VOICE,
  type Workshop,
} from './workshop';

const patience = (ms: number) => persona('Ada', `turn_taking:\n  patience_ms: ${ms}\n`);
const liveName = (shop: Workshop, id = 'ada') => shop.library.persona(id).name;
const livePatience = (shop: Workshop, id = 'ada') => shop.library.persona(id).turn_taking.patience_ms;

// These wait for another program while nothing else runs here, so they stand apart.
describe('other programs', () => {
  test('sed -i', async () => {
    const shop = await openWorkshop({ ada: patience(600) });
    execFileSync('sed', ['-i', 's/patience_ms: 600/patience_ms: 650/', shop.file('ada')]);
    await until(() => shop.changed.length > 0);
    expect(livePatience(shop)).toBe(650);
    expect(shop.rejected).toEqual([]);
  });

  const vim = spawnSync('vim', ['--version']).status === 0;
  test.skipIf(!vim)('vim itself', async () => {
    const shop = await openWorkshop({ ada: patience(600) });
    execFileSync('vim', ['-Nesu', 'NONE', '-c', '%s/600/660/', '-c', 'wq', shop.file('ada')], {
      stdio: 'ignore',
    });
    await until(() => shop.changed.length > 0);
    await quiet();
    expect(livePatience(shop)).toBe(660);
    expect(shop.rejected).toEqual([]);
    expect(shop.listed).toEqual([]);
  });

  test('a file whose name is nearly right is refused with the right one, until it is renamed', async () => {
    const shop = await openWorkshop({ ada: patience(600) });
    const at = (name: string) => path.join(shop.personas, name);
    for (const name of ['Hugo.yml', 'Old Tom.yaml']) await writeFile(at(name), persona('Hugo'));
    await until(() => shop.rejected.length === 2);
    expect(shop.rejected.map(({ persona, file, msg, hint }) => [persona, path.basename(file), msg, hint]).sort()).toEqual([
      ['hugo', 'Hugo.yml', "'Hugo.yml' is not read: files here end in .yaml.", 'Rename it hugo.yaml.'],
      ['old_tom', 'Old Tom.yaml', "'Old Tom.yaml' makes no id: an id is 1 to 64 of a-z, 0-9, _ and -.", 'Rename it old_tom.yaml.'],
    ]); // prettier-ignore
    await rename(at('Hugo.yml'), at('hugo.yaml'));
    await rename(at('Old Tom.yaml'), at('old_tom.yaml'));
    await until(() => shop.library.list().length === 3 && shop.library.rejections().length === 0);
    expect(shop.listed.map(({ persona, there }) => [persona, there]).sort()).toEqual([
      ['hugo', true],
      ['old_tom', true],
    ]);
  });

  test('a folder called x.yaml, a pipe and a link out of the folder are no files', async () => {
    const shop = await openWorkshop({ ada: patience(600) });
    const elsewhere = path.join(await temporaryFolder(), 'secret.yaml');
    await writeFile(elsewhere, persona('Secret'));
    await mkdir(shop.file('dir'));
    execFileSync('mkfifo', [shop.file('pipe')]);
    await symlink(elsewhere, shop.file('out'));
    await symlink(shop.file('ada'), shop.file('eve'));
    await until(() => shop.rejected.length === 3 && shop.listed.length === 1);
    expect(shop.rejected.map((r) => [r.persona, r.code]).sort()).toEqual([
      ['dir', 'io'],
      ['out', 'io'],
      ['pipe', 'io'],
    ]);
    expect(shop.listed).toEqual([{ persona: 'eve', there: true, name: 'Ada' }]);
  });
});

describe.concurrent('ways to save a file', () => {
  const ways: Record<string, (file: string, text: string) => Promise<void>> = {
    'written in place': (file, text) => writeFile(file, text),
    'a finished file renamed over it': async (file, text) => {
      await writeFile(`${file}.tmp`, text);
      await rename(`${file}.tmp`, file);
    },
    'the old one renamed away, a new one written (vim)': async (file, text) => {
      await rename(file, `${file}~`);
      await writeFile(file, text);
      await unlink(`${file}~`);
    },
    'deleted and written anew': async (file, text) => {
      await unlink(file);
      await pause(30);
      await writeFile(file, text);
    },
    'written in pieces': async (file, text) => {
      const handle = openSync(file, 'w');
      for (let i = 0; i < text.length; i += 40) {
        writeSync(handle, text.slice(i, i + 40));
        await pause(10);
      }
      closeSync(handle);
    },
    'emptied, and written a moment later': async (file, text) => {
      await writeFile(file, '');
      await pause(120);
      await writeFile(file, text);
    },
    'written with an older time stamp (checked out, unpacked)': async (file, text) => {
      await writeFile(`${file}.tmp`, text);
      await utimes(`${file}.tmp`, 1000, 1000);
      await rename(`${file}.tmp`, file);
    },
  };
  test.each(Object.entries(ways))('%s: one change is told, and nothing else', async (_way, save) => {
    const shop = await openWorkshop({ ada: patience(600) });
    await save(shop.file('ada'), patience(700));
    await until(() => shop.changed.length > 0);
    await quiet();
    // A piece of a file can be a whole persona for a moment; the last word is the finished file's.
    expect(livePatience(shop)).toBe(700);
    expect(shop.changed.at(-1)).toMatchObject({ persona: 'ada', speed: 'instant' });
    expect(shop.changed.at(-1)!.changed).toEqual(['turn_taking.patience_ms']);
    expect(shop.rejected).toEqual([]);
    expect(shop.listed).toEqual([]);
  });

  test.each([0, 2, 5, 15, 25, 40, 55, 90])(
    'a second save %i ms after the first: the last content wins',
    async (gap) => {
      const shop = await openWorkshop({ ada: patience(600) });
      for (const ms of [700, 800]) {
        await shop.save('ada', patience(ms));
        await pause(gap);
      }
      await until(() => livePatience(shop) === 800);
      await quiet();
      expect(livePatience(shop)).toBe(800);
      expect(shop.rejected).toEqual([]);
    },
  );

  test('fifty saves without a breath: the last content wins', async () => {
    const shop = await openWorkshop({ ada: patience(600) });
    for (let i = 1; i <= 50; i++) await shop.save('ada', patience(600 + i));
    await until(() => livePatience(shop) === 650);
    await quiet();
    expect(livePatience(shop)).toBe(650);
  });

  test('a save that changes nothing but comments tells nothing', async () => {
    const shop = await openWorkshop({ ada: patience(600) });
    await shop.save('ada', `# quieter now\n${patience(600)}`);
    await quiet();
    expect([shop.changed, shop.rejected, shop.listed]).toEqual([[], [], []]);
  });

  test('the change says when it was first seen, on the clock of performance.now()', async () => {
    const shop = await openWorkshop({ ada: patience(600) });
    const before = performance.now();
    await shop.save('ada', patience(700));
    await until(() => shop.changed.length > 0);
    expect(shop.changed[0]!.since).toBeGreaterThanOrEqual(before);
    expect(shop.changed[0]!.since).toBeLessThanOrEqual(performance.now());
  });
});

describe.concurrent('a file that goes wrong', () => {
  test('is told with its place and line, once, and the last good version stays', async () => {
    const shop = await openWorkshop({ ada: patience(600) });
    await shop.save('ada', `${patience(700)}  overlap: yeild\n`);
    await until(() => shop.rejected.length > 0);
    await quiet();
    expect(shop.rejected).toEqual([
      {
        persona: 'ada',
        code: 'persona_invalid',
        msg: "'turn_taking.overlap' takes 'yield', 'finish_word', 'hold', 'talk_over', not 'yeild'.",
        hint: "Did you mean 'yield'?",
        file: shop.file('ada'),
        line: 6,
        col: 12,
        source: '  overlap: yeild',
      },
    ]);
    expect(livePatience(shop)).toBe(600);
    expect(shop.library.rejections()).toHaveLength(1);
    expect(shop.changed).toEqual([]);
  });

  test('and is mended: the change is told, even when it is as before', async () => {
    const shop = await openWorkshop({ ada: patience(600) });
    await shop.save('ada', 'name: [');
    await until(() => shop.rejected.length > 0);
    await shop.save('ada', patience(600));
    await until(() => shop.changed.length > 0);
    expect(shop.changed[0]!.changed).toEqual([]);
    expect(shop.library.rejections()).toEqual([]);
  });

  test.each<[string, string | Uint8Array, string]>([
    ['empty', '', 'The file is empty.'],
    ['nothing but comments', '# later\n', 'The file is empty.'],
    ['not UTF-8', new Uint8Array([0x6e, 0xe9, 0xff]), 'This is not UTF-8 text.'],
    ['cut off in a quote', 'name: "Ad', 'This quote is never closed.'],
    ['a list', '- a\n', 'The file takes keys and values, not a list.'],
  ])('%s', async (_name, content, message) => {
    const shop = await openWorkshop({ ada: patience(600) });
    await writeFile(shop.file('ada'), content);
    await until(() => shop.rejected.length > 0);
    expect(shop.rejected[0]!.msg).toBe(message);
    expect(liveName(shop)).toBe('Ada');
  });

  test.skipIf(process.getuid?.() === 0)('unreadable, and readable again', async () => {
    const shop = await openWorkshop({ ada: patience(600) });
    await chmod(shop.file('ada'), 0);
    await until(() => shop.rejected.length > 0);
    expect(shop.rejected[0]).toMatchObject({ code: 'io' });
    await chmod(shop.file('ada'), 0o644);
    await until(() => shop.library.rejections().length === 0);
  });

  test("a name that makes no id is told, with a better one; editors' own files are not looked at", async () => {
    const shop = await openWorkshop({ ada: patience(600) });
    for (const name of ['.ada.yaml.swp', 'ada.yaml~', '#ada.yaml#', '.hidden.yaml', 'notes.md', '4913'])
      await writeFile(path.join(shop.personas, name), 'not: [a persona');
    await writeFile(path.join(shop.personas, 'persona.schema.json'), '{}');
    await writeFile(shop.file('Old Tom'), persona('Tom'));
    await until(() => shop.rejected.length > 0);
    await quiet();
    expect(shop.rejected).toMatchObject([
      { persona: 'old_tom', code: 'io', hint: 'Rename it old_tom.yaml.' },
    ]);
  });
});

describe.concurrent('files that come and go', () => {
  test('a new file is listed', async () => {
    const shop = await openWorkshop({ ada: patience(600) });
    await shop.save('bob', persona('Bob'));
    await until(() => shop.listed.length > 0);
    expect(shop.listed).toEqual([{ persona: 'bob', there: true, name: 'Bob' }]);
    expect(shop.library.list().map((p) => p.id)).toEqual(['ada', 'bob']);
  });

  test('a deleted one is listed as gone, and stays live for whoever uses it', async () => {
    const shop = await openWorkshop({ ada: patience(600) });
    await unlink(shop.file('ada'));
    await until(() => shop.listed.length > 0);
    expect(shop.listed).toEqual([{ persona: 'ada', there: false, name: 'Ada' }]);
    expect(shop.library.list()).toEqual([]);
    expect(liveName(shop)).toBe('Ada');
  });

  test('one that was refused is listed as gone without a name', async () => {
    const shop = await openWorkshop({ ada: 'name: [' });
    await unlink(shop.file('ada'));
    await until(() => shop.listed.length > 0);
    expect(shop.listed).toEqual([{ persona: 'ada', there: false, name: undefined }]);
    expect(shop.library.rejections()).toEqual([]);
  });

  test('one that comes back changed is a change of the live one', async () => {
    const shop = await openWorkshop({ ada: patience(600) });
    await unlink(shop.file('ada'));
    await until(() => shop.listed.length > 0);
    await shop.save('ada', patience(700));
    await until(() => shop.changed.length > 0);
    expect(shop.listed.at(-1)).toEqual({ persona: 'ada', there: true, name: 'Ada' });
    expect(shop.changed[0]!.changed).toEqual(['turn_taking.patience_ms']);
  });

  test('renamed: one comes, one goes', async () => {
    const shop = await openWorkshop({ ada: patience(600) });
    await rename(shop.file('ada'), shop.file('eve'));
    await until(() => shop.listed.length === 2);
    expect(shop.listed).toContainEqual({ persona: 'ada', there: false, name: 'Ada' });
    expect(shop.listed).toContainEqual({ persona: 'eve', there: true, name: 'Ada' });
  });

  test('a whole folder replaced: only what differs is told, and the new folder is followed', async () => {
    const shop = await openWorkshop({ ada: patience(600), bob: persona('Bob'), eve: persona('Eve') });
    const next = `${shop.personas}.next`;
    await mkdir(next);
    await writeFile(path.join(next, 'ada.yaml'), patience(700));
    await writeFile(path.join(next, 'bob.yaml'), persona('Bob'));
    await writeFile(path.join(next, 'tom.yaml'), persona('Tom'));
    await rename(shop.personas, `${shop.personas}.old`);
    await rename(next, shop.personas);
    await until(() => shop.changed.length === 1 && shop.listed.length === 2);
    expect(shop.changed[0]).toMatchObject({ persona: 'ada', changed: ['turn_taking.patience_ms'] });
    expect(shop.listed.map((l) => [l.persona, l.there]).sort()).toEqual([
      ['eve', false],
      ['tom', true],
    ]);
    await shop.save('tom', persona('Thomas'));
    await until(() => shop.library.persona('tom').name === 'Thomas');
    // The folder that was moved away is none of ours any more.
    await writeFile(path.join(`${shop.personas}.old`, 'bob.yaml'), persona('Ghost'));
    await quiet();
    expect(liveName(shop, 'bob')).toBe('Bob');
    expect(shop.rejected).toEqual([]);
  });

  test('folders that are missing at first, come, go and come again', async () => {
    const shop = await openWorkshop({}, { laid: false });
    expect(shop.library.list()).toEqual([]);
    const lay = async (name: string) => {
      await mkdir(shop.voices, { recursive: true });
      await writeFile(path.join(shop.voices, 'deep.yaml'), VOICE);
      await mkdir(shop.personas);
      await shop.save('ada', persona(name));
    };
    await lay('Ada');
    await until(() => shop.library.list().length === 1);
    await rm(shop.personas, { recursive: true });
    await until(() => shop.library.list().length === 0);
    await lay('Adele');
    await until(() => shop.library.list().length === 1);
    expect(liveName(shop)).toBe('Adele');
  });
});

describe.concurrent('voices', () => {
  test('a changed voice is a change of each persona that uses it', async () => {
    const shop = await openWorkshop({ ada: persona('Ada'), bob: persona('Bob') });
    await writeFile(path.join(shop.voices, 'deep.yaml'), `${VOICE}  rate: 1.5\n`);
    await until(() => shop.changed.length === 2);
    expect(shop.changed.map((c) => [c.persona, c.changed, c.speed])).toEqual([
      ['ada', ['voice'], 'reprime'],
      ['bob', ['voice'], 'reprime'],
    ]);
    expect(shop.library.voice('deep').understudy.rate).toBe(1.5);
  });

  test('a recording that is replaced under its name is a change of each persona that speaks with it', async () => {
    const shop = await openWorkshop({ ada: patience(600), bob: persona('Bob') });
    const at = path.join(shop.voices, 'deep.wav');
    const speaks = `${VOICE}personaplex:\n  prompt: deep.wav\n`;
    const version = (): unknown => shop.library.voice('deep').personaplex?.version;
    await writeFile(path.join(shop.voices, 'deep.yaml'), speaks);
    await until(() => shop.changed.length === 2);
    expect(version()).toBeUndefined();
    // One that was missing comes, growing as sound editors write.
    for (let n = 1; n <= 5; n++) {
      await writeFile(at, Buffer.alloc(1000 * n));
      await pause(150);
    }
    await until(() => shop.changed.length >= 4);
    const first = version();
    await writeFile(at, Buffer.alloc(7000));
    await until(() => shop.changed.length >= 6);
    expect(version()).not.toBe(first);
    // One that goes away stays what it was.
    await unlink(at);
    await pause(1200);
    expect(shop.changed.map(({ persona, changed, speed }) => [persona, changed, speed])).toEqual(
      Array.from({ length: 3 }, () => ['ada', 'bob'].map((id) => [id, ['voice'], 'reprime'])).flat(),
    );
  });

  test('a voice that goes wrong is told for each persona that uses it, and stays as it was', async () => {
    const shop = await openWorkshop({ ada: persona('Ada') });
    await writeFile(path.join(shop.voices, 'deep.yaml'), 'name: Deep\nunderstudy:\n  base: rsm\n');
    await until(() => shop.rejected.length > 0);
    expect(shop.rejected).toMatchObject([
      { persona: 'ada', code: 'voice_invalid', file: path.join(shop.voices, 'deep.yaml'), line: 3, col: 9, hint: "Did you mean 'rms'?" },
    ]); // prettier-ignore
    expect(shop.library.voice('deep').understudy.base).toBe('rms');
    await writeFile(path.join(shop.voices, 'deep.yaml'), VOICE);
    await until(() => shop.changed.length > 0);
    expect(shop.changed).toMatchObject([{ persona: 'ada', changed: [], speed: 'instant' }]);
  });

  test('a persona whose file has gone still follows its voice', async () => {
    const shop = await openWorkshop({ ada: persona('Ada') });
    await unlink(shop.file('ada'));
    await until(() => shop.listed.length > 0);
    await writeFile(path.join(shop.voices, 'deep.yaml'), `${VOICE}  gain: 2\n`);
    await until(() => shop.changed.length > 0);
    expect(shop.changed).toMatchObject([{ persona: 'ada', changed: ['voice'] }]);
  });

  test('a persona whose file has gone is not refused with its voice: nobody could mend it there', async () => {
    const shop = await openWorkshop({ ada: persona('Ada'), bob: persona('Bob') });
    await unlink(shop.file('ada'));
    await until(() => shop.listed.length > 0);
    await writeFile(path.join(shop.voices, 'deep.yaml'), 'name: Deep\nunderstudy:\n  base: rsm\n');
    await until(() => shop.rejected.length > 0);
    expect(shop.rejected.map((r) => r.persona)).toEqual(['bob']);
  });

  test('a persona that was refused for want of a voice is taken when the voice comes', async () => {
    const shop = await openWorkshop({ ada: persona('Ada').replace('deep', 'high') });
    expect(shop.library.rejections()).toMatchObject([{ persona: 'ada', code: 'unknown_voice' }]);
    await writeFile(path.join(shop.voices, 'high.yaml'), VOICE);
    await until(() => shop.listed.length > 0);
    expect(shop.listed).toEqual([{ persona: 'ada', there: true, name: 'Ada' }]);
  });

  test("a voice's name and description are not heard, so they change nobody", async () => {
    const shop = await openWorkshop({ ada: persona('Ada') });
    await writeFile(path.join(shop.voices, 'deep.yaml'), VOICE.replace('Deep', 'Deeper') + 'about: Deep.\n');
    await until(() => shop.library.voices()[0]!.name === 'Deeper');
    expect(shop.changed).toEqual([]);
  });

  test('a voice that goes stays live', async () => {
    const shop = await openWorkshop({ ada: persona('Ada') });
    await unlink(path.join(shop.voices, 'deep.yaml'));
    await until(() => shop.library.voices().length === 0);
    expect(shop.library.brief(shop.library.persona('ada'), {}).voice.id).toBe('deep');
  });
});

test('whatever is done to the folder, in whatever haste: in the end the library is what the folder is', async () => {
  const seed = Date.now();
  onTestFailed(() => console.log(`the deeds are those of seed ${seed}`));
  const id = fc.constantFrom('ada', 'bob', 'eve');
  const content = fc.oneof(fc.integer({ min: 100, max: 5000 }), fc.constantFrom('', 'name: [', 'nmae: x'));
  const deed = fc.oneof(
    fc.record({ do: fc.constant('write' as const), id, content }),
    fc.record({ do: fc.constant('replace' as const), id, content }),
    fc.record({ do: fc.constant('delete' as const), id }),
    fc.record({ do: fc.constant('rename' as const), id, to: id }),
  );
  const text = (c: number | string) => (typeof c === 'number' ? patience(c) : c);
  const deeds = fc.array(fc.tuple(deed, fc.constantFrom(0, 1, 4, 12, 30, 70)), {
    minLength: 3,
    maxLength: 14,
  });

  const play = async (played: typeof deeds extends fc.Arbitrary<infer T> ? T : never) => {
    const shop = await openWorkshop({ ada: patience(600) });
    const disk = new Map<string, number | string>([['ada', 600]]);
    for (const [step, gap] of played) {
      const file = shop.file(step.id);
      if (step.do === 'write' || step.do === 'replace') {
        await writeFile(step.do === 'write' ? file : `${file}.new`, text(step.content));
        if (step.do === 'replace') await rename(`${file}.new`, file);
        disk.set(step.id, step.content);
      } else if (disk.has(step.id)) {
        if (step.do === 'delete') await unlink(file);
        else await rename(file, shop.file(step.to));
        const content = disk.get(step.id)!;
        disk.delete(step.id);
        if (step.do === 'rename') disk.set(step.to, content);
      }
      await pause(gap);
    }
    const entries = [...disk].sort();
    const good = entries.filter(([, c]) => typeof c === 'number');
    const bad = entries.filter(([, c]) => typeof c === 'string').map(([name]) => name);
    const agrees = () => {
      const refused = shop.library.rejections().map((r) => r.persona);
      const listed = shop.library.list().map((p) => [p.id, livePatience(shop, p.id)]);
      // A refused one that was good before is listed still.
      const fine = listed.filter(([name]) => !refused.includes(name as string));
      return JSON.stringify([fine, refused]) === JSON.stringify([good, bad]);
    };
    await until(agrees);
    await quiet();
    expect(agrees()).toBe(true);
    await shop.library.close();
  };
  await Promise.all(fc.sample(deeds, { numRuns: 12, seed }).map(play));
});

test('nothing is told after close', async () => {
  const shop = await openWorkshop({ ada: patience(600) });
  appendFileSync(shop.file('ada'), '# more\n');
  await shop.library.close();
  await shop.save('ada', patience(700));
  await quiet();
  expect([shop.changed, shop.rejected, shop.listed]).toEqual([[], [], []]);
});
