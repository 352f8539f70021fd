/** The second client: Python's standard library and PROTOCOL.md are enough. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readWav, rms, writeWav } from '../../sidecar/audio';
import { packageRoot, version } from '../../sidecar/paths';
import { writeRuntimeFile } from '../../sidecar/server';
import { startRealServer, TestClient } from '../server/support';

const folder = path.join(packageRoot, 'test', 'clients', 'python');
const execute = promisify(execFile);
/** Runs a script of the client; its bytecode is not left in the tree. */
const run = (script: string, args: string[], env: NodeJS.ProcessEnv = {}) =>
  execute(python!, [path.join(folder, script), ...args], {
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...env },
  });

function findPython(): string | undefined {
  for (const name of ['python3', 'python'])
    try {
      const [, minor] =
        /^Python 3\.(\d+)/.exec(execFileSync(name, ['--version'], { encoding: 'utf8' })) ?? [];
      if (Number(minor) >= 8) return name;
    } catch {
      // not this one
    }
  console.log('skipped: the Python client needs Python 3.8 or later, and python3 is not there');
  return undefined;
}
const python = findPython();

describe.skipIf(!python)('the Python client', () => {
  it('runs the golden vectors', async () => {
    const { stdout } = await run('run_vectors.py', [path.join(packageRoot, 'test/fixtures/wire')]);
    expect(stdout).toMatch(/^\d{3} checks passed\n$/);
  });

  describe('with a sidecar', () => {
    let server: Awaited<ReturnType<typeof startRealServer>>;
    let root: string;
    beforeAll(async () => {
      root = await mkdtemp(path.join(os.tmpdir(), 'npc-voice-test-'));
      server = await startRealServer();
      const { port, url, token } = server;
      await writeRuntimeFile(
        { port, url, token, pid: process.pid, version, protocol: 1, startedAt: '', personas: '' },
        path.join(root, 'runtime'),
      );
    });
    afterAll(async () => {
      await server.end();
      await rm(root, { recursive: true, force: true });
    });

    /** Real speech for the player: what another NPC says. */
    async function recordSpeech(): Promise<Float32Array> {
      const client = await TestClient.identified(server);
      await client.ask({ t: 'attach', npc: 'marta', greet: false, seed: 3 });
      await client.ask({
        t: 'say',
        npc: 'marta',
        text: 'Can you mend my sword?',
      });
      const { n: from } = await client.take('turn', (m) => m.ev === 'npc_started');
      const { n: to } = await client.take('turn', (m) => m.ev === 'npc_stopped');
      const frames = client.inbox.filter((m) => m.t === 'frame').filter((m) => m.n >= from && m.n < to);
      await client.end();
      const speech = new Float32Array(frames.length * 1920);
      frames.forEach(({ pcm }, i) => {
        for (let at = 0; at + 1 < pcm.byteLength; at += 2)
          speech[i * 1920 + at / 2] = Buffer.from(pcm.buffer, pcm.byteOffset).readInt16LE(at) / 32768;
      });
      return speech;
    }

    it('finds it, speaks to an NPC, is heard, is answered, and gets the transcript', async () => {
      const [player, npc] = [path.join(root, 'player.wav'), path.join(root, 'npc.wav')];
      const speech = await recordSpeech();
      await writeFile(player, writeWav(speech, 24000));
      const { stdout } = await run('converse.py', [player, npc, '--npc', 'aldric'], {
        NPC_VOICE_RUNTIME_DIR: path.join(root, 'runtime'),
      });
      const told = JSON.parse(stdout) as Record<string, unknown> & {
        events: string[];
        transcript: { who: string; heard: string }[];
      };
      expect(told).toMatchObject({
        server: `npc-voice/${version}`,
        model: 'understudy',
        gaps: 0,
        errors: [],
      });
      expect(told.packets).toBeGreaterThan(speech.length / 480);
      expect(told.spoken_frames).toBeGreaterThan(10);
      expect(told.events).toEqual(
        expect.arrayContaining(['player_started', 'player_stopped', 'npc_started', 'transcript']),
      );
      expect(told.events.indexOf('npc_started', told.events.indexOf('player_stopped'))).toBeGreaterThan(0);
      expect(told.transcript.map(({ who }) => who)).toEqual(expect.arrayContaining(['player', 'aldric']));
      // What it recorded is sound, as long as what came.
      const wav = readWav(await readFile(npc));
      expect((await stat(npc)).size).toBe(44 + (told.frames as number) * 3840);
      expect(rms(wav.channels[0]!)).toBeGreaterThan(0.005);
    });
  });
});
