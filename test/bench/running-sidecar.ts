/** A built sidecar in a process of its own, and a bare client of its wire: what benchmarks measure from outside. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import WebSocket from 'ws';
import { distFile } from '../../sidecar/paths';
import {
  decodeMessage,
  encodeMessage,
  SUBPROTOCOL,
  type ClientMessage,
  type ClientRequest,
  type ServerMessage,
} from '../../sidecar/wire';

type Unnumbered = ClientRequest extends infer R ? (R extends ClientRequest ? Omit<R, 'id'> : never) : never;

export class RunningSidecar {
  private constructor(
    readonly process: ChildProcess,
    readonly url: string,
    readonly token: string,
    private readonly dir: string,
  ) {}

  static async start(args: string[] = []): Promise<RunningSidecar> {
    const dir = await mkdtemp(path.join(os.tmpdir(), 'npc-voice-bench-'));
    const child = spawn(
      process.execPath,
      [distFile('npc-voice.js'), 'serve', '--port', '0', '--log-level', 'silent', ...args],
      {
        env: { ...process.env, NPC_VOICE_RUNTIME_DIR: dir },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    await new Promise<void>((resolve, reject) => {
      child.stdout!.on('data', (text: Buffer) => text.includes('Open the studio') && resolve());
      child.once('exit', (code) => reject(new Error(`the sidecar ended with ${code}`)));
    });
    const { url, token } = JSON.parse(await readFile(path.join(dir, 'sidecar.json'), 'utf8')) as {
      url: string;
      token: string;
    };
    return new RunningSidecar(child, url, token, dir);
  }

  /** CPU seconds the whole process has used, and its resident bytes. */
  async usage(): Promise<{ cpu: number; rss: number }> {
    const text = await (await fetch(`${this.url.replace(/^ws/, 'http')}metrics`)).text();
    const figure = (name: string): number =>
      Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
    return { cpu: figure('npc_voice_cpu_seconds_total'), rss: figure('npc_voice_resident_memory_bytes') };
  }

  async connect(): Promise<BareClient> {
    const socket = new WebSocket(this.url, SUBPROTOCOL, {
      headers: { authorization: `Bearer ${this.token}` },
    });
    const client = new BareClient(socket);
    await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject));
    await client.ask({ t: 'identify', v: 1, client: 'bench' });
    return client;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGTERM');
    await ended;
    await rm(this.dir, { recursive: true, force: true });
  }
}

export class BareClient {
  /** Told every message that is no answer to a request. */
  onMessage: (message: ServerMessage) => void = () => undefined;
  readonly #pending = new Map<number, { resolve: (m: ServerMessage) => void; reject: (e: Error) => void }>();
  #id = 0;

  constructor(readonly socket: WebSocket) {
    socket.binaryType = 'nodebuffer';
    socket.on('message', (bytes: Buffer) => {
      const message = decodeMessage(bytes) as ServerMessage;
      const asked = 'id' in message && message.id !== undefined ? this.#pending.get(message.id) : undefined;
      if (!asked) return this.onMessage(message);
      this.#pending.delete((message as { id: number }).id);
      if (message.t === 'error') asked.reject(new Error(`${message.code}: ${message.msg}`));
      else asked.resolve(message);
    });
  }

  ask<T extends ServerMessage>(request: Unnumbered): Promise<T> {
    const id = ++this.#id;
    this.send({ ...request, id } as ClientRequest);
    return new Promise((resolve, reject) =>
      this.#pending.set(id, { resolve: resolve as (m: ServerMessage) => void, reject }),
    );
  }

  send(message: ClientMessage): void {
    this.socket.send(encodeMessage(message));
  }

  close(): void {
    this.socket.close();
  }
}

/** Calls `send` with packet numbers at the pace of 20 ms packets, by the wall clock, until the returned function is called. */
export function everyTwentyMs(send: (n: number) => void): () => void {
  const began = performance.now();
  let n = 0;
  const timer = setInterval(() => {
    while (n < (performance.now() - began) / 20) send(n++);
  }, 5);
  return () => clearInterval(timer);
}
