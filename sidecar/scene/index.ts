/** The scene room: microphones in, NPC frames out, one tick at a time. It knows neither sockets nor files. */
export { realClock, type Clock } from './clock';
export { cueWords } from './cues';
export { converse, type OfflineConversation, type OfflineOptions } from './offline';
export type * from './ports';
export { Scene, SCENE_LIMITS, type SceneLimits, type SceneOptions } from './scene';
export { SharedModel } from './shared-model';
export { SteppedClock } from './stepped-clock';
export { Timings } from './timings';
