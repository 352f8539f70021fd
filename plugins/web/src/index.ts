/** NPC Voice in a web page: game characters that talk, through a sidecar on this machine. */
export { NpcVoice } from './npc-voice';
export type { ConnectOptions, NpcVoiceEvents, PersonaText, WatchedMessage } from './npc-voice';
export { Npc } from './npc';
export type { AttachOptions, NpcEvents, NpcSettings } from './npc';
export { Microphone } from './microphone';
export type { MicrophoneEvents, MicrophoneOptions } from './microphone';
export type { ConnectionState } from './link';
export { VoiceError, type VoiceErrorCode } from './errors';
export type { MouthWeights } from './playback/timeline';
export type { PlayoutStats } from './playback/playout';
export { VISEMES } from '../../../sidecar/wire/messages';
export type {
  Capacity,
  HoldManner,
  HoldReason,
  ModelStatus,
  PersonaChanged,
  PersonaEntry,
  PersonaListed,
  PersonaProblem,
  PersonaRejected,
  ReloadSpeed,
  SceneFigures,
  SoundSource,
  StateValue,
  TranscriptLine,
  TurnState,
  Viseme,
  VoiceEntry,
} from '../../../sidecar/wire/messages';
