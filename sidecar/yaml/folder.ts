/**
 * A folder of YAML files, one for each id. Reading and writing never leave it: a link that leads out of the
 * folder is refused, and so is anything that is not a plain file.
 */
import { randomBytes } from 'node:crypto';
import { constants, type BigIntStats } from 'node:fs';
import { open, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { NpcVoiceError } from '../errors';
import { ID_PATTERN, ID_RULE } from './id';
import { fileProblem, type Problem } from './problem';
import { MAX_BYTES } from './compose';
import { decodeText, hashOf } from './text';

/** What was found of a file. `version` differs whenever its content does. */
export type Reading =
  | { kind: 'text'; version: string; text: string }
  | { kind: 'unreadable'; version: string; problem: Problem }
  | { kind: 'gone'; version: 'gone' };

const EXTENSION = '.yaml';
/** Endings that look like ours and are not: such files are refused by name rather than passed over. */
const NEARLY = /\.ya?ml$/i;
/** More files than any game has; a folder given by mistake should not be read for minutes. */
const MAX_FILES = 1000;

export class YamlFolder {
  readonly dir: string;
  constructor(dir: string) {
    this.dir = path.resolve(dir);
  }

  fileOf(id: string): string {
    return path.join(this.dir, nameOf(id));
  }

  /**
   * The id that a file name stands for, which need not be a good one: that of `hugo.yml` is its whole name.
   * Undefined for files that are none of ours.
   */
  static idOf(name: string): string | undefined {
    if (!NEARLY.test(name) || name.startsWith('.')) return undefined;
    const id = name.slice(0, -EXTENSION.length);
    return name.endsWith(EXTENSION) && !NEARLY.test(id) ? id : name;
  }

  /** Ids of all files, sorted; none when the folder is missing. Not all of them need be ids. */
  async list(): Promise<string[]> {
    const names = await readdir(this.dir).catch(() => [] as string[]);
    return names
      .map(YamlFolder.idOf)
      .filter((id) => id !== undefined)
      .sort()
      .slice(0, MAX_FILES);
  }

  /** Never rejects. */
  async read(id: string): Promise<Reading> {
    const file = this.fileOf(id);
    const unreadable = (code: string, message: string, hint?: string): Reading => ({
      kind: 'unreadable',
      version: `${code}: ${message}`,
      problem: fileProblem(file, code, message, hint),
    });
    const name = nameOf(id);
    if (!ID_PATTERN.test(id)) {
      // By its listed name: a case-insensitive file system finds foo.yaml by Foo.yaml, too.
      if (!(await this.list()).includes(id)) return { kind: 'gone', version: 'gone' };
      const why = NEARLY.test(id)
        ? `is not read: files here end in ${EXTENSION}.`
        : `makes no id: ${ID_RULE}.`;
      return unreadable('bad_file_name', `'${name}' ${why}`, `Rename it ${nearestId(id)}${EXTENSION}.`);
    }
    try {
      const real = await this.inside(file);
      if (real === undefined)
        return unreadable(
          'outside',
          `'${name}' is a link that leads out of its folder.`,
          'Put the file itself there.',
        );
      const bytes = await readBytes(real);
      if (bytes === undefined)
        return unreadable('not_a_file', `'${name}' is not a file.`, 'Take it out of the folder.');
      const decoded = decodeText(file, bytes);
      const version = hashOf(bytes);
      return 'text' in decoded
        ? { kind: 'text', version, text: decoded.text }
        : { kind: 'unreadable', version, problem: decoded.problem };
    } catch (thrown) {
      const { code, message } = thrown as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'gone', version: 'gone' };
      return unreadable('unreadable', `'${name}' cannot be read: ${code ?? message}.`);
    }
  }

  /**
   * Replaces a file whole, by renaming a finished one over it. `expected` is the version it must have now.
   * Returns the new version. Throws `bad_field` for what is no id, `conflict`, `io`.
   */
  async write(id: string, text: string, expected?: string): Promise<string> {
    if (!ID_PATTERN.test(id)) throw new NpcVoiceError('bad_field', `'${id}' is no id: ${ID_RULE}.`);
    const bytes = new TextEncoder().encode(text);
    if (bytes.length > MAX_BYTES)
      throw new NpcVoiceError('too_large', `The text has ${bytes.length} bytes, and ${MAX_BYTES} fit.`);
    const now = await this.read(id);
    if (now.kind === 'unreadable' && (now.problem.code === 'outside' || now.problem.code === 'not_a_file'))
      throw new NpcVoiceError('io', now.problem.message, { hint: now.problem.hint });
    if (expected !== undefined && now.version !== expected)
      throw new NpcVoiceError('conflict', `${id}${EXTENSION} has been changed since it was read.`, {
        hint: 'Read it again, and put your changes into that.',
      });
    let temporary: string | undefined;
    try {
      const file = now.kind === 'gone' ? this.fileOf(id) : await realpath(this.fileOf(id));
      const mode = now.kind === 'gone' ? 0o666 : (await stat(file)).mode & 0o777;
      // Hidden, and without our extension: neither we nor an editor's file list take it for a persona.
      const scratch = path.join(
        path.dirname(file),
        `.${path.basename(file)}.${randomBytes(6).toString('hex')}.tmp`,
      );
      const handle = await open(
        scratch,
        constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | noFollow,
        mode,
      );
      temporary = scratch;
      try {
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, file);
      return hashOf(bytes);
    } catch (thrown) {
      if (temporary) await rm(temporary, { force: true });
      throw new NpcVoiceError(
        'io',
        `${id}${EXTENSION} cannot be written: ${(thrown as NodeJS.ErrnoException).code ?? String(thrown)}.`,
        { cause: thrown, hint: `Is ${this.dir} there, and may it be written to?` },
      );
    }
  }

  /** What changes whenever the folder or a file of it does, as far as the file system says: by id; '' is the folder. */
  async signatures(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    const sign = async (id: string, file: string) => {
      const stats = await stat(file, { bigint: true }).catch(() => undefined);
      found.set(id, stats === undefined ? 'none' : id === '' ? identity(stats) : signature(stats));
    };
    const ids = await this.list();
    await Promise.all([sign('', this.dir), ...ids.map((id) => sign(id, this.fileOf(id)))]);
    return found;
  }

  /** The real path of a file of this folder, or undefined where it lies elsewhere. */
  private async inside(file: string): Promise<string | undefined> {
    const [root, real] = await Promise.all([realpath(this.dir), realpath(file)]);
    const relative = path.relative(root, real);
    return relative.startsWith('..') || path.isAbsolute(relative) ? undefined : real;
  }
}

const nameOf = (id: string): string => (NEARLY.test(id) ? id : id + EXTENSION);

/** The good id that is nearest to what a file is called now. */
export const nearestId = (id: string): string =>
  id.replace(NEARLY, '').toLowerCase().replace(/[^a-z0-9_-]+/g, '_').slice(0, 64); // prettier-ignore

const identity = (stats: BigIntStats): string => `${stats.dev}:${stats.ino}`;
const signature = (stats: BigIntStats): string =>
  `${identity(stats)}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;

// Windows has neither; its links need rights that a game's tools do not have.
const noFollow = constants.O_NOFOLLOW ?? 0;
const nonBlock = constants.O_NONBLOCK ?? 0;

/** At most MAX_BYTES + 1 bytes; undefined for what is not a plain file (a pipe would otherwise block for ever). */
async function readBytes(real: string): Promise<Uint8Array | undefined> {
  const handle = await open(real, constants.O_RDONLY | noFollow | nonBlock);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) return undefined;
    // One byte more than stat says, so that a file that grows meanwhile is read to its end.
    const buffer = new Uint8Array(Math.min(MAX_BYTES, stats.size) + 1);
    let filled = 0;
    let grown = buffer;
    for (;;) {
      const { bytesRead } = await handle.read(grown, filled, grown.length - filled, filled);
      filled += bytesRead;
      if (bytesRead === 0 || filled > MAX_BYTES) return grown.subarray(0, filled);
      if (filled === grown.length) {
        const larger = new Uint8Array(Math.min(MAX_BYTES + 1, grown.length * 2));
        larger.set(grown);
        grown = larger;
      }
    }
  } finally {
    await handle.close();
  }
}
