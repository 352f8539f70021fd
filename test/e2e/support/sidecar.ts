/** A built sidecar in a process of its own, on personas and voices of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { distFile, shippedPersonas, shippedVoices } from '../../../sidecar/paths';

export const TOKEN = 'end-to-end-token-of-the-tests';

export class Workshop {
  private constructor(readonly dir: string) {}

  /** The shipped cast in a folder that a test may change. */
  static async open(): Promise<Workshop> {
    const dir = await mkdtemp(path.join(os.tmpdir(), 'npc-voice-e2e-'));
    await cp(shippedPersonas, path.join(dir, 'npc-personas'), { recursive: true });
    await cp(shippedVoices, path.join(dir, 'voices'), { recursive: true });
    return new Workshop(dir);
  }
  persona(id: string): string {
    return path.join(this.dir, 'npc-personas', `${id}.yaml`);
  }
  async write(id: string, yaml: string): Promise<void> {
    await writeFile(this.persona(id), yaml);
  }
  read(id: string): Promise<string> {
    return readFile(this.persona(id), 'utf8');
  }
  async writeVoice(id: string, yaml: string): Promise<void> {
    await writeFile(path.join(this.dir, 'voices', `${id}.yaml`), yaml);
  }
  async close(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}

export class Sidecar {
  private constructor(
    readonly port: number,
    readonly process: ChildProcess,
    private readonly token: string,
  ) {}

  /** The studio's address, token included. */
  get studio(): string {
    return `http://127.0.0.1:${this.port}/#token=${this.token}`;
  }
  get url(): string {
    return `ws://127.0.0.1:${this.port}/`;
  }

  static async start(
    workshop: Workshop,
    o: { port?: number; allowOrigins?: string[]; token?: string } = {},
  ): Promise<Sidecar> {
    const token = o.token ?? TOKEN;
    const child = spawn(
      process.execPath,
      [
        distFile('npc-voice.js'),
        'serve',
        ...['--port', String(o.port ?? 0), '--token', token, '--log-level', 'error'],
        ...[
          '--personas',
          path.join(workshop.dir, 'npc-personas'),
          '--voices',
          path.join(workshop.dir, 'voices'),
        ],
        ...(o.allowOrigins ?? []).flatMap((origin) => ['--allow-origin', origin]),
      ],
      {
        env: { ...process.env, NPC_VOICE_RUNTIME_DIR: path.join(workshop.dir, 'run'), NO_COLOR: '1' },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const port = await new Promise<number>((resolve, reject) => {
      let said = '';
      child.stdout!.on('data', (text: Buffer) => {
        said += text.toString();
        const at = /http:\/\/127\.0\.0\.1:(\d+)\/#token=\S+\n/.exec(said);
        if (at) resolve(Number(at[1]));
      });
      child.once('exit', (code) => reject(new Error(`the sidecar ended with ${code}: ${said}`)));
    });
    return new Sidecar(port, child, token);
  }

  /** Ends it as a crash would, or politely. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill(signal);
    await ended;
  }
}
