/** Reads NVIDIA's `voices.tgz`: a gzipped tar (POSIX ustar) with a folder `voices/` of `.pt` files. */
import { gunzipSync } from 'node:zlib';
import { refuse } from './failure';

const BLOCK = 512;
/** The published archive unpacks to about 10 MB. */
const MAX_UNPACKED = 256 * 2 ** 20;
const MAX_ENTRIES = 4096;
const VOICE = /^(?:\.\/)?voices\/([A-Za-z0-9_-]{1,64}\.pt)$/;
const FILE = '0';
const FOLDER = '5';
/** PAX headers carry dates and the like; the entry after them is whole without. */
const PAX = ['x', 'g'];

/**
 * The voices of an archive, by file name (`NATF0.pt`).
 * @throws NpcVoiceError `voice_invalid` when it is damaged, unpacks to too much, leaves its folder or holds links
 */
export function readVoiceArchive(tgz: Uint8Array): Map<string, Uint8Array> {
  let tar: Uint8Array;
  try {
    tar = gunzipSync(tgz, { maxOutputLength: MAX_UNPACKED });
  } catch (cause) {
    const tooLarge = (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    throw refuse(
      tooLarge
        ? 'its archive unpacks to more than 256 MB'
        : `its archive is damaged (${(cause as Error).message})`,
      'Download voices.tgz again.',
    );
  }
  const voices = new Map<string, Uint8Array>();
  let entries = 0;
  for (let at = 0; at + BLOCK <= tar.length;) {
    const header = tar.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) break;
    if (++entries > MAX_ENTRIES) throw refuse(`its archive holds more than ${MAX_ENTRIES} entries`);
    const { name, size, type } = readHeader(header);
    at += BLOCK;
    if (at + size > tar.length) throw refuse(`its archive ends within ${name}`, 'Download voices.tgz again.');
    if (name.startsWith('/') || name.includes('\\') || name.split('/').includes('..'))
      throw refuse(`its archive holds ${name}, which leads out of its folder`);
    const voice = VOICE.exec(name);
    if (type === FILE && voice) voices.set(voice[1]!, tar.slice(at, at + size));
    else if (type !== FILE && type !== FOLDER && !PAX.includes(type))
      throw refuse(`its archive holds ${name}, which is neither a file nor a folder`);
    at += Math.ceil(size / BLOCK) * BLOCK;
  }
  if (voices.size === 0) throw refuse('its archive holds no voices');
  return voices;
}

function readHeader(header: Uint8Array): { name: string; size: number; type: string } {
  const text = (from: number, length: number): string => {
    const field = header.subarray(from, from + length);
    const end = field.indexOf(0);
    return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
  };
  const octal = (from: number, length: number): number => {
    const digits = text(from, length).trim();
    if (!/^[0-7]*$/.test(digits)) throw refuse('its archive has a header with a number that is none');
    return parseInt(digits || '0', 8);
  };
  // The checksum counts its own eight bytes as spaces.
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
  if (sum !== octal(148, 8)) throw refuse('its archive has a damaged header', 'Download voices.tgz again.');
  const prefix = text(257, 5) === 'ustar' ? text(345, 155) : '';
  const type = text(156, 1) || FILE;
  return { name: prefix ? `${prefix}/${text(0, 100)}` : text(0, 100), size: octal(124, 12), type };
}
