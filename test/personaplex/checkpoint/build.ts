/** Writes safetensors files for tests: sound ones, and ones spoiled on purpose. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Dtype } from '../../../sidecar/personaplex/checkpoint';
import { dtypeBytes, type TensorEntry } from '../../../sidecar/personaplex/checkpoint';

export const fixtures = fileURLToPath(new URL('../../fixtures/personaplex/', import.meta.url));

/** Vectors that travel beside the repository, when they are there. */
const shared = path.resolve(fileURLToPath(new URL('../../../../shared/parity/', import.meta.url)));
export const sharedFile = (name: string): string | undefined =>
  existsSync(path.join(shared, name)) ? path.join(shared, name) : undefined;

export interface TensorSpec {
  name: string;
  dtype?: Dtype;
  shape: readonly number[];
  /** Data bytes; zeros when absent. */
  bytes?: Uint8Array;
}

const bytesOf = ({ dtype = 'F32', shape }: TensorSpec): number =>
  shape.reduce((a, b) => a * b, 1) * dtypeBytes(dtype);

/** The header object of tensors laid out one after another. */
export function headerOf(tensors: readonly TensorSpec[]): Record<string, unknown> {
  const header: Record<string, unknown> = {};
  let at = 0;
  for (const tensor of tensors) {
    const end = at + bytesOf(tensor);
    header[tensor.name] = { dtype: tensor.dtype ?? 'F32', shape: tensor.shape, data_offsets: [at, end] };
    at = end;
  }
  return header;
}

export function safetensors(
  tensors: readonly TensorSpec[],
  header: unknown = headerOf(tensors),
  claimedLength?: bigint,
): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const total = tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  const file = new Uint8Array(8 + json.length + total);
  new DataView(file.buffer).setBigUint64(0, claimedLength ?? BigInt(json.length), true);
  file.set(json, 8);
  let at = 8 + json.length;
  for (const tensor of tensors) {
    if (tensor.bytes) file.set(tensor.bytes, at);
    at += bytesOf(tensor);
  }
  return file;
}

/** Entries of tensors that are never read: what a layout is checked against. */
export function entries(tensors: Iterable<TensorSpec>): Map<string, TensorEntry> {
  const map = new Map<string, TensorEntry>();
  for (const { name, shape, dtype = 'BF16' } of tensors)
    map.set(name, { name, shape, dtype, position: 0, byteLength: 0 });
  return map;
}
