/** MessagePack as the wire uses it, and everything else refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ID_PATTERN as PERSONA_ID } from '../../sidecar/personas';
import { NpcVoiceError } from '../../sidecar/errors';
import {
  CLIENT_SHAPES, decodeMessage, encodeMessage, errorFromMessage, errorMessage, ID_PATTERN, MAX_MESSAGE, MAX_PAYLOAD,
  parseClientMessage, parseServerMessage, readSubprotocols, requestIdOf, subprotocols, TOKEN_PATTERN,
} from '../../sidecar/wire'; // prettier-ignore
import { readFixture, unhex } from './vectors';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
/** What parsing threw, which must be ours. */
function refusal(bytes: Uint8Array): NpcVoiceError | undefined {
  try {
    parseClientMessage(bytes);
    return undefined;
  } catch (error) {
    if (error instanceof NpcVoiceError) return error;
    throw error;
  }
}

describe('encoding', () => {
  it('leaves absent fields out, at any depth', () => {
    expect(hex(encodeMessage({ t: 'x', a: undefined }))).toBe(hex(encodeMessage({ t: 'x' })));
    expect(hex(encodeMessage({ t: 'x', a: { b: undefined } }))).toBe('82a174a178a16180');
  });

  it('sends bytes as binary, whatever their offset, and never more than they are', () => {
    const memory = Uint8Array.from([9, 9, 1, 2, 3, 9]);
    for (const bytes of [memory.subarray(2, 5), Buffer.from([1, 2, 3]), new Uint8Array(memory.buffer, 2, 3)])
      expect(hex(encodeMessage({ b: bytes }))).toBe('81a162c403010203');
  });

  it('gives every message memory of its own: the next one does not overwrite it', () => {
    const first = encodeMessage({ t: 'ping', id: 1 });
    const before = hex(first);
    for (let id = 0; id < 5000; id++) encodeMessage({ t: 'ping', id });
    expect(hex(first)).toBe(before);
  });

  it('round-trips any map of plain values', () => {
    const leaf = fc.oneof(
      fc.string({ unit: 'grapheme' }), fc.boolean(), fc.integer(), fc.maxSafeInteger(), fc.constant(null),
      fc.double({ noNaN: true }).map((v) => (Object.is(v, -0) ? 0 : v)),
    ); // prettier-ignore
    const key = fc.string({ minLength: 1, maxLength: 40 }).filter((k) => k !== '__proto__');
    const inner = fc.dictionary(key, leaf, { maxKeys: 20, noNullPrototype: true });
    const message = fc.dictionary(key, fc.oneof(leaf, inner, fc.array(leaf)), {
      maxKeys: 20,
      noNullPrototype: true,
    });
    fc.assert(
      fc.property(message, (m) => {
        expect(decodeMessage(encodeMessage(m))).toEqual(m);
      }),
    );
  });
});

describe('decoding', () => {
  it('shares the memory of its input', () => {
    const bytes = Uint8Array.from(encodeMessage({ t: 'mic', mic: 'a', n: 0, pcm: Uint8Array.of(1, 2, 3) }));
    const { pcm } = decodeMessage(bytes) as { pcm: Uint8Array };
    expect(pcm.buffer).toBe(bytes.buffer);
    bytes[bytes.length - 1] = 77;
    expect(pcm[2]).toBe(77);
  });

  it('works where the input begins anywhere in its memory', () => {
    const message = encodeMessage({ t: 'played', npc: 'aldric', n: 70_000, s: 5 });
    for (let offset = 0; offset < 9; offset++) {
      const memory = new Uint8Array(offset + message.length);
      memory.set(message, offset);
      expect(parseClientMessage(memory.subarray(offset))).toEqual({
        t: 'played',
        npc: 'aldric',
        n: 70_000,
        s: 5,
      });
    }
  });

  it('costs no more than the message is long, however large it claims to be', () => {
    // Maps and lists that claim 2^32 values, each holding another.
    const claims = Buffer.concat(Array.from({ length: 8 }, () => Buffer.from('81a161ddffffffff', 'hex')));
    expect(() => decodeMessage(claims)).toThrow(/breaks off/);
    expect(() => decodeMessage(Buffer.alloc(MAX_PAYLOAD, 0x81))).toThrow(NpcVoiceError);
  });
});

describe('parsing what clients send', () => {
  it('throws nothing but NpcVoiceError, at any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void refusal(bytes)),
      { numRuns: 2000 },
    );
  });

  it('throws nothing but NpcVoiceError, at golden vectors with bytes changed, added and taken away', () => {
    const vectors = readFixture('client.json').vectors.map((v) => unhex(v.hex)).filter((b) => b.length < 600); // prettier-ignore
    const mutation = fc.record({
      of: fc.nat(vectors.length - 1),
      edits: fc.array(fc.tuple(fc.nat(600), fc.nat(255), fc.constantFrom('set', 'insert', 'remove')), { minLength: 1, maxLength: 6 }),
    }); // prettier-ignore
    fc.assert(
      fc.property(mutation, ({ of, edits }) => {
        const bytes = [...vectors[of]!];
        for (const [at, value, how] of edits) {
          if (bytes.length === 0) break;
          bytes.splice(at % bytes.length, how === 'insert' ? 0 : 1, ...(how === 'remove' ? [] : [value]));
        }
        void refusal(Uint8Array.from(bytes));
      }),
      { numRuns: 5000 },
    );
  });

  it('throws nothing but NpcVoiceError, at any values in any fields, and lets through only what it promises', () => {
    const value = fc.oneof(
      fc.constantFrom<unknown>(null, '', 'a', 'mic:a', 's16', 'yield', 0, 1, -1, 0.5, NaN, 2 ** 32, true, [], {}),
      fc.string(), fc.double(), fc.uint8Array({ maxLength: 8 }), fc.array(fc.anything(), { maxLength: 3 }),
    ); // prettier-ignore
    const types = Object.keys(CLIENT_SHAPES) as (keyof typeof CLIENT_SHAPES)[];
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        fc.array(value, { minLength: 10, maxLength: 10 }),
        (t, values) => {
          const names = Object.keys(CLIENT_SHAPES[t]);
          const message = {
            t,
            ...Object.fromEntries(names.map((name, i) => [name, values[i % values.length]])),
          };
          let bytes: Uint8Array;
          try {
            bytes = encodeMessage(message);
          } catch {
            return; // What no encoder can write cannot come in.
          }
          if (refusal(bytes)) return;
          const parsed = parseClientMessage(bytes) as unknown as Record<string, unknown>;
          for (const [name, field] of Object.entries(CLIENT_SHAPES[t]))
            expect(
              parsed[name] === undefined ? field.optional : field.accepts(parsed[name]),
              `${t}.${name}`,
            ).toBe(true);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('tells which request was refused, so that it can be answered', () => {
    const idOf = (message: object): number | undefined => {
      const error = refusal(encodeMessage(message));
      return error && requestIdOf(error);
    };
    expect(idOf({ t: 'attach', id: 42 })).toBe(42);
    expect(idOf({ t: 'nonsense', id: 43 })).toBe(43);
    expect(idOf({ t: 'attach', id: 'x' })).toBeUndefined();
    expect(idOf({ t: 'say', id: 44, npc: 'a', text: 'x'.repeat(MAX_MESSAGE) })).toBe(44);
  });

  it('refuses by size: 64 KiB, files 256 KiB', () => {
    const sized = (t: string, length: number) =>
      encodeMessage({ t, id: 1, persona: 'a', yaml: 'x'.repeat(length) });
    expect(refusal(sized('write_persona', MAX_MESSAGE))).toBeUndefined();
    expect(refusal(sized('read_persona', MAX_MESSAGE))?.code).toBe('too_large');
    expect(refusal(sized('write_persona', MAX_PAYLOAD))?.code).toBe('too_large');
    expect(refusal(sized('write_persona', 130 * 1024))?.message).toMatch(
      /^write_persona.yaml must be 1 to 131072 characters/,
    );
  });

  it('never repeats a token', () => {
    const error = refusal(
      encodeMessage({ t: 'identify', id: 1, v: 1, client: 'x', token: 'secret'.repeat(60) }),
    );
    expect(error?.message).toBe('identify.token must be 1 to 256 characters on one line');
  });
});

describe('parsing what the sidecar sends', () => {
  it('lets later versions add fields and codes', () => {
    const later = encodeMessage({ t: 'error', code: 'too_sleepy', msg: 'Zzz.', mood: 'tired' });
    expect(parseServerMessage(later)).toMatchObject({ code: 'too_sleepy', msg: 'Zzz.' });
  });
  it('names a type it does not know, for a client to pass over', () => {
    expect(() => parseServerMessage(encodeMessage({ t: 'dream' }))).toThrow(
      expect.objectContaining({ code: 'unknown_type' }),
    );
  });
});

describe('errors', () => {
  it('travel whole, there and back', () => {
    const place = { file: '/game/npc-personas/aldric.yaml', line: 3, column: 5 };
    for (const error of [
      new NpcVoiceError('persona_invalid', 'No.', { hint: 'Yes.', place }), new NpcVoiceError('internal', 'Oh.'),
    ]) {
      const back = errorFromMessage(parseServerMessage(encodeMessage(errorMessage(error, 7))) as never);
      expect(back).toMatchObject({ code: error.code, message: error.message, hint: error.hint, place: error.place });
    }
  }); // prettier-ignore
});

describe('the handshake', () => {
  it('carries a token as a subprotocol and back', () => {
    expect(subprotocols('abc')).toEqual(['npc-voice.v1', 'npc-voice.token.abc']);
    expect(readSubprotocols(subprotocols('abc').join(', '))).toEqual({ speaksOurs: true, token: 'abc' });
    expect(readSubprotocols('npc-voice.v1')).toEqual({ speaksOurs: true, token: undefined });
    expect(readSubprotocols(undefined)).toEqual({ speaksOurs: false, token: undefined });
  });
  it('takes as tokens only what a subprotocol can hold', () => {
    for (const token of ['short', 'a'.repeat(129), 'has a space in it!', 'comma,comma,comma,', ''])
      expect(TOKEN_PATTERN.test(token), token).toBe(false);
  });
});

it('ids are the same here and in files', () => expect(ID_PATTERN.source).toBe(PERSONA_ID.source));
