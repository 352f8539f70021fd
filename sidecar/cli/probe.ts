/** Asks a process of its own whether an execution provider computes here: a driver may take it down, or chatter. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { distFile } from '../paths';

/** What the probe's process prints, as a line of JSON. */
export interface Probed {
  ok: boolean;
  /** What it does, as a predicate without a full stop: “computes”, or why it does not. */
  says: string;
  /** Whether it computes in float16, as most GPUs do; asked of WebGPU only. */
  halves?: boolean;
}

const TIMEOUT_MS = 20_000;

/** @param provider name of an execution provider of ONNX Runtime */
export async function probe(provider: string): Promise<Probed> {
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [distFile('workers', 'probe.js'), provider],
      { timeout: TIMEOUT_MS },
    );
    return JSON.parse(stdout.trim().split('\n').at(-1)!) as Probed;
  } catch (thrown) {
    const died = thrown as { signal?: string; killed?: boolean };
    const says = died.killed
      ? `gave no answer in ${TIMEOUT_MS / 1000} s`
      : `took its process down (${died.signal ?? 'no signal'})`;
    return { ok: false, says };
  }
}
