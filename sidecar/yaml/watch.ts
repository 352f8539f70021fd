/**
 * Watches a folder of YAML files and tells each change once, when the file has come to rest.
 *
 * Events of the file system are taken as hints only: they come while a file is half written, come twice, and some
 * never come (chokidar drops a second change within 50 ms). After a hint the file is read, and read again until
 * its content stays the same; a slow sweep over the folder finds what no event told, a folder that was replaced,
 * and one that was missing at first.
 */
import { watch, type FSWatcher } from 'chokidar';
import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { YamlFolder, type Reading } from './folder';

/** A whole file that stays the same this long is believed, ms. */
const SETTLE_WHOLE = 20;
/** One that is gone or does not parse may be half written; it is given this long, ms. */
const SETTLE_BROKEN = 250;
/** How long a file is read again after the last hint, for changes whose events were dropped, ms. */
const AFTERWATCH = 120;
/** How often a broken file is looked at while it may be half written, ms. */
const POLL_BROKEN = 40;
/** Looks at an unchanged broken file before it is told: time alone would pass, too, while this process stood still. */
const LOOKS_BROKEN = 5;
/** How often the whole folder is looked over, ms. */
const SWEEP = 1000;
/** Sweeps while the folder is missing, ms. */
const SWEEP_MISSING = 150;
const LONGEST_ARMING = 2000;

export interface FolderListener {
  /** Whether a reading is one that an editor would have finished. */
  isWhole(id: string, reading: Reading): boolean;
  /** The file has come to rest. `since`: when it was first seen changed, performance.now(). */
  settled(id: string, reading: Reading, since: number): void;
}

interface Unsettled {
  hintedAt: number;
  /** First sign of the change that is not yet told. */
  since: number | undefined;
  version: string | undefined;
  versionAt: number;
  /** Times it was read without a difference. */
  looks: number;
  whole: boolean;
  /** A hint came since the file was last read. */
  again: boolean;
  /** Ends the present pause. */
  wake: () => void;
}

export class FolderWatch {
  private readonly unsettled = new Map<string, Unsettled>();
  private signatures = new Map<string, string>();
  private watcher: FSWatcher | undefined;
  /** Ends the wait for a watcher to be ready. */
  private endArming: () => void = () => undefined;
  private sweepTimer: NodeJS.Timeout | undefined;
  private sweeping: Promise<void> = Promise.resolve();
  private closed = false;

  /** `told`: versions by id of what the listener knows already. */
  constructor(
    private readonly folder: YamlFolder,
    private readonly listener: FolderListener,
    private readonly told: Map<string, string>,
  ) {}

  /** Resolves when changes from now on will be seen. `known`: the folder's signatures from before it was read. */
  async start(known: Map<string, string>): Promise<void> {
    this.signatures = known;
    await this.watchFolder();
    await this.sweep();
  }

  /** Content that the listener was given by other means: not told again. */
  accept(id: string, version: string): void {
    this.told.set(id, version);
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.sweepTimer);
    this.endArming();
    for (const file of this.unsettled.values()) file.wake();
    await this.watcher?.close();
    await this.sweeping;
  }

  private async watchFolder(): Promise<void> {
    await this.watcher?.close();
    this.watcher = undefined;
    const dir = await realpath(this.folder.dir).catch(() => undefined);
    if (dir === undefined || this.closed) return;
    const watcher = watch(dir, {
      ignoreInitial: true,
      depth: 0,
      followSymlinks: false,
      atomic: false,
      ignored: (file) =>
        path.resolve(file) !== path.resolve(dir) && YamlFolder.idOf(path.basename(file)) === undefined,
    });
    this.watcher = watcher;
    const hint = (_event: string, file: unknown) => {
      const name = typeof file === 'string' ? path.basename(file) : '';
      const id = YamlFolder.idOf(name);
      if (id !== undefined) this.hint(id);
      else if (name === path.basename(dir)) this.sweepIn(0);
    };
    // `raw` is what the system says before chokidar leaves events out; `all` is what it makes of it.
    watcher.on('raw', hint).on('all', hint);
    // Without events (too many watches, a network drive) the sweep still finds changes.
    watcher.on('error', () => undefined);
    // `ready` does not come from a watcher that is closed first, nor from every folder that goes away meanwhile.
    await new Promise<void>((resolve) => {
      watcher.once('ready', resolve);
      this.endArming = resolve;
      setTimeout(resolve, LONGEST_ARMING).unref();
    });
  }

  private hint(id: string): void {
    if (this.closed) return;
    const hintedAt = performance.now();
    const already = this.unsettled.get(id);
    if (already) {
      already.hintedAt = hintedAt;
      already.since ??= hintedAt;
      already.again = true;
      already.wake();
      return;
    }
    const file: Unsettled = {
      hintedAt,
      since: hintedAt,
      version: undefined,
      versionAt: hintedAt,
      looks: 0,
      whole: false,
      again: false,
      wake: () => undefined,
    };
    this.unsettled.set(id, file);
    void this.settle(id, file).finally(() => this.unsettled.delete(id));
  }

  private async settle(id: string, file: Unsettled): Promise<void> {
    while (!this.closed) {
      file.again = false;
      const reading = await this.folder.read(id);
      if (this.closed) break;
      const now = performance.now();
      if (reading.version !== file.version) {
        file.version = reading.version;
        file.versionAt = now;
        file.looks = 0;
        file.whole = this.listener.isWhole(id, reading);
        file.since ??= now;
      } else file.looks++;
      let pause = file.hintedAt + AFTERWATCH - now;
      if (reading.version === (this.told.get(id) ?? 'gone')) {
        if (pause <= 0) break;
        if (!file.again) file.since = undefined;
      } else {
        const rest = file.versionAt + (file.whole ? SETTLE_WHOLE : SETTLE_BROKEN) - now;
        if (file.whole && rest > 0) pause = rest;
        else if (!file.whole && (rest > 0 || file.looks < LOOKS_BROKEN)) pause = POLL_BROKEN;
        else {
          this.told.set(id, reading.version);
          this.listener.settled(id, reading, file.since ?? now);
          file.since = undefined;
        }
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, file.again ? 1 : Math.max(1, pause));
        file.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  private sweepIn(ms: number): void {
    if (this.closed) return;
    clearTimeout(this.sweepTimer);
    this.sweepTimer = setTimeout(() => void this.sweep(), ms);
    this.sweepTimer.unref();
  }

  /** Compares what the file system says of each file with what it said last time. */
  private sweep(): Promise<void> {
    this.sweeping = this.sweeping.then(async () => {
      if (this.closed) return;
      const before = this.signatures;
      const now = (this.signatures = await this.folder.signatures());
      for (const id of new Set([...before.keys(), ...now.keys()]))
        if (id !== '' && before.get(id) !== now.get(id)) this.hint(id);
      if (before.get('') !== now.get('')) await this.watchFolder();
      this.sweepIn(now.get('') === 'none' ? SWEEP_MISSING : SWEEP);
    });
    return this.sweeping;
  }
}
