/** Finds the sidecar of NPC Voice, or starts one, by the rules of sidecar/wire/PROTOCOL.md, section 1. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cli = path.join(root, 'dist', 'npc-voice.js');
const START_MS = 20_000;

/** One sentence for the player's screen, and what to do about it. */
export class SidecarProblem extends Error {
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}

function runtimeFile({ env, platform } = process) {
  const folder = () => {
    if (env.NPC_VOICE_RUNTIME_DIR) return env.NPC_VOICE_RUNTIME_DIR;
    if (platform === 'win32') return path.join(env.LOCALAPPDATA, 'npc-voice');
    if (platform === 'darwin') return path.join(os.homedir(), 'Library', 'Application Support', 'npc-voice');
    if (env.XDG_RUNTIME_DIR) return path.join(env.XDG_RUNTIME_DIR, 'npc-voice');
    return path.join(os.tmpdir(), `npc-voice-${os.userInfo().uid}`);
  };
  return path.join(folder(), 'sidecar.json');
}

/** Asks the sidecar's health as a page of `origin` would; 403: pages of that origin may not use it. */
const health = (url, origin) =>
  fetch(new URL('/healthz', url.replace(/^ws/, 'http')), {
    headers: origin ? { origin } : {},
    signal: AbortSignal.timeout(2000),
  });

/** What the runtime file says, where the process it names is the one that answers. */
async function findSidecar() {
  try {
    const info = JSON.parse(await readFile(runtimeFile(), 'utf8'));
    const { pid } = await (await health(info.url)).json();
    return pid === info.pid ? info : undefined;
  } catch {
    return undefined;
  }
}

/** Sidecars for the pages of one origin. The one it starts ends with this process, or at `end`. */
export class SidecarKeeper {
  #origin;
  #model;
  #child;
  #starting;

  constructor(origin, model) {
    this.#origin = origin;
    this.#model = model;
  }

  /** Where to connect, and with which token: `{url, token}`. @throws SidecarProblem */
  async ensure() {
    const { url, token, pid } = (await findSidecar()) ?? (await (this.#starting ??= this.#start()));
    if ((await health(url, this.#origin)).status === 403)
      throw new SidecarProblem(
        `A sidecar is running already (process ${pid}), and it does not let pages of ${this.#origin} in.`,
        `End it and try again: this server then starts one. Or start it so: npc-voice serve --allow-origin ${this.#origin}`,
      );
    return { url, token };
  }

  end() {
    this.#child?.kill();
  }

  async #start() {
    try {
      if (!existsSync(cli)) throw new SidecarProblem('The sidecar is not built yet.', 'Run: npm run build');
      const args = ['serve', '--with', process.pid, '--allow-origin', this.#origin, '--log-level', 'warn'];
      if (this.#model) args.push('--model', this.#model);
      args.push('--personas', path.join(root, 'npc-personas'));
      const child = spawn(process.execPath, [cli, ...args.map(String)], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      this.#child = child;
      // Its file is there before a large model is, and the page can wait for the rest.
      for (const until = Date.now() + START_MS; Date.now() < until; await sleep(100)) {
        if (child.exitCode !== null) break;
        const info = await findSidecar();
        if (info) return info;
      }
      child.kill();
      throw new SidecarProblem('The sidecar did not start.', 'The terminal of serve.mjs says why.');
    } finally {
      this.#starting = undefined;
    }
  }
}
