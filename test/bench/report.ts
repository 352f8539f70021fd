/** What a benchmark says: figures, each beside the limit or the peer it was measured against in the same run. */
import { pc } from '../../sidecar/colours';

export interface BenchRow {
  what: string;
  value: number;
  /** `ms`, `MB`, `% of a core`, `GB/s`. */
  unit: string;
  /** What it must not exceed (or, with `atLeast`, fall below). */
  limit?: number;
  atLeast?: boolean;
  /** Where the limit comes from when it is not a promise: `memory bandwidth of this run`. */
  against?: string;
  note?: string;
}
export interface BenchReport {
  title: string;
  /** How it was measured: machine-independent facts, sample counts, seeds. */
  how: string;
  rows: BenchRow[];
}

/** The p-th percentile (0..1) by nearest rank; NaN for no samples. Does not change `samples`. */
export function percentile(samples: readonly number[], p: number): number {
  if (samples.length === 0) return Number.NaN;
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(p * sorted.length) - 1))]!;
}

export const passes = (row: BenchRow): boolean =>
  row.limit === undefined || (row.atLeast ? row.value >= row.limit : row.value <= row.limit);

/** Of a cosine, all that matters stands behind the nines. */
const figure = (value: number, unit: string): string => {
  if (Number.isInteger(value)) return String(value);
  return value.toPrecision(value >= 1000 || unit === 'cosine' ? 5 : 3);
};

/** The report as lines: value, limit and their ratio. */
export function renderBench(report: BenchReport): string {
  const width = Math.max(...report.rows.map((row) => row.what.length));
  const lines = report.rows.map((row) => {
    const value = `${figure(row.value, row.unit)} ${row.unit}`.padEnd(18);
    if (row.limit === undefined)
      return `  ${row.what.padEnd(width)}  ${value}${row.note ? pc.dim(row.note) : ''}`;
    // Of a limit of nothing there is no ratio.
    const ratio = row.limit === 0 ? '' : `ratio ${(row.value / row.limit).toFixed(2)} of `;
    const verdict = passes(row) ? pc.green('ok  ') : pc.red('over');
    const against = `${row.atLeast ? '≥' : '≤'} ${figure(row.limit, row.unit)} ${row.unit}${row.against ? ` (${row.against})` : ''}`;
    return `  ${row.what.padEnd(width)}  ${value}${verdict} ${ratio}${against}${row.note ? pc.dim(`  ${row.note}`) : ''}`;
  });
  return [pc.bold(report.title), pc.dim(`  ${report.how}`), ...lines, ''].join('\n');
}
