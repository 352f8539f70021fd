/**
 * A voice through a door: a third-order Butterworth low-pass (18 dB an octave) with a little level loss. It is a
 * state-variable filter and a one-pole in trapezoidal form (V. Zavalishin, "The Art of VA Filter Design", 2012),
 * whose cutoff may move at any speed without a click.
 */
import { SAMPLE_RATE } from './frame';

const CLEAR_HZ = 11_000;
const WALL_HZ = 450;
const WALL_LOSS_DB = 6;
/** Below this amount the dry sound is blended in, so that 0 is exactly clear. */
const BLEND = 0.05;
/** Coefficients are renewed at this interval while the amount moves. */
const STRIDE = 16;
/** A changed amount comes into force over this time constant. */
const GLIDE_SECONDS = 0.03;
const GLIDE = 1 - Math.exp(-STRIDE / (GLIDE_SECONDS * SAMPLE_RATE));

export class Muffle {
  #wanted = 0;
  #amount = 0;
  // Coefficients: prewarped cutoff, the two filters' gains, level, share of the filtered sound.
  #a1 = 1;
  #a2 = 0;
  #a3 = 0;
  #pole = 0;
  #wet = 0;
  #dry = 1;
  // State: the second-order section's two integrators and the one-pole's.
  #s1 = 0;
  #s2 = 0;
  #s3 = 0;

  constructor() {
    this.#tune();
  }

  /** @param amount 0 clear .. 1 through a wall; reached smoothly, within about 0.1 s of sound. */
  set(amount: number): void {
    this.#wanted = Number.isFinite(amount) ? Math.min(1, Math.max(0, amount)) : 0;
  }

  /** Filters samples at 24 kHz in place. At a settled 0 they are left as they are. */
  process(inout: Float32Array): void {
    if (this.#amount === 0 && this.#wanted === 0) return;
    for (let start = 0; start < inout.length; start += STRIDE) {
      const wet = this.#wet;
      const dry = this.#dry;
      if (this.#amount !== this.#wanted) this.#glide();
      this.#filter(inout, start, Math.min(start + STRIDE, inout.length), wet, dry);
    }
    // Denormals would slow every later sample down.
    if (Math.abs(this.#s1) + Math.abs(this.#s2) + Math.abs(this.#s3) < 1e-20) this.#clear();
  }

  #glide(): void {
    this.#amount += (this.#wanted - this.#amount) * GLIDE;
    if (Math.abs(this.#amount - this.#wanted) < 1e-5) this.#amount = this.#wanted;
    this.#tune();
    if (this.#amount === 0) this.#clear();
  }

  #clear(): void {
    this.#s1 = 0;
    this.#s2 = 0;
    this.#s3 = 0;
  }

  #tune(): void {
    const cutoff = CLEAR_HZ * (WALL_HZ / CLEAR_HZ) ** this.#amount;
    const g = Math.tan((Math.PI * cutoff) / SAMPLE_RATE);
    // Third-order Butterworth: a section of Q 1 after one real pole at the same cutoff.
    this.#a1 = 1 / (1 + g * (g + 1));
    this.#a2 = g * this.#a1;
    this.#a3 = g * this.#a2;
    this.#pole = g / (1 + g);
    const share = Math.min(1, this.#amount / BLEND);
    this.#wet = share * 10 ** ((-WALL_LOSS_DB * this.#amount) / 20);
    this.#dry = 1 - share;
  }

  /** Filters one stride, its levels moving in a straight line from `wet` and `dry` to the new ones. */
  #filter(inout: Float32Array, start: number, end: number, wet: number, dry: number): void {
    const wetStep = (this.#wet - wet) / (end - start);
    const dryStep = (this.#dry - dry) / (end - start);
    for (let i = start; i < end; i++) {
      const x = inout[i]!;
      const v = (x - this.#s3) * this.#pole;
      const first = v + this.#s3;
      this.#s3 = first + v;
      const v3 = first - this.#s2;
      const v1 = this.#a1 * this.#s1 + this.#a2 * v3;
      const v2 = this.#s2 + this.#a2 * this.#s1 + this.#a3 * v3;
      this.#s1 = 2 * v1 - this.#s1;
      this.#s2 = 2 * v2 - this.#s2;
      wet += wetStep;
      dry += dryStep;
      inout[i] = wet * v2 + dry * x;
    }
  }
}
