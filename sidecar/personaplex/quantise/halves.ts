/** Weights as half floats. */
import { floatToHalf, halfToFloat } from '../checkpoint';
import { noLikeness, type Likeness } from './blocks';

/** Rounds values to half floats, to nearest even; magnitudes of 65520 and more become infinite. */
export function toHalves(x: Float32Array): { halves: Uint16Array; likeness: Likeness } {
  const halves = new Uint16Array(x.length);
  const likeness = noLikeness();
  for (let i = 0; i < x.length; i++) {
    const value = x[i]!;
    const bits = floatToHalf(value);
    halves[i] = bits;
    const rounded = halfToFloat(bits);
    likeness.xx += value * value;
    likeness.xy += value * rounded;
    likeness.yy += rounded * rounded;
  }
  return { halves, likeness };
}
