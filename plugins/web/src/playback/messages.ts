import type { PlayoutStats } from './playout';

export const PLAYER = 'npc-voice-player';

/** Page → player worklet. */
export type ToPlayer =
  | { t: 'frame'; n: number; pcm: Float32Array | null }
  | { t: 'flush'; n: number; fade: number }
  | { t: 'reset' }
  | { t: 'end' };

/** Player worklet → page. */
export type FromPlayer =
  /** Sample `s` (of 1920) of frame `n` leaves the node at context time `time`, seconds. */
  | { t: 'at'; n: number; s: number; time: number }
  /** A flush cut playback off there. */
  | { t: 'cut'; n: number; s: number }
  | { t: 'stats'; stats: PlayoutStats }
  /** After `end`: nothing is left to play. */
  | { t: 'ended' };
