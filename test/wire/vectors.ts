/**
 * The golden vectors: every message type and the edge values of its fields, as JSON and as the bytes it has on the
 * wire. `node test/wire/write-vectors.mjs` writes them; clients in every language run them (see PROTOCOL.md).
 */
import { readFileSync } from 'node:fs';
import { encodeMessage, MOUTH_BYTES, type ClientMessage, type ServerMessage } from '../../sidecar/wire';

/** A message in JSON: binary is `{"$bytes": "hex"}`. */
export interface Vector {
  name: string;
  message: unknown;
  hex: string;
}
/** Bytes that mean `message` without being the shortest that do. */
export type Variant = Vector;
/** Bytes that the sidecar refuses. */
export interface Refused {
  name: string;
  hex: string;
  code: string;
  /** How the error's sentence begins. */
  msg: string;
}
export interface VectorFile<T> {
  about: string;
  vectors: T[];
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
export function toJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return { $bytes: hex(value) };
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, toJson(v)]));
  return value;
}
export function fromJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromJson);
  if (typeof value !== 'object' || value === null) return value;
  if ('$bytes' in value) return unhex(value.$bytes as string);
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, fromJson(v)]));
}

const ramp = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 37) & 0xff);
const U32 = 0xffff_ffff;

export const CLIENT: [string, ClientMessage][] = [
  ['identify with every field', { t: 'identify', id: 1, v: 1, client: 'unity/0.1.0 Kingdoms', token: 'per-launch-token-0123', codec: 'f32', rate: 48000, ch: 2 }],
  ['identify with no more than it needs', { t: 'identify', id: 0, v: 1, client: 'x' }],
  ['attach with every field', { t: 'attach', id: 2, npc: 'smith', persona: 'aldric', greet: false, seed: U32 }],
  ['attach with no more than it needs', { t: 'attach', id: 127, npc: 'aldric' }],
  ['detach with a farewell', { t: 'detach', id: 128, npc: 'aldric', farewell: true }],
  ['detach at once', { t: 'detach', id: 255, npc: 'a' }],
  ['configure with every field', { t: 'configure', id: 256, npc: 'aldric', voice: 'aldric', patience_ms: 450, overlap: 'finish_word', backchannel: 7.5, gain: 0.5 }],
  ['configure at the limits', { t: 'configure', id: 65535, npc: 'aldric', patience_ms: 5000, overlap: 'talk_over', backchannel: 0, gain: 4 }],
  ['configure nothing', { t: 'configure', id: 31, npc: 'aldric' }],
  ['open_mic with every field', { t: 'open_mic', id: 65536, mic: 'player', codec: 's16', rate: 16000, ch: 1, primary: true }],
  ['open_mic for Opus', { t: 'open_mic', id: U32, mic: 'player', codec: 'opus', rate: 48000 }],
  ['close_mic', { t: 'close_mic', id: 3, mic: 'player' }],
  ['say, one byte a letter', { t: 'say', id: 4, npc: 'aldric', text: 'Halt!', when: 'now' }],
  ['say, several bytes a letter', { t: 'say', id: 5, npc: 'aldric', text: 'Grüß dich — 剣だ 🗡', when: 'queue' }],
  ['say, text of 31 bytes', { t: 'say', id: 6, npc: 'aldric', text: 'a'.repeat(31) }],
  ['say, text of 32 bytes', { t: 'say', id: 7, npc: 'aldric', text: 'a'.repeat(32) }],
  ['say, text of 255 bytes', { t: 'say', id: 8, npc: 'aldric', text: 'a'.repeat(255) }],
  ['say, text of 256 bytes', { t: 'say', id: 9, npc: 'aldric', text: 'a'.repeat(256) }],
  ['hold one', { t: 'hold', id: 10, npc: 'aldric', why: 'cutscene', manner: 'cut' }],
  ['hold all', { t: 'hold', id: 11, why: 'menu' }],
  ['release one', { t: 'release', id: 12, npc: 'aldric', why: 'focus' }],
  ['release all', { t: 'release', id: 13, why: 'other' }],
  ['interrupt', { t: 'interrupt', id: 14, npc: 'aldric' }],
  ['mute a microphone', { t: 'mute', id: 15, mic: 'player', on: true }],
  ['unmute an NPC', { t: 'mute', id: 16, npc: 'aldric', on: false }],
  ['set_state for all, numbers of every size', { t: 'set_state', id: 17, vars: { gold: 3, debt: -1, cold: -32, colder: -33, low: -128, lower: -129, deep: -32768, deeper: -32769, big: 4294967295, bigger: 4294967296, half: 0.5, tenth: 0.1, huge: 1e300 } }],
  ['set_state for one', { t: 'set_state', id: 18, npc: 'aldric', vars: { weather: 'rain', friend: true, enemy: false } }],
  ['set_state, sixteen variables', { t: 'set_state', id: 19, vars: Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`v${i}`, i])) }],
  ['set_hearing of a microphone', { t: 'set_hearing', id: 20, npc: 'aldric', from: 'mic:player', gain: 0.25, muffle: 0.75 }],
  ['set_hearing of an NPC', { t: 'set_hearing', id: 21, npc: 'aldric', from: 'npc:marta', gain: 1 }],
  ['get_transcript of one', { t: 'get_transcript', id: 22, npc: 'aldric' }],
  ['get_transcript of all', { t: 'get_transcript', id: 23 }],
  ['get_stats', { t: 'get_stats', id: 24 }],
  ['watch all', { t: 'watch', id: 25, on: true }],
  ['watch one no more', { t: 'watch', id: 26, on: false, of: 'scene-0123456789ab' }],
  ['read_persona', { t: 'read_persona', id: 27, persona: 'aldric' }],
  ['lint_persona', { t: 'lint_persona', id: 28, persona: 'aldric', yaml: 'name: Aldric\n' }],
  ['write_persona', { t: 'write_persona', id: 29, persona: 'aldric', yaml: 'name: Aldric\n', hash: 'abc123' }],
  ['write_persona, whatever is there', { t: 'write_persona', id: 32, persona: 'aldric', yaml: 'name: Ä\n' }],
  ['ping', { t: 'ping', id: 30 }],
  ['mic, 20 ms of s16 at 8 kHz', { t: 'mic', mic: 'player', n: 0, pcm: ramp(320) }],
  ['mic, 255 bytes', { t: 'mic', mic: 'player', n: 1, pcm: ramp(255) }],
  ['mic, 256 bytes', { t: 'mic', mic: 'player', n: 2, pcm: ramp(256) }],
  ['mic, an empty packet, the last number before the count wraps', { t: 'mic', mic: 'a', n: U32, pcm: ramp(0) }],
  ['played, the whole frame', { t: 'played', npc: 'aldric', n: 12 }],
  ['played, a part of it', { t: 'played', npc: 'aldric', n: 13, s: 480 }],
]; // prettier-ignore

const FIGURES = {
  ticks: 750, timer_ticks: 2, deadline_misses: 0, skipped_ticks: 0, failed_steps: 0, npcs: 1, tick_p50: 1.25, tick_p99: 2.5, tick_max: 3,
  model_p50: 0.5, model_p99: 1, model_max: 1.5, latency_p50: 1.5, latency_p99: 2.75, latency_max: 4, overhead_p50: 0.5,
  overhead_p99: 0.75, loop_p99: 0.25, buffered: 0, dropped_frames: 0, refused: 0, stray: 4,
  mics: [{ mic: 'player', packets: 3000, lost: 1, late: 0, malformed: 0, dropped: 2, missing: 3, drift_ppm: -12.5, buffered_ms: 80 }],
}; // prettier-ignore

export const SERVER: [string, ServerMessage][] = [
  ['hello', { t: 'hello', v: 1, server: 'npc-voice/0.1.0', tick: 80, auth: true }],
  ['identified', {
    t: 'identified', id: 1, v: 1, session: 'scene-0123456789ab',
    model: { id: 'understudy', name: 'Understudy', scripted: true, about: 'It speaks lines prepared in the persona file.' },
    capacity: { npcs: 64, why: 'Measured at start.' },
    personas: [{ id: 'aldric', name: 'Aldric', voice: 'aldric', language: 'en-GB' }],
    voices: [{ id: 'aldric', name: 'Gruff' }, { id: 'marta', name: 'Warm' }],
  }],
  ['identified with nobody to attach', { t: 'identified', id: 1, v: 1, session: 's', model: { id: 'm', name: 'M', scripted: false, about: '' }, capacity: { npcs: 0, why: '' }, personas: [], voices: [] }],
  ['ok', { t: 'ok', id: 30 }],
  ['ok to attach', { t: 'ok', id: 2, npc: 'smith', persona: 'aldric', name: 'Aldric', held: false, muted: false, prime_ms: 3.5 }],
  ['ok to configure', { t: 'ok', id: 256, speed: 'quiet', cost: 0.125 }],
  ['ok to set_state for one', { t: 'ok', id: 18, unused: ['wether'] }],
  ['ok to get_transcript', { t: 'ok', id: 22, npcs: [{ npc: 'aldric', lines: [{ who: 'player', n: 3, text: '', heard: '', cut: false, ms: 640 }, { who: 'aldric', n: 12, text: 'Well met.', heard: 'Well m—', cut: true, ms: 400 }] }] }],
  ['ok to get_stats', { t: 'ok', id: 24, ...FIGURES }],
  ['ok to read_persona', { t: 'ok', id: 27, persona: 'aldric', yaml: 'name: Aldric\n', hash: 'abc123' }],
  ['ok to lint_persona', { t: 'ok', id: 28, problems: [{ severity: 'error', code: 'unknown_key', msg: "'voise' is not a key.", hint: "Did you mean 'voice'?", line: 3, col: 1, end_line: 3, end_col: 6, source: 'voise: gruff' }] }],
  ['ok to write_persona', { t: 'ok', id: 29, hash: 'def456' }],
  ['error to a request', { t: 'error', id: U32, code: 'unknown_npc', msg: 'There is no NPC "x".', hint: 'Attach it first.' }],
  ['error with a place in a file', { t: 'error', id: 29, code: 'persona_invalid', msg: "'voise' is not a key.", hint: "Did you mean 'voice'?", file: '/game/npc-personas/aldric.yaml', line: 3, col: 1 }],
  ['error to no request', { t: 'error', code: 'bad_message', msg: 'Messages are binary (MessagePack), not text.' }],
  ['frame, spoken', { t: 'frame', npc: 'aldric', n: 12, pcm: ramp(3840), turn: 'speaking', level: 0.1235, text: ' Well met', mouth: ramp(MOUTH_BYTES), cues: ['greeting', 'smile'] }],
  ['frame, silent', { t: 'frame', npc: 'aldric', n: 0, pcm: ramp(0), turn: 'listening', level: 0 }],
  ['frame, sound of 256 bytes, the last number before the count wraps', { t: 'frame', npc: 'aldric', n: U32, pcm: ramp(256), turn: 'backchannel', level: 1 }],
  ['frame of a watched scene', { t: 'frame', of: 'scene-0123456789ab', npc: 'aldric', n: 70000, pcm: ramp(0), turn: 'held', level: 0.5 }],
  ['frame, idle', { t: 'frame', npc: 'aldric', n: 65536, pcm: ramp(0), turn: 'idle', level: 0 }],
  ['turn, player_started', { t: 'turn', ev: 'player_started', npc: 'aldric', n: 5, from: 'mic:player' }],
  ['turn, player_stopped', { t: 'turn', ev: 'player_stopped', npc: 'aldric', n: 9, from: 'npc:marta', ms: 640 }],
  ['turn, npc_started', { t: 'turn', ev: 'npc_started', npc: 'aldric', n: 12 }],
  ['turn, npc_stopped', { t: 'turn', ev: 'npc_stopped', npc: 'aldric', n: 40, ms: 2240 }],
  ['turn, npc_interrupted', { t: 'turn', ev: 'npc_interrupted', npc: 'aldric', n: 41 }],
  ['turn, npc_backchannelled', { t: 'turn', of: 'scene-0123456789ab', ev: 'npc_backchannelled', npc: 'aldric', n: 50 }],
  ['flush', { t: 'flush', npc: 'aldric', n: 41, fade: 40 }],
  ['flush of a watched scene', { t: 'flush', of: 'scene-0123456789ab', npc: 'aldric', n: 41, fade: 40 }],
  ['transcript', { t: 'transcript', npc: 'aldric', line: { who: 'aldric', n: 12, text: 'Well met, traveller.', heard: 'Well met, trav—', cut: true, ms: 1120 } }],
  ['transcript of a watched scene', { t: 'transcript', of: 'scene-0123456789ab', npc: 'aldric', line: { who: 'player', n: 3, text: '', heard: '', cut: false, ms: 640 } }],
  ['persona_changed', { t: 'persona_changed', persona: 'aldric', speed: 'reprime', changed: ['voice', 'turn_taking.patience_ms'], npcs: ['smith'], cost: 12.5 }],
  ['persona_changed, live nowhere', { t: 'persona_changed', persona: 'aldric', speed: 'instant', changed: [], npcs: [], cost: 0 }],
  ['persona_changed in a watched scene', { t: 'persona_changed', of: 'scene-0123456789ab', persona: 'aldric', speed: 'quiet', changed: ['facts'], npcs: ['smith'], cost: 0.5 }],
  ['persona_rejected', { t: 'persona_rejected', persona: 'aldric', code: 'persona_invalid', msg: "'voise' is not a key.", hint: "Did you mean 'voice'?", file: '/game/npc-personas/aldric.yaml', line: 3, col: 1, source: 'voise: gruff' }],
  ['persona_rejected, no hint', { t: 'persona_rejected', persona: 'aldric', code: 'io', msg: 'It is not a file.', file: '/game/npc-personas/aldric.yaml', line: 1, col: 1, source: '' }],
  ['persona_listed, come', { t: 'persona_listed', persona: 'marta', there: true, name: 'Marta' }],
  ['persona_listed, gone', { t: 'persona_listed', persona: 'marta', there: false }],
  ['held', { t: 'held', npc: 'aldric', on: true, why: 'cutscene' }],
  ['held in a watched scene, no more', { t: 'held', of: 'scene-0123456789ab', npc: 'aldric', on: false, why: 'other' }],
  ['stats', { t: 'stats', ...FIGURES }],
  ['stats of a watched scene', { t: 'stats', of: 'scene-0123456789ab', ...FIGURES, mics: [] }],
  ['scene', { t: 'scene', of: 'scene-0123456789ab', client: 'godot/0.1.0', there: true, npcs: [{ npc: 'smith', persona: 'aldric', name: 'Aldric', held: true, muted: false }], mics: [{ mic: 'player', muted: true }] }],
  ['scene, ended', { t: 'scene', of: 'scene-0123456789ab', client: 'godot/0.1.0', there: false, npcs: [], mics: [] }],
  ['mic_level', { t: 'mic_level', mic: 'player', level: 0.25, voiced: true }],
  ['mic_level of a watched scene', { t: 'mic_level', of: 'scene-0123456789ab', mic: 'player', level: 0, voiced: false }],
]; // prettier-ignore

/** What other encoders may send for the same message; every decoder takes all of them. */
const VARIANTS: Variant[] = [
  ['ping, keys in another order', { t: 'ping', id: 30 }, '82a269641ea174a470696e67'],
  ['ping, map16', { t: 'ping', id: 30 }, 'de0002a174a470696e67a269641e'],
  ['ping, map32', { t: 'ping', id: 30 }, 'df00000002a174a470696e67a269641e'],
  ['ping, str8 keys and values', { t: 'ping', id: 30 }, '82d90174d90470696e67d90269641e'],
  ['ping, str16', { t: 'ping', id: 30 }, '82da000174da000470696e67a269641e'],
  ['ping, str32', { t: 'ping', id: 30 }, '82db0000000174db0000000470696e67a269641e'],
  ['ping, id as uint8', { t: 'ping', id: 30 }, '82a174a470696e67a26964cc1e'],
  ['ping, id as uint16', { t: 'ping', id: 30 }, '82a174a470696e67a26964cd001e'],
  ['ping, id as uint32', { t: 'ping', id: 30 }, '82a174a470696e67a26964ce0000001e'],
  ['ping, id as uint64', { t: 'ping', id: 30 }, '82a174a470696e67a26964cf000000000000001e'],
  ['ping, id as int8', { t: 'ping', id: 30 }, '82a174a470696e67a26964d01e'],
  ['ping, id as int16', { t: 'ping', id: 30 }, '82a174a470696e67a26964d1001e'],
  ['ping, id as int32', { t: 'ping', id: 30 }, '82a174a470696e67a26964d20000001e'],
  ['ping, id as int64', { t: 'ping', id: 30 }, '82a174a470696e67a26964d3000000000000001e'],
  ['ping, id as float32', { t: 'ping', id: 30 }, '82a174a470696e67a26964ca41f00000'],
  ['ping, id as float64', { t: 'ping', id: 30 }, '82a174a470696e67a26964cb403e000000000000'],
  ['hold, the absent NPC as nil', { t: 'hold', id: 1, why: 'menu' }, '84a174a4686f6c64a2696401a36e7063c0a3776879a46d656e75'],
  ['mic, bin16 where bin8 would do', { t: 'mic', mic: 'a', n: 1, pcm: ramp(2) }, '84a174a36d6963a36d6963a161a16e01a370636dc500020025'],
  ['mic, bin32 where bin8 would do', { t: 'mic', mic: 'a', n: 1, pcm: ramp(2) }, '84a174a36d6963a36d6963a161a16e01a370636dc6000000020025'],
  ['configure, gain as float32', { t: 'configure', id: 1, npc: 'a', gain: 0.5 }, '84a174a9636f6e666967757265a2696401a36e7063a161a46761696eca3f000000'],
].map(([name, message, bytes]) => ({ name: name as string, message: toJson(message), hex: bytes as string })); // prettier-ignore

const bytesOf = (message: unknown): string => hex(encodeMessage(message as object));
const REFUSED: Refused[] = (
  [
    ['nothing at all', '', 'bad_message', 'This is not a message of npc-voice.v1: it is empty.'],
    ['a number', '00', 'bad_message', 'This is not a message of npc-voice.v1: it is not a map.'],
    ['a list', '920102', 'bad_message', 'This is not a message of npc-voice.v1: it is not a map.'],
    ['an empty map', '80', 'bad_message', 'A message names its type in t, as text.'],
    ['a type that is a number', '81a17401', 'bad_message', 'A message names its type in t, as text.'],
    ['broken off', '82a174a470696e67', 'bad_message', 'This is not a message of npc-voice.v1: it breaks off'],
    ['two messages in one', '82a174a470696e67a2696401' + '82a174a470696e67a2696402', 'bad_message', 'This is not a message of npc-voice.v1: 12 bytes follow it.'],
    ['a key that is a number', '8201a470696e67a2696401', 'bad_message', 'This is not a message of npc-voice.v1: the key'],
    ['an extension type', '82a174a470696e67a26964d40001', 'bad_message', 'This is not a message of npc-voice.v1: byte 11 begins an extension type.'],
    ['a timestamp', '82a174a470696e67a26964d6ff5f000000', 'bad_message', 'This is not a message of npc-voice.v1: byte 11 begins an extension type.'],
    ['the unused byte', '82a174a470696e67a26964c1', 'bad_message', 'This is not a message of npc-voice.v1: byte 11 begins an extension type.'],
    ['nested nine deep', '81a178' + '91'.repeat(8) + 'c0', 'bad_message', 'This is not a message of npc-voice.v1: it is nested more than 8 deep.'],
    ['a length that is not there', '81a174dbffffffff', 'bad_message', 'This is not a message of npc-voice.v1: it breaks off'],
    ['a map larger than the message', 'dfffffffff', 'bad_message', 'This is not a message of npc-voice.v1: it breaks off'],
    ['a prototype', '81a95f5f70726f746f5f5f80', 'bad_message', 'This is not a message of npc-voice.v1: no key may be __proto__.'],
    ['an unknown type', bytesOf({ t: 'atach', id: 1 }), 'unknown_type', 'There is no message of type "atach".'],
    ['a type named like a property of every object', bytesOf({ t: 'constructor', id: 1 }), 'unknown_type', 'There is no message of type "constructor".'],
    ['a missing field', bytesOf({ t: 'attach', id: 1 }), 'bad_field', 'attach.npc is missing; it must be 1 to 64 of a-z, 0-9, _ and -'],
    ['an unknown field', bytesOf({ t: 'attach', id: 1, npc: 'a', greeting: true }), 'bad_field', 'attach has no field "greeting"'],
    ['a field of the wrong type', bytesOf({ t: 'attach', id: 1, npc: 'a', greet: 'yes' }), 'bad_field', 'attach.greet must be true or false, got "yes"'],
    ['a required field that is nil', '82a174a470696e67a26964c0', 'bad_field', 'ping.id must be a whole number, 0..4294967295, got null'],
    ['an id that is a path', bytesOf({ t: 'attach', id: 1, npc: '../../etc/passwd' }), 'bad_field', 'attach.npc must be 1 to 64 of a-z, 0-9, _ and -, got "../../etc/passwd"'],
    ['an id in capitals', bytesOf({ t: 'attach', id: 1, npc: 'Aldric' }), 'bad_field', 'attach.npc must be'],
    ['an id too long', bytesOf({ t: 'attach', id: 1, npc: 'a'.repeat(65) }), 'bad_field', 'attach.npc must be'],
    ['a request id below 0', bytesOf({ t: 'ping', id: -1 }), 'bad_field', 'ping.id must be a whole number, 0..4294967295, got -1'],
    ['a request id over 32 bits', bytesOf({ t: 'ping', id: 4294967296 }), 'bad_field', 'ping.id must be'],
    ['a request id with a fraction', bytesOf({ t: 'ping', id: 0.5 }), 'bad_field', 'ping.id must be'],
    ['a rate too high', bytesOf({ t: 'open_mic', id: 1, mic: 'p', codec: 's16', rate: 96000 }), 'bad_field', 'open_mic.rate must be 8000..48000, got 96000'],
    ['a rate Opus does not have', bytesOf({ t: 'open_mic', id: 1, mic: 'p', codec: 'opus', rate: 44100 }), 'bad_field', 'open_mic.rate must be 8000, 12000, 16000, 24000, 48000 for opus, got 44100'],
    ['a gain that is not a number', '84a174a9636f6e666967757265a2696401a36e7063a161a46761696ecb7ff8000000000000', 'bad_field', 'configure.gain must be a number, 0..4, got NaN'],
    ['sound as text', bytesOf({ t: 'mic', mic: 'p', n: 0, pcm: 'AAAA' }), 'bad_field', 'mic.pcm must be binary, got "AAAA"'],
    ['sound as a list', bytesOf({ t: 'mic', mic: 'p', n: 0, pcm: [0, 1] }), 'bad_field', 'mic.pcm must be binary, got a list'],
    ['muting both', bytesOf({ t: 'mute', id: 1, mic: 'p', npc: 'a', on: true }), 'bad_field', 'mute names exactly one of mic and npc'],
    ['muting neither', bytesOf({ t: 'mute', id: 1, on: true }), 'bad_field', 'mute names exactly one of mic and npc'],
    ['a line of nothing', bytesOf({ t: 'say', id: 1, npc: 'a', text: '  ' }), 'bad_field', 'say.text must be 1 to 2000 characters of text, got "  "'],
    ['a variable that is a list', bytesOf({ t: 'set_state', id: 1, vars: { gold: [1] } }), 'bad_field', 'set_state.vars must be a map'],
    ['a variable named with a capital', bytesOf({ t: 'set_state', id: 1, vars: { Gold: 1 } }), 'bad_field', 'set_state.vars must be a map'],
    ['a sound source of no kind', bytesOf({ t: 'set_hearing', id: 1, npc: 'a', from: 'player', gain: 1 }), 'bad_field', 'set_hearing.from must be mic:<id> or npc:<id>, got "player"'],
    ['what only the sidecar says', bytesOf({ t: 'hello', v: 1, server: 'x', tick: 80, auth: true }), 'unknown_type', 'There is no message of type "hello".'],
  ] as const
).map(([name, bytes, code, msg]) => ({ name, hex: bytes, code, msg })); // prettier-ignore

const vectorsOf = (messages: [string, ClientMessage | ServerMessage][]): Vector[] =>
  messages.map(([name, message]) => ({ name, message: toJson(message), hex: bytesOf(message) }));

export const FILES: Record<string, VectorFile<Vector | Refused>> = {
  'client.json': {
    about: 'What clients send. A codec turns message into hex, byte for byte, when it keeps the order of keys and sends every number and length in its shortest form; and hex into message.',
    vectors: vectorsOf(CLIENT),
  },
  'server.json': {
    about: 'What the sidecar sends. A client turns hex into message.',
    vectors: vectorsOf(SERVER),
  },
  'variants.json': {
    about: 'Other bytes for the same message, which encoders in other languages may write. The sidecar takes them all; a nil field is an absent one.',
    vectors: VARIANTS,
  },
  'refused.json': {
    about: 'Bytes that the sidecar refuses, with the error code and how its sentence begins.',
    vectors: REFUSED,
  },
}; // prettier-ignore

export const FIXTURES = new URL('../fixtures/wire/', import.meta.url);
export const readFixture = <T = Vector>(name: string): VectorFile<T> =>
  JSON.parse(readFileSync(new URL(name, FIXTURES), 'utf8')) as VectorFile<T>;
/** One vector a line, so that a change shows as one. */
export function format({ about, vectors }: VectorFile<Vector | Refused>): string {
  const lines = vectors.map((vector) => `    ${JSON.stringify(vector)}`);
  return `{\n  "about": ${JSON.stringify(about)},\n  "vectors": [\n${lines.join(',\n')}\n  ]\n}\n`;
}
