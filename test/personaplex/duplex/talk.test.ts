/** `npc-voice talk --model`: the real command, from dist/. */
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readWav, rms, SAMPLE_RATE, writeWav } from '../../../sidecar/audio';
import { distFile } from '../../../sidecar/paths';
import { castOf } from '../tiny-cast';
import { importTinyModel, playerFrame, type TinyModel } from '../tiny-model';

let tiny: TinyModel;
let cast: string[];
beforeAll(async () => {
  tiny = await importTinyModel();
  cast = await castOf(tiny);
});
afterAll(() => tiny.remove());

const at = (name: string): string => path.join(tiny.models, '..', name);

function talk(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [distFile('npc-voice.js'), 'talk', '--persona', 'tiny', ...cast, ...args],
      {
        env: { ...process.env, NO_COLOR: '1', NPC_VOICE_MODELS: tiny.models },
      },
    );
    const [out, err]: [string[], string[]] = [[], []];
    child.stdout.on('data', (data: Buffer) => out.push(data.toString()));
    child.stderr.on('data', (data: Buffer) => err.push(data.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out: out.join(''), err: err.join('') }));
  });
}

describe('npc-voice talk --model', () => {
  it('gives a WAV of the input’s length, byte-equal on a second run', async () => {
    const frames = 12;
    const spoken = new Float32Array(frames * 1920);
    for (let n = 0; n < frames; n++) spoken.set(playerFrame(n), n * 1920);
    await writeFile(at('player.wav'), writeWav(spoken, SAMPLE_RATE));
    const once = async (model: string, file: string): Promise<Buffer> => {
      const ended = await talk(
        '--model',
        model,
        '--input',
        at('player.wav'),
        '--tail',
        '0',
        '--output',
        at(file),
      );
      expect(ended).toMatchObject({ code: 0, err: '' });
      return readFile(at(file));
    };
    const first = await once(tiny.folder, 'first.wav');
    const voice = readWav(first);
    expect(voice.rate).toBe(SAMPLE_RATE);
    expect(voice.mono()).toHaveLength(spoken.length);
    expect(rms(voice.mono())).toBeGreaterThan(0);
    // By its name in the store, too.
    expect((await once('tiny', 'second.wav')).equals(first)).toBe(true);
  });

  it('says what to do when the model is not installed', async () => {
    expect(await talk('--model', 'personaplex')).toMatchObject({
      code: 1,
      err:
        'error The model personaplex is not installed on this machine. (model_unavailable)\n' +
        '      Run `npc-voice model install personaplex`.\n',
    });
  });
});
