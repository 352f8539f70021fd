/**
 * A mouth for speech whose sounds nobody names: opened by level, shaped by how the sound is spread over frequency. An
 * approximation, made to look right from across a room, in four steps of 20 ms a frame:
 *
 *   level      how far it opens, against the loudest of the last seconds
 *   hiss       share of energy in the first difference: much of it is a fricative, `SS`
 *   brightness zero crossings of the voiced part: dark to bright is `ou`, `oh`, `aa`, `E`, `ih`
 */
import { FRAME_SAMPLES } from '../../audio/frame';
import { MOUTH_BYTES, MOUTH_STEPS, VISEMES, type Viseme } from '../../wire/messages';

const STEP_SAMPLES = FRAME_SAMPLES / MOUTH_STEPS;
const SHAPES = VISEMES.length;
const at = (viseme: Viseme): number => VISEMES.indexOf(viseme);
/** From dark to bright, with the zero crossings a second at which each is purest. */
const VOWELS: readonly [hz: number, index: number][] = [
  [500, at('ou')],
  [800, at('oh')],
  [1200, at('aa')],
  [1800, at('E')],
  [2600, at('ih')],
];
const SIL = at('sil');
const SS = at('SS');

/** Below this a mouth stays shut: about -50 dBFS. */
const SHUT = 0.003;
/** What the loudest level keeps of itself from one step to the next: it halves in some three seconds. */
const LOUDEST_DECAY = 0.995;
/**
 * Energy of the first difference over energy: 4 sin^2(pi f / rate) for a tone of f. 0.6 is one of 3 kHz, 2 is white noise.
 */
const HISS_FROM = 0.6;
const HISS_FULL = 1.4;
/** Part of the way to its new shape that a mouth goes in a step. */
const QUICKNESS = 0.55;

export class Mouth {
  readonly #shape = new Float32Array(SHAPES);
  readonly #target = new Float32Array(SHAPES);
  #loudest = 0.05;

  constructor() {
    this.#shape[SIL] = 1;
  }

  /**
   * @param pcm 1920 samples; null: silence
   * @param into MOUTH_BYTES, overwritten
   * @returns false: the mouth is at rest
   */
  follow(pcm: Float32Array | null, into: Uint8Array): boolean {
    let moves = false;
    for (let step = 0; step < MOUTH_STEPS; step++) {
      this.#aim(pcm, step * STEP_SAMPLES);
      for (let i = 0; i < SHAPES; i++) {
        this.#shape[i]! += QUICKNESS * (this.#target[i]! - this.#shape[i]!);
        into[step * SHAPES + i] = Math.round(255 * this.#shape[i]!);
      }
      moves ||= into[step * SHAPES + SIL]! < 250;
    }
    return moves;
  }

  #aim(pcm: Float32Array | null, from: number): void {
    const target = this.#target.fill(0);
    target[SIL] = 1;
    this.#loudest = Math.max(0.05, this.#loudest * LOUDEST_DECAY);
    if (!pcm) return;
    const { level, difference, crossingsHz } = measure(pcm, from);
    if (level < SHUT) return;
    this.#loudest = Math.max(this.#loudest, level);
    // Loudness is felt as a root of power; half as loud is a mouth two thirds open.
    const open = Math.min(1, Math.sqrt(level / this.#loudest));
    const hiss = Math.min(1, Math.max(0, (difference - HISS_FROM) / (HISS_FULL - HISS_FROM)));
    target[SIL] = 1 - open;
    target[SS] = open * hiss;
    spread(target, crossingsHz, open * (1 - hiss));
  }
}

/** Puts a vowel's weight on the two shapes it lies between. */
function spread(target: Float32Array, hz: number, weight: number): void {
  let above = VOWELS.findIndex(([pure]) => hz < pure);
  if (above < 0) above = VOWELS.length;
  const low = VOWELS[Math.max(0, above - 1)]!;
  const high = VOWELS[Math.min(VOWELS.length - 1, above)]!;
  const part = high[0] > low[0] ? (hz - low[0]) / (high[0] - low[0]) : 0;
  target[low[1]]! += weight * (1 - part);
  target[high[1]]! += weight * part;
}

function measure(
  pcm: Float32Array,
  from: number,
): { level: number; difference: number; crossingsHz: number } {
  let energy = 0;
  let difference = 0;
  let crossings = 0;
  for (let i = from; i < from + STEP_SAMPLES; i++) {
    const x = pcm[i]!;
    const before = i > 0 ? pcm[i - 1]! : 0;
    energy += x * x;
    difference += (x - before) ** 2;
    if (x >= 0 !== before >= 0) crossings++;
  }
  return {
    level: Math.sqrt(energy / STEP_SAMPLES),
    difference: energy > 0 ? difference / energy : 0,
    // A tone crosses zero twice a period; a step is a fiftieth of a second.
    crossingsHz: (crossings / 2) * 50,
  };
}

/** Bytes of a frame's mouth. */
export const newMouthBytes = (): Uint8Array => new Uint8Array(MOUTH_BYTES);
