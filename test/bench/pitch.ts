/** Pitch of speech, by autocorrelation: enough to tell whose voice a frame is in. */

const MIN_HZ = 55;
const MAX_HZ = 330;

/** Hz, or undefined where the samples are not voiced. `samples` should span 40 ms or more. */
export function pitchHz(samples: Float32Array, rate: number): number | undefined {
  const shortest = Math.floor(rate / MAX_HZ);
  const longest = Math.min(Math.ceil(rate / MIN_HZ), samples.length >> 1);
  const span = samples.length - longest;
  let energy = 0;
  for (let i = 0; i < span; i++) energy += samples[i]! ** 2;
  if (energy / span < 1e-4) return undefined;
  let best = 0;
  let bestLag = 0;
  for (let lag = shortest; lag <= longest; lag++) {
    let product = 0;
    let shifted = 0;
    for (let i = 0; i < span; i++) {
      product += samples[i]! * samples[i + lag]!;
      shifted += samples[i + lag]! ** 2;
    }
    // A shade of preference for short lags: every multiple of the period correlates as well.
    const score = (product / Math.sqrt(energy * shifted + 1e-12)) * (1 - (0.1 * lag) / longest);
    if (score > best) [best, bestLag] = [score, lag];
  }
  return best > 0.6 ? rate / bestLag : undefined;
}
