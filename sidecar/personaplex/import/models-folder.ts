/**
 * The folder of models as it is written: whole models appear in one rename, and what is being made lies in folders
 * whose names say which process makes them, so that what a killed one left can be told and removed.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bytesText } from '../../bytes-text';
import { NpcVoiceError } from '../../errors';
import { isRunning } from '../../is-running';

/**
 * Makes the folder of models, where it is not there yet.
 * @throws NpcVoiceError `io` when it cannot be made
 */
export function makeModelsFolder(models: string): void {
  try {
    mkdirSync(models, { recursive: true });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new NpcVoiceError('io', `The folder of models ${models} cannot be made: ${code}.`, {
      hint: 'Set NPC_VOICE_MODELS to a folder you may write to.',
      cause,
    });
  }
}

/** @throws NpcVoiceError `io` when the folder's disk has less room than `bytes` */
export async function checkSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free < bytes)
    throw new NpcVoiceError(
      'io',
      `This needs ${bytesText(bytes)} in ${folder}, but only ${bytesText(free)} are free.`,
      {
        hint: 'Make room, or set NPC_VOICE_MODELS to a folder on a larger disk.',
      },
    );
}

const DENIED = new Set(['EACCES', 'EPERM', 'EROFS', 'EBUSY']);

/** The same failure; one of the file system as `io`, said plainly. */
export function diskFailure(error: unknown, folder: string): unknown {
  if (error instanceof NpcVoiceError) return error;
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new NpcVoiceError('io', `The disk of ${folder} is full.`, {
      hint: 'Make room and run the same command again.',
      cause: error,
    });
  if (code === undefined || syscall === undefined) return error;
  const hint = `Check that you may write to ${folder}, and that no other npc-voice uses it now.`;
  return new NpcVoiceError('io', `The disk did not do as asked: ${message}.`, {
    ...(DENIED.has(code) ? { hint } : {}),
    cause: error,
  });
}

/** Folders this process writes now. One that bears its number otherwise is of another: a container's are all alike. */
const writing = new Set<string>();

/** A folder to make something in. */
export interface WorkFolder {
  at: string;
  /** Ends it; what is still in it is removed. */
  end(): void;
}

/**
 * Begins a folder beside the models, after what killed processes left there has been removed.
 * @param kind `import`: a model; `checkpoint`: what one is then made from
 * @throws NpcVoiceError `io` when it cannot be made
 */
export function beginFolder(models: string, kind: 'import' | 'checkpoint', id: string): WorkFolder {
  makeModelsFolder(models);
  sweepLeftovers(models);
  const at = path.join(models, `.${kind}-${id}-${process.pid}`);
  try {
    mkdirSync(at);
  } catch (error) {
    throw diskFailure(error, models);
  }
  writing.add(at);
  return {
    at,
    end: () => {
      rmSync(at, { recursive: true, force: true, maxRetries: 5 });
      writing.delete(at);
    },
  };
}

/** Removes what killed imports and removals left behind; a model that was set aside but never replaced is put back. */
export function sweepLeftovers(models: string): void {
  for (const name of readdirSync(models)) {
    const match = /^\.(import|checkpoint|old|gone)-([a-z0-9_-]+)-(\d+)$/.exec(name);
    if (!match) continue;
    const at = path.join(models, name);
    const pid = Number(match[3]);
    if (pid === process.pid ? writing.has(at) : isRunning(pid)) continue;
    const model = path.join(models, match[2]!);
    try {
      if (match[1] === 'old' && !existsSync(model)) renameSync(at, model);
      else rmSync(at, { recursive: true, force: true });
    } catch {
      // What cannot be removed yet is in nobody's way.
    }
  }
}

type Rename = (from: string, to: string) => void;

/** Windows refuses to rename a folder while a virus scanner or an indexer reads a file in it; that passes. */
const RENAME_TRIES = 12;
const RENAME_WAIT_MS = 250;

async function renamePatiently(from: string, to: string, rename: Rename): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return rename(from, to);
    } catch (error) {
      if (tries === RENAME_TRIES || !DENIED.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      await sleep(RENAME_WAIT_MS);
    }
  }
}

/**
 * Puts `fresh` in the place of `target`. At no moment is there a half-written folder under that name; when it cannot be
 * done, what there was is there again.
 * @param rename as fs.renameSync; tests give one that refuses as Windows does
 * @throws the system's error
 */
export async function replaceFolder(
  target: string,
  fresh: string,
  rename: Rename = renameSync,
): Promise<void> {
  const old = path.join(path.dirname(target), `.old-${path.basename(target)}-${process.pid}`);
  const had = existsSync(target);
  writing.add(old);
  try {
    if (had) await renamePatiently(target, old, rename);
    try {
      await renamePatiently(fresh, target, rename);
    } catch (error) {
      if (had) rename(old, target);
      throw error;
    }
  } finally {
    writing.delete(old);
  }
  try {
    if (had) rmSync(old, { recursive: true, force: true });
  } catch {
    // The new one is in place; the next import sweeps up the old one.
  }
}
