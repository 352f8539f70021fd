/** One process at a time downloads a model: two would write into the same file. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NpcVoiceError } from '../../errors';
import { isRunning } from '../../is-running';

/** Between the making of a lock and the writing of its number. */
const WRITING_MS = 200;
const MAX_TRIES = 3;

/** Locks of this process. One that bears its number otherwise is left of another: a container's are all alike. */
const held = new Set<string>();

/**
 * Takes a folder for this process; the lock is a file beside it.
 * @returns what gives it back
 * @throws NpcVoiceError `conflict` when a running process has it
 */
export async function lockFolder(folder: string): Promise<() => void> {
  const file = `${folder}.lock`;
  mkdirSync(path.dirname(file), { recursive: true });
  // A killed process leaves its lock; it is removed, and whoever is faster then has the next.
  for (let tries = 1; ; tries++) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      held.add(file);
      return () => {
        held.delete(file);
        rmSync(file, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const pid = holder(file) ?? (await sleep(WRITING_MS), holder(file));
      const isHeld = pid !== undefined && (pid === process.pid ? held.has(file) : isRunning(pid));
      if (isHeld || tries === MAX_TRIES)
        throw new NpcVoiceError(
          'conflict',
          `${pid === undefined ? 'Another process' : `Process ${pid}`} works on ${folder} already.`,
          {
            hint: `Wait until it has ended, or end it. If it is no npc-voice, remove ${file}.`,
          },
        );
      rmSync(file, { force: true });
    }
  }
}

/** The process that made the lock; undefined where it does not say, or is gone. */
function holder(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}
