/** One NPC in the host: its place in the batch, its codec streams, its prompt and where it is being moved. */
import { DEPTH_STEPS } from '../graphs/types';
import type { PromptColumns } from '../generator';
import type { MimiDecoder, MimiEncoder } from '../runtime';
import { COLUMN_INTS } from './messages';
import type { Move } from './move';

/** Frames of nothing after which what was heard before them no longer matters. */
const FORGETS_AFTER = 12;
/** Frames that are decoded again to give the codec back its past. */
const REWARM_FRAMES = 25;
const AGENT = 1;

export class HostSeat {
  /** A re-primed conversation that waits to be swapped in, or one that is being refreshed. */
  move: Move | null = null;
  /** Its prompt is about to leave the window, and something is being done about that. */
  refreshing = false;
  /** Nobody sits here any more. */
  gone = false;
  #unheard = FORGETS_AFTER;

  constructor(
    /** Row of the batch. */
    public row: number,
    public columns: PromptColumns,
    readonly encoder: MimiEncoder,
    readonly decoder: MimiDecoder,
  ) {}

  /** Codes of what it hears in this frame; null: silence. */
  async hear(samples: Float32Array | null): Promise<Int32Array | null> {
    if (samples) {
      this.#unheard = 0;
      return (await this.encoder.encode(samples)).codes;
    }
    // A frame that came late should not make the codec forget the word it is in.
    if (++this.#unheard === FORGETS_AFTER) this.encoder.reset(0);
    return null;
  }

  /**
   * Decodes the end of a conversation again, unheard, so that its sound goes on from there.
   * @param columns the newest columns, each COLUMN_INTS
   * @param acoustic the seven acoustic codes of the newest frame
   */
  async rewarm(columns: Int32Array, acoustic: Int32Array): Promise<void> {
    const count = columns.length / COLUMN_INTS;
    const codes = new Int32Array(DEPTH_STEPS);
    for (let frame = Math.max(0, count - REWARM_FRAMES); frame < count; frame++) {
      const next = (frame + 1) * COLUMN_INTS + AGENT;
      codes.set(frame + 1 < count ? columns.subarray(next + 1, next + DEPTH_STEPS) : acoustic, 1);
      codes[0] = columns[frame * COLUMN_INTS + AGENT]!;
      await this.decoder.decode(codes);
    }
  }
}
