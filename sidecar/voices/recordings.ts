/**
 * The recordings that voices are made from: which version of each there is, and when one is replaced under its old name.
 * They are looked at rather than watched: a sound editor writes for seconds, and is done when a file stays the same.
 */
import { statSync, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';

/** Of one that is not there. */
const NONE = '';
/** How often they are looked at, ms; one that is the same twice has come to rest. */
const LOOK_MS = 400;

export class Recordings {
  readonly #folder: string;
  readonly #names: () => Iterable<string>;
  readonly #replaced: (name: string, since: number) => void;
  /** Versions by name, as told. */
  readonly #versions = new Map<string, string>();
  /** Those that were seen to differ, and when first. */
  readonly #unsettled = new Map<string, { version: string; since: number }>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /**
   * @param folder the voices' folder; recordings elsewhere, as those that came with a model, do not change
   * @param names prompts that voices now name
   * @param replaced a recording is another; `since`: when it was first seen so, performance.now()
   */
  constructor(
    folder: string,
    names: () => Iterable<string>,
    replaced: (name: string, since: number) => void,
  ) {
    this.#folder = folder;
    this.#names = names;
    this.#replaced = replaced;
  }

  /** Differs when the recording does; undefined where the folder has none of that name. */
  version(name: string): string | undefined {
    let version = this.#versions.get(name);
    if (version === undefined) {
      try {
        version = versionOf(statSync(this.#fileOf(name)));
      } catch {
        version = NONE;
      }
      this.#versions.set(name, version);
    }
    return version || undefined;
  }

  /** Looks at them again and again. */
  watch(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.#look().then(() => this.watch()), LOOK_MS);
    this.#timer.unref();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #fileOf(name: string): string {
    return path.join(this.#folder, /\.(pt|wav)$/.test(name) ? name : `${name}.pt`);
  }

  async #look(): Promise<void> {
    await Promise.all([...new Set(this.#names())].map((name) => this.#lookAt(name)));
  }

  async #lookAt(name: string): Promise<void> {
    const version = await stat(this.#fileOf(name)).then(versionOf, () => NONE);
    if (this.#closed) return;
    const told = this.#versions.get(name);
    // One that has gone stays what it was for whoever speaks with it; one that nobody has asked for is not known.
    if (version === NONE || version === told || told === undefined) {
      this.#unsettled.delete(name);
      return;
    }
    const seen = this.#unsettled.get(name);
    if (seen?.version !== version) {
      this.#unsettled.set(name, { version, since: seen?.since ?? performance.now() });
      return;
    }
    this.#unsettled.delete(name);
    this.#versions.set(name, version);
    this.#replaced(name, seen.since);
  }
}

const versionOf = ({ size, mtimeMs }: Stats): string => `${size} ${mtimeMs}`;
