/**
 * Reads safetensors files lazily: the header is read and checked once, tensor data only when asked for, by
 * position, so that a 16.7 GB checkpoint costs its header's few kilobytes.
 *
 * Format: u64 LE header length, JSON header `{name: {dtype, shape, data_offsets: [begin, end]}}` with an optional
 * `__metadata__`, then the data; offsets count from the end of the header. (github.com/huggingface/safetensors)
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { NpcVoiceError } from '../../errors';
import { dtypeBytes, FLOAT_DTYPES, isDtype, widenToFloat32, type Dtype } from './dtype';

export interface TensorEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Position of the first byte in the file. May exceed 2^31. */
  readonly position: number;
  readonly byteLength: number;
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** Bytes before the data. */
  readonly dataStart: number;
}

/** The published checkpoint's header takes 60 kB; a hundred times that is no checkpoint of ours. */
const MAX_HEADER_BYTES = 16 * 2 ** 20;
const MAX_RANK = 8;

const invalid = (file: string, what: string, hint?: string): NpcVoiceError =>
  new NpcVoiceError('model_invalid', `${file} is not a usable safetensors file: ${what}.`, {
    hint: hint ?? 'Download the file again; if it still fails, it is not the file it claims to be.',
  });

/** The length of the JSON header, checked against the file's size. `prefix` is the first 8 bytes. */
export function headerLength(prefix: Uint8Array, fileSize: number, file: string): number {
  if (prefix.length < 8 || fileSize < 8) throw invalid(file, 'it is shorter than 8 bytes');
  const view = new DataView(prefix.buffer, prefix.byteOffset, 8);
  const length = view.getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES))
    throw invalid(file, `its header claims ${length} bytes, more than the ${MAX_HEADER_BYTES} allowed`);
  if (Number(length) > fileSize - 8)
    throw invalid(file, `its header claims ${length} bytes, but the file has only ${fileSize}`);
  if (length < 2n) throw invalid(file, 'its header is empty');
  return Number(length);
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/**
 * Checks a header: known dtypes, and sizes that agree with shapes. Whether its tensors cover the file `checkCoverage`
 * tells.
 * @param json the header's bytes
 * @param fileSize size of the whole file in bytes
 * @throws NpcVoiceError `model_invalid` naming the tensor and what is wrong with it
 */
export function parseHeader(json: Uint8Array, fileSize: number, file: string): SafetensorsHeader {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch (cause) {
    throw invalid(file, `its header is not JSON (${(cause as Error).message})`);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw invalid(file, 'its header is not a JSON object');

  const dataStart = 8 + json.length;
  const dataLength = fileSize - dataStart;
  const tensors = new Map<string, TensorEntry>();
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    tensors.set(name, parseEntry(name, value, dataStart, dataLength, file));
  }
  if (tensors.size === 0) throw invalid(file, 'it holds no tensors');
  return { tensors, dataStart };
}

/**
 * Checks that the tensors cover the file exactly, without holes or overlaps.
 * @throws NpcVoiceError `model_invalid` naming the first tensor at fault
 */
export function checkCoverage(
  { tensors, dataStart }: SafetensorsHeader,
  fileSize: number,
  file: string,
): void {
  let end = dataStart;
  for (const tensor of [...tensors.values()].sort(
    (a, b) => a.position - b.position || a.byteLength - b.byteLength,
  )) {
    if (tensor.position < end) throw invalid(file, `tensor ${tensor.name} overlaps another`);
    if (tensor.position > end) throw invalid(file, `there is a hole before tensor ${tensor.name}`);
    end = tensor.position + tensor.byteLength;
  }
  if (end !== fileSize) throw invalid(file, `${fileSize - end} bytes after its last tensor belong to none`);
}

function parseEntry(
  name: string,
  value: unknown,
  dataStart: number,
  dataLength: number,
  file: string,
): TensorEntry {
  const entry = (value ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
  if (!isDtype(entry.dtype))
    throw invalid(file, `tensor ${name} has the unknown dtype ${JSON.stringify(entry.dtype) ?? 'none'}`);
  const { shape, data_offsets: offsets } = entry;
  if (!Array.isArray(shape) || shape.length > MAX_RANK || !shape.every(isCount))
    throw invalid(file, `tensor ${name} has no valid shape`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount))
    throw invalid(file, `tensor ${name} has no valid data_offsets`);
  const [begin, end] = offsets as [number, number];
  if (begin > end) throw invalid(file, `tensor ${name} ends before it begins`);
  if (end > dataLength)
    throw invalid(
      file,
      `tensor ${name} ends at byte ${dataStart + end}, but the file has only ${dataStart + dataLength}: it is truncated`,
      'Its download was cut short: fetch the rest of it, or all of it again, then import it.',
    );
  const elements = (shape as number[]).reduce((product, size) => product * size, 1);
  const bytes = elements * dtypeBytes(entry.dtype);
  if (bytes !== end - begin)
    throw invalid(
      file,
      `tensor ${name} of shape [${shape.join(', ')}] and dtype ${entry.dtype} needs ${bytes} bytes, but has ${end - begin}`,
    );
  return {
    name,
    dtype: entry.dtype,
    shape: shape as number[],
    position: dataStart + begin,
    byteLength: end - begin,
  };
}

/** Elements of a shape. */
export const elementCount = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Fills `into` from a position of an open file; a short read is an error, not a short answer. */
export function readExactly(fd: number, into: Uint8Array, position: number, file: string): void {
  for (let done = 0; done < into.length;) {
    const got = readSync(fd, into, done, into.length - done, position + done);
    if (got === 0)
      throw new NpcVoiceError('io', `${file} ended at byte ${position + done} while it was being read.`, {
        hint: 'Something shortened the file during the import. Leave it alone and start the import again.',
      });
    done += got;
  }
}

/** Opens a file and reads its header. */
function openWithHeader(path: string): { fd: number; header: SafetensorsHeader; size: number } {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (cause) {
    throw new NpcVoiceError('io', `${path} could not be opened: ${(cause as Error).message}.`, { cause });
  }
  try {
    const size = fstatSync(fd).size;
    const prefix = new Uint8Array(8);
    if (size >= 8) readExactly(fd, prefix, 0, path);
    const json = new Uint8Array(headerLength(prefix, size, path));
    readExactly(fd, json, 8, path);
    return { fd, header: parseHeader(json, size, path), size };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * Reads a file's tensors for one who knows what should be there, and can name a tensor that is gone better than by the
 * hole it left.
 * @param look is given the tensors before it is checked that they cover the file
 * @throws NpcVoiceError as SafetensorsFile.open, or what `look` throws
 */
export function readTensors<T>(path: string, look: (tensors: SafetensorsHeader['tensors']) => T): T {
  const { fd, header, size } = openWithHeader(path);
  closeSync(fd);
  const seen = look(header.tensors);
  checkCoverage(header, size, path);
  return seen;
}

/** An open safetensors file. Reads are synchronous and meant for workers, tools and tests. */
export class SafetensorsFile {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly size: number;

  private constructor(
    readonly path: string,
    private readonly fd: number,
    header: SafetensorsHeader,
    size: number,
  ) {
    this.tensors = header.tensors;
    this.size = size;
  }

  /** @throws NpcVoiceError `io` when it cannot be opened, `model_invalid` when its header is not sound */
  static open(path: string): SafetensorsFile {
    const { fd, header, size } = openWithHeader(path);
    try {
      checkCoverage(header, size, path);
      return new SafetensorsFile(path, fd, header, size);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** @throws NpcVoiceError `model_invalid` when there is none of that name */
  entry(name: string): TensorEntry {
    const entry = this.tensors.get(name);
    if (!entry) throw new NpcVoiceError('model_invalid', `${this.path} has no tensor ${name}.`);
    return entry;
  }

  /**
   * Elements [begin, begin + count) of a tensor as float32; the whole tensor by default.
   * @throws NpcVoiceError `model_invalid` when the tensor holds no floats
   */
  readFloat32(name: string, begin = 0, count?: number): Float32Array {
    const { dtype, position, shape } = this.entry(name);
    if (!FLOAT_DTYPES.includes(dtype))
      throw new NpcVoiceError(
        'model_invalid',
        `Tensor ${name} of ${this.path} is ${dtype}, not a float format.`,
      );
    const total = elementCount(shape);
    const length = count ?? total - begin;
    if (begin < 0 || length < 0 || begin + length > total)
      throw new RangeError(`elements ${begin}..${begin + length} are not within ${name}`);
    const bytes = new Uint8Array(length * dtypeBytes(dtype));
    readExactly(this.fd, bytes, position + begin * dtypeBytes(dtype), this.path);
    const values = new Float32Array(length);
    widenToFloat32(bytes, dtype, length, values);
    return values;
  }

  close(): void {
    closeSync(this.fd);
  }
}
