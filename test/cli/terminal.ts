/** Runs commands of the command line in this process, in a folder of their own, and keeps what they print. */
import { Command } from 'commander';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeEach, vi } from 'vitest';

export interface Ran {
  out: string;
  err: string;
  /** What the process would have ended with. */
  code: number;
}

/** A fresh current folder for each test. */
export function inFreshFolder(): { dir: string } {
  const place = { dir: '' };
  const made: string[] = [];
  const home = process.cwd();
  beforeEach(async () => {
    place.dir = await realpath(await mkdtemp(path.join(tmpdir(), 'npc-voice-cli-')));
    made.push(place.dir);
    process.chdir(place.dir);
  });
  afterAll(async () => {
    process.chdir(home);
    for (const dir of made) await rm(dir, { recursive: true, force: true });
  });
  return place;
}

class Exit extends Error {
  constructor(readonly code: number) {
    super(`exit ${code}`);
  }
}

export async function run(register: (program: Command) => void, ...args: string[]): Promise<Ran> {
  const said = { out: '', err: '' };
  const take = (to: 'out' | 'err') => (chunk: unknown) => {
    said[to] += stripVTControlCharacters(String(chunk));
    return true;
  };
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(take('out')),
    vi.spyOn(process.stderr, 'write').mockImplementation(take('err')),
    vi.spyOn(process, 'exit').mockImplementation((code) => {
      throw new Exit(Number(code ?? 0));
    }),
  ];
  process.exitCode = 0;
  try {
    const program = new Command('npc-voice');
    register(program);
    await program.parseAsync(args, { from: 'user' });
    return { ...said, code: Number(process.exitCode ?? 0) };
  } catch (thrown) {
    if (thrown instanceof Exit) return { ...said, code: thrown.code };
    throw thrown;
  } finally {
    process.exitCode = 0;
    for (const spy of spies) spy.mockRestore();
  }
}
