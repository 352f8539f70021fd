import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runParity } from '../../../sidecar/personaplex/parity';
import { pairUp, Tally } from '../../../sidecar/personaplex/parity/tally';
import { readStoredZip } from '../../../sidecar/personaplex/voice/zip';
import { zip } from '../voice/build';
import { webgpuRuns } from '../runtime/webgpu';

const FIXTURES = path.resolve(__dirname, '../../fixtures/personaplex');
const OTHER = path.join(FIXTURES, 'other-sizes');
const LM = 'tiny-lm.safetensors';
const TRACE = 'tiny-lm-trace.json';
const SAVED = 'tiny-lm-voice-pt.json';
const VOICE = 'tiny-voice.pt';
const MIMI = 'tiny-mimi.safetensors';
const MIMI_TRACE = 'tiny-mimi-trace.json';

const scratch = mkdtempSync(path.join(os.tmpdir(), 'npc-voice-parity-test-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const run = (folder: string, provider: 'cpu' | 'webgpu' = 'cpu') => runParity(folder, provider, () => {});

/** A folder with some of the fixtures of other sizes. */
function folderWith(...names: string[]): string {
  const folder = mkdtempSync(path.join(scratch, 'f-'));
  for (const name of names) cpSync(path.join(OTHER, name), path.join(folder, name));
  return folder;
}

function editJson(folder: string, name: string, edit: (json: any) => void): string {
  const file = path.join(folder, name);
  const json = JSON.parse(readFileSync(file, 'utf8'));
  edit(json);
  writeFileSync(file, JSON.stringify(json));
  return folder;
}

/** Renames the rows of each step in the stacked matrices; the data stays where it is. */
function splitProjections(file: string): void {
  const bytes = readFileSync(file);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, start).toString());
  for (const [name, { dtype, shape, data_offsets }] of Object.entries<any>(header)) {
    const stacked = /^(depformer\..*\.)(in|out)_proj(_weight|\.weight)$/.exec(name);
    if (!stacked) continue;
    delete header[name];
    const [from, to] = data_offsets;
    for (let step = 0; step < 16; step++) {
      const at = (i: number) => from + ((to - from) * i) / 16;
      header[`${stacked[1]}${stacked[2]}_projs.${step}.weight`] = {
        dtype,
        shape: [shape[0] / 16, shape[1]],
        data_offsets: [at(step), at(step + 1)],
      };
    }
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(file, Buffer.concat([length, json, bytes.subarray(start)]));
}

describe('parity with folders of other dimensions', () => {
  it('holds: odd depth heads, half-precision weights, a short ring, another frame length', async () => {
    const { passed, lines } = await run(OTHER);
    expect(lines.join('\n')).not.toContain('FAILED');
    expect(passed).toBe(true);
    expect(lines.map((line) => line.split(':')[0])).toEqual([TRACE, VOICE, MIMI_TRACE]);
    expect(lines[0]).toContain('tokens 4512/4512');
    expect(lines[2]).toContain('tokens 96/96');
  });

  it('takes traces of any suffix', async () => {
    const folder = folderWith(LM, TRACE);
    cpSync(path.join(OTHER, TRACE), path.join(folder, 'tiny-lm-trace-of mine.json'));
    const { passed, lines } = await run(folder);
    expect(passed).toBe(true);
    expect(lines.some((line) => line.startsWith('tiny-lm-trace-of mine.json: ok'))).toBe(true);
  });

  it('holds where the codec sees no past at all', async () => {
    // A ring of three shows a frame's two rows only themselves: every frame is then as the first is, but for the
    // convolutions; a trace of one frame is the same at any context.
    const folder = editJson(folderWith(MIMI, MIMI_TRACE), MIMI_TRACE, (trace) => {
      trace.config.transformer.context = 3;
      for (const part of ['codes', 'latents', 'decoded']) trace[part].length = 1;
      trace.input_pcm16.length = 48;
    });
    const { passed, lines } = await run(folder);
    expect(lines.at(-1)).toContain('tokens 8/8');
    expect(passed).toBe(true);
  });

  it('holds for a checkpoint that keeps each depth step’s projections apart, as newer ones do', async () => {
    const folder = folderWith(LM, TRACE);
    splitProjections(path.join(folder, LM));
    const { passed, lines } = await run(folder);
    expect(lines.at(-1)).toContain('8-step form');
    expect(passed).toBe(true);
  });

  it('compares a voice file with the trace where nothing else says what it holds', async () => {
    const { passed, lines } = await run(folderWith(LM, TRACE, VOICE));
    expect(passed).toBe(true);
    const line = lines.find((own) => own.startsWith(TRACE))!;
    expect(line).toContain('saved ring');
    expect(line).toMatch(/voice rows \S+ bf16 steps/);
    expect(line).toMatch(
      /\.pt replay from bfloat16 rows: \d+\/82 tokens, not judged without tiny-lm-voice-pt\.json/,
    );
  });

  it('notices a row of the voice file that is not of these embeddings', async () => {
    const folder = folderWith(LM, TRACE, VOICE);
    const file = path.join(folder, VOICE);
    const members = [...readStoredZip(readFileSync(file))].map(([name, bytes]) => ({
      name,
      bytes: bytes.slice(),
    }));
    // The sign of the first value.
    members.find(({ name }) => name === 'data/0')!.bytes[1]! ^= 0x80;
    writeFileSync(file, zip(members.map((member) => ({ ...member, name: `voice/${member.name}` }))));
    const { passed, lines } = await run(folder);
    expect(passed).toBe(false);
    expect(lines.join('\n')).toContain('is over 1.25, at embeddings (flattened)[0]');
  });

  it('replays live steps that are told what to say one by one only', async () => {
    // The last step, whose choice nothing follows on.
    const folder = editJson(folderWith(LM, TRACE), TRACE, (trace) => {
      const step = trace.steps.at(-1);
      step.given.text_token = step.dep_text[0];
      delete step.provided_after;
    });
    const { passed, lines } = await run(folder);
    expect(lines.at(-1)).toContain('prefill and eager: not replayed, for live steps are told what to say');
    expect(lines.at(-1)).toContain('stepwise');
    expect(passed).toBe(true);
  });

  it('leaves a saved voice alone that is of another trace', async () => {
    const folder = editJson(folderWith(LM, TRACE, SAVED), SAVED, (saved) => {
      for (let stream = 1; stream <= 8; stream++)
        saved.cache[stream] = saved.cache[stream].map((code: number) => (code + 1) % 9);
    });
    const { passed, lines } = await run(folder);
    expect(passed).toBe(true);
    expect(lines).toContain(`${TRACE}: .pt replay: the saved voice is not of this trace, skipped`);
  });

  it.each([
    [[TRACE], `${TRACE}: cannot be replayed without ${LM}, skipped`],
    [[MIMI_TRACE], `${MIMI_TRACE}: cannot be replayed without ${MIMI}, skipped`],
    [[VOICE], `${VOICE}: nothing here to compare it with, skipped`],
    [[LM], `tiny-lm-trace*.json: not in this folder, skipped`],
  ])('says of %s alone what it lacks', async (names, said) => {
    const { passed, compared, lines } = await run(folderWith(...names));
    expect(lines).toContain(said);
    expect([passed, compared]).toEqual([false, 0]);
  });

  it.each<[string, (json: any) => void, string]>([
    ['delays', (trace) => (trace.config.delays[3] = 2), 'no others are supported'],
    ['width', (trace) => (trace.config.dim = 21), "its dim is 21, the checkpoint's 20"],
    ['kind: sampled', (trace) => (trace.config.greedy = false), 'it was sampled'],
    ['number format', (trace) => (trace.config.dtype = 'bfloat16'), 'computed in bfloat16, not float32'],
    [
      'length than its user’s part',
      (trace) => {
        trace.inputs.user.length = 3;
        delete trace.steps.find((step: any) => step.offset === 15).given.input_tokens;
      },
      'Nothing says what was heard in steps[15]',
    ],
    ['ring of one column', (trace) => (trace.config.context = 1), 'a context of 1 columns cannot be'],
    ['form', (trace) => (trace.steps[4].hidden = 'none'), 'It is damaged at steps.4.hidden'],
  ])('fails a trace of another %s by name, and goes on', async (_, edit, said) => {
    const { passed, lines } = await run(editJson(folderWith(LM, TRACE, MIMI, MIMI_TRACE), TRACE, edit));
    expect(passed).toBe(false);
    expect(lines.find((line) => line.startsWith(`${TRACE}: FAILED`))).toContain(said);
    expect(lines.some((line) => line.startsWith(`${MIMI_TRACE}: ok`))).toBe(true);
  });

  it.each<[string, (json: any) => void, string]>([
    ['more codebooks', (trace) => trace.codes.forEach((frame: number[]) => frame.push(1)), 'have 9 codes'],
    ['half a frame', (trace) => trace.input_pcm16.pop(), '575 samples are not 12 frames of 48'],
    ['a frame less of audio', (trace) => trace.decoded.pop(), '12 of latents and 11 of audio'],
    [
      'too short a ring',
      (trace) => (trace.config.transformer.context = 2),
      'a context of 2 rows is too short',
    ],
  ])('fails a codec trace with %s', async (_, edit, said) => {
    const { passed, lines } = await run(editJson(folderWith(MIMI, MIMI_TRACE), MIMI_TRACE, edit));
    expect(passed).toBe(false);
    expect(lines.at(-1)).toContain(`${MIMI_TRACE}: FAILED`);
    expect(lines.at(-1)).toContain(said);
  });
});

describe('the tally of a trace', () => {
  const limits = { largest: { audio: 1e-5 } };
  /** A quiet sample that the trace gives to six decimals. */
  const audio = (ours: number): Tally => {
    const tally = new Tally('trace');
    tally.part('streaming', [[1, 1, 'codes[0][0]']]);
    tally.measure('audio', [ours], [0.01], 'decoded[0]', { peak: 0.01, rounding: 5e-7 });
    return tally;
  };

  it('takes no error for one that the trace’s own rounding explains, and says so', () => {
    expect(audio(0.0100004).passes(limits)).toBe(true);
    expect(audio(0.0100004).render(limits)).toBe(
      'trace: ok  tokens 1/1  audio 4.0e-5  (streaming; the trace records audio to 5.0e-5 of the peak only)',
    );
    expect(audio(0.01).render(limits)).toBe('trace: ok  tokens 1/1  audio 0.0e+0  (streaming)');
  });

  it('says what is beyond it', () => {
    expect(audio(0.0100007).render(limits)).toBe(
      'trace: FAILED  tokens 1/1  audio 7.0e-5  (streaming)\n    audio: error 7.0e-5 is over 0.00001, at decoded[0][0]',
    );
  });

  it('says where the first of several wrong tokens stands, and what is missing', () => {
    const tally = new Tally('trace');
    tally.part('frames', pairUp([7, 9], [7, 8, 3], 'steps[4].out'));
    expect(tally.faults).toEqual([
      'frames: 2 of 3 tokens differ, the first: steps[4].out[1] is 8 there, 9 here',
    ]);
    tally.part('ring', pairUp([], [5], 'cache'));
    expect(tally.faults[1]).toBe('ring: 1 of 1 tokens differ, the first: cache[0] is 5 there, absent here');
  });
});

describe('the parity command', () => {
  const command = (...args: string[]) =>
    new Promise<{ code: number; out: string; err: string }>((resolve) => {
      const file = path.resolve(__dirname, '../../../dist/parity.js');
      execFile(process.execPath, [file, ...args], (error, out, err) =>
        resolve({ code: error ? Number(error.code) : 0, out, err }),
      );
    });

  it.each<[string[], number, RegExp]>([
    [['--help'], 0, /^Usage: npm run -s parity/],
    [[OTHER, '--fast'], 2, /^There is no option --fast\./],
    [[OTHER, '--ep', 'cuda'], 2, /^--ep takes cpu or webgpu, not cuda\./],
    [[OTHER, '--ep'], 2, /^--ep takes cpu or webgpu, not nothing\./],
    [[OTHER, scratch], 2, /^One folder at a time/],
    [[], 2, /^Name the folder to replay\./],
    [[path.join(scratch, 'nowhere')], 1, /could not be read/],
    [[OTHER], 0, /All agree \(cpu, tier f32\)\.\n$/],
  ])('answers %j with exit code %i', async (args, expected, said) => {
    const { code, out, err } = await command(...args);
    expect(code).toBe(expected);
    expect(out + err).toMatch(said);
  });

  it('ends with 1 where nothing was compared, or something differs', async () => {
    const empty = path.join(scratch, 'empty');
    mkdirSync(empty);
    const nothing = await command(empty);
    expect(nothing.code).toBe(1);
    expect(nothing.out).toMatch(/Nothing was compared: .*\n$/);
    const damaged = editJson(folderWith(LM, TRACE), TRACE, (trace) => trace.steps[9].out[2]++);
    const differs = await command(damaged);
    expect(differs.code).toBe(1);
    expect(differs.out).toContain('steps[9].out[2]');
    expect(differs.out).toMatch(/Not all agree \(cpu, tier f32\)\.\n$/);
  });
});

describe.skipIf(!(await webgpuRuns()))('parity with folders of other dimensions on WebGPU', () => {
  it('holds for heads that are no multiple of eight', async () => {
    const { passed, lines } = await run(OTHER, 'webgpu');
    expect(lines.join('\n')).not.toContain('FAILED');
    expect(passed).toBe(true);
  }, 120_000);
});
