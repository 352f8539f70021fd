import { percentile, type BenchRow } from '../report';

/** A run of something that reads memory. */
export interface Reading {
  /** Milliseconds. */
  time: number;
  bytes: number;
  /** What memory gave just before and after: a shared machine's bandwidth may halve and double from second to second. */
  bandwidth: number;
}

/** Times as multiples of what reading their bytes takes. */
export function floorRow(what: string, readings: readonly Reading[], limit?: number): BenchRow {
  const of = (p: number, value: (reading: Reading) => number): number => percentile(readings.map(value), p);
  const ratio = ({ time, bytes, bandwidth }: Reading): number => time / (bytes / 1e6 / bandwidth);
  const megabytes = of(0.5, ({ bytes }) => bytes) / 1e6;
  const bandwidth = of(0.5, (reading) => reading.bandwidth);
  const floor = `${megabytes.toFixed(0)} MB at ${bandwidth.toFixed(1)} GB/s = ${(megabytes / bandwidth).toFixed(1)} ms`;
  const spread =
    `p50 ${of(0.5, ({ time }) => time).toFixed(1)} ms; ratios ${of(0.05, ratio).toFixed(2)} to ${of(0.95, ratio).toFixed(2)}, ` +
    `memory ${of(0.05, (reading) => reading.bandwidth).toFixed(0)} to ${of(0.95, (reading) => reading.bandwidth).toFixed(0)} GB/s`;
  const row = { what, value: of(0.5, ratio), unit: 'x floor' };
  return limit === undefined
    ? { ...row, note: `${floor}, ${spread}` }
    : { ...row, limit, against: floor, note: spread };
}
