/**
 * As much of WASI preview 1 as a command needs that reads its arguments, writes files and prints: thirteen calls,
 * everything in memory. flite asks for no more.
 * https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md
 */
import { takeApart, type DataSegment } from './wasm-data';

const OK = 0;
const BADF = 8;
const INVAL = 28;
const NOENT = 44;
const STDOUT = 1;
const STDERR = 2;
/** The only directory there is. */
const ROOT = 3;
const FIRST_FILE = 4;
const CHARACTER_DEVICE = 2;
const DIRECTORY = 3;
const REGULAR_FILE = 4;
const CREATE = 1;
const EVERY_RIGHT = 0xffff_ffff_ffff_ffffn;

/** What a command left behind. */
export interface CommandResult {
  /** 0 when it went well. */
  exitCode: number;
  stdout: string;
  stderr: string;
  /** What it wrote, by name. */
  files: ReadonlyMap<string, Uint8Array>;
}

/** Bytes that grow as they are written, anywhere. */
class Output {
  #bytes = new Uint8Array(1 << 12);
  #length = 0;
  position = 0;

  write(chunk: Uint8Array): void {
    const end = this.position + chunk.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(chunk, this.position);
    this.position = end;
    this.#length = Math.max(this.#length, end);
  }
  get length(): number {
    return this.#length;
  }
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

class Exit extends Error {
  constructor(readonly code: number) {
    super(`exit ${code}`);
  }
}

/** One run's view of the world. */
class Run {
  memory!: WebAssembly.Memory;
  readonly #argv: readonly Uint8Array[];
  readonly #out = new Output();
  readonly #err = new Output();
  readonly #files = new Map<string, Output>();
  readonly #open = new Map<number, Output>();

  constructor(args: readonly string[]) {
    const encoder = new TextEncoder();
    this.#argv = args.map((arg) => encoder.encode(arg + '\0'));
  }

  result(exitCode: number): CommandResult {
    const decoder = new TextDecoder();
    return {
      exitCode,
      stdout: decoder.decode(this.#out.bytes()),
      stderr: decoder.decode(this.#err.bytes()),
      files: new Map([...this.#files].map(([name, file]) => [name, file.bytes()])),
    };
  }

  get #view(): DataView {
    return new DataView(this.memory.buffer);
  }
  #bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, at, length);
  }

  args_sizes_get(countAt: number, sizeAt: number): number {
    this.#view.setUint32(countAt, this.#argv.length, true);
    this.#view.setUint32(
      sizeAt,
      this.#argv.reduce((sum, arg) => sum + arg.length, 0),
      true,
    );
    return OK;
  }
  args_get(pointersAt: number, textAt: number): number {
    let at = textAt;
    this.#argv.forEach((arg, index) => {
      this.#view.setUint32(pointersAt + 4 * index, at, true);
      this.#bytes(at, arg.length).set(arg);
      at += arg.length;
    });
    return OK;
  }
  /** Time stands still, so that what is synthesised depends on the arguments alone. */
  clock_time_get(_clock: number, _precision: bigint, timeAt: number): number {
    this.#view.setBigUint64(timeAt, 0n, true);
    return OK;
  }
  fd_close(fd: number): number {
    return this.#open.delete(fd) || fd < FIRST_FILE ? OK : BADF;
  }
  fd_fdstat_get(fd: number, statAt: number): number {
    const type = fd < ROOT ? CHARACTER_DEVICE : fd === ROOT ? DIRECTORY : REGULAR_FILE;
    if (type === REGULAR_FILE && !this.#open.has(fd)) return BADF;
    this.#bytes(statAt, 24).fill(0);
    this.#view.setUint8(statAt, type);
    this.#view.setBigUint64(statAt + 8, EVERY_RIGHT, true);
    this.#view.setBigUint64(statAt + 16, EVERY_RIGHT, true);
    return OK;
  }
  fd_fdstat_set_flags(): number {
    return OK;
  }
  fd_prestat_get(fd: number, statAt: number): number {
    if (fd !== ROOT) return BADF;
    this.#view.setUint32(statAt, 0, true);
    this.#view.setUint32(statAt + 4, 1, true);
    return OK;
  }
  fd_prestat_dir_name(fd: number, nameAt: number, length: number): number {
    if (fd !== ROOT || length < 1) return BADF;
    this.#bytes(nameAt, 1).fill('/'.charCodeAt(0));
    return OK;
  }
  fd_read(_fd: number, _vectors: number, _count: number, readAt: number): number {
    this.#view.setUint32(readAt, 0, true);
    return OK;
  }
  fd_seek(fd: number, offset: bigint, whence: number, positionAt: number): number {
    const file = this.#open.get(fd);
    if (!file) return BADF;
    const from = [0, file.position, file.length][whence];
    if (from === undefined || from + Number(offset) < 0) return INVAL;
    file.position = from + Number(offset);
    this.#view.setBigUint64(positionAt, BigInt(file.position), true);
    return OK;
  }
  fd_write(fd: number, vectors: number, count: number, writtenAt: number): number {
    const file = fd === STDOUT ? this.#out : fd === STDERR ? this.#err : this.#open.get(fd);
    if (!file) return BADF;
    let written = 0;
    for (let index = 0; index < count; index++) {
      const at = this.#view.getUint32(vectors + 8 * index, true);
      const length = this.#view.getUint32(vectors + 8 * index + 4, true);
      file.write(this.#bytes(at, length));
      written += length;
    }
    this.#view.setUint32(writtenAt, written, true);
    return OK;
  }
  path_open(...given: [number, number, number, number, number, bigint, bigint, number, number]): number {
    const [directory, , nameAt, nameLength, openFlags, , , , fdAt] = given;
    if (directory !== ROOT) return BADF;
    if (!(openFlags & CREATE)) return NOENT;
    const file = new Output();
    const fd = FIRST_FILE + this.#files.size;
    this.#files.set(new TextDecoder().decode(this.#bytes(nameAt, nameLength).slice()), file);
    this.#open.set(fd, file);
    this.#view.setUint32(fdAt, fd, true);
    return OK;
  }
  proc_exit(code: number): never {
    throw new Exit(code);
  }
}

interface CommandExports {
  memory: WebAssembly.Memory;
  _start: () => void;
}
type CallName = Exclude<keyof Run, 'memory' | 'result'>;

/**
 * A WASI command that is run again and again. Each run starts from the memory the instance was born with, as far as
 * it can be written: that is many times cheaper than a new instance (flite's is 17 MB), and leaves nothing of one run
 * to the next.
 */
export class WasiCommand {
  readonly #wasm: () => Uint8Array<ArrayBuffer>;
  readonly #module: WebAssembly.Module;
  readonly #writable: number;
  #instance: WebAssembly.Instance | undefined;
  #born: Uint8Array | undefined;
  #run = new Run([]);

  /** @param wasm reads the module: now, and for each instance after one that ended in an exception; none is kept */
  constructor(wasm: () => Uint8Array<ArrayBuffer>) {
    this.#wasm = wasm;
    const { program, data, writable } = takeApart(wasm());
    this.#module = new WebAssembly.Module(program);
    this.#writable = writable;
    this.#instantiate(data);
  }

  /** @param args arguments, the program's name first. Throws what the command traps with. */
  run(args: readonly string[]): CommandResult {
    const run = (this.#run = new Run(args));
    const { memory, _start } = this.#pristine();
    run.memory = memory;
    try {
      _start();
    } catch (thrown) {
      // Left by an exception, the stack pointer is not back where it was: this instance is done.
      this.#instance = undefined;
      if (!(thrown instanceof Exit)) throw thrown;
      return run.result(thrown.code);
    }
    return run.result(0);
  }

  #pristine(): CommandExports {
    const instance = this.#instance ?? this.#instantiate(takeApart(this.#wasm()).data);
    const exports = instance.exports as unknown as CommandExports;
    const bytes = new Uint8Array(exports.memory.buffer);
    bytes.set(this.#born!, this.#writable);
    bytes.fill(0, this.#writable + this.#born!.length);
    return exports;
  }

  #instantiate(data: readonly DataSegment[]): WebAssembly.Instance {
    const instance = new WebAssembly.Instance(this.#module, { wasi_snapshot_preview1: this.#imports() });
    const memory = new Uint8Array((instance.exports['memory'] as WebAssembly.Memory).buffer);
    for (const { address, bytes } of data) memory.set(bytes, address);
    this.#born ??= memory.slice(this.#writable);
    return (this.#instance = instance);
  }

  #imports(): Record<string, (...given: never[]) => number> {
    const imports: Record<string, (...given: never[]) => number> = {};
    for (const { name } of WebAssembly.Module.imports(this.#module)) {
      imports[name] = (...given) =>
        (this.#run[name as CallName] as (...args: never[]) => number).apply(this.#run, given);
    }
    return imports;
  }
}
