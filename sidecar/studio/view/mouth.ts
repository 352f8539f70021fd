/** From viseme weights to the shape of a drawn mouth. */
import { VISEMES, type Viseme } from '../../wire/messages';

export interface MouthShape {
  /** 0 closed .. 1 wide open. */
  open: number;
  /** 0 narrow .. 1 spread. */
  wide: number;
  /** 0 flat .. 1 rounded. */
  round: number;
}

/** How each viseme looks, judged by eye against the Oculus reference pictures. */
const SHAPES: Record<Viseme, MouthShape> = {
  sil: { open: 0, wide: 0.5, round: 0 },
  PP: { open: 0, wide: 0.35, round: 0.1 },
  FF: { open: 0.12, wide: 0.5, round: 0 },
  TH: { open: 0.22, wide: 0.55, round: 0 },
  DD: { open: 0.26, wide: 0.58, round: 0 },
  kk: { open: 0.32, wide: 0.52, round: 0 },
  CH: { open: 0.28, wide: 0.3, round: 0.55 },
  SS: { open: 0.14, wide: 0.68, round: 0 },
  nn: { open: 0.2, wide: 0.54, round: 0 },
  RR: { open: 0.28, wide: 0.36, round: 0.45 },
  aa: { open: 1, wide: 0.56, round: 0.15 },
  E: { open: 0.55, wide: 0.78, round: 0 },
  ih: { open: 0.38, wide: 0.74, round: 0 },
  oh: { open: 0.72, wide: 0.36, round: 0.75 },
  ou: { open: 0.38, wide: 0.2, round: 1 },
};
const ORDERED = VISEMES.map((viseme) => SHAPES[viseme]);

export function restingShape(): MouthShape {
  return { ...SHAPES.sil };
}

/** The weighted mean of the visemes' shapes, into `out`; no weight at all is rest. */
export function shapeOf(weights: Float32Array, out: MouthShape): void {
  let total = 0;
  out.open = out.wide = out.round = 0;
  for (let v = 0; v < ORDERED.length; v++) {
    const weight = weights[v]!;
    const shape = ORDERED[v]!;
    total += weight;
    out.open += weight * shape.open;
    out.wide += weight * shape.wide;
    out.round += weight * shape.round;
  }
  if (total < 0.01) Object.assign(out, SHAPES.sil);
  else {
    out.open /= total;
    out.wide /= total;
    out.round /= total;
  }
}

const f = (value: number): string => value.toFixed(1);

/** The opening between the lips, as an SVG path around (0, 0); at rest a soft smile. */
export function mouthPath({ open, wide, round }: MouthShape): string {
  const half = (11 + 15 * wide) * (1 - 0.25 * round);
  const upper = 1 + 7 * open + 2 * round * open;
  const lower = 1.4 + 20 * open;
  // A rounded mouth's curves leave the corners steeply, a spread one's along the lip.
  const pull = half * (0.45 + 0.4 * round);
  const corner = -2.2 * (1 - Math.min(1, open * 3)) * (1 - round);
  return (
    `M${f(-half)} ${f(corner)}` +
    `C${f(-pull)} ${f(-upper)} ${f(pull)} ${f(-upper)} ${f(half)} ${f(corner)}` +
    `C${f(pull)} ${f(lower * 1.25)} ${f(-pull)} ${f(lower * 1.25)} ${f(-half)} ${f(corner)}Z`
  );
}
