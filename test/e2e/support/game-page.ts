/**
 * A game's web page, served from an origin of its own: it loads the built client and records, on one clock, the
 * NPC's voice as it leaves `npc.output` and the microphone as it comes in.
 */
import { createServer, type Server } from 'node:http';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { distFile } from '../../../sidecar/paths';

const HTML = `<!doctype html><meta charset="utf-8"><title>A game</title><script type="module" src="/game.js"></script>`;

/** Runs in the page. Two inputs are recorded: the NPC and the microphone. */
const GAME = `
import { NpcVoice } from '/web/index.js';
const RECORDER = \`registerProcessor('recorder', class extends AudioWorkletProcessor {
  process(inputs) {
    const quiet = new Float32Array(128);
    this.port.postMessage([inputs[0][0] ?? quiet, inputs[1][0] ?? quiet, currentFrame]);
    return true;
  }
})\`;
const context = new AudioContext();
await context.audioWorklet.addModule(URL.createObjectURL(new Blob([RECORDER], { type: 'text/javascript' })));
const recorder = new AudioWorkletNode(context, 'recorder', { numberOfInputs: 2, numberOfOutputs: 0 });
const npc = [], mic = [], events = [];
let first = -1;
recorder.port.onmessage = ({ data: [a, b, frame] }) => {
  if (first < 0) first = frame;
  npc.push(a); mic.push(b);
};
/** Samples of the recording at this moment. */
const now = () => Math.round(context.currentTime * context.sampleRate) - Math.max(first, 0);
const note = (type, detail) => events.push({ type, at: now(), ...detail });
window.game = {
  NpcVoice, context, events, note,
  async connect(options) {
    this.voice = await NpcVoice.connect({ client: 'e2e-game/1.0', audioContext: context, ...options });
    this.voice.on('connection', ({ status, why }) => note('connection', { status, why: why?.code }));
    this.voice.on('personaChanged', ({ persona, speed, changed }) => note('personaChanged', { persona, speed, changed }));
    this.voice.on('error', (error) => note('error', { code: error.code, message: error.message }));
  },
  async attach(id, options) {
    const it = await this.voice.attach(id, options);
    it.output.connect(recorder, 0, 0);
    for (const type of ['started', 'stopped', 'interrupted', 'playerStarted', 'playerStopped', 'caption', 'cue', 'transcript', 'reattached', 'detached'])
      it.on(type, (detail) => note(type, detail));
    it.on('mouth', (weights) => note('mouth', { rest: weights[0], jaw: weights[10] + weights[11] + weights[13] }));
    this.npc = it;
  },
  async openMicrophone() {
    this.microphone = await this.voice.openMicrophone({ echoCancellation: false, noiseSuppression: false, autoGainControl: false });
    context.createMediaStreamSource(this.microphone.stream).connect(recorder, 0, 1);
  },
  /** Both recordings as base64 of s16: JSON of floats would take minutes. */
  recording() {
    const pack = (blocks) => {
      const bytes = new Uint8Array(blocks.length * 256);
      const view = new DataView(bytes.buffer);
      blocks.forEach((block, b) => block.forEach((sample, i) =>
        view.setInt16((b * 128 + i) * 2, Math.max(-1, Math.min(1, sample)) * 32767, true)));
      let text = '';
      for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
      return btoa(text);
    };
    return { rate: context.sampleRate, npc: pack(npc), mic: pack(mic), events };
  },
};
document.title = 'ready';
`;

/** Tells that the audio thread has come to a message. */
const ECHO = `registerProcessor('echo', class extends AudioWorkletProcessor {
  constructor() { super(); this.port.onmessage = ({ data }) => this.port.postMessage(data); }
  process() { return true; }
})`;

export class GameSite {
  private constructor(
    private readonly server: Server,
    readonly origin: string,
  ) {}

  static async open(): Promise<GameSite> {
    const server = createServer((request, response) => {
      const url = request.url ?? '/';
      const send = (type: string, body: string | Buffer): void => {
        response.writeHead(200, { 'content-type': type }).end(body);
      };
      if (url === '/') return send('text/html', HTML);
      if (url === '/game.js') return send('text/javascript', GAME);
      if (url === '/echo.js') return send('text/javascript', ECHO);
      void readFile(distFile(...path.posix.normalize(url).split('/').filter(Boolean))).then(
        (body) => send('text/javascript', body),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new GameSite(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

export interface GameEvent {
  type: string;
  /** Samples of the recording when the page was told. */
  at: number;
  [detail: string]: unknown;
}
export interface Recording {
  rate: number;
  /** The NPC's voice as it left `npc.output`. */
  npc: Float32Array;
  /** The microphone as it came in. */
  mic: Float32Array;
  events: GameEvent[];
}

/** The object that the page offers. */
interface Game {
  connect(options: object): Promise<void>;
  attach(id: string, options?: object): Promise<void>;
  openMicrophone(): Promise<void>;
  recording(): { rate: number; npc: string; mic: string; events: GameEvent[] };
  events: GameEvent[];
  npc: { say(text: string, when?: string): Promise<void>; detach(o: object): Promise<void> };
  microphone: { mute(on: boolean): Promise<void> };
  voice: {
    stats(): Promise<{ mics: { packets: number }[] }>;
    close(): Promise<void>;
    connection: { status: string };
  };
}
declare global {
  interface Window {
    game: Game;
  }
}

export async function openGame(page: Page, site: GameSite): Promise<void> {
  await page.goto(site.origin);
  await page.waitForFunction(() => document.title === 'ready');
}

/** Waits until the page has been told `type` `count` times. */
export async function told(page: Page, type: string, count = 1): Promise<GameEvent> {
  await page.waitForFunction(
    ([wanted, n]) => window.game.events.filter((event) => event.type === wanted).length >= n,
    [type, count] as const,
    { polling: 50, timeout: 60_000 },
  );
  const events = await page.evaluate(() => window.game.events);
  return events.filter((event) => event.type === type)[count - 1]!;
}

export async function recording(page: Page): Promise<Recording> {
  const { rate, npc, mic, events } = await page.evaluate(() => window.game.recording());
  return { rate, npc: unpack(npc), mic: unpack(mic), events };
}

function unpack(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64');
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readInt16LE(i * 2) / 32767);
}
