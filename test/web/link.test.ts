/** The connection, against a WebSocket server that says what a test wants said. */
import type { AddressInfo } from 'node:net';
import { WebSocket as NodeWebSocket, WebSocketServer, type WebSocket as ServerSocket } from 'ws';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Link, type ConnectionState } from '../../plugins/web/src/link';
import { CLOSE, encodeMessage, parseClientMessage, type ClientMessage } from '../../sidecar/wire';

type Reply = (socket: ServerSocket, message: ClientMessage & { id?: number }) => void;

const send = (socket: ServerSocket, message: object): void => socket.send(encodeMessage(message));
const identified = (id: number) => ({
  t: 'identified',
  id,
  v: 1,
  session: 'scene-1',
  model: { id: 'understudy', name: 'Understudy', scripted: true, about: 'Scripted.' },
  capacity: { npcs: 64, why: 'It is said so.' },
  personas: [],
  voices: [],
});

describe('Link', () => {
  let server: WebSocketServer;
  let reply: Reply;
  let received: ClientMessage[];
  let links: Link[];

  const listen = (port = 0): Promise<void> => {
    server = new WebSocketServer({ port, host: '127.0.0.1', handleProtocols: () => 'npc-voice.v1' });
    server.on('connection', (socket) => {
      send(socket, { t: 'hello', v: 1, server: 'test', tick: 80, auth: true });
      socket.on('message', (data) => {
        const message = parseClientMessage(data as Buffer);
        received.push(message);
        if (message.t === 'identify') send(socket, identified(message.id));
        else reply(socket, message);
      });
    });
    return new Promise((resolve) => server.once('listening', () => resolve()));
  };
  const port = (): number => (server.address() as AddressInfo).port;
  const stop = (): Promise<void> => {
    for (const socket of server.clients) socket.terminate();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  const make = (more: object = {}): Link => {
    const link = new Link({ url: `ws://127.0.0.1:${port()}/`, client: 'test', retryMs: 5, ...more });
    links.push(link);
    return link;
  };
  const until = (link: Link, status: ConnectionState['status']): Promise<ConnectionState> =>
    new Promise((resolve) => link.on('state', (state) => state.status === status && resolve(state)));

  beforeEach(async () => {
    vi.stubGlobal('WebSocket', NodeWebSocket);
    received = [];
    links = [];
    reply = (socket, { id }) => send(socket, { t: 'ok', id });
    await listen();
  });
  afterEach(async () => {
    for (const link of links) link.close();
    await stop();
    vi.unstubAllGlobals();
  });

  it('identifies with its token after hello, and is open', async () => {
    const link = make({ token: 'a-token-of-the-test' });
    expect((await link.open()).session).toBe('scene-1');
    expect(link.state).toEqual({ status: 'open', session: 'scene-1' });
    expect(received[0]).toMatchObject({
      t: 'identify',
      v: 1,
      client: 'test',
      token: 'a-token-of-the-test',
      codec: 's16',
    });
  });

  it('gives each answer to the request it belongs to, in whatever order they come', async () => {
    const link = make();
    await link.open();
    const waiting: [ServerSocket, number][] = [];
    reply = (socket, { id }) => {
      waiting.push([socket, id!]);
      if (waiting.length === 2)
        for (const [to, of] of waiting.reverse()) send(to, { t: 'ok', id: of, hash: `h${of}` });
    };
    const write = (persona: string) => link.request({ t: 'write_persona', persona, yaml: 'name: A' });
    const [first, second] = await Promise.all([write('a'), write('b')]);
    expect(Number(second.hash.slice(1)) - Number(first.hash.slice(1))).toBe(1);
  });

  it("rejects with the sidecar's code, words, hint and place", async () => {
    const link = make();
    await link.open();
    reply = (socket, { id }) =>
      send(socket, {
        t: 'error',
        id,
        code: 'persona_invalid',
        msg: 'no such key',
        hint: 'voice?',
        file: 'a.yaml',
        line: 3,
        col: 2,
      });
    await expect(link.request({ t: 'write_persona', persona: 'a', yaml: 'vioce: x' })).rejects.toMatchObject({
      name: 'VoiceError',
      code: 'persona_invalid',
      message: 'no such key',
      hint: 'voice?',
      place: { file: 'a.yaml', line: 3, column: 2 },
    });
  });

  it('gives up on a request that is not answered', async () => {
    const link = make({ requestTimeoutMs: 20 });
    await link.open();
    reply = () => {};
    await expect(link.request({ t: 'ping' })).rejects.toMatchObject({ code: 'timeout' });
  });

  it('rejects what is pending when the connection drops, comes back, and says so', async () => {
    const link = make();
    await link.open();
    reply = (socket) => socket.terminate();
    const states: string[] = [];
    link.on('state', ({ status }) => states.push(status));
    const back = new Promise((resolve) => link.on('reopened', resolve));
    await expect(link.request({ t: 'ping' })).rejects.toMatchObject({ code: 'closed' });
    await back;
    expect(states).toEqual(['waiting', 'connecting', 'open']);
  });

  it('keeps trying while nobody answers, each time later', async () => {
    const link = make();
    await link.open();
    const at = port();
    const attempts: number[] = [];
    link.on('state', (state) => state.status === 'waiting' && attempts.push(state.attempt));
    await stop();
    await vi.waitUntil(() => attempts.length >= 4, { timeout: 5000 });
    await listen(at);
    await until(link, 'open');
    expect(attempts.slice(0, 4)).toEqual([1, 2, 3, 4]);
  });

  it('does not try again where the token is refused', async () => {
    const link = make();
    await link.open();
    const closed = until(link, 'closed');
    for (const socket of server.clients) socket.close(CLOSE.unauthorized);
    expect(await closed).toMatchObject({ why: { code: 'unauthorized' } });
  });

  it('says that nobody answers when nobody does', async () => {
    const link = make({ url: 'ws://127.0.0.1:9/' });
    await expect(link.open()).rejects.toMatchObject({ code: 'unreachable' });
    expect(link.state.status).toBe('closed');
  });

  it('passes over messages of types it does not know', async () => {
    const link = make();
    await link.open();
    const came: string[] = [];
    link.on('message', ({ t }) => came.push(t));
    for (const socket of server.clients) {
      send(socket, { t: 'of_a_later_version', x: 1 });
      send(socket, { t: 'held', npc: 'aldric', on: true, why: 'menu' });
    }
    await vi.waitUntil(() => came.length > 0);
    expect(came).toEqual(['held']);
  });
});
