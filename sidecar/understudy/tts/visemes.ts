/**
 * Phone times → mouth: weights of the fifteen Oculus visemes every 20 ms, as the wire's `mouth` carries them.
 * Mouths do not jump: a phone's shape comes before its sound and outlasts it, so neighbouring shapes blend with
 * dominance functions that fall away from each phone's middle (Cohen & Massaro, "Modeling coarticulation in
 * synthetic visual speech", 1993).
 */
import { VISEMES, type Viseme } from '../../wire/messages';
import type { Phone } from './flite';

export const MOUTH_STEP_MS = 20;
const STEP = MOUTH_STEP_MS / 1000;
const COUNT = VISEMES.length;
/** Dominance falls to 1/e in half the phone plus this, seconds. */
const REACH = 0.035;
/** Lips close before the sound that needs them closed; other shapes lead their sound by as much, seconds. */
const LEAD = 0.015;
/** Shapes that the ear contradicts when they are not reached; others give way. */
const STRENGTH: Partial<Record<Viseme, number>> = {
  PP: 4,
  FF: 3,
  CH: 1.6,
  ou: 1.4,
  kk: 0.6,
  nn: 0.7,
  sil: 0.8,
};

/** CMU phones; a diphthong is two shapes, one after the other. */
const SHAPES: Readonly<Record<string, readonly Viseme[]>> = {
  pau: ['sil'], p: ['PP'], b: ['PP'], m: ['PP'], f: ['FF'], v: ['FF'], th: ['TH'], dh: ['TH'],
  t: ['DD'], d: ['DD'], k: ['kk'], g: ['kk'], ng: ['kk'], hh: ['kk'], ch: ['CH'], jh: ['CH'], sh: ['CH'], zh: ['CH'],
  s: ['SS'], z: ['SS'], n: ['nn'], l: ['nn'], r: ['RR'], er: ['RR'], axr: ['RR'],
  aa: ['aa'], ah: ['aa'], ax: ['aa'], ae: ['aa'], ao: ['oh'], eh: ['E'], ey: ['E', 'ih'], ih: ['ih'], iy: ['ih'],
  y: ['ih'], uh: ['ou'], uw: ['ou'], w: ['ou'], ow: ['oh', 'ou'], aw: ['aa', 'ou'], ay: ['aa', 'ih'], oy: ['oh', 'ih'],
}; // prettier-ignore

interface Shape {
  index: number;
  strength: number;
  middle: number;
  half: number;
}

/**
 * @param phones from the start of the sound
 * @param seconds length of the sound
 * @returns ceil(seconds / 0.02) steps of fifteen weights, 0..255, each step adding up to 255
 */
export function mouthTrack(phones: readonly Phone[], seconds: number): Uint8Array {
  const steps = Math.ceil(seconds / STEP - 1e-9);
  const track = new Uint8Array(steps * COUNT);
  const shapes = shapesOf(phones, seconds);
  const weights = new Float64Array(COUNT);
  let first = 0;
  for (let step = 0; step < steps; step++) {
    const at = (step + 0.5) * STEP + LEAD;
    weights.fill(0);
    while (first < shapes.length - 1 && shapes[first]!.middle + shapes[first]!.half < at - 0.25) first++;
    for (let i = first; i < shapes.length; i++) {
      const { index, strength, middle, half } = shapes[i]!;
      if (middle - half > at + 0.25) break;
      const away = (at - middle) / (half + REACH);
      weights[index]! += strength * Math.exp(-away * away * 2);
    }
    quantise(weights, track.subarray(step * COUNT, (step + 1) * COUNT));
  }
  return track;
}

function shapesOf(phones: readonly Phone[], seconds: number): Shape[] {
  const shapes: Shape[] = [];
  const silence = (from: number, to: number) => place(shapes, ['sil'], from, to);
  // The mouth comes from rest and goes back to it.
  silence(-0.2, 0);
  let from = 0;
  for (const { name, end } of phones) {
    place(shapes, SHAPES[name] ?? ['aa'], from, end);
    from = end;
  }
  silence(from, Math.max(seconds, from) + 0.2);
  return shapes;
}

function place(shapes: Shape[], visemes: readonly Viseme[], from: number, to: number): void {
  const length = (to - from) / visemes.length;
  visemes.forEach((viseme, i) => {
    const half = length / 2;
    const middle = from + i * length + half;
    shapes.push({ index: VISEMES.indexOf(viseme), strength: STRENGTH[viseme] ?? 1, middle, half });
  });
}

/** Weights → bytes that add up to exactly 255: what rounding leaves over goes to the strongest. */
function quantise(weights: Float64Array, out: Uint8Array): void {
  let sum = 0;
  let strongest = 0;
  for (let i = 0; i < COUNT; i++) {
    sum += weights[i]!;
    if (weights[i]! > weights[strongest]!) strongest = i;
  }
  if (sum === 0) {
    out[0] = 255;
    return;
  }
  let left = 255;
  for (let i = 0; i < COUNT; i++) {
    const byte = Math.floor((255 * weights[i]!) / sum);
    out[i] = byte;
    left -= byte;
  }
  out[strongest]! += left;
}
