/** Conversations with the real thing: real scenes and the understudy behind a real port. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shippedPersonas, shippedVoices } from '../../sidecar/paths';
import type { NpcFrame, TranscriptLine } from '../../sidecar/wire';
import { httpRequest, startRealServer, TestClient } from './support';

let server: Awaited<ReturnType<typeof startRealServer>>;
let root: string;
let personas: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'npc-voice-test-'));
  personas = path.join(root, 'npc-personas');
  await cp(shippedPersonas, personas, { recursive: true });
  await cp(shippedVoices, path.join(root, 'voices'), { recursive: true });
  server = await startRealServer({ personas, voices: path.join(root, 'voices') });
});
afterAll(async () => {
  await server.end();
  await rm(root, { recursive: true, force: true });
});

const isSpoken = (frame: NpcFrame): boolean => frame.pcm.byteLength > 0;

describe('an NPC', () => {
  it('greets: frames without gaps, with sound, words and a moving mouth, between npc_started and npc_stopped', async () => {
    const client = await TestClient.identified(server);
    expect(await client.ask({ t: 'attach', npc: 'smith', persona: 'aldric', seed: 1 })).toMatchObject({
      t: 'ok', npc: 'smith', persona: 'aldric', name: 'Aldric', held: false, muted: false,
    }); // prettier-ignore
    const started = await client.take('turn', (m) => m.ev === 'npc_started');
    const stopped = await client.take('turn', (m) => m.ev === 'npc_stopped');
    const frames = client.inbox.filter((m) => m.t === 'frame');
    expect(frames.map((f) => f.n)).toEqual(frames.map((_, i) => i));
    const line = frames.filter((f) => f.n >= started.n && f.n < stopped.n);
    expect(line.filter(isSpoken).length).toBeGreaterThan(5);
    expect(line.every((f) => [0, 3840].includes(f.pcm.byteLength))).toBe(true);
    expect(line.map((f) => f.text ?? '').join('')).toMatch(/^ ?\w+.*[.!?]$/);
    const mouths = line.flatMap((f) => (f.mouth ? [Buffer.from(f.mouth).toString('hex')] : []));
    expect(new Set(mouths).size).toBeGreaterThan(3);
    expect(mouths.every((mouth) => mouth.length === 120)).toBe(true);
    await client.end();
  });

  it('falls silent when interrupted, says what to flush, and remembers what was heard of it', async () => {
    const client = await TestClient.identified(server);
    await client.ask({ t: 'attach', npc: 'aldric', greet: false });
    const text = 'The north road is closed, the bridge is down, and nobody has seen the ferryman for a week.';
    await client.ask({ t: 'say', npc: 'aldric', text });
    const first = await client.take('frame', isSpoken);
    for (let i = 0; i < 8; i++) {
      const { n } = i === 0 ? first : await client.take('frame');
      client.send({ t: 'played', npc: 'aldric', n });
    }
    await client.ask({ t: 'interrupt', npc: 'aldric' });
    const flush = await client.take('flush');
    expect(flush.fade).toBeGreaterThan(0);
    await client.take('turn', (m) => m.ev === 'npc_interrupted');
    const { line } = await client.take('transcript');
    expect(line).toMatchObject({ who: 'aldric', cut: true, text: expect.stringContaining('The north road') });
    expect(line.heard.endsWith('—')).toBe(true);
    expect(line.heard.length).toBeLessThan(text.length / 2);
    const answer = await client.ask({ t: 'get_transcript', npc: 'aldric' });
    const [of] = answer.npcs as { npc: string; lines: TranscriptLine[] }[];
    expect(of!.lines.at(-1)!.heard).toBe(line.heard);
    await client.end();
  });

  it('is silent while held, whatever it was asked to say', async () => {
    const client = await TestClient.identified(server);
    await client.ask({ t: 'hold', why: 'cutscene' });
    expect(await client.ask({ t: 'attach', npc: 'marta' })).toMatchObject({ held: true });
    for (let i = 0; i < 6; i++)
      expect(await client.take('frame')).toMatchObject({ n: i, turn: 'held', level: 0 });
    await client.ask({ t: 'release', why: 'cutscene' });
    expect(await client.take('held')).toMatchObject({ npc: 'marta', on: false, why: 'cutscene' });
    await client.take('frame', isSpoken);
    await client.end();
  });

  it('hears an Opus microphone and answers in Opus', async () => {
    const client = await TestClient.identified(server, { codec: 'opus' });
    await client.ask({ t: 'attach', npc: 'pip', greet: false });
    expect((await client.ask({ t: 'open_mic', mic: 'player', codec: 'opus', rate: 48000 })).t).toBe('ok');
    // An Opus packet of 20 ms of silence.
    for (let n = 0; n < 12; n++)
      client.send({ t: 'mic', mic: 'player', n, pcm: Uint8Array.of(0xf8, 0xff, 0xfe) });
    await client.ask({ t: 'say', npc: 'pip', text: 'Hello there.' });
    const spoken = await client.take('frame', (f) => f.level > 0.01);
    expect(spoken.pcm.byteLength).toBeLessThan(1000);
    const { mics } = (await client.ask({ t: 'get_stats' })) as unknown as { mics: object[] };
    expect(mics).toMatchObject([{ mic: 'player', packets: 12, malformed: 0, lost: 0 }]);
    await client.end();
  });

  it('changes when its file is saved, and every client is told how', async () => {
    const [game, studio] = [await TestClient.identified(server), await TestClient.identified(server)];
    await game.ask({ t: 'attach', npc: 'smith', persona: 'aldric', greet: false });
    const file = path.join(personas, 'aldric.yaml');
    const yaml = await readFile(file, 'utf8');
    await writeFile(file, yaml.replace(/^name: .*$/m, 'name: Old Aldric'));
    expect(await game.take('persona_changed')).toMatchObject({
      persona: 'aldric',
      changed: ['name'],
      npcs: ['smith'],
    });
    expect(await studio.take('persona_changed')).toMatchObject({
      persona: 'aldric',
      changed: ['name'],
      npcs: [],
    });
    await writeFile(file, yaml);
    await game.take('persona_changed');
    await studio.take('persona_changed');
    await Promise.all([game.settled(), studio.settled()]);
    for (const each of [game, studio])
      expect(each.inbox.filter((m) => m.t === 'persona_changed')).toEqual([]);
    await Promise.all([game.end(), studio.end()]);
  });

  it('that changes is told of once: by the sidecar to those it did not reach, of its scene to who watches it', async () => {
    const [game, other] = [await TestClient.identified(server), await TestClient.identified(server)];
    const studio = await TestClient.identified(server);
    await game.ask({ t: 'attach', npc: 'smith', persona: 'aldric', greet: false });
    await other.ask({ t: 'attach', npc: 'marta', greet: false });
    await studio.ask({ t: 'watch', on: true });
    const file = path.join(personas, 'aldric.yaml');
    const yaml = await readFile(file, 'utf8');
    await writeFile(file, yaml.replace(/^name: .*$/m, 'name: Young Aldric'));
    await game.take('persona_changed', (m) => m.npcs.length === 1);
    await other.take('persona_changed', (m) => m.npcs.length === 0);
    await studio.take('persona_changed', (m) => m.of === undefined && m.npcs.length === 0);
    await studio.take('persona_changed', (m) => m.of !== undefined && m.npcs[0] === 'smith');
    const force = '(in force at once|in force at the next quiet frame|primed anew)';
    expect(server.log.filter((line) => line.includes('info  aldric: ')).at(-1)).toMatch(
      new RegExp(`aldric: name changed, ${force}, \\d+ ms\n$`),
    );
    for (const each of [game, other, studio]) {
      await each.settled();
      expect(each.inbox.filter((m) => m.t === 'persona_changed')).toEqual([]);
    }
    await writeFile(file, yaml);
    await game.take('persona_changed');
    await Promise.all([game.end(), other.end(), studio.end()]);
  });

  it('cannot be attached twice, nor what does not exist, nor more of than there may be', async () => {
    const client = await TestClient.identified(server);
    await client.ask({ t: 'attach', npc: 'a', persona: 'aldric', greet: false });
    expect((await client.refusal({ t: 'attach', npc: 'a', persona: 'marta' })).code).toBe('npc_exists');
    expect((await client.refusal({ t: 'attach', npc: 'b', persona: 'nobody' })).code).toBe('unknown_persona');
    expect((await client.refusal({ t: 'configure', npc: 'a', voice: 'nobody' })).code).toBe('unknown_voice');
    expect((await client.refusal({ t: 'set_hearing', npc: 'a', from: 'npc:b', gain: 1 })).code).toBe(
      'unknown_npc',
    );
    expect((await client.refusal({ t: 'set_hearing', npc: 'a', from: 'mic:x', gain: 1 })).code).toBe(
      'unknown_mic',
    );
    for (let i = 0; i < 8; i++)
      expect((await client.ask({ t: 'open_mic', mic: `m${i}`, codec: 's16', rate: 16000 })).t).toBe('ok');
    const ninth = { t: 'open_mic', codec: 's16', rate: 16000 };
    expect((await client.refusal({ ...ninth, mic: 'm0' })).code).toBe('mic_exists');
    expect((await client.refusal({ ...ninth, mic: 'm8' })).code).toBe('too_many');
    await client.ask({ t: 'close_mic', mic: 'm0' });
    expect((await client.ask({ ...ninth, mic: 'm8' })).t).toBe('ok');
    await client.end();
  });

  it('leaves a clean house: after every client has gone nothing is live', async () => {
    const { body } = await httpRequest(server, { path: '/metrics' });
    for (const gauge of ['connections', 'npcs', 'mics'])
      expect(body).toMatch(new RegExp(`^npc_voice_${gauge} 0$`, 'm'));
    expect(Number(/^npc_voice_ticks_total (\d+)$/m.exec(body)![1])).toBeGreaterThan(10);
    expect(server.log.filter((line) => line.includes(' error '))).toEqual([]);
  });
});
