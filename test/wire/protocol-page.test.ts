/** PROTOCOL.md says all that the code does: whoever implements from the page misses nothing. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../sidecar/paths';
import { SCENE_LIMITS } from '../../sidecar/scene';
import { DEFAULT_LIMITS } from '../../sidecar/server';
import {
  CLIENT_SHAPES, CLOSE, decodeMessage, MAX_DEPTH, MAX_MESSAGE, MAX_PAYLOAD, MAX_SAY, MAX_VALUES, MAX_VAR_TEXT, MAX_VARS,
  MAX_YAML, MOUTH_BYTES, SERVER_SHAPES, SUBPROTOCOL, VISEMES,
} from '../../sidecar/wire'; // prettier-ignore

const read = (file: string): string => readFileSync(path.join(packageRoot, file), 'utf8');
const page = read('sidecar/wire/PROTOCOL.md');

/** Text of the section about a message: under `### name`, `### name, other` or `### name → results`. */
function section(type: string): string {
  const sections = page.split(/^#{2,3} /m);
  const found = sections.find((text) => {
    const [heading] = text.split('\n', 1);
    return heading!.split('→')[0]!.split(',').some((name) => name.trim() === type); // prettier-ignore
  });
  if (found === undefined) throw new Error(`PROTOCOL.md has no section about ${type}`);
  return found;
}
const names = (text: string, word: string): boolean =>
  new RegExp(`\`[^\`\\n]*\\b${word}\\b[^\`\\n]*\``).test(text);

describe('the page', () => {
  it('has every message with every field', () => {
    for (const [type, shape] of [...Object.entries(CLIENT_SHAPES), ...Object.entries(SERVER_SHAPES)])
      for (const field of Object.keys(shape))
        if (!(type in CLIENT_SHAPES && field === 'id'))
          expect(names(section(type), field), `${type}.${field}`).toBe(true);
  });

  it('has every result of every request', () => {
    const results = /export interface Results \{([\s\S]*?)\n\}/.exec(read('sidecar/wire/messages.ts'))![1]!;
    const types = [...results.matchAll(/^ {2}(\w+): \{(.*)\};/gm)];
    expect(types.map(([, type]) => type)).toContain('attach');
    for (const [, type, fields] of types)
      for (const [, field] of fields!.matchAll(/(\w+)\??:/g))
        expect(names(section(type!), field!), `${type} → ${field}`).toBe(true);
  });

  it('has every error code', () => {
    const codes = [...read('sidecar/errors.ts').matchAll(/^ {2}\| '(\w+)'/gm)].map(([, code]) => code!);
    expect(codes.length).toBeGreaterThan(20);
    for (const code of codes) expect(page, code).toContain(`\`${code}\``);
  });

  it('has every close code, and no others', () => {
    const table = page.slice(page.indexOf('## 9.'), page.indexOf('**Reconnect**'));
    const listed = [...table.matchAll(/^\| (\d{4}) \|/gm)].map(([, code]) => Number(code));
    expect(listed).toEqual(Object.values(CLOSE).sort((a, b) => a - b));
  });

  it('has every status a connection is refused with', () => {
    const statuses = [...read('sidecar/server/upgrade.ts').matchAll(/status: (\d{3})/g)].map(
      ([, status]) => status!,
    );
    for (const status of new Set(statuses)) expect(page).toMatch(new RegExp(`^\\| ${status} \\|`, 'm'));
  });

  it('has the limits', () => {
    const limits = page.slice(page.indexOf('## 7.'), page.indexOf('## 8.'));
    const { connections, inFlight, requestsPerSecond, requestBurst, messagesPerSecond } = DEFAULT_LIMITS;
    for (const limit of [
      MAX_MESSAGE,
      MAX_PAYLOAD,
      connections,
      inFlight,
      requestsPerSecond,
      requestBurst,
      messagesPerSecond,
    ])
      expect(limits).toMatch(new RegExp(`\\b${limit}\\b`));
    const { npcs, mics, variables, lines } = SCENE_LIMITS;
    for (const said of [
      `${npcs} NPCs`,
      `${mics} microphones`,
      `${variables} state variables`,
      `${lines} lines`,
    ])
      expect(limits).toContain(said);
    expect(DEFAULT_LIMITS).toMatchObject({
      dropAudioBytes: 1 << 20,
      closeBytes: 8 << 20,
      stalledMs: 10_000,
      pingMs: 10_000,
      identifyMs: 5000,
    }); // as the page says in MiB and seconds // prettier-ignore
    for (const limit of [MAX_DEPTH, MAX_VALUES, MAX_SAY, MAX_YAML, MAX_VARS, MAX_VAR_TEXT, MOUTH_BYTES])
      expect(page).toMatch(new RegExp(`\\b${limit}\\b`));
  });

  it('has the visemes in their order, and the subprotocol', () => {
    expect(page).toContain(VISEMES.map((viseme) => `\`${viseme}\``).join(' '));
    expect(page).toContain(SUBPROTOCOL);
  });

  it('has bytes that are what it says they are', () => {
    const dump = page.slice(page.indexOf('## 10.'), page.indexOf('## 11.'));
    const bytes = /82 (?:[0-9a-f]{2} ?)+/.exec(dump)![0];
    expect(decodeMessage(Buffer.from(bytes.replace(/ /g, ''), 'hex'))).toEqual({ t: 'ping', id: 30 });
    const lines = dump.split('\n');
    const from = lines.findIndex((line) => line.startsWith('84'));
    const mic = lines
      .slice(from, from + 4)
      .flatMap((line) => line.split(/"/, 1)[0]!.match(/\b[0-9a-f]{2}\b/g) ?? []);
    expect(decodeMessage(Buffer.from(mic.join(''), 'hex'))).toEqual({
      t: 'mic', mic: 'player', n: 1, pcm: Buffer.from('0000ff7f', 'hex'),
    }); // prettier-ignore
  });
});
