/**
 * Downloads a file so that it can be interrupted at any time: bytes go to `<file>.part`, what they are part of to
 * `<file>.part.json`, and the name itself appears only when size and checksum are right.
 */
import { createHash, type Hash } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NpcVoiceError } from '../../errors';
import { diskFailure } from '../import';
import { TransientError, type Hub, type HubFile } from './hub';

export interface DownloadOptions {
  hub: Hub;
  repository: string;
  revision: string;
  file: HubFile;
  /** Folder the file goes to. */
  folder: string;
  /** Bytes there are so far, of `file.size`; begins with what an earlier attempt left. */
  progress?: (bytes: number) => void;
  /** Told before a wait: why, and how long. */
  retrying?: (why: string, waitMs: number) => void;
  /** First wait after a dropped connection, doubled each time nothing came, ms. */
  patienceMs?: number;
}

/** Connections that bring nothing before the download gives up. */
const MAX_BARREN = 6;
const LONGEST_WAIT_MS = 30_000;

const partOf = (target: string): string => `${target}.part`;
const notesOf = (target: string): string => `${target}.part.json`;

/** Bytes of a file that are there already, whole or in part, if they are of this version of it. */
export function bytesPresent(folder: string, { name, size, etag }: HubFile): number {
  const target = path.join(folder, name);
  if (existsSync(target) && statSync(target).size === size) return size;
  return samePart(target, etag) ? Math.min(size, statSync(partOf(target)).size) : 0;
}

function samePart(target: string, etag: string): boolean {
  if (!existsSync(partOf(target))) return false;
  try {
    return (JSON.parse(readFileSync(notesOf(target), 'utf8')) as { etag?: unknown }).etag === etag;
  } catch {
    return false;
  }
}

/**
 * Downloads a file, or the rest of it.
 * @returns its path, and its SHA-256
 * @throws NpcVoiceError `io` when the connection keeps dropping, the disk is full or the bytes are not the hub's;
 *   `unauthorized` as Hub.describe. What was downloaded is kept for the next attempt, unless it is wrong.
 */
export async function download(options: DownloadOptions): Promise<{ path: string; sha256: string }> {
  const { file, folder, progress } = options;
  const target = path.join(folder, file.name);
  if (existsSync(target) && statSync(target).size === file.size) {
    const sha256 = (await hashOf(target)).digest('hex');
    if (file.sha256 === null || sha256 === file.sha256) {
      progress?.(file.size);
      return { path: target, sha256 };
    }
    rmSync(target);
  }
  if (!samePart(target, file.etag)) rmSync(partOf(target), { force: true });
  writeFileSync(notesOf(target), JSON.stringify({ etag: file.etag, size: file.size }));

  let part = await Part.open(partOf(target));
  for (let barren = 0; part.length !== file.size;) {
    if (part.length > file.size) part.clear();
    const before = part.length;
    try {
      await append(options, part);
    } catch (error) {
      if (!(error instanceof TransientError)) throw diskFailure(error, folder);
      part = await part.checked();
      barren = part.length > before ? 0 : barren + 1;
      if (barren >= MAX_BARREN)
        throw new NpcVoiceError('io', `The download of ${file.name} stopped: ${error.message}.`, {
          hint: 'Run the same command again to go on where it stopped.',
          cause: error,
        });
      const wait = Math.min(LONGEST_WAIT_MS, (options.patienceMs ?? 1000) * 2 ** barren);
      options.retrying?.(error.message, wait);
      await sleep(wait);
    }
  }

  const sha256 = part.hash.digest('hex');
  // The hash is of what came; what is on the disk may have been written to by another.
  const isWhole = statSync(part.path).size === part.length;
  if (!isWhole || (file.sha256 !== null && sha256 !== file.sha256)) {
    rmSync(part.path);
    rmSync(notesOf(target), { force: true });
    throw new NpcVoiceError(
      'io',
      `${file.name} arrived damaged: its ${isWhole ? 'SHA-256' : 'size on the disk'} is not the one the hub tells.`,
      {
        hint: 'It was thrown away. Run the same command again to download it anew.',
      },
    );
  }
  renameSync(partOf(target), target);
  rmSync(notesOf(target), { force: true });
  return { path: target, sha256 };
}

/** What there is of a file, and the hash of it so far. */
class Part {
  private constructor(
    readonly path: string,
    public length: number,
    public hash: Hash,
  ) {}

  /** Of no bytes when the file does not exist. */
  static async open(path: string): Promise<Part> {
    if (!existsSync(path)) writeFileSync(path, '');
    return new Part(path, statSync(path).size, await hashOf(path));
  }

  clear(): void {
    writeFileSync(this.path, '');
    this.length = 0;
    this.hash = createHash('sha256');
  }

  /** After a failure the disk may hold bytes the hash has not seen; then everything is read again. */
  async checked(): Promise<Part> {
    return statSync(this.path).size === this.length ? this : Part.open(this.path);
  }
}

async function hashOf(file: string): Promise<Hash> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 2 ** 20 })) hash.update(chunk as Buffer);
  return hash;
}

/** One connection's worth of bytes. */
async function append(
  { hub, repository, revision, file, progress }: DownloadOptions,
  part: Part,
): Promise<void> {
  const { start, bytes } = await hub.read(repository, revision, file.name, part.length);
  if (start !== part.length) part.clear();
  const handle = await open(part.path, 'a');
  try {
    for await (const chunk of bytes) {
      if (part.length + chunk.length > file.size)
        throw new TransientError('the server sent more than the file has');
      for (let done = 0; done < chunk.length;) done += (await handle.write(chunk, done)).bytesWritten;
      part.hash.update(chunk);
      part.length += chunk.length;
      progress?.(part.length);
    }
  } finally {
    await handle.close();
  }
  if (part.length < file.size)
    throw new TransientError(`the connection ended ${file.size - part.length} bytes early`);
}
