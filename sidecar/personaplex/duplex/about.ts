/** What is told of a model that has been loaded. */
import { FRAME_MS } from '../../audio';
import type { DuplexModelInfo } from '../../duplex';
import type { LoadedModel } from '../host';

/** Part of a frame that the model may take; the rest is for audio, sockets and the game. */
const BUDGET_MS = 0.85 * FRAME_MS;
const MOST_NPCS = 16;

/** What kind of model it is, for people. */
export const aboutModel = ({ takesPrompt, provider }: LoadedModel): string => {
  const where = provider === 'webgpu' ? 'on the GPU' : 'on the CPU';
  return takesPrompt
    ? `Listens while it speaks, in the role and voice of its persona. It runs ${where}.`
    : `Listens while it speaks, but as itself: it takes no role, and has a voice of its own. It runs ${where}.`;
};

/** NPCs that this machine sustains, by what their frames took when the model was loaded. */
export function capacityOf({ speed }: LoadedModel): DuplexModelInfo['capacity'] {
  if (!speed) return { npcs: MOST_NPCS, why: 'Offline, nothing has to be in time.' };
  const { stepMs, addedMs } = speed;
  const ms = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
  if (stepMs > BUDGET_MS)
    return {
      npcs: 1,
      why: `One NPC takes up to ${ms(stepMs)} for a frame of ${FRAME_MS} ms on this machine: it will stutter.`,
    };
  const more = addedMs > 0 ? Math.floor((BUDGET_MS - stepMs) / addedMs) : MOST_NPCS;
  return {
    npcs: Math.min(MOST_NPCS, 1 + more),
    why: `One NPC takes up to ${ms(stepMs)} of each ${FRAME_MS} ms frame on this machine, each further one ${ms(addedMs)}.`,
  };
}
