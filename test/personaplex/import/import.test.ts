import { fork } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { NpcVoiceError } from '../../../sidecar/errors';
import { SafetensorsFile } from '../../../sidecar/personaplex/checkpoint';
import { diskFailure, replaceFolder } from '../../../sidecar/personaplex/import/models-folder';
import {
  checkSpace,
  CheckpointWeights,
  findCheckpoint,
  importModel,
  jobRunner,
  readCheckpoint,
  readManifest,
  synthesiseCheckpoint,
  type ImportOptions,
  type ModelManifest,
} from '../../../sidecar/personaplex/import';
import { LanguageModel } from '../../../sidecar/personaplex/runtime';
import { openModel, removeModel } from '../../../sidecar/personaplex/store';
import { fixtures } from '../checkpoint/build';
import { pickle, tensor, tgz, zip } from '../voice/build';
import { SMALL_LM, SMALL_MIMI, smallCheckpoint, temporaryFolder } from './build';

let sound: string;
let models: string;
let folder: string;
beforeAll(() => smallCheckpoint((sound = temporaryFolder())));
afterAll(() => rmSync(sound, { recursive: true }));
beforeEach(() => {
  models = temporaryFolder();
  folder = temporaryFolder();
  cpSync(sound, folder, { recursive: true });
});
afterEach(() => [models, folder].forEach((each) => rmSync(each, { recursive: true })));

const run = (change: Partial<ImportOptions> = {}): Promise<ModelManifest> =>
  importModel({
    files: findCheckpoint(folder), models, id: 'small', name: 'Small', tier: 'mixed', provider: 'cpu',
    origin: { from: 'a test' }, hints: { mimi: { heads: 1 } }, threads: 0, ...change,
  }); // prettier-ignore
const refusal = async (change?: Partial<ImportOptions>): Promise<NpcVoiceError> => {
  const error: unknown = await Promise.resolve()
    .then(() => run(change))
    .then(
      () => new Error('it was imported'),
      (thrown: unknown) => thrown,
    );
  expect(error).toBeInstanceOf(NpcVoiceError);
  expect(readdirSync(models)).toEqual([]);
  return error as NpcVoiceError;
};
/** Changes bytes of a tensor in the checkpoint. */
const poke = (tensor: string, at: number, bytes: readonly number[], file = 'model.safetensors'): void => {
  const name = path.join(folder, file);
  const { position } = SafetensorsFile.open(name).entry(tensor);
  const all = readFileSync(name);
  all.set(bytes, position + at);
  writeFileSync(name, all);
};
const rewriteHeader = (change: (header: Record<string, any>) => void): void => {
  const name = path.join(folder, 'model.safetensors');
  const all = readFileSync(name);
  const length = Number(all.readBigUInt64LE());
  const header = JSON.parse(all.subarray(8, 8 + length).toString());
  change(header);
  const json = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(name, Buffer.concat([size, json, all.subarray(8 + length)]));
};

/** A codec of so many codes in place of the checkpoint's. */
const synthesiseCodec = (bins: number): void => {
  const other = path.join(folder, 'other');
  synthesiseCheckpoint(other, { lm: SMALL_LM, mimi: { ...SMALL_MIMI, bins }, seed: 3 });
  const name = 'tokenizer-e351c8d8-checkpoint125.safetensors';
  cpSync(path.join(other, name), path.join(folder, name));
};

/** A voice of 2 columns. */
function narrowVoice(): Uint8Array {
  const rows = {
    key: '0',
    storage: 'torch\nBFloat16Storage',
    elements: 2,
    shape: [1, 1, 1, 2],
    strides: [2, 2, 2, 1],
  };
  const cache = {
    key: '1',
    storage: 'torch\nLongStorage',
    elements: 68,
    shape: [1, 17, 4],
    strides: [68, 4, 1],
  };
  return zip([
    { name: 'v/data.pkl', bytes: pickle({ embeddings: tensor(rows), cache: tensor(cache) }) },
    { name: 'v/data/0', bytes: new Uint8Array(4) },
    { name: 'v/data/1', bytes: new Uint8Array(68 * 8) },
  ]);
}

describe('an import', () => {
  it('writes a model that says what it is', async () => {
    writeFileSync(path.join(folder, 'voices.tgz'), tgz([{ name: 'voices/NATF2.pt', bytes: readFileSync(path.join(fixtures, 'tiny-voice.pt')) }]));
    const manifest = await run();
    expect(readManifest(path.join(models, 'small'))).toEqual(manifest);
    expect(manifest).toMatchObject({ id: 'small', form: 'personaplex', tier: 'mixed', provider: 'cpu', voices: ['NATF2'], lm: { dim: 64, depthStepsStored: 16 } });
    expect(manifest.files.map((file) => file.name)).toEqual([
      'depth.onnx', 'depth.onnx.data', 'mimi-decoder.onnx', 'mimi-decoder.onnx.data', 'mimi-encoder.onnx', 'mimi-encoder.onnx.data',
      'temporal.onnx', 'temporal.onnx.data', 'tokenizer.model', 'voices/NATF2.pt',
    ]);
    const users = manifest.dropped.filter((tensor) => /depth steps 8 to 15/.test(tensor.reason));
    expect(users.some((tensor) => tensor.name === 'linears.15.weight' && !tensor.rows)).toBe(true);
    expect(users.some((tensor) => tensor.name.endsWith('in_proj_weight') && tensor.rows)).toBe(true);
  }); // prettier-ignore

  it.each(['f16', 'q8', 'mixed', 'q4'] as const)('in tier %s writes the same on any number of threads', async (tier) => {
    const alone = await run({ tier });
    for (const threads of [1, 3]) {
      const manifest = await run({ tier, threads });
      expect(JSON.stringify({ ...manifest, imported: alone.imported })).toBe(JSON.stringify(alone));
    }
  }); // prettier-ignore

  it('names every rounded tensor’s cosine: 8 bits closer than 4', async () => {
    const { cosines } = await run();
    // The second of two layers is in the last half, whose feed-forward blocks have 4 bits.
    expect(cosines['transformer.layers.1.gating.linear_in.weight']).toBeGreaterThan(0.99);
    expect(cosines['transformer.layers.1.gating.linear_in.weight']).toBeLessThan(0.9999);
    expect(cosines['transformer.layers.0.gating.linear_in.weight']).toBeGreaterThan(0.9999);
    expect(cosines['depformer.layers.0.self_attn.in_proj_weight']).toBeGreaterThan(0.9999);
    expect(cosines['out_norm.alpha']).toBeUndefined();
    expect((await run({ tier: 'f32' })).cosines).toEqual({});
  });

  it('comes out the same on threads as without, and every time', async () => {
    const alone = await run();
    const threaded = await run({ threads: 2, id: 'threaded' });
    expect(threaded.files).toEqual(alone.files);
    expect(threaded.cosines).toEqual(alone.cosines);
  });

  it.each(['f32', 'f16', 'q8', 'mixed', 'q4'] as const)('in tier %s runs, close to the checkpoint', async (tier) => {
    const hidden = async (id: string): Promise<Float32Array> => {
      const { manifest, graphs } = openModel(id, models);
      const model = await LanguageModel.open({ config: manifest.lm, temporal: graphs.temporal, depth: graphs.depth }, { provider: 'cpu' });
      const cache = model.newCache(1);
      const outlook = await model.consume(cache, { tokens: Int32Array.from({ length: 17 }, (_, i) => i), steps: 1 }, [true]);
      const values = Float32Array.from((await outlook.hidden.getData()) as Float32Array);
      await model.close();
      return values;
    };
    await run({ tier: 'f32', id: 'exact' });
    await run({ tier, id: 'rounded' });
    const [a, b] = [await hidden('exact'), await hidden('rounded')];
    const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
    const least = { f32: 1 - 1e-7, f16: 0.9999, q8: 0.999, mixed: 0.98, q4: 0.98 }[tier];
    expect(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))).toBeGreaterThan(least);
  }); // prettier-ignore

  it('of the 8-step form is that of the 16-step form without what it drops', async () => {
    const sixteen = await run();
    const eight = path.join(folder, 'eight');
    mkdirSync(eight);
    // The same weights, cut by hand: steps 0 to 7 only.
    cpSync(sound, eight, { recursive: true });
    const source = SafetensorsFile.open(path.join(sound, 'model.safetensors'));
    const header: Record<string, unknown> = {};
    const data: Buffer[] = [];
    let at = 0;
    const all = readFileSync(path.join(sound, 'model.safetensors'));
    for (const [name, { shape, dtype, position, byteLength }] of source.tensors) {
      const step = Number(/^(?:depformer_in|linears|depformer\..*gating)\.(\d+)\./.exec(name)?.[1] ?? 0);
      const table = Number(/^depformer_emb\.(\d+)/.exec(name)?.[1] ?? 0);
      if (step > 7 || table > 6) continue;
      const half = /^depformer\..*self_attn/.test(name);
      const bytes = all.subarray(position, position + (half ? byteLength / 2 : byteLength));
      header[name] = {
        dtype,
        shape: half ? [shape[0]! / 2, shape[1]] : shape,
        data_offsets: [at, at + bytes.length],
      };
      at += bytes.length;
      data.push(bytes);
    }
    source.close();
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    writeFileSync(path.join(eight, 'model.safetensors'), Buffer.concat([length, json, ...data]));
    const moshi = await run({ files: findCheckpoint(eight), id: 'eight' });
    expect(moshi.form).toBe('moshi');
    expect(moshi.dropped.every((tensor) => tensor.name.startsWith('quantizer.'))).toBe(true);
    expect(moshi.files).toEqual(sixteen.files);
  });

  it('replaces the model of its name in one step', async () => {
    await run({ tier: 'q4' });
    await run({ tier: 'q8' });
    expect(openModel('small', models).manifest.tier).toBe('q8');
    expect(readdirSync(models)).toEqual(['small']);
  });
});

describe('a checkpoint that cannot be used is refused with the reason, and nothing is left behind', () => {
  it.each([
    ['truncated', () => writeFileSync(path.join(folder, 'model.safetensors'), readFileSync(path.join(folder, 'model.safetensors')).subarray(0, -1000)), /it is truncated/],
    ['with a hostile header length', () => { const f = path.join(folder, 'model.safetensors'); const b = readFileSync(f); b.writeBigUInt64LE(2n ** 62n); writeFileSync(f, b); }, /header claims/],
    ['with a NaN', () => poke('transformer.layers.1.gating.linear_in.weight', 4000, [0xc0, 0x7f]), /linear_in\.weight holds a NaN/],
    ['with an infinity', () => poke('emb.5.weight', 100, [0x80, 0xff]), /emb\.5\.weight holds an infinity/],
    ['with a NaN in a norm', () => poke('out_norm.alpha', 2, [0xc0, 0x7f]), /out_norm\.alpha holds a NaN/],
    ['with a NaN in the codec', () => poke('decoder.model.0.conv.conv.bias', 0, [0, 0, 0xc0, 0x7f], 'tokenizer-e351c8d8-checkpoint125.safetensors'), /bias holds a NaN/],
    ['of integers', () => rewriteHeader((h) => (h['text_linear.weight'].dtype = 'I16')), /text_linear\.weight \(I16\)/],
    ['with swapped names', () => rewriteHeader((h) => { const a = 'transformer.layers.0.gating.linear_in.weight'; const b = 'transformer.layers.0.self_attn.in_proj_weight'; [h[a], h[b]] = [h[b], h[a]]; }), /of the wrong shape: .*in_proj_weight is \[256, 64\], not \[192, 64\]/],
    ['with a tensor too many', () => rewriteHeader((h) => { h['norm_emb.alpha'] = h['out_norm.alpha']; delete h['out_norm.alpha']; }), /missing: out_norm\.alpha; tensors not known to this model: norm_emb\.alpha/],
    ['with a tensor cut out of its header', () => rewriteHeader((h) => delete h['transformer.layers.1.gating.linear_out.weight']), /tensors missing: transformer\.layers\.1\.gating\.linear_out\.weight\.$/],
    ['with two tensors of the same bytes', () => rewriteHeader((h) => { const left = h['emb.3.weight']; h['emb.3.weight'] = { ...left, data_offsets: h['emb.2.weight'].data_offsets }; }), /emb\.3\.weight overlaps another/],
    ['with another model’s codec', () => synthesiseCodec(16), /^The codec .*tokenizer-e351c8d8-checkpoint125\.safetensors has codebooks of 16 codes; the language model .*model\.safetensors speaks 32\.$/],
    ['with another model’s tokenizer', () => writeFileSync(path.join(folder, 'tokenizer_spm_32k_3.model'), readFileSync(path.join(sound, 'config.json'))), /tokenizer_spm_32k_3\.model: The tokenizer is not a SentencePiece model/],
    ['with a context no machine has room for', () => writeFileSync(path.join(folder, 'config.json'), '{"context":1e12}'), /a context of 1000000000000 columns cannot be; it is a whole number from 2 to 65536\.$/],
    ['without its codec', () => rmSync(path.join(folder, 'tokenizer-e351c8d8-checkpoint125.safetensors')), /lacks tokenizer-e351c8d8/],
    ['with a voice that is none', () => { rmSync(path.join(folder, 'voices.tgz')); mkdirSync(path.join(folder, 'voices')); writeFileSync(path.join(folder, 'voices', 'A.pt'), 'cos\nsystem\n'); }, /^The voice A\.pt cannot be imported\. The voice file is refused: it is not a ZIP archive/],
    ['with voices of another width', () => { rmSync(path.join(folder, 'voices.tgz')); mkdirSync(path.join(folder, 'voices')); writeFileSync(path.join(folder, 'voices', 'A.pt'), narrowVoice()); }, /voice A\.pt is 2 wide; this model is 64 wide/],
  ] as [string, () => void, RegExp][])('%s', async (_, spoil, reason) => {
    spoil();
    const error = await refusal();
    expect(['model_invalid', 'voice_invalid']).toContain(error.code);
    expect(error.message).toMatch(reason);
  }); // prettier-ignore

  it('of a folder that is not there, saying what is wanted', () => {
    const nowhere = path.join(folder, 'nowhere');
    expect(() => findCheckpoint(nowhere)).toThrow(
      expect.objectContaining({
        code: 'io',
        message: `There is no folder ${nowhere}.`,
        hint: expect.stringContaining('under their published names'),
      }),
    );
  });

  it('by a worker thread just the same', async () => {
    poke('transformer.layers.1.gating.linear_in.weight', 4000, [0xc0, 0x7f]);
    const error = await refusal({ threads: 2 });
    expect(error.code).toBe('model_invalid');
    expect(error.message).toMatch(/linear_in\.weight holds a NaN/);
  });

  it('when a value is too large for its tier', async () => {
    // bfloat16 0x7f00 is 2^127, 0x4f80 is 2^32.
    poke('transformer.layers.0.self_attn.out_proj.weight', 0, [0x00, 0x7f]);
    expect((await refusal({ tier: 'q4' })).message).toMatch(
      /out_proj\.weight holds values too large to be rounded/,
    );
    poke('transformer.layers.0.self_attn.out_proj.weight', 0, [0x80, 0x4f]);
    expect((await refusal({ tier: 'f16' })).message).toMatch(
      /out_proj\.weight holds values too large to be 16-bit/,
    );
  });

  it('says how much room is missing as people do', async () => {
    const free = vi.spyOn(fs, 'statfs').mockResolvedValue({ bavail: 3, bsize: 4096 } as never);
    syncBuiltinESMExports();
    const said = await checkSpace(models, 2.4e6).catch((error: Error) => error.message);
    free.mockRestore();
    syncBuiltinESMExports();
    expect(said).toBe(`This needs 2 MB in ${models}, but only 13 kB are free.`);
  }); // prettier-ignore

  it('under a name that is none', async () => {
    expect((await refusal({ id: '../x' })).code).toBe('bad_field');
  });
});

describe('an import that is killed', () => {
  it('leaves no model, and the next one removes what it wrote', async () => {
    // A process that has got half-way, as far as its folder tells.
    const script = path.join(folder, 'half.mjs');
    writeFileSync(
      script,
      `import { mkdirSync, writeFileSync } from 'node:fs';
      const at = process.argv[2] + '/.import-small-' + process.pid;
      mkdirSync(at);
      writeFileSync(at + '/temporal.onnx.data', 'half');
      process.send('begun');
      setInterval(() => {}, 1000);`,
    );
    const child = fork(script, [models]);
    await new Promise((resolve) => child.once('message', resolve));
    expect(readdirSync(models)).toHaveLength(1);
    // While it runs it is let be.
    await run({ id: 'other' });
    expect(readdirSync(models).some((name) => name.startsWith('.import-small'))).toBe(true);
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    expect(() => openModel('small', models)).toThrow(/no model small/);
    await run();
    expect(readdirSync(models).sort()).toEqual(['other', 'small']);
  });

  it('under the number the next one has is swept up all the same, as in a container', async () => {
    const left = path.join(models, `.import-small-${process.pid}`);
    mkdirSync(left);
    writeFileSync(path.join(left, 'temporal.onnx.data'), 'half');
    await run();
    expect(readdirSync(models)).toEqual(['small']);
    const gone = path.join(models, `.gone-small-${process.pid}`);
    mkdirSync(gone);
    writeFileSync(path.join(gone, 'depth.onnx'), 'half');
    removeModel('small', models);
    expect(readdirSync(models)).toEqual([]);
  });

  it('between its two renames leaves the old model to be put back', async () => {
    await run();
    const dead = 2 ** 22 + 12345;
    cpSync(path.join(models, 'small'), path.join(models, `.old-kept-${dead}`), { recursive: true });
    cpSync(path.join(models, 'small'), path.join(models, `.old-small-${dead}`), { recursive: true });
    cpSync(path.join(models, 'small'), path.join(models, `.gone-lost-${dead}`), { recursive: true });
    await run();
    expect(readdirSync(models).sort()).toEqual(['kept', 'small']);
  });
});

describe('a model that is replaced', () => {
  const denied = (): never => {
    throw Object.assign(new Error('EPERM: operation not permitted, rename'), { code: 'EPERM', syscall: 'rename' });
  }; // prettier-ignore
  let target: string;
  let fresh: string;
  beforeEach(() => {
    [target, fresh] = [path.join(models, 'small'), path.join(models, '.import-small-1')];
    for (const [at, what] of [[target, 'old'], [fresh, 'new']] as const) {
      mkdirSync(at, { recursive: true });
      writeFileSync(path.join(at, 'is'), what);
    }
  }); // prettier-ignore
  const is = (): string => readFileSync(path.join(target, 'is'), 'utf8');

  it('is there again when the new one cannot be put in its place', async () => {
    rmSync(fresh, { recursive: true });
    await expect(replaceFolder(target, fresh)).rejects.toMatchObject({ code: 'ENOENT' });
    expect([is(), readdirSync(models)]).toEqual(['old', ['small']]);
  });

  // As Windows does while a virus scanner reads a file of the folder; it cannot be provoked elsewhere.
  it('waits for who reads it', async () => {
    let refusals = 2;
    await replaceFolder(target, fresh, (from, to) => (refusals-- > 0 ? denied() : renameSync(from, to)));
    expect([is(), readdirSync(models)]).toEqual(['new', ['small']]);
  });

  it('stays where it is when it is in use, and that is said', async () => {
    const error = await replaceFolder(target, fresh, denied).catch((thrown: unknown) => diskFailure(thrown, models));
    expect(error).toMatchObject({
      code: 'io',
      message: 'The disk did not do as asked: EPERM: operation not permitted, rename.',
      hint: `Check that you may write to ${models}, and that no other npc-voice uses it now.`,
    });
    expect(is()).toBe('old');
  }); // prettier-ignore
});

describe('weights of a checkpoint', () => {
  it('are read by rows, across the parts a tensor is kept in', async () => {
    const { tensors } = readCheckpoint(findCheckpoint(folder), { mimi: { heads: 1 } });
    const weights = new CheckpointWeights(tensors, jobRunner(0));
    const name = 'depformer.layers.0.self_attn.in_proj_weight';
    const whole = await weights.readFloats({ name });
    expect(whole.length).toBe(8 * 96 * 32);
    expect(await weights.readFloats({ name, rows: [95, 97] })).toEqual(whole.slice(95 * 32, 97 * 32));
    // The same tensor in parts of one step each.
    const { parts, ...tensor } = tensors.get(name)!;
    const { entry } = parts[0]!;
    const step = { ...entry, shape: [96, 32], byteLength: 96 * 32 * 2 };
    const split = Array.from({ length: 8 }, (_, k) => ({ rows: 96, entry: { ...step, position: entry.position + k * step.byteLength } }));
    const inParts = new CheckpointWeights(new Map([[name, { ...tensor, parts: split }]]), jobRunner(0));
    expect(await inParts.readFloats({ name, rows: [90, 300] })).toEqual(whole.slice(90 * 32, 300 * 32));
    expect(weights.unread()).not.toContain(name);
    expect(weights.unread()).toContain('text_emb.weight');
  }); // prettier-ignore
});
