import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runParity } from '../../../sidecar/personaplex/parity';
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
      expect(line).toContain(`tokens ${21 * 17 + 2 * 44 * 9 + 2 * (23 * 9 + 1)}/1565`);
      expect(line).toContain('(prompt layout, stepwise, prefill and eager, .pt replay, 8-step form)');
    }
    expect(lines.find((line) => line.startsWith('tiny-mimi'))).toContain('tokens 128/128');
  });

  it('names what is absent, and compares the rest', async () => {
    const { passed, lines } = await run(folderWith(MIMI));
    expect(passed).toBe(true);
    expect(lines.filter((line) => line.endsWith('not in this folder, skipped'))).toHaveLength(4);
    const nothing = await run(folderWith([]));
    expect(nothing.passed).toBe(false);
    expect(nothing.lines.at(-1)).toBe('Nothing was compared.');
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
      'prefill and eager: 1 of 208',
    ],
    [
      'a hidden value',
      LM,
      { name: LM[1]!, edit: editJson((trace) => (trace.steps[9].hidden[0] += 2e-4)) },
      'hidden: error 2.0e-4 is over',
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
      'streaming: 1 of 128',
    ],
    [
      'the audio',
      MIMI,
      { name: MIMI[1]!, edit: editJson((trace) => (trace.decoded[8][100] += 1e-4)) },
      'audio: error',
    ],
  ])('notices when %s differs', async (_, names, change, fault) => {
    const { passed, lines } = await run(folderWith(names, change));
    expect(passed).toBe(false);
    expect(lines.join('\n')).toContain(fault);
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
