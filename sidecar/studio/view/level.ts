/** Below this a meter shows nothing, dB of full scale. */
const FLOOR_DB = -54;

/** RMS 0..1 as 0..1 of the meter. */
export function meterPosition(rms: number): number {
  if (rms <= 0) return 0;
  return Math.max(0, Math.min(1, 1 - (20 * Math.log10(rms)) / FLOOR_DB));
}
