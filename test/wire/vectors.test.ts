/** The golden vectors hold, both ways, for the sidecar's own codec. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { NpcVoiceError } from '../../sidecar/errors';
import {
  CLIENT_SHAPES, decodeMessage, encodeMessage, parseClientMessage, parseServerMessage, SERVER_SHAPES,
} from '../../sidecar/wire'; // prettier-ignore
import { FILES, FIXTURES, format, fromJson, readFixture, toJson, unhex, type Refused } from './vectors';

const hexOf = (message: unknown): string => Buffer.from(encodeMessage(message as object)).toString('hex');

describe('golden vectors', () => {
  it('on disk are what write-vectors writes', () => {
    for (const [name, file] of Object.entries(FILES))
      expect(readFileSync(new URL(name, FIXTURES), 'utf8'), `run: node test/wire/write-vectors.mjs`).toBe(
        format(file),
      );
  });

  for (const [file, parse, shapes] of [
    ['client.json', parseClientMessage, CLIENT_SHAPES],
    ['server.json', parseServerMessage, SERVER_SHAPES],
  ] as const)
    describe(file, () => {
      const { vectors } = readFixture(file);
      it('encodes to these bytes', () => {
        for (const { name, message, hex } of vectors) expect(hexOf(fromJson(message)), name).toBe(hex);
      });
      it('decodes to these messages', () => {
        for (const { name, message, hex } of vectors)
          expect(toJson(parse(unhex(hex))), name).toEqual(message);
      });
      it('has every message type, and every field of each present once and, if optional, absent once', () => {
        for (const [type, shape] of Object.entries(shapes)) {
          const messages = vectors
            .map((v) => v.message as Record<string, unknown>)
            .filter((m) => m.t === type);
          expect(messages.length, type).toBeGreaterThan(0);
          for (const [name, field] of Object.entries(shape as Record<string, { optional: boolean }>)) {
            expect(
              messages.some((m) => name in m),
              `${type}.${name} present`,
            ).toBe(true);
            if (field.optional)
              expect(
                messages.some((m) => !(name in m)),
                `${type}.${name} absent`,
              ).toBe(true);
          }
        }
      });
    });

  it('variants.json decodes to the same messages', () => {
    for (const { name, message, hex } of readFixture('variants.json').vectors)
      expect(toJson(parseClientMessage(unhex(hex))), name).toEqual(message);
  });

  it('refused.json is refused, with these words', () => {
    for (const { name, hex, code, msg } of readFixture<Refused>('refused.json').vectors) {
      let thrown: unknown;
      try {
        parseClientMessage(unhex(hex));
      } catch (error) {
        thrown = error;
      }
      expect(thrown, name).toBeInstanceOf(NpcVoiceError);
      expect((thrown as NpcVoiceError).code, name).toBe(code);
      expect((thrown as NpcVoiceError).message.slice(0, msg.length), name).toBe(msg);
    }
  });

  it('every client vector broken off anywhere, or with bytes after it, is refused', () => {
    for (const { name, hex } of readFixture('client.json').vectors) {
      const bytes = unhex(hex);
      const step = Math.max(1, Math.floor(bytes.length / 64));
      for (let end = 0; end < bytes.length; end += step)
        expect(() => decodeMessage(bytes.subarray(0, end)), `${name} at ${end}`).toThrow(NpcVoiceError);
      expect(() => decodeMessage(Uint8Array.from([...bytes, 0xc0])), name).toThrow(NpcVoiceError);
    }
  });
});
