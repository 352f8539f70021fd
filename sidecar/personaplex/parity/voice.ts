/** Compares the torch file of a voice with what it was saved from: its tokens exactly, its rows to bfloat16's precision. */
import type { LmConfig, WeightSource } from '../graphs';
import type { VoiceEmbeddings } from '../voice';
import type { LmTrace, SavedVoice } from './fixtures';
import { rowsOf } from './language';
import { pairUp, type Tally } from './tally';

/** bfloat16 keeps eight bits of a value. */
const BFLOAT16_STEP = 2 ** -8;

/** Against the same voice in full precision. */
export function compareWithSaved(voice: VoiceEmbeddings, saved: SavedVoice, tally: Tally): void {
  tally.part('cache', pairUp(voice.cache, saved.cache.flat(2) as number[], 'cache (flattened)'));
  measureRows(voice.rows, Float32Array.from(rowsOf(saved)), tally);
}

/** Against the checkpoint: a row is the sum of the embeddings of a column's 17 tokens. */
export async function compareWithTables(
  voice: VoiceEmbeddings,
  { steps }: LmTrace,
  { dim }: LmConfig,
  weights: WeightSource,
  tally: Tally,
): Promise<void> {
  const sums = new Float32Array(voice.rows.length);
  for (const { offset, model_input } of steps) {
    // The step at an offset consumes the column before it; the voice's last column has no row.
    if (!model_input || offset >= voice.frames) continue;
    for (const [stream, token] of model_input.entries()) {
      const name = stream === 0 ? 'text_emb.weight' : `emb.${stream - 1}.weight`;
      const row = await weights.readFloats({ name, rows: [token, token + 1] });
      row.forEach((value, i) => (sums[(offset - 1) * dim + i]! += value));
    }
  }
  measureRows(voice.rows, sums, tally);
}

/** Relative to each value, in steps of bfloat16. */
function measureRows(ours: Float32Array, theirs: Float32Array, tally: Tally): void {
  const where = 'embeddings (flattened)';
  if (ours.length !== theirs.length) return tally.measure('voice rows', ours, theirs, where);
  const relative = Array.from(
    theirs,
    (value, i) => (ours[i]! - value) / Math.max(Math.abs(value), 1e-3) / BFLOAT16_STEP,
  );
  tally.measure('voice rows', relative, new Float32Array(relative.length), where);
}

/** The file's content in the form the reference's JSON has. */
export const asSaved = ({ rows, dim, cache }: VoiceEmbeddings): SavedVoice => ({
  embeddings: Array.from({ length: rows.length / dim }, (_, row) => [
    ...rows.subarray(row * dim, (row + 1) * dim),
  ]),
  cache: Array.from({ length: cache.length / 4 }, (_, stream) => [
    ...cache.subarray(stream * 4, stream * 4 + 4),
  ]),
});
