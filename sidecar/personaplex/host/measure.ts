/** How long frames take on this machine, so that no more NPCs are let in than it can serve. */
import { FRAME_MS, FRAME_SAMPLES } from '../../audio/frame';
import { GREEDY, type Generator, type Primed } from '../generator';
import type { Provider } from '../graphs/types';
import type { MimiDecoder, MimiEncoder } from '../runtime';

/** The first runs of a session make its kernels and buffers. */
const WARM_UP = 3;
const MEASURED = 7;
/** A frame that takes so long need not be measured twice. */
const HOPELESS_MS = 10 * FRAME_MS;
/**
 * Columns by which a conversation is aged on a GPU to see what its past costs: no more than its cache makes room for
 * anyway, for a whole window takes a gigabyte that may not be free. Main memory has it.
 */
const AGED_ON_GPU = 480;

type Codec = { encoder: MimiEncoder; decoder: MimiDecoder };

/** Medians of a frame's parts, ms. */
interface Times {
  frame: number;
  /** The codec's part, of all seats together. */
  codec: number;
}

/**
 * Steps one NPC, then two, through conversations without content, codec included.
 * @returns milliseconds that a frame takes with one whose window is full, and what a second adds; equal where one alone
 *   takes too long
 */
export async function measureSteps(
  generator: Generator,
  encoder: MimiEncoder,
  decoder: MimiDecoder,
  provider: Provider,
): Promise<{ stepMs: number; addedMs: number }> {
  const primed = await generator.prime(null);
  const time = (seats: number, age = 0): Promise<Times> =>
    timeFrames(generator, { encoder, decoder }, primed, seats, age);
  try {
    const first = await time(1);
    if (first.frame >= FRAME_MS) return { stepMs: first.frame, addedMs: first.frame };
    await generator.rearrange([-1, -1]);
    const two = await time(2);
    await generator.rearrange([-1]);
    // The first frames of a process are its slowest.
    const one = await time(1);
    const whole = Math.max(1, generator.window - 2 * (WARM_UP + MEASURED));
    const age = provider === 'webgpu' ? Math.min(AGED_ON_GPU, whole) : whole;
    const aged = await time(1, age);
    return stepsOf(one, two, aged, generator.window / age);
  } finally {
    primed.cache.dispose();
  }
}

/**
 * What frames take when windows are full. Each NPC adds the reading of its past, which grows with its age, and at least
 * its codec, whatever the differences of a few measurements say.
 * @param stretch how often the aged conversation's columns go into the window
 */
export function stepsOf(
  one: Times,
  two: Times,
  aged: Times,
  stretch: number,
): { stepMs: number; addedMs: number } {
  const past = Math.max(0, aged.frame - one.frame) * stretch;
  return { stepMs: one.frame + past, addedMs: Math.max(one.codec, two.frame - one.frame) + past };
}

/** Frames with so many NPCs, each so many columns old. */
async function timeFrames(
  generator: Generator,
  { encoder, decoder }: Codec,
  primed: Primed,
  seats: number,
  age: number,
): Promise<Times> {
  const silence = new Float32Array(FRAME_SAMPLES);
  const spoken = Int32Array.from(generator.tokens.silence);
  const heard = Array.from({ length: seats }, () => null);
  for (let seat = 0; seat < seats; seat++) {
    await generator.attach(seat, primed, { seed: 0, sampling: GREEDY });
    if (age > 0) generator.age(seat, age);
  }
  const frames: number[] = [];
  const codecs: number[] = [];
  for (let frame = 0; frame < WARM_UP + MEASURED; frame++) {
    const began = performance.now();
    for (let seat = 0; seat < seats; seat++) await encoder.encode(silence);
    const encoded = performance.now();
    await generator.step(heard);
    const stepped = performance.now();
    for (let seat = 0; seat < seats; seat++) await decoder.decode(spoken);
    const ended = performance.now();
    const isHopeless = ended - began > HOPELESS_MS;
    if (frame >= WARM_UP || isHopeless) {
      frames.push(ended - began);
      codecs.push(encoded - began + (ended - stepped));
    }
    if (isHopeless) break;
  }
  for (let seat = 0; seat < seats; seat++) generator.detach(seat);
  return { frame: median(frames), codec: median(codecs) };
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
