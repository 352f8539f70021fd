/** What the TTS worker is asked, and what it answers. */
import type { Clause } from '../text/clauses';
import type { KeptSound } from './clause-sound';
import type { TtsVoice } from './voice';

export interface TtsRequest {
  id: number;
  clause: Clause;
  voice: TtsVoice;
}
export type TtsAnswer =
  | { kind: 'ready' }
  | { kind: 'spoken'; id: number; sound: KeptSound; costMs: number }
  | { kind: 'failed'; id: number; message: string };
