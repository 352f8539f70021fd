/** Every way in that is closed, tried on a real port. */
import http from 'node:http';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NpcVoiceError } from '../../sidecar/errors';
import { checkExposure } from '../../sidecar/server';
import { encodeMessage, MAX_MESSAGE, MAX_PAYLOAD } from '../../sidecar/wire';
import { httpRequest, startTestServer, TestClient, TOKEN, upgrade, type TestServer } from './support';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ allowOrigins: ['http://localhost:5173'] });
});
afterAll(() => server.end());

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('the door', () => {
  it('refuses a Host that is not loopback at its own port: DNS rebinding', async () => {
    for (const host of [
      'evil.example', `evil.example:${server.port}`, `127.0.0.1.evil.example:${server.port}`, '127.0.0.1',
      `127.0.0.1:${server.port + 1}`, `localhost:${server.port}.evil.example`, `192.168.1.10:${server.port}`,
    ]) {
      expect((await upgrade(server, { host, ...bearer(TOKEN) })).status, host).toBe(403);
      expect((await httpRequest(server, { headers: { host } })).status, host).toBe(403);
    }
  }); // prettier-ignore

  it('takes the three names of loopback', async () => {
    for (const name of ['127.0.0.1', 'localhost', '[::1]', 'LOCALHOST'])
      expect((await upgrade(server, { host: `${name}:${server.port}` })).status, name).toBe(101);
  });

  it('ignores what proxies claim', async () => {
    const headers = { host: 'evil.example', 'x-forwarded-host': `127.0.0.1:${server.port}` };
    expect((await upgrade(server, headers)).status).toBe(403);
  });

  it('refuses a foreign Origin: cross-site WebSocket hijacking', async () => {
    for (const origin of [
      'https://evil.example', 'null', 'http://localhost', `http://localhost:${server.port + 1}`,
      `https://localhost:${server.port}`, `http://evil.example:${server.port}`, 'http://localhost:5173.evil.example',
      'file://',
    ]) {
      const answer = await upgrade(server, { origin, ...bearer(TOKEN) });
      expect(answer.status, origin).toBe(403);
      expect(answer.body).toContain('--allow-origin');
    }
  }); // prettier-ignore

  it('refuses a foreign Origin over plain HTTP too, and never sends a CORS header', async () => {
    const answer = await httpRequest(server, {
      path: '/metrics',
      headers: { origin: 'https://evil.example' },
    });
    expect(answer.status).toBe(403);
    for (const path of ['/healthz', '/metrics', '/schema/persona.json', '/']) {
      const { headers } = await httpRequest(server, { path });
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
    }
  });

  it('lets in its own pages, pages that were allowed, and programs that send no Origin', async () => {
    for (const origin of [
      `http://127.0.0.1:${server.port}`,
      `http://localhost:${server.port}`,
      'http://localhost:5173',
    ])
      expect((await upgrade(server, { origin })).status, origin).toBe(101);
    expect((await upgrade(server)).status).toBe(101);
  });

  it('refuses a wrong token, in the header and as a subprotocol', async () => {
    const wrong = ['wrong', TOKEN.slice(0, -1), `${TOKEN}x`, TOKEN.toUpperCase()];
    for (const token of wrong) {
      expect((await upgrade(server, bearer(token))).status, token).toBe(401);
      const protocols = `npc-voice.v1, npc-voice.token.${token}`;
      expect((await upgrade(server, { 'sec-websocket-protocol': protocols })).status, token).toBe(401);
    }
    const both = { ...bearer(TOKEN), 'sec-websocket-protocol': 'npc-voice.v1, npc-voice.token.wrong' };
    expect((await upgrade(server, both)).status).toBe(401);
    expect((await upgrade(server, { authorization: 'Basic dXNlcjpwYXNz' })).status).toBe(401);
  });

  it('refuses a client that does not ask for npc-voice.v1, and any path but /', async () => {
    expect((await upgrade(server, { 'sec-websocket-protocol': 'npc-voice.v9' })).status).toBe(400);
    expect((await upgrade(server, {}, { path: '/socket' })).status).toBe(404);
  });

  it('refuses a missing token at identify: error unauthorized, then close 4004', async () => {
    const client = await TestClient.open(server, { token: null });
    expect((await client.take('hello')).auth).toBe(true);
    const refused = await client.refusal({ t: 'identify', v: 1, client: 'test' });
    expect(refused).toMatchObject({ code: 'unauthorized', msg: 'The token is missing.' });
    expect((await client.closed).code).toBe(4004);
  });

  it('refuses a wrong token at identify, even where the upgrade had the right one', async () => {
    for (const token of [TOKEN, null]) {
      const client = await TestClient.open(server, { token });
      const refused = await client.refusal({ t: 'identify', v: 1, client: 'test', token: 'wrong' });
      expect(refused.msg).toBe('The token is wrong.');
      expect((await client.closed).code).toBe(4004);
    }
  });

  it('takes the token in any of its three places and never selects it as the subprotocol', async () => {
    const byProtocol = await TestClient.open(server);
    expect(byProtocol.socket.protocol).toBe('npc-voice.v1');
    expect((await byProtocol.take('hello')).auth).toBe(false);
    const byHeader = await TestClient.open(server, { token: null, headers: bearer(TOKEN) });
    expect((await byHeader.take('hello')).auth).toBe(false);
    const byIdentify = await TestClient.open(server, { token: null });
    expect((await byIdentify.ask({ t: 'identify', v: 1, client: 'test', token: TOKEN })).t).toBe(
      'identified',
    );
    for (const client of [byProtocol, byHeader, byIdentify]) await client.end();
  });

  it('never writes the token into its log or its answers', async () => {
    const almost = `${TOKEN}x`;
    const { body } = await upgrade(server, bearer(almost));
    expect(server.log.join('') + body).not.toContain(TOKEN);
  });
});

describe('other machines', () => {
  it('are not listened to unless asked for, and then only with a token of the user’s', async () => {
    const refusal = () => checkExposure({ host: '0.0.0.0', token: undefined, allowOrigins: [] });
    expect(refusal).toThrow(NpcVoiceError);
    expect(refusal).toThrow(/needs a token/);
    await expect(startTestServer({ host: '0.0.0.0', token: undefined })).rejects.toMatchObject({
      code: 'unauthorized',
    });
    expect(() => checkExposure({ host: '0.0.0.0', token: 'short', allowOrigins: [] })).toThrow(/16 to 128/);
    expect(() => checkExposure({ host: '192.168.1.5', token: TOKEN, allowOrigins: [] })).not.toThrow();
  });

  const lan = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
  it.skipIf(lan === undefined)(
    'need the token at the upgrade, and for metrics; names stay refused',
    async () => {
      const open = await startTestServer({ host: '0.0.0.0', token: TOKEN });
      const from = { host: lan! };
      expect((await upgrade(open, {}, from)).status).toBe(401);
      expect((await upgrade(open, bearer('wrong-but-long-enough'), from)).status).toBe(401);
      expect((await upgrade(open, bearer(TOKEN), from)).status).toBe(101);
      expect(
        (await upgrade(open, { ...bearer(TOKEN), host: `evil.example:${open.port}` }, from)).status,
      ).toBe(403);
      expect((await upgrade(open, { ...bearer(TOKEN), origin: 'https://evil.example' }, from)).status).toBe(
        403,
      );
      expect((await httpRequest(open, { ...from, path: '/metrics' })).status).toBe(401);
      expect((await httpRequest(open, { ...from, path: '/metrics', headers: bearer(TOKEN) })).status).toBe(
        200,
      );
      expect((await httpRequest(open, { ...from, path: '/healthz' })).status).toBe(200);
      await open.end();
    },
  );

  it('must not be let in by a wildcard or a half-written origin', () => {
    for (const origin of [
      '*',
      'localhost:5173',
      'http://localhost:5173/',
      'http://user@localhost:5173',
      'null',
    ])
      expect(
        () => checkExposure({ host: '127.0.0.1', token: undefined, allowOrigins: [origin] }),
        origin,
      ).toThrow(/--allow-origin takes an origin/);
  });

  it('both halves of localhost are held, so that nobody else can answer there', async () => {
    expect((await httpRequest(server, { path: '/healthz', host: '127.0.0.1' })).status).toBe(200);
    const six = await httpRequest(server, { path: '/healthz', host: '::1' }).catch(
      (e: NodeJS.ErrnoException) => e.code,
    );
    expect([200, 'EADDRNOTAVAIL']).toContain(typeof six === 'object' ? six.status : six);
  });
});

describe('plain HTTP', () => {
  it('answers GET and HEAD only', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const answer = await httpRequest(server, { path: '/healthz', method });
      expect(answer.status, method).toBe(405);
      expect(answer.headers.allow).toBe('GET, HEAD');
    }
    const head = await httpRequest(server, { path: '/healthz', method: 'HEAD' });
    expect([head.status, head.body]).toEqual([200, '']);
  });

  it('sends the headers that keep other pages out', async () => {
    const { headers } = await httpRequest(server, { path: '/healthz' });
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
      'x-frame-options': 'DENY',
    });
    const policy = headers['content-security-policy'] as string;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe-eval');
    expect(policy).not.toContain('*');
  });

  it('serves nothing outside its folders', async () => {
    for (const path of [
      '/../package.json', '/web/../../package.json', '/%2e%2e/package.json', '/web/%2e%2e%2fpackage.json',
      '/..%2fpackage.json', '//etc/passwd', '/web//etc/passwd', '/.built', '/web/.hidden.js', '/index.html%00.js',
      '/..\\package.json', '/web/..', 'http://evil.example/index.html',
    ]) {
      const { status, body } = await httpRequest(server, { path });
      expect([404, 400], path).toContain(status);
      expect(body).not.toContain('npc-voice"');
    }
  }); // prettier-ignore
});

describe('messages', () => {
  let client: TestClient;
  beforeAll(async () => {
    client = await TestClient.identified(server);
  });
  afterAll(() => client.end());

  it('names nothing by a path', async () => {
    for (const id of ['../aldric', '..', 'a/b', 'a\\b', '/etc/passwd', 'C:', 'aldric.yaml', 'Aldric', '', 'a'.repeat(65), 'ä', 'a\0']) {
      for (const request of [
        { t: 'attach', npc: 'x', persona: id }, { t: 'attach', npc: id }, { t: 'read_persona', persona: id },
        { t: 'write_persona', persona: id, yaml: 'x' }, { t: 'configure', npc: 'x', voice: id },
        { t: 'open_mic', mic: id, codec: 's16', rate: 16000 },
      ])
        expect((await client.refusal(request)).code, `${request.t} ${id}`).toBe('bad_field');
    }
  }); // prettier-ignore

  it('refuses more than 64 KiB in one message, and goes on', async () => {
    const message = { t: 'say', npc: 'x', text: 'a'.repeat(MAX_MESSAGE) };
    expect((await client.refusal(message)).code).toBe('too_large');
    client.send({ t: 'mic', mic: 'player', n: 0, pcm: new Uint8Array(MAX_MESSAGE) });
    expect((await client.take('error')).code).toBe('too_large');
  });

  it('refuses deep nesting, extension types and crowds of values, and goes on', async () => {
    const deep = Buffer.concat([
      Buffer.from('81a174', 'hex'), Buffer.alloc(20_000, 0x91), Buffer.from('c0', 'hex'),
    ]); // prettier-ignore
    const crowd = encodeMessage({ t: 'x', many: new Array(2000).fill(0) });
    const extension = Buffer.from('81a174d40001', 'hex');
    for (const bytes of [deep, crowd, extension, Buffer.from('c1', 'hex'), Buffer.alloc(0)]) {
      client.sendRaw(bytes);
      expect((await client.take('error')).code).toBe('bad_message');
    }
    await client.settled();
  });

  it('ends a connection that sends over 256 KiB in one message: 1009', async () => {
    const other = await TestClient.identified(server);
    other.sendRaw(new Uint8Array(MAX_PAYLOAD + 1));
    expect((await other.closed).code).toBe(1009);
  });

  it('ends a connection that sends text: error, then 1003', async () => {
    const other = await TestClient.identified(server);
    other.sendRaw('{"t":"ping","id":1}');
    expect((await other.take('error')).code).toBe('bad_message');
    expect((await other.closed).code).toBe(1003);
  });

  it('never lets a key become a prototype', async () => {
    const key = Buffer.from('__proto__');
    const nested = Buffer.concat([
      Buffer.from('83a174a97365745f7374617465a2696407a47661727381', 'hex'), Buffer.from([0xa0 | key.length]), key,
      Buffer.from('81a161c3', 'hex'),
    ]); // prettier-ignore
    client.sendRaw(nested);
    expect((await client.take('error')).code).toBe('bad_message');
    expect(({} as Record<string, unknown>).a).toBeUndefined();
  });

  it('keeps a client’s words from forging lines of the log', async () => {
    const refused = await client.refusal({ t: 'identify', v: 1, client: 'x\n12:00:00 error forged' });
    expect(refused.code).toBe('bad_field');
    const other = await TestClient.open(server);
    other.send({ t: 'bad\nline', id: 1 });
    await other.take('error');
    await other.end();
    expect(server.log.every((line) => line.indexOf('\n') === line.length - 1)).toBe(true);
  });
});

describe('limits', () => {
  it('ends a connection that does not identify in time: 4003', async () => {
    const strict = await startTestServer({ limits: { identifyMs: 30 } });
    const client = await TestClient.open(strict);
    // Talking does not buy time.
    expect((await client.refusal({ t: 'attach', npc: 'x' })).code).toBe('not_identified');
    expect((await client.closed).code).toBe(4003);
    await strict.end();
  });

  it('takes no more connections than it may have: 503', async () => {
    const small = await startTestServer({ limits: { connections: 2 } });
    const [a, b] = [await TestClient.identified(small), await TestClient.identified(small)];
    const third = await upgrade(small, bearer(TOKEN));
    expect(third.status).toBe(503);
    expect(third.body).toContain('All 2 connections');
    await a!.end();
    await b!.settled();
    const again = await TestClient.identified(small);
    await again.end();
    await b!.end();
    await small.end();
  });

  it('answers requests over the rate with too_fast, and ends who goes on: 4006', async () => {
    const slow = await startTestServer({ limits: { requestBurst: 5, requestsPerSecond: 1, refusals: 20 } });
    const client = await TestClient.open(slow);
    client.send({ t: 'identify', id: 0, v: 1, client: 'test' });
    for (let id = 1; id <= 60; id++) client.send({ t: 'ping', id });
    expect((await client.closed).code).toBe(4006);
    const answers = client.inbox.filter((m) => 'id' in m);
    expect(answers.slice(0, 5).every((m) => m.t !== 'error')).toBe(true);
    expect(answers[5]).toMatchObject({ t: 'error', id: 5, code: 'too_fast' });
    await slow.end();
  });

  it('ends who floods it with rubbish, without answering all of it', async () => {
    const slow = await startTestServer({ limits: { requestBurst: 5, requestsPerSecond: 1, refusals: 20 } });
    const client = await TestClient.identified(slow);
    for (let i = 0; i < 200; i++) client.sendRaw(Buffer.from([0xc1]));
    expect((await client.closed).code).toBe(4006);
    expect(client.inbox.filter((m) => m.t === 'error').length).toBeLessThanOrEqual(5);
    await slow.end();
  });

  it('lets no more requests wait than it may', async () => {
    const small = await startTestServer({ limits: { inFlight: 3 } });
    const client = await TestClient.identified(small);
    let open: () => void = () => undefined;
    small.scenes[0]!.gate = new Promise((resolve) => (open = resolve));
    const waiting = ['a', 'b', 'c'].map((npc) => client.ask({ t: 'attach', npc }));
    const refused = await client.refusal({ t: 'attach', npc: 'd' });
    expect(refused.msg).toBe('At most 3 requests may await their answer.');
    open();
    expect((await Promise.all(waiting)).every((m) => m.t === 'ok')).toBe(true);
    await client.end();
    await small.end();
  });

  it('drops audio for a client that does not read, counts it, then ends the connection: 4008', async () => {
    const strict = await startTestServer({
      limits: { dropAudioBytes: 64 * 1024, closeBytes: 512 * 1024, stalledMs: 0, goodbyeMs: 50 },
    });
    const client = await TestClient.identified(strict, { codec: 'f32', rate: 48000, ch: 2 });
    const sink = strict.scenes[0]!.sink;
    const pcm = new Float32Array(1920).fill(0.5);
    client.socket.pause();
    // The kernel's own buffers take some megabytes first.
    let n = 0;
    const isCutOff = () => strict.log.some((line) => line.includes('4008'));
    while (!isCutOff() && n < 20_000) {
      for (let i = 0; i < 20; i++)
        sink.frame({ npc: 'a', n: n++, pcm, turn: 'speaking', level: 0.5, text: '', mouth: null, cues: [] });
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(isCutOff()).toBe(true);
    const { body } = await httpRequest(strict, { path: '/metrics' });
    expect(Number(/npc_voice_drops_total\{cause="slow_consumer"\} (\d+)/.exec(body)?.[1])).toBeGreaterThan(0);
    expect(body).toContain('npc_voice_refusals_total{code="4008"} 1');
    await strict.end();
    expect(strict.scenes[0]!.closed).toBe(true);
  });

  it('ends a connection from which nothing comes, pongs included: the scene does not outlive its game', async () => {
    const strict = await startTestServer({ limits: { pingMs: 20 } });
    const client = await TestClient.identified(strict);
    client.socket.pause();
    while (!strict.scenes[0]!.closed) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(strict.log.join('')).toContain('4007');
    client.socket.terminate();
    await strict.end();
  });

  it('cuts off requests whose headers never end', async () => {
    const agent = http.request({ port: server.port, headers: { 'x-long': 'a'.repeat(20_000) } });
    const status = await new Promise((resolve, reject) => {
      agent.on('response', (response) => resolve(response.statusCode));
      agent.on('error', reject);
      agent.end();
    });
    expect(status).toBe(431);
  });
});
