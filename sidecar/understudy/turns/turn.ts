/** Who has the floor, and what is waiting to be said. */
import type { Line } from '../speech/line';
import type { Speech } from '../speech/speech';

export type Turn =
  | { kind: 'open' }
  /** The player has it. `cut`: taken from the NPC. */
  | { kind: 'listening'; cut: CutLine | undefined }
  /** The player has it, and the NPC says "mm-hm". */
  | { kind: 'backchannel'; cut: CutLine | undefined; speech: Speech }
  /** The NPC has it. `armed`: the player has been quiet since it began, and so can cut in. */
  | { kind: 'speaking'; speech: Speech; armed: boolean; endedBy: EndedBy | undefined };

/** Why a line ends early. */
export type EndedBy = 'player' | 'hold';

/** A line the player cut off. */
export interface CutLine {
  line: Line;
  /** Where it would be taken up again. */
  clause: number;
  /** Milliseconds since. */
  ago: number;
  /** Speech followed: it was no false alarm. */
  confirmed: boolean;
}

/** Something to be said. */
export interface Item {
  line: Line;
  /** First clause. */
  from: number;
  /** For nothing, for the NPC's own line to end, or for the player to finish as well. */
  waitsFor: 'nothing' | 'line' | 'floor';
  /** Silence before it. */
  pauseMs: number;
}
