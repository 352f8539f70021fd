import { readFileSync, rmSync, mkdirSync, writeFileSync, readdirSync, truncateSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCheckpoint, importModel, PERSONAPLEX, readManifest } from '../../../sidecar/personaplex/import';
import {
  codecInput,
  hasReference,
  judgeReport,
  listModels,
  modelsFolder,
  numpyNormal,
  openModel,
  removeModel,
  replayReference,
  verifyFiles,
  type ReferenceReport,
} from '../../../sidecar/personaplex/store';
import { sharedFile } from '../checkpoint/build';
import { smallCheckpoint, temporaryFolder } from '../import/build';

let models: string;
let checkpoint: string;
const add = (id: string): ReturnType<typeof importModel> =>
  importModel({
    files: findCheckpoint(checkpoint), models, id, name: id, tier: 'q8', provider: 'cpu', origin: { from: 'a test' },
    hints: { mimi: { heads: 1 } }, threads: 0,
  }); // prettier-ignore
beforeAll(async () => {
  models = temporaryFolder();
  smallCheckpoint((checkpoint = temporaryFolder()));
  await add('one');
});
afterAll(() => [models, checkpoint].forEach((folder) => rmSync(folder, { recursive: true })));

describe('the models folder', () => {
  it('is where each platform keeps such things, or where one says', () => {
    const at = (env: Record<string, string>, platform: NodeJS.Platform): string =>
      modelsFolder(env, platform, '/home/a');
    expect(at({}, 'linux')).toBe('/home/a/.local/share/npc-voice/models');
    expect(at({ XDG_DATA_HOME: '/data' }, 'linux')).toBe('/data/npc-voice/models');
    expect(at({}, 'darwin')).toBe('/home/a/Library/Application Support/npc-voice/models');
    expect(at({ LOCALAPPDATA: '/local' }, 'win32')).toBe(path.join('/local', 'npc-voice', 'models'));
    expect(at({ NPC_VOICE_MODELS: '/big/disk' }, 'darwin')).toBe('/big/disk');
  });

  it('lists what it holds, and what it cannot use', () => {
    for (const [name, text] of [['damaged', '{'], ['older', '{"format":0}'], ['wrong', '{"format":1}']] as const) {
      mkdirSync(path.join(models, name));
      writeFileSync(path.join(models, name, 'manifest.json'), text);
    }
    mkdirSync(path.join(models, '.downloads'));
    const { models: found, broken } = listModels(models);
    expect(found.map((model) => model.manifest.id)).toEqual(['one']);
    expect(broken.map(({ id, error }) => [id, error.message.replace(models, '')])).toEqual([
      ['damaged', '/damaged/manifest.json is not JSON.'],
      ['older', 'The model in /older was imported by another version of NPC Voice (format 0).'],
      ['wrong', expect.stringContaining('/wrong/manifest.json is damaged at id')],
    ]);
    for (const { id } of broken) removeModel(id, models);
    expect(listModels(path.join(models, 'absent'))).toEqual({ models: [], broken: [] });
  }); // prettier-ignore

  it('says what there is when asked for what there is not', () => {
    expect(() => openModel('two', models)).toThrow(expect.objectContaining({ code: 'model_unavailable', hint: 'There is one.' }));
    expect(() => openModel('../one', models)).toThrow(/no model/);
    expect(() => removeModel('../one', models)).toThrow(/no model/);
    expect(() => openModel('one', path.join(models, 'one'))).toThrow(expect.objectContaining({ hint: expect.stringContaining('moshiko') }));
  }); // prettier-ignore

  it('lets a model go', async () => {
    await add('two');
    removeModel('two', models);
    expect(listModels(models).models).toHaveLength(1);
    expect(readdirSync(models).filter((name) => name.startsWith('.gone'))).toEqual([]);
  });

  it('refuses a manifest that leads out of its folder', async () => {
    await add('sly');
    const file = path.join(models, 'sly', 'manifest.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"tokenizer.model"', '"../../tokenizer.model"'));
    expect(() => readManifest(path.join(models, 'sly'))).toThrow(/damaged at files/);
    removeModel('sly', models);
  });
});

describe('verifying files', () => {
  it('finds them as they were imported', async () => {
    const seen: number[] = [];
    await verifyFiles(openModel('one', models), (done) => seen.push(done), 0);
    expect(seen.at(-1)).toBe(openModel('one', models).bytes);
  });

  it('names one that changed, shrank or went', async () => {
    await add('spoiled');
    const model = openModel('spoiled', models);
    const file = path.join(model.folder, 'temporal.onnx.data');
    const bytes = readFileSync(file);
    bytes[1000]! ^= 1;
    writeFileSync(file, bytes);
    await expect(verifyFiles(model, undefined, 0)).rejects.toThrow(/temporal\.onnx\.data has changed/);
    truncateSync(file, 500);
    expect(() => openModel('spoiled', models)).toThrow(
      /temporal\.onnx\.data has 500 bytes instead of \d+\.$/,
    );
    rmSync(file);
    const gone = expect.objectContaining({
      code: 'model_invalid',
      message: `${file} is missing.`,
      hint: 'Import the model spoiled again.',
    });
    expect(() => openModel('spoiled', models)).toThrow(gone);
    const { models: sound, broken } = listModels(models);
    expect(sound.map(({ manifest }) => manifest.id)).toEqual(['one']);
    expect(broken).toEqual([{ id: 'spoiled', error: gone }]);
    removeModel('spoiled', models);
  });

  it('misses a voice that went, without which the model can be used', async () => {
    await add('hoarse');
    rmSync(path.join(models, 'hoarse', 'voices', 'NATM1.pt'));
    const model = openModel('hoarse', models);
    await expect(verifyFiles(model, undefined, 0)).rejects.toThrow(/NATM1\.pt is missing\.$/);
    removeModel('hoarse', models);
  });
});

describe('the published answers', () => {
  const good: ReferenceReport = {
    text: { agree: 4, of: 4, logitError: 1e-5 },
    hiddenCosine: 0.9999999,
    hiddenError: 1e-5,
    depth: { agree: 8, of: 8 },
    codes: { agree: 64, of: 64 },
    audioError: 1e-6,
  };

  it('are asked of PersonaPlex only', () => {
    const { manifest } = openModel('one', models);
    expect(hasReference(manifest)).toBe(false);
    expect(hasReference({ ...manifest, lm: PERSONAPLEX })).toBe(true);
    expect(hasReference({ ...manifest, lm: PERSONAPLEX, form: 'moshi' })).toBe(false);
  });

  it('judge each tier by what it can reach', () => {
    expect(judgeReport(good, 'f32')).toEqual([]);
    expect(judgeReport({ ...good, hiddenCosine: 0.9995, text: { ...good.text, agree: 3 } }, 'q8')).toEqual([]);
    expect(judgeReport({ ...good, text: { ...good.text, agree: 3 } }, 'f32')).toEqual([expect.stringMatching(/tokens differ/)]);
    expect(judgeReport({ ...good, hiddenCosine: 0.5 }, 'q4')).toEqual([expect.stringMatching(/cosine is 0\.500000, below/)]);
    expect(judgeReport({ ...good, codes: { agree: 60, of: 64 } }, 'q8')).toEqual([expect.stringMatching(/60 of 64 codes/)]);
    expect(judgeReport({ ...good, audioError: 0.1 }, 'q8')).toEqual([expect.stringMatching(/audio is off/)]);
  }); // prettier-ignore

  it('belong to a waveform that is made again to the bit', () => {
    expect(Array.from(numpyNormal(1234, 3))).toEqual([
      0.47143516373249306, -1.1909756947064645, 1.4327069684260973,
    ]);
    const file = sharedFile('mimi-golden-input.f32le');
    if (!file) return void console.log('skipped: ../shared/parity/mimi-golden-input.f32le is absent');
    expect(Buffer.from(codecInput().buffer).equals(readFileSync(file))).toBe(true);
  });

  it('are replayed through any model of the real width in tokens', async () => {
    // Random weights cannot agree; what is shown is that every vector runs through the installed graphs.
    const wide = temporaryFolder();
    const { synthesiseCheckpoint } = await import('../../../sidecar/personaplex/import');
    const { SMALL_LM, SMALL_MIMI } = await import('../import/build');
    synthesiseCheckpoint(wide, { lm: { ...SMALL_LM, card: 2048, textCard: 32000, dim: 64 }, mimi: { ...SMALL_MIMI, bins: 2048 }, seed: 4 });
    await importModel({
      files: findCheckpoint(wide), models, id: 'wide', name: 'Wide', tier: 'q8', provider: 'cpu', origin: { from: 'a test' },
      hints: { mimi: { heads: 1 } }, threads: 0,
    });
    const report = await replayReference(openModel('wide', models));
    expect(report.text.of).toBe(4);
    expect(report.depth.of).toBe(8);
    expect(report.codes.of).toBe(64);
    expect(Math.abs(report.hiddenCosine)).toBeLessThan(0.6);
    expect(judgeReport(report, 'q8').length).toBeGreaterThan(0);
    rmSync(wide, { recursive: true });
    removeModel('wide', models);
  }); // prettier-ignore
});
