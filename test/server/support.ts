/** A real server on a real port, real sockets against it, and a scene that only records. */
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import WebSocket from 'ws';
import { PersonaLibrary, personaFileSchema } from '../../sidecar/personas';
import type { DuplexModel } from '../../sidecar/duplex';
import { NpcVoiceError } from '../../sidecar/errors';
import { realClock, Scene, SharedModel } from '../../sidecar/scene';
import { createUnderstudy } from '../../sidecar/understudy';
import { shippedPersonas, shippedVoices } from '../../sidecar/paths';
import type { MicStats, NpcStatus, ScenePort, SceneSink, SceneStats } from '../../sidecar/scene/ports';
import {
  createLog, startServer, type RunningServer, type ServerLimits, type ServerOptions,
} from '../../sidecar/server'; // prettier-ignore
import {
  encodeMessage, parseServerMessage, subprotocols,
  type ClientMessage, type ErrorMessage, type ServerMessage,
} from '../../sidecar/wire'; // prettier-ignore

export const TOKEN = 'a-token-for-tests-0123';

/** Stands in for the scene room in tests of the protocol alone: remembers what it was asked, says what it is told to. */
export class SceneFake implements ScenePort {
  readonly calls: unknown[][] = [];
  readonly #npcs = new Map<string, NpcStatus>();
  readonly #mics = new Map<string, { mic: string; muted: boolean }>();
  readonly micStats: Record<string, MicStats> = {};
  #stray = 0;
  closed = false;
  /** attach and detach wait for it, as priming and farewells do. */
  gate: Promise<void> = Promise.resolve();

  constructor(readonly sink: SceneSink) {}

  async attach(npc: string, o: { persona?: string; greet?: boolean; seed?: number }): Promise<NpcStatus> {
    this.calls.push(['attach', npc, o]);
    await this.gate;
    if (this.#npcs.has(npc)) throw new NpcVoiceError('npc_exists', `${npc} is attached`);
    const status = { npc, persona: o.persona ?? npc, name: npc, held: false, muted: false, primeMs: 3 };
    this.#npcs.set(npc, status);
    return status;
  }
  async detach(npc: string, o: { farewell?: boolean }): Promise<void> {
    this.#know(npc, 'detach', o);
    await this.gate;
    this.#npcs.delete(npc);
  }
  async configure(npc: string, o: object) {
    this.#know(npc, 'configure', o);
    return { speed: 'instant' as const, costMs: 0.5 };
  }
  openMic(mic: string, format: object, o: object): void {
    if (this.#mics.has(mic)) throw new NpcVoiceError('mic_exists', `${mic} is open`);
    this.calls.push(['openMic', mic, format, o]);
    this.#mics.set(mic, { mic, muted: false });
  }
  closeMic(mic: string): void {
    if (!this.#mics.delete(mic)) throw new NpcVoiceError('unknown_mic', `there is no microphone ${mic}`);
  }
  micPacket(mic: string, n: number, bytes: Uint8Array): void {
    if (this.#mics.has(mic)) this.calls.push(['micPacket', mic, n, Uint8Array.from(bytes)]);
    else this.#stray++;
  }
  say(npc: string, text: string, when: string): void {
    this.#know(npc, 'say', text, when);
  }
  hold(npc: string | undefined, why: string, manner: string): void {
    this.calls.push(['hold', npc, why, manner]);
  }
  release(npc: string | undefined, why: string): void {
    this.calls.push(['release', npc, why]);
  }
  interrupt(npc: string): void {
    this.#know(npc, 'interrupt');
  }
  muteMic(mic: string, on: boolean): void {
    this.calls.push(['muteMic', mic, on]);
  }
  muteNpc(npc: string, on: boolean): void {
    this.#know(npc, 'muteNpc', on);
  }
  async setState(vars: object, npc?: string): Promise<string[]> {
    this.calls.push(['setState', vars, npc]);
    return npc === undefined ? [] : Object.keys(vars);
  }
  setHearing(npc: string, from: string, gain: number, muffle: number): void {
    this.#know(npc, 'setHearing', from, gain, muffle);
  }
  played(npc: string, n: number, samples: number): void {
    this.calls.push(['played', npc, n, samples]);
  }
  transcript() {
    const line = { who: 'player', n: 0, text: '', heard: '', cut: false, ms: 640 };
    return [{ npc: 'aldric', lines: [line] }];
  }
  stats(): SceneStats {
    const none = { p50: 0, p99: 0, max: 0 };
    return {
      ticks: 0, timerTicks: 0, deadlineMisses: 0, skippedTicks: 0, failedSteps: 0, strayPackets: this.#stray, npcs: this.#npcs.size,
      mics: this.micStats, tickMs: none, modelMs: none,
    }; // prettier-ignore
  }
  npcs(): NpcStatus[] {
    return [...this.#npcs.values()];
  }
  mics() {
    return [...this.#mics.values()];
  }
  async close(): Promise<void> {
    this.closed = true;
  }
  #know(npc: string, ...call: unknown[]): void {
    if (!this.#npcs.has(npc)) throw new NpcVoiceError('unknown_npc', `there is no NPC ${npc}`);
    this.calls.push([call[0], npc, ...call.slice(1)]);
  }
}

/** A duplex model that starts and stops; scenes of these tests have no use for more. */
export function idleModel(start: () => Promise<void> = async () => undefined): DuplexModel {
  const unused = (): never => {
    throw new Error('not used by a SceneFake');
  };
  return {
    info: { id: 'idle', name: 'Idle', scripted: true, about: 'It does nothing.', capacity: { npcs: 8, why: 'tests' } },
    start,
    stop: async () => undefined,
    seat: unused, unseat: unused, step: unused, update: unused, say: unused, linesWaiting: unused, farewell: unused, hold: unused,
    interrupt: unused,
  }; // prettier-ignore
}

const PERSONA = 'name: Aldric\nrole: You are Aldric, a blacksmith.\nvoice: gruff\n';
const VOICE = 'name: Gruff\nunderstudy: { base: rms }\n';

/** Folders with one persona, `aldric`, and its voice. */
export async function personaFolders(): Promise<{ root: string; personas: string; voices: string }> {
  const root = await mkdtemp(path.join(os.tmpdir(), 'npc-voice-test-'));
  const [personas, voices] = [path.join(root, 'npc-personas'), path.join(root, 'voices')];
  await mkdir(personas);
  await mkdir(voices);
  await writeFile(path.join(personas, 'aldric.yaml'), PERSONA);
  await writeFile(path.join(voices, 'gruff.yaml'), VOICE);
  return { root, personas, voices };
}

/** A whole sidecar without its command line: real scenes, the understudy, and these personas and voices. */
export async function startRealServer(
  o: { personas?: string; voices?: string } = {},
): Promise<RunningServer & { log: string[]; end(): Promise<void> }> {
  const dirs = { personas: o.personas ?? shippedPersonas, voices: o.voices ?? shippedVoices };
  const library = await PersonaLibrary.open({ ...dirs, watch: o.personas !== undefined });
  const model = new SharedModel(createUnderstudy());
  const log: string[] = [];
  const server = await startServer({
    library,
    model,
    createScene: (sink) => new Scene({ clock: realClock, model, cast: library, sink }),
    personaSchema: () => JSON.stringify(personaFileSchema.json),
    port: 0,
    token: TOKEN,
    log: createLog('debug', (line) => void log.push(line), false),
  });
  await server.ready;
  const end = async (): Promise<void> => {
    await server.close();
    await library.close();
  };
  return { ...server, log, end };
}

export interface TestServer extends RunningServer {
  /** Scenes in the order in which clients identified. */
  scenes: SceneFake[];
  root: string;
  personas: string;
  log: string[];
  end(): Promise<void>;
}
export async function startTestServer(
  o: Partial<Omit<ServerOptions, 'limits'>> & { limits?: Partial<ServerLimits>; watch?: boolean } = {},
): Promise<TestServer> {
  const folders = await personaFolders();
  const library = await PersonaLibrary.open({ ...folders, watch: o.watch ?? false });
  const scenes: SceneFake[] = [];
  const log: string[] = [];
  const server = await startServer({
    library,
    model: idleModel(),
    createScene: (sink) => {
      const scene = new SceneFake(sink);
      scenes.push(scene);
      return scene;
    },
    personaSchema: () => JSON.stringify(personaFileSchema.json),
    port: 0,
    token: TOKEN,
    log: createLog('debug', (line) => void log.push(line), false),
    ...o,
  });
  const end = async (): Promise<void> => {
    await server.close();
    await library.close();
    await rm(folders.root, { recursive: true, force: true });
  };
  return { ...server, scenes, log, end, root: folders.root, personas: folders.personas };
}

type Of<T extends ServerMessage['t']> = Extract<ServerMessage, { t: T }>;
/** A request without what `ask` fills in. */
type Asked = ClientMessage extends infer M ? (M extends { id: number } ? Omit<M, 'id'> : never) : never;

/** A client on a real socket, which keeps every message until a test takes it. */
export class TestClient {
  readonly inbox: ServerMessage[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #waiting: (() => void)[] = [];
  #id = 1;
  #over = false;

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data) => {
      this.inbox.push(parseServerMessage(data as Buffer));
      this.#wake();
    });
    this.closed = new Promise((resolve) =>
      socket.on('close', (code, reason) => {
        this.#over = true;
        this.#wake();
        resolve({ code, reason: reason.toString() });
      }),
    );
  }

  /** Opens a socket, with the token unless another is named. */
  static async open(
    server: { url: string },
    o: { token?: string | null; headers?: Record<string, string>; protocols?: string[] } = {},
  ): Promise<TestClient> {
    const token = o.token === null ? undefined : (o.token ?? TOKEN);
    const socket = new WebSocket(server.url, o.protocols ?? subprotocols(token), { headers: o.headers });
    const client = new TestClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    socket.on('error', () => undefined);
    return client;
  }
  static async identified(server: { url: string }, more: object = {}): Promise<TestClient> {
    const client = await TestClient.open(server);
    await client.take('hello');
    await client.ask({ t: 'identify', v: 1, client: 'test', ...more });
    return client;
  }

  #wake(): void {
    for (const resume of this.#waiting.splice(0)) resume();
  }

  send(message: object): void {
    this.socket.send(encodeMessage(message));
  }
  sendRaw(data: Uint8Array | string): void {
    this.socket.send(data);
  }

  /** The next message of a type, now or to come; others are left for later. */
  async take<T extends ServerMessage['t']>(
    type: T,
    match: (m: Of<T>) => boolean = () => true,
  ): Promise<Of<T>> {
    for (;;) {
      const at = this.inbox.findIndex((m) => m.t === type && match(m as Of<T>));
      if (at >= 0) return this.inbox.splice(at, 1)[0] as Of<T>;
      if (this.#over) throw new Error(`the connection ended before a ${type} came`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Sends a request and resolves with its answer, whichever it is. */
  async ask(
    request: Asked | { t: string; [field: string]: unknown },
  ): Promise<ServerMessage & { [f: string]: unknown }> {
    const id = this.#id++;
    this.send({ ...request, id });
    for (;;) {
      const at = this.inbox.findIndex((m) => 'id' in m && m.id === id);
      if (at >= 0) return this.inbox.splice(at, 1)[0] as ServerMessage & { [f: string]: unknown };
      if (this.#over) throw new Error(`the connection ended before ${request.t} was answered`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
  async refusal(request: { t: string; [field: string]: unknown }): Promise<ErrorMessage> {
    const answer = await this.ask(request);
    if (answer.t !== 'error') throw new Error(`${request.t} was answered ${answer.t}, not refused`);
    return answer;
  }
  /** Everything the sidecar had to say to what was sent before has come. */
  async settled(): Promise<void> {
    await this.ask({ t: 'ping' });
  }
  async end(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}

export interface HttpAnswer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}
/** A request with the headers and path given, exactly as given. */
export function httpRequest(
  server: { port: number },
  o: { path?: string; method?: string; headers?: http.OutgoingHttpHeaders; host?: string } = {},
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: o.host ?? '127.0.0.1',
      port: server.port,
      path: o.path ?? '/',
      method: o.method ?? 'GET',
      headers: o.headers,
      agent: false,
    });
    request.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }));
    });
    request.on('upgrade', (_response, socket) => {
      socket.destroy();
      reject(new Error('it was let in'));
    });
    request.on('error', reject);
    request.end();
  });
}
/** Tries to open a WebSocket by hand; resolves with the refusal, or 101. */
export async function upgrade(
  server: { port: number },
  headers: http.OutgoingHttpHeaders = {},
  o: { path?: string; host?: string } = {},
): Promise<{ status: number; body: string }> {
  const all = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-protocol': 'npc-voice.v1',
    ...headers,
  };
  try {
    return await httpRequest(server, { headers: all, ...o });
  } catch (error) {
    if (error instanceof Error && error.message === 'it was let in') return { status: 101, body: '' };
    throw error;
  }
}
