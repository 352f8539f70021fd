/** What one frame told about the player's speech. Times are milliseconds at the frame's end. */
export interface Heard {
  /** The player holds the floor: speech began and has not been quiet for long. */
  speaking: boolean;
  /** Speech began in this frame. */
  started: boolean;
  /** Evidence of speech in this very frame, enough to fall silent for. */
  cutIn: boolean;
  /** Speech was heard in this frame. */
  voiced: boolean;
  /** A sound near the frame's end that may turn out to be speech. */
  unsure: boolean;
  /** Since the last sound of speech; Infinity before the first. */
  quietMs: number;
  /** From the first to the last sound of the stretch of speech that goes on or has just ended. */
  speechMs: number;
}

export const NOTHING_HEARD: Heard = {
  speaking: false,
  started: false,
  cutIn: false,
  voiced: false,
  unsure: false,
  quietMs: Infinity,
  speechMs: 0,
};
