/**
 * The kind of ZIP archive that torch writes: every member stored as it is, under one top folder. Compressed members
 * are refused, and members may not take more room together than the file has, so no archive unfolds into more than
 * itself. (PKWARE APPNOTE 6.3)
 */
import { crc32 } from 'node:zlib';
import { refuse } from './failure';

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_HEADER = 0x04034b50;
const END_BYTES = 22;
const MAX_COMMENT = 65535;
const MAX_MEMBERS = 64;
const ENCRYPTED = 1;

/** Members by their name without the top folder: `data.pkl`, `data/0`. Their bytes are views of `file`. */
export function readStoredZip(file: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const end = findEnd(view);
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  if (count > MAX_MEMBERS) throw refuse(`its archive holds ${count} members`);

  const entries: { name: string; local: number; size: number; crc: number }[] = [];
  let total = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== DIRECTORY_ENTRY)
      throw refuse('its archive’s directory is damaged');
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    const crc = view.getUint32(at + 16, true);
    const packed = view.getUint32(at + 20, true);
    const size = view.getUint32(at + 24, true);
    const nameLength = view.getUint16(at + 28, true);
    const local = view.getUint32(at + 42, true);
    const entryEnd = at + 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (entryEnd > end) throw refuse('its archive’s directory is damaged');
    const name = new TextDecoder().decode(file.subarray(at + 46, at + 46 + nameLength));
    at = entryEnd;

    if (flags & ENCRYPTED) throw refuse(`its member ${name} is encrypted`);
    if (method !== 0 || packed !== size)
      throw refuse(`its member ${name} is compressed; torch stores voices uncompressed`);
    total += size;
    if (total > file.length) throw refuse('its archive’s members claim more bytes than the file has');
    entries.push({ name, local, size, crc });
  }

  const members = new Map<string, Uint8Array>();
  for (const { name, local, size, crc } of entries) {
    const bytes = memberBytes(file, view, local, size, name);
    if (crc32(bytes) !== crc) throw refuse(`its member ${name} is damaged (checksum)`, 'Download it again.');
    const inner = name.slice(name.indexOf('/') + 1);
    if (members.has(inner)) throw refuse(`its archive holds ${inner} twice`);
    members.set(inner, bytes);
  }
  return members;
}

function findEnd(view: DataView): number {
  const last = view.byteLength - END_BYTES;
  for (let at = last; at >= Math.max(0, last - MAX_COMMENT); at--)
    if (view.getUint32(at, true) === END_OF_DIRECTORY) return at;
  throw refuse('it is not a ZIP archive, as torch’s .pt files are');
}

/** torch pads members through the local header's extra field, so only that header tells where the data begins. */
function memberBytes(
  file: Uint8Array,
  view: DataView,
  local: number,
  size: number,
  name: string,
): Uint8Array {
  if (local + 30 > file.length || view.getUint32(local, true) !== LOCAL_HEADER)
    throw refuse(`its member ${name} has no header`);
  const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  if (start + size > file.length) throw refuse(`its member ${name} runs past the end of the file`);
  return file.subarray(start, start + size);
}
