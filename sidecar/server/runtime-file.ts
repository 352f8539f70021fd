/**
 * How clients find the sidecar without configuration: a file only its user can read, with port and token. Written
 * under another name and renamed, so that nobody reads half of one.
 */
import { randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { NpcVoiceError } from '../errors';

export interface RuntimeInfo {
  port: number;
  pid: number;
  token: string;
  /** Of the sidecar. */
  version: string;
  /** Of the wire. */
  protocol: number;
  /** Where the WebSocket is: `ws://127.0.0.1:7766/`. */
  url: string;
  /** ISO 8601. */
  startedAt: string;
  /** The personas folder it serves. */
  personas: string;
}

const FILE = 'sidecar.json';

/** A folder of this user alone. PROTOCOL.md tells clients the same rule. */
export function runtimeDir(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  if (env.NPC_VOICE_RUNTIME_DIR) return path.resolve(env.NPC_VOICE_RUNTIME_DIR);
  if (platform === 'win32' && env.LOCALAPPDATA) return path.join(env.LOCALAPPDATA, 'npc-voice');
  if (platform === 'darwin' && env.HOME)
    return path.join(env.HOME, 'Library', 'Application Support', 'npc-voice');
  if (env.XDG_RUNTIME_DIR) return path.join(env.XDG_RUNTIME_DIR, 'npc-voice');
  return path.join(os.tmpdir(), `npc-voice-${os.userInfo().uid}`);
}
export const runtimeFile = (dir = runtimeDir()): string => path.join(dir, FILE);

/** @throws NpcVoiceError `io` when the folder is, or could be made, somebody else's */
async function ensurePrivate(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  if (process.platform === 'win32') return;
  const stat = await lstat(dir);
  // In a shared /tmp another user may have made it first, to read the token or to plant one.
  if (!stat.isDirectory() || stat.uid !== process.getuid?.())
    throw new NpcVoiceError('io', `The runtime folder ${dir} is not a folder of yours.`, {
      hint: 'Set NPC_VOICE_RUNTIME_DIR to one that is.',
    });
  if ((stat.mode & 0o077) !== 0) await chmod(dir, 0o700);
}

export async function writeRuntimeFile(info: RuntimeInfo, dir = runtimeDir()): Promise<void> {
  try {
    await ensurePrivate(dir);
    const draft = path.join(dir, `${FILE}.${process.pid}.${randomBytes(6).toString('hex')}`);
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(info, null, 2)}\n`);
    } finally {
      await handle.close();
    }
    await rename(draft, runtimeFile(dir));
  } catch (cause) {
    if (cause instanceof NpcVoiceError) throw cause;
    throw new NpcVoiceError('io', `The runtime file could not be written: ${(cause as Error).message}`, {
      hint: 'Set NPC_VOICE_RUNTIME_DIR to a folder of yours.',
      cause,
    });
  }
}

/** What the file says, or undefined: none, or none that makes sense. */
export async function readRuntimeFile(dir = runtimeDir()): Promise<RuntimeInfo | undefined> {
  try {
    const info = JSON.parse(await readFile(runtimeFile(dir), 'utf8')) as Partial<RuntimeInfo>;
    const whole =
      Number.isInteger(info.port) &&
      Number.isInteger(info.pid) &&
      typeof info.token === 'string' &&
      typeof info.url === 'string' &&
      URL.canParse(info.url);
    return whole ? (info as RuntimeInfo) : undefined;
  } catch {
    return undefined;
  }
}

/** Removes the file if it is still the one this sidecar wrote. */
export async function removeRuntimeFile(ours: RuntimeInfo, dir = runtimeDir()): Promise<void> {
  const there = await readRuntimeFile(dir);
  if (there?.pid === ours.pid && there.token === ours.token) await rm(runtimeFile(dir), { force: true });
}

/** The sidecar that is running already. A file whose process or port is gone, or another's by now, is stale. */
export async function findRunning(dir = runtimeDir()): Promise<RuntimeInfo | undefined> {
  const info = await readRuntimeFile(dir);
  if (!info) return undefined;
  try {
    const { host } = new URL(info.url);
    const answer = await fetch(`http://${host}/healthz`, {
      signal: AbortSignal.timeout(1000),
      redirect: 'error',
    });
    const health = (await answer.json()) as { name?: string; pid?: number };
    return health.name === 'npc-voice' && health.pid === info.pid ? info : undefined;
  } catch {
    return undefined;
  }
}
