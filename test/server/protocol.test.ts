/** The conversation between client and sidecar, on real sockets, with a scene that only records. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from 'vitest';
import { NpcVoiceError } from '../../sidecar/errors';
import { version } from '../../sidecar/paths';
import { SharedModel } from '../../sidecar/scene';
import { encodeMessage, type Results } from '../../sidecar/wire';
import { idleModel, startTestServer, TestClient, type SceneFake, type TestServer } from './support';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ limits: { requestsPerSecond: 100_000, requestBurst: 100_000 } });
});
afterAll(() => server.end());

let client: TestClient;
let scene: SceneFake;
beforeEach(async () => {
  client = await TestClient.identified(server);
  scene = server.scenes.at(-1)!;
});
afterEach(() => client.end());

const frame = {
  npc: 'aldric',
  n: 7,
  pcm: null,
  turn: 'idle',
  level: 0,
  text: '',
  mouth: null,
  cues: [],
} as const;

describe('hello and identify', () => {
  it('says what it is, first of all', async () => {
    const other = await TestClient.open(server);
    expect(await other.take('hello')).toEqual({
      t: 'hello',
      v: 1,
      server: `npc-voice/${version}`,
      tick: 80,
      auth: false,
    });
    await other.end();
  });

  it('answers identify with model, capacity, personas and voices', async () => {
    const other = await TestClient.open(server);
    expect(await other.ask({ t: 'identify', v: 1, client: 'unity/0.1.0 Game' })).toEqual({
      t: 'identified',
      id: 1,
      v: 1,
      session: expect.stringMatching(/^scene-[0-9a-f]{12}$/),
      model: { id: 'idle', name: 'Idle', scripted: true, about: 'It does nothing.' },
      capacity: { npcs: 8, why: 'tests' },
      personas: [{ id: 'aldric', name: 'Aldric', voice: 'gruff', language: 'en' }],
      voices: [{ id: 'gruff', name: 'Gruff' }],
    });
    await other.end();
  });

  it('tells the capacity that was measured when the model started', async () => {
    let npcs = 128;
    const model = idleModel(async () => {
      await Promise.resolve();
      npcs = 3;
    });
    const capacity = (): { npcs: number; why: string } => ({
      npcs,
      why: npcs === 3 ? 'Measured.' : 'Not yet.',
    });
    Object.defineProperty(model, 'info', { get: () => ({ ...idleModel().info, capacity: capacity() }) });
    const measuring = await startTestServer({ model: new SharedModel(model) });
    await measuring.ready;
    const other = await TestClient.open(measuring);
    expect(await other.ask({ t: 'identify', v: 1, client: 'test' })).toMatchObject({
      capacity: { npcs: 3, why: 'Measured.' },
    });
    await other.end();
    await measuring.end();
  });

  it('refuses everything else before it, and identify after it', async () => {
    const other = await TestClient.open(server);
    expect((await other.refusal({ t: 'attach', npc: 'aldric' })).code).toBe('not_identified');
    other.send({ t: 'mic', mic: 'player', n: 0, pcm: new Uint8Array(2) });
    expect(await other.take('error')).toMatchObject({
      code: 'not_identified',
      hint: 'Answer hello with identify.',
    });
    await other.end();
    expect((await client.refusal({ t: 'identify', v: 1, client: 'test' })).code).toBe('already_identified');
  });

  it('refuses a version it does not speak: error version, then close 4002', async () => {
    const other = await TestClient.open(server);
    expect(await other.refusal({ t: 'identify', v: 2, client: 'test' })).toMatchObject({
      code: 'version',
      msg: 'This sidecar speaks version 1, the client 2.',
    });
    expect((await other.closed).code).toBe(4002);
  });
});

describe('each request', () => {
  it('does one thing in the scene, with its defaults filled in', async () => {
    const requests: [object, unknown[]][] = [
      [{ t: 'attach', npc: 'a', persona: 'aldric', greet: false, seed: 7 }, ['attach', 'a', { persona: 'aldric', greet: false, seed: 7 }]],
      [{ t: 'attach', npc: 'aldric' }, ['attach', 'aldric', {}]],
      [{ t: 'configure', npc: 'a', voice: 'gruff', patience_ms: 300, overlap: 'hold', backchannel: 2, gain: 0.5 },
        ['configure', 'a', { voice: 'gruff', patienceMs: 300, overlap: 'hold', backchannelsPerMinute: 2, gain: 0.5 }]],
      [{ t: 'open_mic', mic: 'p', codec: 's16', rate: 16000 }, ['openMic', 'p', { codec: 's16', rate: 16000, channels: 1 }, {}]],
      [{ t: 'open_mic', mic: 'q', codec: 'f32', rate: 48000, ch: 2, primary: true },
        ['openMic', 'q', { codec: 'f32', rate: 48000, channels: 2 }, { primary: true }]],
      [{ t: 'say', npc: 'a', text: 'Well met.' }, ['say', 'a', 'Well met.', 'queue']],
      [{ t: 'say', npc: 'a', text: 'Now!', when: 'now' }, ['say', 'a', 'Now!', 'now']],
      [{ t: 'hold', why: 'menu' }, ['hold', undefined, 'menu', 'finish_word']],
      [{ t: 'hold', npc: 'a', why: 'cutscene', manner: 'cut' }, ['hold', 'a', 'cutscene', 'cut']],
      [{ t: 'release', npc: 'a', why: 'cutscene' }, ['release', 'a', 'cutscene']],
      [{ t: 'interrupt', npc: 'a' }, ['interrupt', 'a']],
      [{ t: 'mute', mic: 'p', on: true }, ['muteMic', 'p', true]],
      [{ t: 'mute', npc: 'a', on: false }, ['muteNpc', 'a', false]],
      [{ t: 'set_state', vars: { gold: 3, name: 'Ann', angry: true } }, ['setState', { gold: 3, name: 'Ann', angry: true }, undefined]],
      [{ t: 'set_hearing', npc: 'a', from: 'mic:p', gain: 0.25 }, ['setHearing', 'a', 'mic:p', 0.25, 0]],
      [{ t: 'set_hearing', npc: 'a', from: 'npc:aldric', gain: 1, muffle: 0.5 }, ['setHearing', 'a', 'npc:aldric', 1, 0.5]],
      [{ t: 'detach', npc: 'a', farewell: true }, ['detach', 'a', { farewell: true }]],
    ]; // prettier-ignore
    for (const [request, call] of requests) {
      const answer = await client.ask(request as { t: string });
      expect(answer.t, JSON.stringify(request)).toBe('ok');
      expect(scene.calls.at(-1)).toEqual(call);
    }
  });

  it('is answered with its results', async () => {
    expect(await client.ask({ t: 'attach', npc: 'aldric' })).toMatchObject({
      npc: 'aldric', persona: 'aldric', name: 'aldric', held: false, muted: false, prime_ms: 3,
    } satisfies Results['attach']); // prettier-ignore
    expect(await client.ask({ t: 'configure', npc: 'aldric', gain: 2 })).toMatchObject({
      speed: 'instant',
      cost: 0.5,
    });
    const set = { t: 'set_state', vars: { gold: 3 } };
    expect(await client.ask({ ...set, npc: 'aldric' })).toMatchObject({ t: 'ok', unused: ['gold'] });
    expect(await client.ask(set)).toEqual({ t: 'ok', id: expect.any(Number) });
    const transcript = await client.ask({ t: 'get_transcript' });
    expect(transcript.npcs).toEqual([
      { npc: 'aldric', lines: [{ who: 'player', n: 0, text: '', heard: '', cut: false, ms: 640 }] },
    ]);
    expect(await client.ask({ t: 'get_stats' })).toMatchObject({
      t: 'ok',
      ticks: 0,
      npcs: 1,
      dropped_frames: 0,
      mics: [],
    });
    expect(await client.ask({ t: 'ping' })).toEqual({ t: 'ok', id: expect.any(Number) });
  });

  it('that fails is answered with code, sentence, hint and id, and the connection goes on', async () => {
    expect(await client.ask({ t: 'say', npc: 'nobody', text: 'hi' })).toEqual({
      t: 'error', id: 2, code: 'unknown_npc', msg: 'there is no NPC nobody',
    }); // prettier-ignore
    expect(await client.ask({ t: 'open_mic', mic: 'p', codec: 's16', rate: 96000 })).toMatchObject({
      code: 'bad_field',
      msg: 'open_mic.rate must be 8000..48000, got 96000',
    });
    expect(await client.ask({ t: 'attatch', npc: 'a' })).toMatchObject({ code: 'unknown_type' });
    expect(await client.ask({ t: 'hold', why: 'menu', npcs: 'a' })).toMatchObject({
      msg: 'hold has no field "npcs"',
      hint: 'It has id, npc, why, manner.',
    });
    expect((await client.ask({ t: 'ping' })).t).toBe('ok');
  });

  it('gets exactly one response with its id, whatever the mix, whatever the order', async () => {
    const npc = fc.constantFrom('a', 'b', 'c', '../x');
    const request = fc.oneof(
      fc.record({ t: fc.constant('attach'), npc }),
      fc.record({ t: fc.constant('detach'), npc }),
      fc.record({ t: fc.constantFrom('interrupt', 'nonsense'), npc }),
      fc.record({ t: fc.constant('say'), npc, text: fc.constantFrom('hello', '', 'x'.repeat(3000)) }),
      fc.record({ t: fc.constant('mute'), npc, on: fc.constantFrom<unknown>(true, 'yes', null) }),
      fc.record({ t: fc.constant('read_persona'), persona: fc.constantFrom('aldric', 'nobody', '..') }),
      fc.record({ t: fc.constant('ping') }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(request, fc.boolean()), { minLength: 1, maxLength: 40 }),
        async (mix) => {
          let open: () => void = () => undefined;
          scene.gate = new Promise((resolve) => (open = resolve));
          const base = 1_000_000;
          mix.forEach(([asked, stream], i) => {
            client.send({ ...asked, id: base + i });
            if (stream) client.send({ t: 'played', npc: 'a', n: i });
          });
          open();
          for (let waited = 0; waited < 500; waited++) {
            if (client.inbox.filter((m) => 'id' in m && (m.id as number) >= base).length >= mix.length) break;
            await new Promise((resolve) => setTimeout(resolve, 2));
          }
          await client.settled();
          const answered = client.inbox.filter((m) => 'id' in m && (m.id as number) >= base);
          expect(answered.map((m) => (m as { id: number }).id).sort((a, b) => a - b)).toEqual(
            mix.map((_, i) => base + i),
          );
          expect(answered.every((m) => m.t === 'ok' || m.t === 'error')).toBe(true);
          client.inbox.length = 0;
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe('streams', () => {
  it('pass microphone bytes through untouched, however they lie in memory', async () => {
    await client.ask({ t: 'open_mic', mic: 'player', codec: 's16', rate: 16000 });
    const pcm = Uint8Array.from({ length: 641 }, (_, i) => (i * 7) & 0xff).subarray(1);
    client.send({ t: 'mic', mic: 'player', n: 0xffff_ffff, pcm });
    client.send({ t: 'mic', mic: 'player', n: 0, pcm: new Uint8Array(0) });
    await client.settled();
    expect(scene.calls.slice(-2)).toEqual([
      ['micPacket', 'player', 0xffff_ffff, Uint8Array.from(pcm)],
      ['micPacket', 'player', 0, new Uint8Array(0)],
    ]);
  });

  it('of an unknown microphone are refused once, not once a packet', async () => {
    for (let n = 0; n < 5; n++) client.send({ t: 'mic', mic: 'nobody', n, pcm: new Uint8Array(2) });
    await client.settled();
    const errors = client.inbox.filter((m) => m.t === 'error');
    expect(errors).toEqual([
      { t: 'error', code: 'unknown_mic', msg: 'There is no microphone "nobody".', hint: expect.any(String) },
    ]);
    expect(scene.calls).toEqual([]);
    expect(await client.ask({ t: 'get_stats' })).toMatchObject({ stray: 5 });
  });

  it('carry played-acks; without s the whole frame was heard', async () => {
    client.send({ t: 'played', npc: 'aldric', n: 12 });
    client.send({ t: 'played', npc: 'aldric', n: 13, s: 480 });
    client.send({ t: 'played', npc: 'aldric', n: 14, s: 1921 });
    await client.settled();
    expect(scene.calls).toEqual([['played', 'aldric', 12, 1920], ['played', 'aldric', 13, 480]]); // prettier-ignore
    expect(await client.take('error')).toMatchObject({ msg: 'played.s must be 0..1920, got 1921' });
  });
});

describe('what a scene tells', () => {
  it('becomes one frame message an NPC and tick: sound as asked, absent where there is nothing to say', async () => {
    const pcm = new Float32Array(1920).fill(0.5);
    const mouth = Uint8Array.from({ length: 60 }, (_, i) => i);
    scene.sink.frame({
      ...frame,
      n: 8,
      pcm,
      turn: 'speaking',
      level: 0.123456,
      text: ' Well met',
      mouth,
      cues: ['greeting'],
    });
    const spoken = await client.take('frame');
    expect(spoken).toMatchObject({
      t: 'frame', npc: 'aldric', n: 8, turn: 'speaking', level: 0.1235, text: ' Well met', cues: ['greeting'],
    }); // prettier-ignore
    expect(Array.from(spoken.mouth!)).toEqual(Array.from(mouth));
    expect(spoken.pcm.byteLength).toBe(3840);
    expect(new DataView(spoken.pcm.buffer, spoken.pcm.byteOffset).getInt16(100, true)).toBe(16384);
    scene.sink.frame(frame);
    const silent = await client.take('frame');
    expect({ ...silent, pcm: silent.pcm.byteLength }).toEqual({
      t: 'frame', npc: 'aldric', n: 7, pcm: 0, turn: 'idle', level: 0,
    }); // prettier-ignore
  });

  it('is encoded as the client asked: f32, 48 kHz, stereo is eight times the bytes', async () => {
    const other = await TestClient.identified(server, { codec: 'f32', rate: 48000, ch: 2 });
    server.scenes.at(-1)!.sink.frame({ ...frame, pcm: new Float32Array(1920).fill(0.25), turn: 'speaking' });
    expect((await other.take('frame')).pcm.byteLength).toBe(3840 * 2 * 2 * 2);
    await other.end();
  });

  it('can be Opus: every spoken frame is one packet of 80 ms', async () => {
    const other = await TestClient.identified(server, { codec: 'opus' });
    const { sink } = server.scenes.at(-1)!;
    const tone = Float32Array.from(
      { length: 1920 },
      (_, i) => 0.4 * Math.sin((2 * Math.PI * 220 * i) / 24000),
    );
    for (let n = 0; n < 3; n++) sink.frame({ ...frame, n, pcm: tone, turn: 'speaking' });
    for (let n = 0; n < 3; n++) {
      const { pcm } = await other.take('frame');
      expect(pcm.byteLength).toBeGreaterThan(20);
      expect(pcm.byteLength).toBeLessThan(1000);
    }
    await other.end();
  });

  it('is told in events', async () => {
    const { sink } = scene;
    sink.turn({ ev: 'player_stopped', npc: 'aldric', n: 9, from: 'mic:player', ms: 640 });
    sink.flush('aldric', 10, 40);
    sink.transcript('aldric', {
      who: 'aldric',
      n: 3,
      text: 'Well met.',
      heard: 'Well m—',
      cut: true,
      ms: 400,
    });
    sink.held('aldric', true, 'menu');
    sink.micLevel('player', 0.25, true);
    sink.failed(
      new NpcVoiceError('model_unavailable', 'The host is down.', { hint: 'It is being restarted.' }),
    );
    expect(await client.take('turn')).toEqual({
      t: 'turn',
      ev: 'player_stopped',
      npc: 'aldric',
      n: 9,
      from: 'mic:player',
      ms: 640,
    });
    expect(await client.take('flush')).toEqual({ t: 'flush', npc: 'aldric', n: 10, fade: 40 });
    expect((await client.take('transcript')).line.heard).toBe('Well m—');
    expect(await client.take('held')).toEqual({ t: 'held', npc: 'aldric', on: true, why: 'menu' });
    expect(await client.take('mic_level')).toEqual({
      t: 'mic_level',
      mic: 'player',
      level: 0.25,
      voiced: true,
    });
    expect(await client.take('error')).toEqual({
      t: 'error',
      code: 'model_unavailable',
      msg: 'The host is down.',
      hint: 'It is being restarted.',
    });
  });

  it('is summed up once a second', async () => {
    scene.micStats.player = {
      packets: 50, lost: 2, late: 1, malformed: 3, droppedFrames: 4, missingFrames: 5, driftPpm: 12.3456, bufferedMs: 80,
    }; // prettier-ignore
    const stats = await client.take('stats');
    expect(stats.mics).toEqual([
      { mic: 'player', packets: 50, lost: 2, late: 1, malformed: 3, dropped: 4, missing: 5, drift_ppm: 12.346, buffered_ms: 80 },
    ]); // prettier-ignore
  });
});

describe('malformed messages', () => {
  it('cost an error each, never the connection', async () => {
    const messages = [
      Buffer.from('00', 'hex'), Buffer.from('80', 'hex'), Buffer.from('81a17403', 'hex'), Buffer.from('81a174a470696e', 'hex'),
      encodeMessage({ t: 'ping', id: -1 }), encodeMessage({ t: 'ping', id: 1.5 }), encodeMessage({ t: 'ping', id: '1' }),
      encodeMessage({ t: 'mic', mic: 'p', n: 0, pcm: 'text' }), encodeMessage({ t: 'mic', mic: 'p', n: 0 }), encodeMessage([1, 2]),
    ]; // prettier-ignore
    for (const bytes of messages) client.sendRaw(bytes);
    await client.settled();
    const codes = client.inbox.map((m) => m.t === 'error' && m.code);
    expect(codes).toEqual([
      'bad_message', 'bad_message', 'bad_message', 'bad_message',
      'bad_field', 'bad_field', 'bad_field', 'bad_field', 'bad_field', 'bad_message',
    ]); // prettier-ignore
    client.inbox.length = 0;
  });
});

describe('watching', () => {
  it('shows the scenes there are and those to come, with everything but the sound', async () => {
    await client.ask({ t: 'attach', npc: 'aldric' });
    await client.ask({ t: 'open_mic', mic: 'player', codec: 's16', rate: 16000 });
    const studio = await TestClient.identified(server);
    await studio.ask({ t: 'watch', on: true });
    const seen = await studio.take('scene');
    expect(seen).toMatchObject({ client: 'test', there: true, mics: [{ mic: 'player', muted: false }] });
    expect(seen.npcs).toEqual([
      { npc: 'aldric', persona: 'aldric', name: 'aldric', held: false, muted: false },
    ]);

    scene.sink.frame({
      ...frame,
      pcm: new Float32Array(1920).fill(0.5),
      turn: 'speaking',
      level: 0.5,
      text: ' Hm',
    });
    expect((await client.take('frame')).pcm.byteLength).toBe(3840);
    const relayed = await studio.take('frame');
    expect({ ...relayed, pcm: relayed.pcm.byteLength }).toEqual({
      t: 'frame', of: seen.of, npc: 'aldric', n: 7, pcm: 0, turn: 'speaking', level: 0.5, text: ' Hm',
    }); // prettier-ignore
    scene.sink.flush('aldric', 9, 40);
    scene.sink.turn({ ev: 'npc_started', npc: 'aldric', n: 9 });
    scene.sink.micLevel('player', 0.1, false);
    scene.sink.transcript('aldric', { who: 'aldric', n: 3, text: 'Hm', heard: 'Hm', cut: false, ms: 80 });
    for (const type of ['flush', 'turn', 'mic_level', 'transcript', 'stats'] as const)
      expect((await studio.take(type, (m) => 'of' in m)).of).toBe(seen.of);

    const third = await TestClient.identified(server, { client: 'godot' });
    const fresh = await studio.take('scene', (m) => m.client === 'godot');
    await third.end();
    expect(await studio.take('scene', (m) => m.of === fresh.of && !m.there)).toMatchObject({
      client: 'godot',
    });
    await studio.end();
  });

  it('can pick one scene, leave one out, and stop', async () => {
    const other = await TestClient.identified(server, { client: 'other' });
    const otherScene = server.scenes.at(-1)!;
    const studio = await TestClient.identified(server, { client: 'studio' });
    await studio.ask({ t: 'watch', on: true });
    const of = (await studio.take('scene', (m) => m.client === 'other')).of;

    await studio.ask({ t: 'watch', on: false, of });
    otherScene.sink.flush('x', 1, 40);
    scene.sink.flush('y', 2, 40);
    expect((await studio.take('flush')).npc).toBe('y');

    await studio.ask({ t: 'watch', on: false });
    await studio.ask({ t: 'watch', on: true, of });
    scene.sink.flush('y', 3, 40);
    otherScene.sink.flush('x', 4, 40);
    expect((await studio.take('flush')).npc).toBe('x');

    await studio.ask({ t: 'watch', on: false });
    otherScene.sink.flush('x', 5, 40);
    await studio.settled();
    expect(studio.inbox.filter((m) => m.t === 'flush')).toEqual([]);
    expect((await studio.refusal({ t: 'watch', on: true, of: 'scene-nowhere' })).code).toBe('unknown_scene');
    await studio.end();
    await other.end();
  });
});

describe('personas', () => {
  it('are read, checked and saved', async () => {
    const read = await client.ask({ t: 'read_persona', persona: 'aldric' });
    const file = path.join(server.personas, 'aldric.yaml');
    expect(read).toMatchObject({
      persona: 'aldric',
      yaml: await readFile(file, 'utf8'),
      hash: expect.any(String),
    });
    expect((await client.refusal({ t: 'read_persona', persona: 'nobody' })).code).toBe('unknown_persona');

    const yaml = 'name: Aldric\nrole: You are Aldric.\nvoice: gruff\nlangage: en\n';
    const { problems } = (await client.ask({
      t: 'lint_persona',
      persona: 'aldric',
      yaml,
    })) as unknown as Results['lint_persona'];
    expect(problems.find((p) => p.code === 'unknown_key')).toMatchObject({
      severity: 'error', line: 4, col: 1, end_line: 4, end_col: 8, source: 'langage: en', hint: expect.stringContaining('language'),
    }); // prettier-ignore
    expect(await client.refusal({ t: 'write_persona', persona: 'aldric', yaml })).toMatchObject({
      code: 'persona_invalid', file: expect.stringContaining('aldric.yaml'), line: 4, col: 1,
    }); // prettier-ignore

    const better = `${read.yaml as string}language: en-GB\n`;
    const written = await client.ask({
      t: 'write_persona',
      persona: 'aldric',
      yaml: better,
      hash: read.hash,
    });
    expect(written).toMatchObject({ t: 'ok', hash: expect.any(String) });
    expect(await readFile(file, 'utf8')).toBe(better);
    const late = await client.refusal({
      t: 'write_persona',
      persona: 'aldric',
      yaml: better,
      hash: read.hash,
    });
    expect(late.code).toBe('conflict');
  });

  it('tell every client when they change, are refused, come and go', async () => {
    const live = await startTestServer({ watch: true });
    const [a, b] = [await TestClient.identified(live), await TestClient.identified(live)];
    const file = path.join(live.personas, 'aldric.yaml');
    await writeFile(file, 'name: Aldric\nrole: You are old Aldric.\nvoice: gruff\n');
    for (const each of [a, b])
      expect(await each.take('persona_changed')).toMatchObject({
        persona: 'aldric',
        changed: ['role'],
        npcs: [],
      });
    await writeFile(file, 'name: Aldric\nrole: You are old Aldric.\nvoice: nobody\n');
    expect(await a.take('persona_rejected')).toMatchObject({
      persona: 'aldric', code: 'unknown_voice', file, line: 3, source: 'voice: nobody',
    }); // prettier-ignore
    await writeFile(
      path.join(live.personas, 'marta.yaml'),
      'name: Marta\nrole: You are Marta.\nvoice: gruff\n',
    );
    expect(await b.take('persona_listed')).toEqual({
      t: 'persona_listed',
      persona: 'marta',
      there: true,
      name: 'Marta',
    });
    await rm(path.join(live.personas, 'marta.yaml'));
    expect(await b.take('persona_listed')).toMatchObject({ persona: 'marta', there: false });
    const told = live.log
      .filter((line) => /aldric|marta/.test(line))
      .map((line) => line.slice('00:00:00 '.length));
    expect(told).toEqual([
      expect.stringMatching(/^info  aldric: role changed, nobody is it now, \d+ ms\n$/),
      expect.stringMatching(/^warn  \S+aldric\.yaml:3:8: There is no voice 'nobody'\. \(.+\)\n$/),
      'info  marta: has come and can be attached\n',
      'info  marta: is gone; who is it already stays so\n',
    ]);
    expect(live.log.join('')).not.toMatch(/You are|voice: nobody/);
    await Promise.all([a.end(), b.end()]);
    await live.end();
  });
});

describe('a model that does not start', () => {
  it('leaves the sidecar up, says why, and refuses to attach', async () => {
    const broken = await startTestServer({
      model: idleModel(() =>
        Promise.reject(new NpcVoiceError('model_unavailable', 'No weights.', { hint: 'Install them.' })),
      ),
    });
    await expect(broken.ready).rejects.toMatchObject({ code: 'model_unavailable' });
    const other = await TestClient.identified(broken);
    expect(await other.refusal({ t: 'attach', npc: 'aldric' })).toMatchObject({
      code: 'model_unavailable', msg: 'No weights.', hint: 'Install them.',
    }); // prettier-ignore
    await other.end();
    await broken.end();
  });
});

describe('the end', () => {
  it('of a connection ends its scene', async () => {
    const other = await TestClient.identified(server);
    const its = server.scenes.at(-1)!;
    other.socket.terminate();
    while (!its.closed) await new Promise((resolve) => setTimeout(resolve, 2));
  });

  it('of the server says goodbye: 1001, every scene ended, nothing listening', async () => {
    const other = await startTestServer();
    const clients = [await TestClient.identified(other), await TestClient.open(other)];
    await other.end();
    expect((await Promise.all(clients.map((c) => c.closed))).map((c) => c.code)).toEqual([1001, 1001]);
    expect(other.scenes[0]!.closed).toBe(true);
    await expect(TestClient.open(other)).rejects.toThrow(/ECONNREFUSED/);
  });
});
