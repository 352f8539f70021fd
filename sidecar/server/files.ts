/** Files for browsers, from a folder and nothing outside it. */
import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.wav': 'audio/wav',
};

/** Plain names only: no dot files, no `..`, nothing percent-encoded. */
const PLAIN_PATH = /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)*[A-Za-z0-9_-][A-Za-z0-9._-]*$/;

export interface ServedFile {
  body: Buffer;
  type: string;
}

/** A file under `root` by its relative URL path, or undefined: not there, not ours, or of no type we serve. */
export async function readServed(root: string, relative: string): Promise<ServedFile | undefined> {
  const type = TYPES[path.extname(relative)];
  if (type === undefined || !PLAIN_PATH.test(relative)) return undefined;
  try {
    // A link in the folder must not lead out of it.
    const [base, file] = await Promise.all([realpath(root), realpath(path.join(root, relative))]);
    if (!file.startsWith(base + path.sep)) return undefined;
    return { body: await readFile(file), type };
  } catch {
    return undefined;
  }
}
