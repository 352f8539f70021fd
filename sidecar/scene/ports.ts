/**
 * What a scene needs from outside and what it tells: the scene itself knows neither sockets nor files.
 * The server plugs a connection in here; `npc-voice talk` plugs in two WAV files.
 */
import type { AudioFormat } from '../audio/format';
import type { CharacterBrief, DuplexVoice, UpdateReceipt } from '../duplex';
import type {
  HoldManner,
  HoldReason,
  SoundSource,
  StateValue,
  TranscriptLine,
  TurnEventName,
  TurnState,
} from '../wire/messages';
import type { Persona } from '../personas/schema';

/** Where a scene finds its characters. The persona library implements it. */
export interface Cast {
  /** The last good version; throws NpcVoiceError `unknown_persona`, or `persona_invalid` where there never was a good one. */
  persona(id: string): Persona;
  /** Throws NpcVoiceError `unknown_voice`. */
  voice(id: string): DuplexVoice;
  /** The persona told to a model, with game state filled in. `overrides` come from `configure`. */
  brief(
    persona: Persona,
    state: Readonly<Record<string, StateValue>>,
    overrides?: BriefOverrides,
  ): CharacterBrief;
  /** Calls back after each accepted change of a persona or of a voice it uses. Returns what unsubscribes. */
  onChange(listener: (change: CastChange) => void): () => void;
}
export interface BriefOverrides {
  voice?: string;
  patienceMs?: number;
  overlap?: CharacterBrief['turnTaking']['overlap'];
  backchannelsPerMinute?: number;
}
export interface CastChange {
  persona: string;
  /** Paths of the changed keys: `voice`, `turn_taking.patience_ms`; a changed voice file reports `voice`. */
  changed: readonly string[];
  /** When the file was first seen changed, Clock milliseconds (performance.now()). */
  since: number;
}

/** One NPC's frame as a scene emits it; buffers are valid during the call only. */
export interface SceneFrame {
  npc: string;
  n: number;
  /** 1920 samples at 24 kHz, NPC gain applied; null: silence. */
  pcm: Float32Array | null;
  turn: TurnState;
  level: number;
  text: string;
  mouth: Uint8Array | null;
  cues: readonly string[];
}
export interface SceneTurn {
  ev: TurnEventName;
  npc: string;
  n: number;
  from?: SoundSource;
  ms?: number;
}

/** Where a scene puts what happens. Every call is synchronous and must not throw. */
export interface SceneSink {
  frame(frame: SceneFrame): void;
  turn(event: SceneTurn): void;
  flush(npc: string, n: number, fadeMs: number): void;
  transcript(npc: string, line: TranscriptLine): void;
  held(npc: string, on: boolean, why: HoldReason): void;
  micLevel(mic: string, level: number, voiced: boolean): void;
  /** Told only where it reached somebody. */
  personaChanged(change: {
    persona: string;
    changed: readonly string[];
    npcs: readonly string[];
    speed: UpdateReceipt['speed'];
    costMs: number;
  }): void;
  /** Something failed that no request asked for (a model step, a re-prime). */
  failed(error: unknown): void;
  /** After every tick, when all of its frames have been put: for latency figures and watchers. */
  ticked?(timing: TickTiming): void;
}
export interface TickTiming {
  /** When the primary microphone's frame was whole (or the timer fired), Clock ms. */
  due: number;
  /** Time inside DuplexModel.step, ms. */
  modelMs: number;
  /** When the last frame had been put, Clock ms. */
  done: number;
  /** False: the timer drove this tick. */
  micDriven: boolean;
}

/** Counted since the scene began. */
export interface SceneStats {
  ticks: number;
  timerTicks: number;
  /** Ticks that were done more than a frame (80 ms) after they were due, however long they took themselves. */
  deadlineMisses: number;
  /** Ticks left out because the one before had not ended. */
  skippedTicks: number;
  /** Ticks whose model step failed: every NPC was silent in them. */
  failedSteps: number;
  /** Packets that named no open microphone. */
  strayPackets: number;
  npcs: number;
  mics: Record<string, MicStats>;
  /** From a tick being due to its last frame having been put, milliseconds over the last 125 ticks (10 s). */
  tickMs: { p50: number; p99: number; max: number };
  /** Of that, inside DuplexModel.step. */
  modelMs: { p50: number; p99: number; max: number };
}
export interface MicStats {
  packets: number;
  /** Gaps in packet numbers, concealed. */
  lost: number;
  /** Arrived twice, or after its place had been concealed. */
  late: number;
  /** Refused: did not decode. */
  malformed: number;
  /** Frames dropped oldest-first because more than two waited. */
  droppedFrames: number;
  /** Frames of silence put in because none had come. */
  missingFrames: number;
  /** Clock drift against the tick, parts per million; 0 for the primary microphone. */
  driftPpm: number;
  bufferedMs: number;
}

/**
 * A scene, as its connection drives it. Every method that names an unknown NPC, microphone, persona or voice
 * throws NpcVoiceError with that code; none is affected by another's failure.
 */
export interface ScenePort {
  attach(npc: string, o: { persona?: string; greet?: boolean; seed?: number }): Promise<NpcStatus>;
  /** With `farewell` resolves when it has been said. */
  detach(npc: string, o: { farewell?: boolean }): Promise<void>;
  configure(npc: string, o: BriefOverrides & { gain?: number }): Promise<UpdateReceipt>;
  openMic(mic: string, format: AudioFormat, o: { primary?: boolean }): void;
  closeMic(mic: string): void;
  /** A microphone packet. Never throws: what cannot be used is counted. Bytes are not kept. */
  micPacket(mic: string, n: number, bytes: Uint8Array): void;
  say(npc: string, text: string, when: 'queue' | 'now'): void;
  hold(npc: string | undefined, why: HoldReason, manner: HoldManner): void;
  release(npc: string | undefined, why: HoldReason): void;
  interrupt(npc: string): void;
  muteMic(mic: string, on: boolean): void;
  muteNpc(npc: string, on: boolean): void;
  /** Resolves with the names that `npc`'s persona does not declare, which nothing it says can use; of all NPCs: none. */
  setState(vars: Record<string, StateValue>, npc?: string): Promise<readonly string[]>;
  setHearing(npc: string, from: SoundSource, gain: number, muffle: number): void;
  /** Playback of frame `n` reached `samples`. Never throws. */
  played(npc: string, n: number, samples: number): void;
  transcript(npc?: string): readonly { npc: string; lines: readonly TranscriptLine[] }[];
  stats(): SceneStats;
  npcs(): readonly NpcStatus[];
  mics(): readonly { mic: string; muted: boolean }[];
  /** Ends everything; idempotent. */
  close(): Promise<void>;
}
export interface NpcStatus {
  npc: string;
  persona: string;
  name: string;
  /** Its frame count starts at 0 here. */
  held: boolean;
  muted: boolean;
  /** What priming cost, ms. */
  primeMs: number;
}
