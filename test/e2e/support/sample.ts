/** The web sample's own server, in a process of its own, and what its page offers to the console. */
import { spawn, type ChildProcess } from 'node:child_process';
import { request } from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const sample = fileURLToPath(new URL('../../../samples/web/', import.meta.url));

/** What the page offers to the console, as far as the tests look. */
interface Tavern {
  people: {
    id: string;
    range: number;
    heard: number;
    x: number;
    y: number;
    npc?: {
      name: string;
      turn: string;
      mouth: ArrayLike<number>;
      say(text: string, when?: string): Promise<void>;
      once(type: string, listener: () => void): void;
    };
    speaker?: { panner: AudioNode };
  }[];
  player: { x: number; y: number; goTo(x: number, y: number): void };
  hearing: { told: Map<string, { gain: number; muffle: number }> };
  voices: { microphone?: { mute(on: boolean): Promise<void>; muted: boolean } };
}
declare global {
  // The page's own name for it.
  var tavern: Tavern;
}

interface Answer {
  status: number;
  body: string;
}

export class SampleServer {
  private constructor(
    readonly process: ChildProcess,
    readonly origin: string,
  ) {}

  static async start(runtimeDir: string): Promise<SampleServer> {
    const child = spawn(process.execPath, [path.join(sample, 'serve.mjs'), '--port', '0'], {
      env: { ...process.env, NPC_VOICE_RUNTIME_DIR: runtimeDir },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const origin = await new Promise<string>((resolve, reject) => {
      child.stdout!.on('data', (text: Buffer) => {
        const at = /http:\/\/127\.0\.0\.1:\d+/.exec(text.toString());
        if (at) resolve(at[0]);
      });
      child.once('exit', (code) => reject(new Error(`serve.mjs ended with ${code}`)));
    });
    return new SampleServer(child, origin);
  }

  /** With headers that `fetch` would not let through. */
  ask(method: string, pathname: string, headers: Record<string, string> = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(this.origin);
      request({ hostname, port, method, path: pathname, headers }, (response) => {
        let body = '';
        response.on('data', (text: Buffer) => (body += text.toString()));
        response.on('end', () => resolve({ status: response.statusCode!, body }));
      })
        .on('error', reject)
        .end();
    });
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null) return;
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGTERM');
    await ended;
  }
}
