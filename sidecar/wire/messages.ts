/**
 * The messages of `npc-voice.v1`, as types. PROTOCOL.md beside this file is the page client authors read;
 * validate.ts checks what arrives. Every message is one MessagePack map in one binary WebSocket message,
 * its type in `t`. A request carries `id` and gets exactly one `ok` or `error` with the same `id`; streamed
 * messages (`mic`, `played`, and everything the sidecar volunteers) carry none.
 */
import type { ErrorCode } from '../errors';

export const SUBPROTOCOL = 'npc-voice.v1';
export const PROTOCOL_VERSION = 1;

/** Sample encodings on the wire. `s16` and `f32` are little-endian and interleaved. */
export type Codec = 's16' | 'f32' | 'opus';

/** The fifteen Oculus visemes, in the order in which `mouth` carries their weights. */
export const VISEMES = [
  'sil', 'PP', 'FF', 'TH', 'DD', 'kk', 'CH', 'SS', 'nn', 'RR', 'aa', 'E', 'ih', 'oh', 'ou',
] as const; // prettier-ignore
export type Viseme = (typeof VISEMES)[number];
/** Mouth shapes in one frame: one each 20 ms. `mouth` is 4 x 15 bytes, weight 0..255, time-major. */
export const MOUTH_STEPS = 4;
export const MOUTH_BYTES = MOUTH_STEPS * VISEMES.length;

/** What an NPC is doing in a frame. */
export type TurnState = 'idle' | 'listening' | 'speaking' | 'backchannel' | 'held';

/** Why an NPC is held; it speaks again when every reason has been released. */
export type HoldReason = 'cutscene' | 'menu' | 'focus' | 'other';
/** What becomes of a line the hold falls into: end the word first, or cut at once. */
export type HoldManner = 'finish_word' | 'cut';

/** Where a sound comes from: `mic:<id>` or `npc:<id>`. */
export type SoundSource = `mic:${string}` | `npc:${string}`;

export type StateValue = string | number | boolean;

// ---------------------------------------------------------------- client → sidecar: requests

export interface Identify {
  t: 'identify';
  id: number;
  /** Protocol version the client speaks. */
  v: number;
  /** Who is calling, for logs and the studio: `unity/0.1.0 MyGame`. */
  client: string;
  /** Per-launch token; not needed when it came with the upgrade. */
  token?: string;
  /** How NPC audio is wanted: default s16, 24000 Hz, mono. */
  codec?: Codec;
  rate?: number;
  ch?: 1 | 2;
}
export interface Attach {
  t: 'attach';
  id: number;
  /** The NPC's id in this scene, unique on this connection. */
  npc: string;
  /** Persona id; default: the NPC's own id. */
  persona?: string;
  /** Speak the greeting; default true. A client that re-attaches after a dropped connection says false. */
  greet?: boolean;
  /** Seed of everything this NPC chooses; same seed and same input give the same samples. */
  seed?: number;
}
export interface Detach {
  t: 'detach';
  id: number;
  npc: string;
  /** Let it say its farewell first; default false. */
  farewell?: boolean;
}
/** Overrides the persona file for this NPC, until detached. Absent fields stay as they are. */
export interface Configure {
  t: 'configure';
  id: number;
  npc: string;
  voice?: string;
  patience_ms?: number;
  overlap?: 'yield' | 'finish_word' | 'hold' | 'talk_over';
  backchannel?: number;
  /** Linear gain of the NPC's voice, 0..4. */
  gain?: number;
}
export interface OpenMic {
  t: 'open_mic';
  id: number;
  mic: string;
  codec: Codec;
  /** 8000..48000 Hz. */
  rate: number;
  ch?: 1 | 2;
  /** The microphone whose frames drive the tick; default: the first one opened. */
  primary?: boolean;
}
export interface CloseMic {
  t: 'close_mic';
  id: number;
  mic: string;
}
export interface Say {
  t: 'say';
  id: number;
  npc: string;
  text: string;
  /** `queue` after what it is saying (default), `now` instead of it. */
  when?: 'queue' | 'now';
}
export interface Hold {
  t: 'hold';
  id: number;
  /** Absent: every NPC of the scene. */
  npc?: string;
  why: HoldReason;
  manner?: HoldManner;
}
export interface Release {
  t: 'release';
  id: number;
  npc?: string;
  why: HoldReason;
}
export interface Interrupt {
  t: 'interrupt';
  id: number;
  npc: string;
}
/** A muted microphone is heard as silence; a muted NPC is not heard but goes on. Exactly one of mic, npc. */
export interface Mute {
  t: 'mute';
  id: number;
  mic?: string;
  npc?: string;
  on: boolean;
}
/** Game-state variables that persona text may use; absent `npc`: every NPC of the scene, now and later. */
export interface SetState {
  t: 'set_state';
  id: number;
  npc?: string;
  vars: Record<string, StateValue>;
}
/** Who hears whom. By default every NPC hears every microphone at gain 1 and no other NPC. */
export interface SetHearing {
  t: 'set_hearing';
  id: number;
  npc: string;
  from: SoundSource;
  /** Linear, 0 (not heard) .. 4. */
  gain: number;
  /** 0 clear .. 1 through a wall. */
  muffle?: number;
}
export interface GetTranscript {
  t: 'get_transcript';
  id: number;
  npc?: string;
}
export interface GetStats {
  t: 'get_stats';
  id: number;
}
/** Watch other connections' scenes (the studio does). `of` absent: all, those to come included. */
export interface Watch {
  t: 'watch';
  id: number;
  on: boolean;
  of?: string;
}
export interface ReadPersona {
  t: 'read_persona';
  id: number;
  persona: string;
}
/** Checks YAML text without saving it. */
export interface LintPersona {
  t: 'lint_persona';
  id: number;
  persona: string;
  yaml: string;
}
/** Saves YAML text; refused when invalid, or when the file changed since `hash` was read. */
export interface WritePersona {
  t: 'write_persona';
  id: number;
  persona: string;
  yaml: string;
  hash?: string;
}
export interface Ping {
  t: 'ping';
  id: number;
}

export type ClientRequest =
  | Identify | Attach | Detach | Configure | OpenMic | CloseMic | Say | Hold | Release | Interrupt | Mute
  | SetState | SetHearing | GetTranscript | GetStats | Watch | ReadPersona | LintPersona | WritePersona | Ping; // prettier-ignore

// ---------------------------------------------------------------- client → sidecar: streams

/** One packet of a microphone, any length up to 120 ms (Opus: 20..80 ms). `n` counts packets from 0 and wraps at 2^32. */
export interface MicAudio {
  t: 'mic';
  mic: string;
  n: number;
  pcm: Uint8Array;
}
/** Playback of frame `n` has reached sample `s` (at 24 kHz, 0..1920; default 1920: all of it). */
export interface Played {
  t: 'played';
  npc: string;
  n: number;
  s?: number;
}
export type ClientStream = MicAudio | Played;
export type ClientMessage = ClientRequest | ClientStream;

// ---------------------------------------------------------------- sidecar → client

/** First message on every connection. */
export interface Hello {
  t: 'hello';
  v: number;
  server: string;
  /** Milliseconds a frame. */
  tick: number;
  /** Still to be given in `identify`: false when the token came with the upgrade. */
  auth: boolean;
}
export interface ModelStatus {
  id: string;
  name: string;
  /** True: it says prepared lines and understands nothing. */
  scripted: boolean;
  /** One sentence a person can read. */
  about: string;
}
export interface Capacity {
  /** NPCs this machine sustains. */
  npcs: number;
  /** How that was found, one sentence. */
  why: string;
}
export interface PersonaEntry {
  id: string;
  name: string;
  voice: string;
  language: string;
}
export interface VoiceEntry {
  id: string;
  name: string;
}
/** The answer to `identify`. */
export interface Identified {
  t: 'identified';
  id: number;
  v: number;
  session: string;
  model: ModelStatus;
  capacity: Capacity;
  personas: PersonaEntry[];
  voices: VoiceEntry[];
}
/** The answer to any other request that worked, with that request's results (see Results) beside `id`. */
export interface Ok {
  t: 'ok';
  id: number;
  [result: string]: unknown;
}
/** What `ok` carries beside `id`, by request; requests not named here answer with nothing more. */
export interface Results {
  attach: { npc: string; persona: string; name: string; held: boolean; muted: boolean; prime_ms: number };
  /** How the change took hold and what it cost, ms. */
  configure: { speed: ReloadSpeed; cost: number };
  /** Of one NPC: the names that its persona does not declare under `state`. */
  set_state: { unused?: string[] };
  get_transcript: { npcs: { npc: string; lines: TranscriptLine[] }[] };
  get_stats: SceneFigures;
  /** `hash` names this version of the file, for `write_persona`. */
  read_persona: { persona: string; yaml: string; hash: string };
  /** Empty: nothing is wrong. */
  lint_persona: { problems: PersonaProblem[] };
  write_persona: { hash: string };
}
/** Something noticed in a persona file. Lines and columns count from 1; the end is exclusive. */
export interface PersonaProblem {
  /** `error`: the file is refused. `warning`: probably not meant. `info`: worth knowing. */
  severity: 'error' | 'warning' | 'info';
  /** What kind of problem: `unknown_key`. */
  code: string;
  msg: string;
  hint?: string;
  line: number;
  col: number;
  end_line: number;
  end_col: number;
  /** The line at fault. */
  source: string;
}
/** The answer to a request that did not, or (without `id`) word of something wrong with what was sent. */
export interface ErrorMessage {
  t: 'error';
  id?: number;
  code: ErrorCode;
  msg: string;
  hint?: string;
  file?: string;
  line?: number;
  col?: number;
}
/**
 * One NPC, one tick. `n` counts frames of this NPC from 0 without gaps; a frame the client does not get was
 * dropped on the way and counted. An empty `pcm` is 80 ms of silence. Opus and rates other than 24 kHz: the
 * packet covers the same 80 ms.
 */
export interface NpcFrame {
  t: 'frame';
  /** Set when this belongs to a scene being watched. */
  of?: string;
  npc: string;
  n: number;
  pcm: Uint8Array;
  turn: TurnState;
  /** RMS of the frame, 0..1. */
  level: number;
  /** Words whose speech starts in this frame, with the space before them: `" Well met"`. */
  text?: string;
  /** MOUTH_BYTES weights; absent: mouth at rest. */
  mouth?: Uint8Array;
  /** Ids of persona cues whose words were completed in this frame. */
  cues?: string[];
}
export type TurnEventName =
  | 'player_started' | 'player_stopped'
  | 'npc_started' | 'npc_stopped' | 'npc_interrupted' | 'npc_backchannelled'; // prettier-ignore
export interface TurnEvent {
  t: 'turn';
  of?: string;
  ev: TurnEventName;
  npc: string;
  /** Frame at which it happened, on the NPC's count. */
  n: number;
  /** For player_*: the loudest source the NPC heard. */
  from?: SoundSource;
  /** For *_stopped: how long it had lasted. */
  ms?: number;
}
/** Drop what is buffered of this NPC's frames before `n`, fading out over `fade` ms. */
export interface Flush {
  t: 'flush';
  of?: string;
  npc: string;
  n: number;
  fade: number;
}
/** A voice line, once its end has been heard, or cut. */
export interface TranscriptLine {
  /** The NPC's id; `player` for a microphone; another NPC's id when that is whom it heard. */
  who: string;
  /** Frame of the NPC's count at which it began. */
  n: number;
  /** What was to be said; '' where the words are not known (a player, to a scripted model); of another NPC, what it said. */
  text: string;
  /** What was heard; a word cut short ends in an em dash. */
  heard: string;
  cut: boolean;
  /** How long it lasted, milliseconds. */
  ms: number;
}
export interface TranscriptEvent {
  t: 'transcript';
  of?: string;
  npc: string;
  line: TranscriptLine;
}
/** How a persona change reached live NPCs. */
export type ReloadSpeed = 'instant' | 'quiet' | 'reprime';
export interface PersonaChanged {
  t: 'persona_changed';
  of?: string;
  persona: string;
  speed: ReloadSpeed;
  /** Paths of the changed keys: `voice`, `turn_taking.patience_ms`. */
  changed: string[];
  /** Live NPCs it reached. */
  npcs: string[];
  /** From reading the file to being in force, milliseconds. */
  cost: number;
}
export interface PersonaRejected {
  t: 'persona_rejected';
  persona: string;
  code: ErrorCode;
  msg: string;
  hint?: string;
  file: string;
  line: number;
  col: number;
  /** The offending line. */
  source: string;
}
/** A persona came or went. */
export interface PersonaListed {
  t: 'persona_listed';
  persona: string;
  there: boolean;
  name?: string;
}
/** Held or released, by reason, and who is still held. */
export interface HeldEvent {
  t: 'held';
  of?: string;
  npc: string;
  on: boolean;
  why: HoldReason;
}
/** How a scene is doing. Counts are since its connection began; times are ms, over the last 10 s. */
export interface SceneFigures {
  ticks: number;
  /** Ticks driven by the timer, no microphone frame having come in time. */
  timer_ticks: number;
  /** Ticks done more than a frame after they were due: `tick_*` over 80 ms. */
  deadline_misses: number;
  /** Ticks left out because the one before had not ended. */
  skipped_ticks: number;
  /** Ticks whose model step failed: every NPC was silent in them. */
  failed_steps: number;
  npcs: number;
  /** From a tick being due (its microphone frame whole, or the timer's slot) to its NPC frames having been sent. */
  tick_p50: number;
  tick_p99: number;
  tick_max: number;
  /** Inside the duplex model. */
  model_p50: number;
  model_p99: number;
  model_max: number;
  /** From a microphone's frame being whole to its NPC frames being sent, model included. */
  latency_p50: number;
  latency_p99: number;
  latency_max: number;
  /** The same less model time. */
  overhead_p50: number;
  overhead_p99: number;
  /** Delay of the sidecar's event loop over the last second, p99. */
  loop_p99: number;
  /** Bytes waiting for this client to read them. */
  buffered: number;
  /** NPC frames not sent because the client did not read. */
  dropped_frames: number;
  /** Messages refused by a rate cap. */
  refused: number;
  /** Packets that named no open microphone. */
  stray: number;
  mics: MicFigures[];
}
/** Counts since the microphone was opened. */
export interface MicFigures {
  mic: string;
  packets: number;
  /** Never came; concealed. */
  lost: number;
  /** Came twice, or after their place had been concealed. */
  late: number;
  /** Did not decode. */
  malformed: number;
  /** Frames dropped oldest-first because more than two waited. */
  dropped: number;
  /** Frames of silence put in because none had come. */
  missing: number;
  /** Clock drift against the tick, parts per million. */
  drift_ppm: number;
  buffered_ms: number;
}
/** Once a second. */
export interface StatsEvent extends SceneFigures {
  t: 'stats';
  of?: string;
}
/** A scene being watched, as it stands: sent when watching starts and when its cast changes. */
export interface WatchedScene {
  t: 'scene';
  of: string;
  client: string;
  /** False: that connection has ended. */
  there: boolean;
  npcs: { npc: string; persona: string; name: string; held: boolean; muted: boolean }[];
  mics: { mic: string; muted: boolean }[];
}
/** A microphone's level as the sidecar hears it, each tick: for meters. */
export interface MicLevel {
  t: 'mic_level';
  of?: string;
  mic: string;
  level: number;
  /** Speech, by the duplex model's own detector where it has one. */
  voiced: boolean;
}
export type ServerMessage =
  | Hello | Identified | Ok | ErrorMessage | NpcFrame | TurnEvent | Flush | TranscriptEvent | PersonaChanged
  | PersonaRejected | PersonaListed | HeldEvent | StatsEvent | WatchedScene | MicLevel; // prettier-ignore
