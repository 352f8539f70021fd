/** Bytes of files: UTF-8 or refused with the place of the first bad byte. */
import { expect, test } from 'vitest';
import { decodeText, MAX_BYTES } from '../../sidecar/yaml';

const bytes = (...parts: (string | number[])[]) =>
  Buffer.concat(parts.map((p) => (typeof p === 'string' ? Buffer.from(p) : Buffer.from(p))));
const BOM = [0xef, 0xbb, 0xbf];

test('a byte order mark is no part of the text', () => {
  expect(decodeText('f', bytes(BOM, 'name: é'))).toEqual({ text: 'name: é' });
});
test.each([
  ['Latin-1', bytes('a: 1\nname: caf', [0xe9], '\n'), 2, 10],
  ['after a byte order mark', bytes(BOM, 'a: ', [0xff]), 1, 4],
  ['after a real U+FFFD', bytes('a: \ufffd\nb: ', [0xc3, 0x28]), 2, 4],
  ['cut in the middle of a letter', bytes('a: ', [0xe2, 0x82]), 1, 4],
])('%s is refused at its first bad byte', (_name, data, line, column) => {
  expect(decodeText('f', data)).toMatchObject({ problem: { code: 'not_utf8', line, column } });
});
test('UTF-16 is named as such', () => {
  const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('name: x', 'utf16le')]);
  expect(decodeText('f', utf16)).toMatchObject({ problem: { message: 'The file is saved as UTF-16.' } });
});
test('a file over the limit is refused, whatever is in it', () => {
  expect(decodeText('f', new Uint8Array(MAX_BYTES + 1))).toMatchObject({ problem: { code: 'too_large' } });
  expect(decodeText('f', new Uint8Array(MAX_BYTES).fill(0x20))).toHaveProperty('text');
});
