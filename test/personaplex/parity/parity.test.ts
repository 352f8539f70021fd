import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { runParity } from '../../../sidecar/personaplex/parity';
import { replayRing } from '../../../sidecar/personaplex/parity/ring';
import { Tally } from '../../../sidecar/personaplex/parity/tally';
import { webgpuRuns } from '../runtime/webgpu';

const FIXTURES = path.resolve(__dirname, '../../fixtures/personaplex');
const scratch = mkdtempSync(path.join(os.tmpdir(), 'npc-voice-parity-test-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const run = (folder: string, provider: 'cpu' | 'webgpu' = 'cpu') => runParity(folder, provider, () => {});

/** A folder with some of the fixtures; `change` rewrites one of them. */
function folderWith(
  names: readonly string[],
  change?: { name: string; edit: (bytes: Buffer) => Buffer | string },
): string {
  const folder = mkdtempSync(path.join(scratch, 'f-'));
  for (const name of names) cpSync(path.join(FIXTURES, name), path.join(folder, name));
  if (change) {
    const file = path.join(folder, change.name);
    writeFileSync(file, change.edit(readFileSync(file)));
  }
  return folder;
}

const LM = ['tiny-lm.safetensors', 'tiny-lm-trace-ring12.json'];
const SAVED = 'tiny-lm-voice-pt.json';
const MIMI = ['tiny-mimi.safetensors', 'tiny-mimi-trace.json'];
const editJson =
  (edit: (trace: any) => void) =>
  (bytes: Buffer): string => {
    const trace = JSON.parse(bytes.toString());
    edit(trace);
    return JSON.stringify(trace);
  };

describe('parity with the reference implementation', () => {
  it('holds for every trace: all tokens, all ways of running', async () => {
    const { passed, lines } = await run(FIXTURES);
    expect(lines.join('\n')).not.toContain('FAILED');
    expect(passed).toBe(true);
    expect(lines).toHaveLength(4);
    for (const name of ['tiny-lm-trace.json', 'tiny-lm-trace-ring12.json']) {
      const line = lines.find((own) => own.startsWith(`${name}:`))!;
      // 21 prompt columns of 17, twice 44 steps of 9 tokens, twice 23 frames of 9 and a count.
      const computed = 21 * 17 + 2 * 44 * 9 + 2 * (23 * 9 + 1);
      // 21 prompted steps are given 17 tokens and 24 live ones 8; 44 columns are consumed and forced; 43 frames come out;
      // 45 rings, and the saved voice's, are 17 by 4 tokens and flags; and the saved voice's length.
      const recorded = 21 * 17 + 24 * 8 + 44 * (17 + 32) + 43 * 17 + 46 * 2 * 68 + 1;
      expect(line).toContain(`tokens ${computed + recorded}/${computed + recorded}  `);
      expect(line).toContain(
        '(inputs, columns, frames, ring, saved ring, prompt layout, stepwise, prefill and eager, .pt length, .pt replay, 8-step form; dep_sampled[0..7] only: the product has no later depth steps)',
      );
    }
    expect(lines.find((line) => line.startsWith('tiny-mimi'))).toMatch(
      /tokens 128\/128 {2}latents \S+ {2}codes 0 {2}audio \S+ {2}\(streaming\)$/,
    );
  });

  it('names what is absent, and compares the rest', async () => {
    const { passed, lines } = await run(folderWith(MIMI));
    expect(passed).toBe(true);
    expect(lines.filter((line) => line.endsWith('not in this folder, skipped'))).toHaveLength(4);
    const nothing = await run(folderWith([]));
    expect(nothing.passed).toBe(false);
    expect(nothing.compared).toBe(0);
    expect(nothing.lines.at(-1)).toMatch(
      /^Nothing was compared: .* holds no checkpoint with a trace of it\.$/,
    );
  });

  it.each([
    [
      'a token',
      LM,
      { name: LM[1]!, edit: editJson((trace) => trace.steps[30].dep_sampled[2]++) },
      'stepwise: 1 of 396',
    ],
    [
      'a frame',
      LM,
      { name: LM[1]!, edit: editJson((trace) => trace.steps[40].out[5]++) },
      'prefill and eager: 1 of 208 tokens differ, the first: steps[40].out[5] is ',
    ],
    [
      'a hidden value',
      LM,
      { name: LM[1]!, edit: editJson((trace) => (trace.steps[9].hidden[0] += 2e-4)) },
      'hidden: error 2.0e-4 is over 0.0001, at steps[9].hidden[0]',
    ],
    [
      'the ring rule',
      LM,
      { name: LM[1]!, edit: editJson((trace) => (trace.config.context = 13)) },
      'hidden: error',
    ],
    [
      'a code',
      MIMI,
      { name: MIMI[1]!, edit: editJson((trace) => trace.codes[3][7]--) },
      'streaming: 1 of 128 tokens differ, the first: codes[3][7] is ',
    ],
    [
      'the audio',
      MIMI,
      { name: MIMI[1]!, edit: editJson((trace) => (trace.decoded[8][100] += 1e-4)) },
      'is over 0.00001, at decoded[8][100]',
    ],
  ])('notices when %s differs', async (_, names, change, fault) => {
    const { passed, lines } = await run(folderWith(names, change));
    expect(passed).toBe(false);
    expect(lines.join('\n')).toContain(fault);
  });

  it.each<[string, (trace: any) => void, string]>([
    ["a prompt step's out", (trace) => trace.steps[7].out[3]++, 'frames: 1 of 731'],
    ["the first live step's out", (trace) => trace.steps[21].out[0]++, 'frames: 1 of 731'],
    ["the user's half of a live out", (trace) => trace.steps[33].out[16]++, 'frames: 1 of 731'],
    ['the ring', (trace) => trace.steps[0].cache_after[5][3]++, 'ring: 1 of 6120'],
    ["the ring's flags", (trace) => trace.steps[44].provided_after[9][0]--, 'ring: 1 of 6120'],
    ['an agent code of the prompt', (trace) => trace.steps[0].given.moshi_tokens[0]++, 'inputs: 1 of 549'],
    ['a text token of the prompt', (trace) => trace.inputs.text[3]++, 'inputs: 1 of 549'],
    ['a voice code', (trace) => trace.inputs.voice[2][4]++, 'inputs: 1 of 549'],
    ["a user's code", (trace) => trace.inputs.user[23][7]++, 'inputs: 1 of 549'],
    ["a user's code as it was given", (trace) => trace.steps[44].given.input_tokens[7]++, 'inputs: 1 of 549'],
    ['a column', (trace) => trace.steps[30].model_input[12]++, 'columns: 1 of 2156'],
  ])('notices when %s differs by one', async (_, edit, fault) => {
    const { passed, lines } = await run(folderWith(LM, { name: LM[1]!, edit: editJson(edit) }));
    expect(passed).toBe(false);
    expect(lines.join('\n')).toContain(fault);
  });

  it('notices when any one token of a trace is one more than it was', () => {
    const text = readFileSync(path.join(FIXTURES, LM[1]!), 'utf8');
    const pristine = JSON.parse(text);
    const initial = [pristine.config.text_initial, ...new Array(16).fill(pristine.config.audio_initial)];
    const agrees = (trace: any): boolean => {
      const tally = new Tally('trace');
      replayRing(trace, tally, initial, null);
      return tally.passes({ largest: {} });
    };
    const lists = (value: any): number[][] =>
      !Array.isArray(value) ? [] : typeof value[0] === 'number' ? [value] : value.flatMap(lists);
    const tokensOf = (trace: any): number[][] => [
      ...[trace.inputs.voice, trace.inputs.text, trace.inputs.user].flatMap(lists),
      ...trace.steps.flatMap((step: any) => [
        ...[step.given.moshi_tokens, step.given.input_tokens, step.model_input].flatMap(lists),
        ...[step.target_before, step.out, step.cache_after, step.provided_after].flatMap(lists),
      ]),
    ];
    expect(agrees(pristine)).toBe(true);
    const all = tokensOf(pristine).flatMap((list) => list.map((_, i) => [list, i] as const));
    expect(all.length).toBeGreaterThan(9000);
    fc.assert(
      fc.property(fc.constantFrom(...all), ([list, i]) => {
        list[i]!++;
        const noticed = !agrees(pristine);
        list[i]!--;
        return noticed;
      }),
      { numRuns: 1000 },
    );
  });

  it('compares what a trace records, and leaves out what it does not', async () => {
    const edit = editJson((trace) => {
      for (const step of trace.steps) {
        delete step.cache_after;
        delete step.provided_after;
        if (step.phase !== 'live') Object.assign(step, { out: null });
      }
      delete trace.inputs.user;
      trace.steps[0].given = { text_token: 3 };
    });
    const { passed, lines } = await run(folderWith(LM, { name: LM[1]!, edit }));
    expect(lines.join('\n')).not.toContain('FAILED');
    expect(passed).toBe(true);
  });

  it.each<[string, (saved: any) => void, string]>([
    ['length', (saved) => saved.offset_after++, '.pt length: 1 of 1'],
    ['ring', (saved) => saved.cache[3][2]++, 'saved ring: 1 of 136'],
    ['flags', (saved) => saved.provided_after[3][1]--, 'saved ring: 1 of 136'],
  ])("notices when a saved voice's %s differs", async (_, edit, fault) => {
    const change = { name: SAVED, edit: editJson(edit) };
    const { passed, lines } = await run(folderWith([...LM, SAVED], change));
    expect(passed).toBe(false);
    expect(lines.join('\n')).toContain(fault);
  });

  it('skips a saved voice of another length by name, and does not believe one that contradicts itself', async () => {
    const skipped = `${LM[1]}: .pt replay: the saved voice is not of this trace, skipped`;
    const shorter = (offset: number) => ({
      name: SAVED,
      edit: editJson((saved) => Object.assign(saved, { offset_after: offset }).embeddings.pop()),
    });
    const whole = await run(folderWith([...LM, SAVED], shorter(4)));
    expect(whole.lines).toContain(skipped);
    expect(whole.passed).toBe(true);
    const cut = await run(folderWith([...LM, SAVED], shorter(5)));
    expect(cut.lines).toContain(skipped);
    expect(cut.lines.join('\n')).toContain('.pt length: 1 of 1 tokens differ');
    expect(cut.passed).toBe(false);
  });

  it('says what its figures are in', async () => {
    const { lines } = await run(FIXTURES);
    expect(lines.find((line) => line.startsWith('tiny-voice.pt'))).toMatch(/voice rows \S+ bf16 steps/);
  });

  it('notices a weight that is not a number', async () => {
    const poison = (bytes: Buffer): Buffer => {
      const header = Number(bytes.readBigUInt64LE(0));
      const tensors = JSON.parse(bytes.subarray(8, 8 + header).toString());
      bytes.writeFloatLE(Number.NaN, 8 + header + tensors['out_norm.alpha'].data_offsets[0]);
      return bytes;
    };
    // Import refuses it, or the replay disagrees; neither passes it over.
    const outcome = run(folderWith(LM, { name: LM[0]!, edit: poison })).then(
      ({ passed }) => passed,
      () => false,
    );
    expect(await outcome).toBe(false);
  });

  it('says what is wrong with a folder that is none', async () => {
    await expect(run(path.join(scratch, 'nowhere'))).rejects.toThrow('could not be read');
  });
});

describe.skipIf(!(await webgpuRuns()))('parity on WebGPU, with no node left to the CPU', () => {
  it('holds for the language model and the codec', async () => {
    const folder = folderWith([...LM, ...MIMI]);
    // A software GPU takes its time: a few live frames, and Mimi until its ring has turned.
    const shorten = (name: string, edit: (trace: any) => void): void =>
      writeFileSync(path.join(folder, name), editJson(edit)(readFileSync(path.join(folder, name))));
    shorten(LM[1]!, (trace) => (trace.steps = trace.steps.slice(0, 27)));
    shorten(MIMI[1]!, (trace) => {
      for (const part of ['codes', 'latents', 'decoded']) trace[part] = trace[part].slice(0, 7);
      trace.input_pcm16 = trace.input_pcm16.slice(0, 7 * 1920);
    });
    const { passed, lines } = await run(folder, 'webgpu');
    expect(lines.join('\n')).not.toContain('FAILED');
    expect(passed).toBe(true);
  }, 120_000);
});
