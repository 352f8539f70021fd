/** Small checkpoints with everything the real ones have: made in a moment, wide enough to be quantised. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MIMI, PERSONAPLEX, synthesiseCheckpoint } from '../../../sidecar/personaplex/import';

export const SMALL_LM = {
  ...PERSONAPLEX, dim: 64, layers: 2, heads: 2, ffnHidden: 128, card: 32, textCard: 300,
  depthDim: 32, depthLayers: 1, depthHeads: 2, depthFfnHidden: 64, context: 40,
}; // prettier-ignore
export const SMALL_MIMI = {
  ...MIMI,
  dim: 16,
  layers: 1,
  heads: 1,
  filters: 2,
  hidden: 32,
  codeDim: 8,
  bins: SMALL_LM.card,
  acousticInCheckpoint: 9,
};

export const temporaryFolder = (): string => mkdtempSync(path.join(tmpdir(), 'npc-models-'));

export function smallCheckpoint(folder: string, steps: 8 | 16 = 16, seed = 1): void {
  synthesiseCheckpoint(folder, { lm: { ...SMALL_LM, depthStepsStored: steps }, mimi: SMALL_MIMI, seed });
}
