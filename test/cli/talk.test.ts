/** The real command, from dist/. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SAMPLE_RATE, readWav, rms, writeWav } from '../../sidecar/audio';
import { distFile, packageRoot } from '../../sidecar/paths';
import type { TranscriptLine } from '../../sidecar/wire/messages';

const program = distFile('npc-voice.js');
const recording = path.join(packageRoot, '..', 'shared', 'audio', 'input_assistant.wav');

let dir = '';
const at = (name: string) => path.join(dir, name);

interface Ended {
  code: number | null;
  out: string;
  err: string;
}
function run(...args: string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { env: { ...process.env, NO_COLOR: '1' } });
    const ended: Ended = { code: null, out: '', err: '' };
    child.stdout.on('data', (data: Buffer) => (ended.out += data.toString()));
    child.stderr.on('data', (data: Buffer) => (ended.err += data.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...ended, code }));
  });
}

/** Two seconds of quiet: the NPC greets into it. */
async function quiet(name: string, rate: number): Promise<string> {
  await writeFile(at(name), writeWav(new Float32Array(2 * rate), rate));
  return at(name);
}

const readTranscript = async (name: string): Promise<TranscriptLine[]> =>
  (JSON.parse(await readFile(at(name), 'utf8')) as { lines: TranscriptLine[] }).lines;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'npc-voice-talk-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('npc-voice talk', () => {
  it.each(['output', 'transcript', 'turns'])('does not take --%s - for a file', async (option) => {
    const { code, out, err } = await run('talk', '--persona', 'marta', '--seconds', '1', `--${option}`, '-');
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain(`--${option} takes a file: talk writes nothing but its words to standard output.`);
  });

  it('greets when nobody speaks, and writes down what it said', async () => {
    const { code, out, err } = await run(
      ...[
        'talk',
        '--persona',
        'marta',
        '--seconds',
        '6',
        '--output',
        at('g.wav'),
        '--transcript',
        at('g.json'),
      ],
    );
    expect(err).toBe('');
    expect(code).toBe(0);
    const wav = readWav(await readFile(at('g.wav')));
    expect(wav.rate).toBe(24_000);
    expect(wav.mono().length).toBe(6 * SAMPLE_RATE);
    expect(rms(wav.mono())).toBeGreaterThan(0.005);
    const [line] = await readTranscript('g.json');
    expect(line).toMatchObject({ who: 'marta', heard: line!.text, cut: false });
    expect(out).toContain(line!.heard);
  });

  it('gives the same bytes for the same seed, and other words for another', async () => {
    const input = await quiet('in.wav', 16_000);
    const once = async (seed: string, name: string) => {
      const { code, err } = await run(
        ...['talk', '--persona', 'aldric', '--seed', seed, '--input', input, '--tail', '2'],
        ...[
          '--output',
          at(`${name}.wav`),
          '--transcript',
          at(`${name}.json`),
          '--turns',
          at(`${name}.turns.json`),
        ],
      );
      expect(err).toBe('');
      expect(code).toBe(0);
    };
    await once('7', 'a');
    await once('7', 'b');
    for (const end of ['.wav', '.json', '.turns.json'])
      expect((await readFile(at(`a${end}`))).equals(await readFile(at(`b${end}`))), end).toBe(true);
    const greetings = new Set<string>();
    for (const seed of ['1', '2', '3']) {
      await once(seed, `s${seed}`);
      greetings.add((await readTranscript(`s${seed}.json`))[0]!.text);
    }
    expect(greetings.size).toBeGreaterThan(1);
  });

  it.runIf(existsSync(recording))(
    'hears recorded speech, answers it, and puts both in one file',
    async () => {
      const { code } = await run(
        ...['talk', '--persona', 'aldric', '--no-greet', '--input', recording, '--stereo'],
        ...['--output', at('both.wav'), '--transcript', at('both.json'), '--turns', at('both.turns.json')],
      );
      expect(code).toBe(0);
      const both = readWav(await readFile(at('both.wav')));
      const input = readWav(await readFile(recording));
      expect(both.channels.length).toBe(2);
      // Aligned to the sample: the right channel is the input, to the precision of 16 bits.
      const right = both.channels[1]!;
      const spoken = input.mono();
      for (let i = 0; i < spoken.length; i += 97)
        expect(Math.abs(right[i]! - spoken[i]!)).toBeLessThan(1 / 32_000);
      const lines = await readTranscript('both.json');
      const player = lines.find((line) => line.who === 'player')!;
      const reply = lines.find((line) => line.who === 'aldric')!;
      expect(reply.n).toBeGreaterThan(player.n + player.ms / 80 - 1);
      // The reply is in the left channel from its frame on, and not before.
      const left = both.channels[0]!;
      expect(rms(left.subarray(0, reply.n * 1920))).toBe(0);
      expect(rms(left.subarray(reply.n * 1920, (reply.n + 12) * 1920))).toBeGreaterThan(0.01);
    },
  );
  it.skipIf(existsSync(recording))('skipped: recorded speech, because ../shared/audio is not here', () => {});

  describe('says what is wrong', () => {
    it.each<[string, string[], RegExp]>([
      [
        'a missing file',
        ['--persona', 'aldric', '--input', 'nowhere.wav'],
        /There is no such file: nowhere\.wav/,
      ],
      [
        'not a WAV',
        ['--persona', 'aldric', '--input', path.join(packageRoot, 'package.json')],
        /not a WAV file/,
      ],
      ['an unknown persona', ['--persona', 'aldrik'], /There is no persona 'aldrik'.*\n.*aldric/],
      [
        'a missing folder',
        ['--persona', 'aldric', '--output', '/no/such/folder/a.wav'],
        /There is no folder/,
      ],
      ['a bad number', ['--persona', 'aldric', '--tail', 'soon'], /number of seconds/],
      ['no persona', [], /--persona/],
    ])('%s', async (_, args, says) => {
      const { code, err } = await run('talk', ...args);
      expect(code).toBe(1);
      expect(err).toMatch(says);
      expect(err).not.toContain('    at ');
    });
  });
});
