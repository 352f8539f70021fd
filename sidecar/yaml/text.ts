/** Bytes of a file as text. */
import { createHash } from 'node:crypto';
import { fileProblem, type Problem } from './problem';
import { MAX_BYTES } from './compose';
import { YamlSource } from './source';

/** Names a version of a file: SHA-256 of its bytes, hex. */
export const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** UTF-8 text without its byte order mark, or why it is none, with the place of the first bad byte. */
export function decodeText(file: string, bytes: Uint8Array): { text: string } | { problem: Problem } {
  if (bytes.length > MAX_BYTES)
    return {
      problem: fileProblem(
        file,
        'too_large',
        `The file has ${bytes.length} bytes, and ${MAX_BYTES} are read.`,
      ),
    };
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))
    return {
      problem: fileProblem(file, 'not_utf8', 'The file is saved as UTF-16.', 'Save it as UTF-8.'),
    };
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    // Decoding leniently puts U+FFFD where the first bad byte was, which gives its line.
    const lenient = new TextDecoder('utf-8').decode(bytes);
    const at = Math.max(0, firstBad(bytes, lenient));
    const source = new YamlSource(file, lenient.slice(0, at + 1));
    source.problems.length = 0;
    source.error('not_utf8', [at, at + 1], 'This is not UTF-8 text.', 'Save the file as UTF-8.');
    return { problem: source.problems[0]! };
  }
}

/** Offset of the first U+FFFD that is not in the bytes as such. */
function firstBad(all: Uint8Array, lenient: string): number {
  const bytes = all[0] === 0xef && all[1] === 0xbb && all[2] === 0xbf ? all.subarray(3) : all;
  const encoder = new TextEncoder();
  for (let at = lenient.indexOf('\ufffd'); at >= 0; at = lenient.indexOf('\ufffd', at + 1)) {
    const before = encoder.encode(lenient.slice(0, at)).length;
    if (!(bytes[before] === 0xef && bytes[before + 1] === 0xbf && bytes[before + 2] === 0xbd)) return at;
  }
  return 0;
}
