/** The fields of every message a client sends. */
import { NpcVoiceError } from '../errors';
import type { ClientMessage } from './messages';
import { MAX_SAY, MAX_VAR_TEXT, MAX_VARS, MAX_YAML } from './limits';
import {
  bool, bytes, id, int, line, number, oneOf, optional, phrase, secret, source, uint32, variables,
  type Shape,
} from './fields'; // prettier-ignore

type Of<T extends ClientMessage['t']> = Extract<ClientMessage, { t: T }>;

const codec = oneOf('s16', 'f32', 'opus');
const rate = int(8000, 48000);
const channels = oneOf(1, 2);
const holdReason = oneOf('cutscene', 'menu', 'focus', 'other');

export const CLIENT_SHAPES: { readonly [T in ClientMessage['t']]: Shape<Of<T>> } = {
  identify: {
    id: uint32,
    v: uint32,
    client: line(80),
    token: secret(optional(line(256))),
    codec: optional(codec),
    rate: optional(rate),
    ch: optional(channels),
  },
  attach: { id: uint32, npc: id, persona: optional(id), greet: optional(bool), seed: optional(uint32) },
  detach: { id: uint32, npc: id, farewell: optional(bool) },
  configure: {
    id: uint32,
    npc: id,
    voice: optional(id),
    patience_ms: optional(int(100, 5000)),
    overlap: optional(oneOf('yield', 'finish_word', 'hold', 'talk_over')),
    backchannel: optional(number(0, 20)),
    gain: optional(number(0, 4)),
  },
  open_mic: { id: uint32, mic: id, codec, rate, ch: optional(channels), primary: optional(bool) },
  close_mic: { id: uint32, mic: id },
  say: { id: uint32, npc: id, text: phrase(MAX_SAY), when: optional(oneOf('queue', 'now')) },
  hold: { id: uint32, npc: optional(id), why: holdReason, manner: optional(oneOf('finish_word', 'cut')) },
  release: { id: uint32, npc: optional(id), why: holdReason },
  interrupt: { id: uint32, npc: id },
  mute: { id: uint32, mic: optional(id), npc: optional(id), on: bool },
  set_state: { id: uint32, npc: optional(id), vars: variables(MAX_VARS, MAX_VAR_TEXT) },
  set_hearing: {
    id: uint32,
    npc: id,
    from: source<`mic:${string}` | `npc:${string}`>(),
    gain: number(0, 4),
    muffle: optional(number(0, 1)),
  },
  get_transcript: { id: uint32, npc: optional(id) },
  get_stats: { id: uint32 },
  watch: { id: uint32, on: bool, of: optional(id) },
  read_persona: { id: uint32, persona: id },
  lint_persona: { id: uint32, persona: id, yaml: phrase(MAX_YAML) },
  write_persona: { id: uint32, persona: id, yaml: phrase(MAX_YAML), hash: optional(line(128)) },
  ping: { id: uint32 },
  mic: { mic: id, n: uint32, pcm: bytes },
  played: { npc: id, n: uint32, s: optional(int(0, 1920)) },
};

const OPUS_RATES = [8000, 12000, 16000, 24000, 48000];

/** What no single field can say. */
export function checkTogether(message: ClientMessage): void {
  if (message.t === 'mute' && (message.mic === undefined) === (message.npc === undefined))
    throw new NpcVoiceError('bad_field', 'mute names exactly one of mic and npc');
  if ((message.t === 'open_mic' || message.t === 'identify') && message.codec === 'opus')
    if (message.rate !== undefined && !OPUS_RATES.includes(message.rate))
      throw new NpcVoiceError(
        'bad_field',
        `${message.t}.rate must be ${OPUS_RATES.join(', ')} for opus, got ${message.rate}`,
      );
}
