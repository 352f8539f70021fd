/** What the port answers to plain HTTP. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { version } from '../../sidecar/paths';
import { httpRequest, idleModel, startTestServer, TestClient, type TestServer } from './support';

let server: TestServer;
let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'npc-voice-test-'));
  const [studio, web] = [path.join(root, 'studio'), path.join(root, 'web')];
  await mkdir(path.join(studio, 'fonts'), { recursive: true });
  await mkdir(web);
  await writeFile(path.join(studio, 'index.html'), '<!doctype html>studio');
  await writeFile(path.join(studio, 'studio.js'), 'export {};');
  await writeFile(path.join(studio, 'fonts', 'text.woff2'), 'font');
  await writeFile(path.join(studio, 'notes.exe'), 'no');
  await writeFile(path.join(web, 'index.js'), 'export const web = true;');
  await writeFile(path.join(root, 'secret.json'), '{"secret":true}');
  await symlink(path.join(root, 'secret.json'), path.join(studio, 'leak.json'));
  server = await startTestServer({ studio, web });
});
afterAll(async () => {
  await server.end();
  await rm(root, { recursive: true, force: true });
});

describe('files', () => {
  it('are served with their types', async () => {
    for (const [path, type, body] of [
      ['/', 'text/html; charset=utf-8', '<!doctype html>studio'],
      ['/?fresh=1', 'text/html; charset=utf-8', '<!doctype html>studio'],
      ['/studio.js', 'text/javascript; charset=utf-8', 'export {};'],
      ['/fonts/text.woff2', 'font/woff2', 'font'],
      ['/web/index.js', 'text/javascript; charset=utf-8', 'export const web = true;'],
    ] as const) {
      const answer = await httpRequest(server, { path });
      expect([answer.status, answer.headers['content-type'], answer.body], path).toEqual([200, type, body]);
    }
  });

  it('are not, when they are links out of the folder, of other types, folders, or not there', async () => {
    for (const path of [
      '/leak.json',
      '/notes.exe',
      '/fonts',
      '/fonts/',
      '/missing.js',
      '/web/',
      '/web/studio.js',
      '/studio.js/',
    ]) {
      const answer = await httpRequest(server, { path });
      expect([answer.status, answer.headers['content-type']], path).toEqual([
        404,
        'text/plain; charset=utf-8',
      ]);
      expect(answer.body).toBe('There is nothing here. The studio is at /.\n');
    }
  });
});

describe('health', () => {
  it('names the process, so that a stale runtime file is told from a live one', async () => {
    const { status, body } = await httpRequest(server, { path: '/healthz' });
    expect([status, JSON.parse(body)]).toEqual([
      200, { status: 'ok', name: 'npc-voice', version, protocol: 1, pid: process.pid },
    ]); // prettier-ignore
  });

  it('is ready once the duplex model has started, and says why it is not', async () => {
    let start: () => void = () => undefined;
    const starting = await startTestServer({
      model: idleModel(() => new Promise((resolve) => (start = resolve))),
    });
    const before = await httpRequest(starting, { path: '/readyz' });
    expect([before.status, JSON.parse(before.body)]).toEqual([
      503, { status: 'not ready', why: 'The duplex model is starting.' },
    ]); // prettier-ignore
    // Who attaches meanwhile waits for it.
    const client = await TestClient.identified(starting);
    const attached = client.ask({ t: 'attach', npc: 'aldric' });
    await client.settled();
    expect(starting.scenes[0]!.calls).toEqual([]);
    start();
    await starting.ready;
    expect((await attached).t).toBe('ok');
    expect((await httpRequest(starting, { path: '/readyz' })).status).toBe(200);
    await client.end();
    await starting.end();
  });
});

it('the persona schema is served for editors', async () => {
  const { headers, body } = await httpRequest(server, { path: '/schema/persona.json' });
  expect(headers['content-type']).toBe('application/schema+json; charset=utf-8');
  expect(Object.keys((JSON.parse(body) as { properties: object }).properties)).toContain('turn_taking');
});

describe('metrics', () => {
  it('count connections, NPCs, microphones, ticks, drops by cause, reloads and refusals', async () => {
    const client = await TestClient.identified(server);
    await client.ask({ t: 'attach', npc: 'aldric' });
    await client.ask({ t: 'open_mic', mic: 'player', codec: 's16', rate: 16000 });
    const scene = server.scenes.at(-1)!;
    const due = performance.now();
    scene.sink.ticked!({ due, modelMs: 1, done: due + 3, micDriven: true });
    scene.sink.personaChanged({ persona: 'aldric', changed: ['voice'], npcs: ['aldric'], speed: 'reprime', costMs: 5 });
    scene.micStats.player = {
      packets: 9, lost: 2, late: 1, malformed: 3, droppedFrames: 4, missingFrames: 0, driftPpm: 0, bufferedMs: 0,
    }; // prettier-ignore
    await client.take('stats');
    client.send({ t: 'mic', mic: 'nobody', n: 0, pcm: new Uint8Array(2) });
    await client.settled();
    await httpRequest(server, { path: '/missing.js' });
    const { headers, body } = await httpRequest(server, { path: '/metrics' });
    expect(headers['content-type']).toContain('text/plain; version=0.0.4');
    for (const line of [
      'npc_voice_connections 1', 'npc_voice_npcs 1', 'npc_voice_mics 1', 'npc_voice_ticks_total 1',
      'npc_voice_deadline_misses_total 0', 'npc_voice_tick_seconds_bucket{le="0.002"} 0',
      'npc_voice_tick_seconds_bucket{le="0.005"} 1', 'npc_voice_drops_total{cause="mic_overflow"} 4',
      'npc_voice_drops_total{cause="mic_lost"} 2', 'npc_voice_drops_total{cause="mic_late"} 1',
      'npc_voice_drops_total{cause="mic_malformed"} 3', 'npc_voice_drops_total{cause="mic_unknown"} 1',
      'npc_voice_persona_reloads_total{outcome="reprime"} 1',
    ])
      expect(body.split('\n')).toContain(line);
    for (const name of ['npc_voice_event_loop_delay_p99_seconds', 'npc_voice_resident_memory_bytes', 'npc_voice_refusals_total{code="404"}'])
      expect(body).toContain(`\n${name} `);
    await client.end();
    const after = await httpRequest(server, { path: '/metrics' });
    expect(after.body).toContain('npc_voice_drops_total{cause="mic_lost"} 2\n');
  }); // prettier-ignore
});
