/** How long frames take on this machine, so that no more NPCs are let in than it can serve. */
import { FRAME_MS, FRAME_SAMPLES } from '../../audio/frame';
import { GREEDY, type Generator, type Primed } from '../generator';
import type { MimiDecoder, MimiEncoder } from '../runtime';

/** The first runs of a session make its kernels and buffers. */
const WARM_UP = 2;
const MEASURED = 3;
/** A frame that takes so long need not be measured twice. */
const HOPELESS_MS = 10 * FRAME_MS;

/**
 * Steps one NPC, then two, through empty conversations, codec included.
 * @returns milliseconds a frame takes with one, and what a second adds; equal where one alone takes too long
 */
export async function measureSteps(
  generator: Generator,
  encoder: MimiEncoder,
  decoder: MimiDecoder,
): Promise<{ stepMs: number; addedMs: number }> {
  const primed = await generator.prime(null);
  const codec = { encoder, decoder };
  const stepMs = await timeFrames(generator, codec, primed, 1);
  let addedMs = stepMs;
  if (stepMs < FRAME_MS) {
    await generator.rearrange([-1, -1]);
    addedMs = Math.max(0, (await timeFrames(generator, codec, primed, 2)) - stepMs);
    await generator.rearrange([-1]);
  }
  primed.cache.dispose();
  return { stepMs, addedMs };
}

/** The quickest of a few frames with so many NPCs. */
async function timeFrames(
  generator: Generator,
  { encoder, decoder }: { encoder: MimiEncoder; decoder: MimiDecoder },
  primed: Primed,
  seats: number,
): Promise<number> {
  const silence = new Float32Array(FRAME_SAMPLES);
  const spoken = Int32Array.from(generator.tokens.silence);
  const heard = Array.from({ length: seats }, () => null);
  for (let seat = 0; seat < seats; seat++)
    await generator.attach(seat, primed, { seed: 0, sampling: GREEDY });
  let quickest = Infinity;
  for (let frame = 0; frame < WARM_UP + MEASURED; frame++) {
    const began = performance.now();
    for (let seat = 0; seat < seats; seat++) await encoder.encode(silence);
    await generator.step(heard);
    for (let seat = 0; seat < seats; seat++) await decoder.decode(spoken);
    const took = performance.now() - began;
    if (frame >= WARM_UP || took > HOPELESS_MS) quickest = Math.min(quickest, took);
    if (took > HOPELESS_MS) break;
  }
  for (let seat = 0; seat < seats; seat++) generator.detach(seat);
  return quickest;
}
