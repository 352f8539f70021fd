/** The fields of every message the sidecar sends. `ok` carries its request's results besides. */
import type { ErrorCode } from '../errors';
import type {
  MicFigures,
  ModelStatus,
  Capacity,
  PersonaEntry,
  SceneFigures,
  ServerMessage,
  TranscriptLine,
  VoiceEntry,
  WatchedScene,
} from './messages';
import {
  bool, bytes, figure, id, listOf, mapOf, number, oneOf, optional, source, text, uint32,
  type Field, type Shape,
} from './fields'; // prettier-ignore

type Of<T extends ServerMessage['t']> = Extract<ServerMessage, { t: T }>;

const of = optional(id);
/** A code this version does not know is still a code: later versions add some. */
const code: Field<ErrorCode, false> = text as unknown as Field<ErrorCode, false>;
const turn = oneOf('idle', 'listening', 'speaking', 'backchannel', 'held');
const holdReason = oneOf('cutscene', 'menu', 'focus', 'other');

const micFigures: Shape<MicFigures> = {
  mic: id,
  packets: figure,
  lost: figure,
  late: figure,
  malformed: figure,
  dropped: figure,
  missing: figure,
  drift_ppm: figure,
  buffered_ms: figure,
};
export const SCENE_FIGURES: Shape<SceneFigures> = {
  ticks: figure,
  timer_ticks: figure,
  deadline_misses: figure,
  skipped_ticks: figure,
  failed_steps: figure,
  npcs: figure,
  tick_p50: figure,
  tick_p99: figure,
  tick_max: figure,
  model_p50: figure,
  model_p99: figure,
  model_max: figure,
  latency_p50: figure,
  latency_p99: figure,
  latency_max: figure,
  overhead_p50: figure,
  overhead_p99: figure,
  loop_p99: figure,
  buffered: figure,
  dropped_frames: figure,
  refused: figure,
  stray: figure,
  mics: listOf(mapOf<MicFigures>(micFigures)),
};
const transcriptLine = mapOf<TranscriptLine>({
  who: text,
  n: uint32,
  text,
  heard: text,
  cut: bool,
  ms: figure,
});

export const SERVER_SHAPES: { readonly [T in Exclude<ServerMessage['t'], 'ok'>]: Shape<Of<T>> } & {
  readonly ok: { readonly id: Field<number, false> };
} = {
  hello: { v: uint32, server: text, tick: figure, auth: bool },
  identified: {
    id: uint32,
    v: uint32,
    session: id,
    model: mapOf<ModelStatus>({ id: text, name: text, scripted: bool, about: text }),
    capacity: mapOf<Capacity>({ npcs: figure, why: text }),
    personas: listOf(mapOf<PersonaEntry>({ id, name: text, voice: text, language: text })),
    voices: listOf(mapOf<VoiceEntry>({ id, name: text })),
  },
  ok: { id: uint32 },
  error: {
    id: optional(uint32),
    code,
    msg: text,
    hint: optional(text),
    file: optional(text),
    line: optional(uint32),
    col: optional(uint32),
  },
  frame: {
    of,
    npc: id,
    n: uint32,
    pcm: bytes,
    turn,
    level: number(0, 4),
    text: optional(text),
    mouth: optional(bytes),
    cues: optional(listOf(id)),
  },
  turn: {
    of,
    ev: oneOf('player_started', 'player_stopped', 'npc_started', 'npc_stopped', 'npc_interrupted', 'npc_backchannelled'),
    npc: id,
    n: uint32,
    from: optional(source<`mic:${string}` | `npc:${string}`>()),
    ms: optional(figure),
  },
  flush: { of, npc: id, n: uint32, fade: figure },
  transcript: { of, npc: id, line: transcriptLine },
  persona_changed: {
    of,
    persona: id,
    speed: oneOf('instant', 'quiet', 'reprime'),
    changed: listOf(text),
    npcs: listOf(id),
    cost: figure,
  },
  persona_rejected: {
    persona: id,
    code,
    msg: text,
    hint: optional(text),
    file: text,
    line: uint32,
    col: uint32,
    source: text,
  },
  persona_listed: { persona: id, there: bool, name: optional(text) },
  held: { of, npc: id, on: bool, why: holdReason },
  stats: { of, ...SCENE_FIGURES },
  scene: {
    of: id,
    client: text,
    there: bool,
    npcs: listOf(mapOf<WatchedScene['npcs'][number]>({ npc: id, persona: id, name: text, held: bool, muted: bool })),
    mics: listOf(mapOf<WatchedScene['mics'][number]>({ mic: id, muted: bool })),
  },
  mic_level: { of, mic: id, level: number(0, 4), voiced: bool },
}; // prettier-ignore
