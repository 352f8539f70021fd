/** Progress of something long, on standard error: a bar that redraws itself in a terminal, a line now and then in a log. */
import { bytesText } from '../../bytes-text';
import { pc } from '../../colours';

const WIDTH = 24;
const REDRAW_MS = 100;
const LOG_MS = 10_000;
/** Speed is measured over so much of the past, so that it follows the network without flickering. */
const WINDOW_MS = 8_000;

/** `45 s`, `2 min 40 s`, `3 h 5 min`. */
export function timeText(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

export class Meter {
  private readonly past: { at: number; done: number }[] = [];
  private drawn = -Infinity;
  private label = '';
  private open = false;
  private isDone = false;

  constructor(
    private readonly out: Pick<NodeJS.WriteStream, 'write'> & { isTTY?: boolean } = process.stderr,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** @param done bytes so far; @param total bytes in all */
  update(label: string, done: number, total: number): void {
    if (label !== this.label) {
      this.end();
      this.label = label;
      this.past.length = 0;
      this.drawn = -Infinity;
      this.isDone = false;
    }
    const isLast = done >= total;
    // The end is told once.
    if (isLast && this.isDone) return;
    this.isDone = isLast;
    const at = this.now();
    this.past.push({ at, done });
    while (this.past.length > 2 && this.past[0]!.at < at - WINDOW_MS) this.past.shift();
    if (!isLast && at - this.drawn < (this.out.isTTY ? REDRAW_MS : LOG_MS)) return;
    this.drawn = at;
    this.draw(done, total);
    if (isLast) this.end();
  }

  private draw(done: number, total: number): void {
    const first = this.past[0]!;
    const last = this.past.at(-1)!;
    const speed = last.at > first.at ? ((last.done - first.done) / (last.at - first.at)) * 1000 : 0;
    const share = total > 0 ? done / total : 1;
    const figures = [
      `${bytesText(done)} of ${bytesText(total)}`,
      speed > 0 ? `${bytesText(speed)}/s` : '',
      speed > 0 && done < total ? `${timeText((total - done) / speed)} left` : '',
    ].filter(Boolean);
    const percent = `${Math.floor(share * 100)}%`.padStart(4);
    if (!this.out.isTTY) {
      this.out.write(`${this.label} ${percent}  ${figures.join(', ')}\n`);
      return;
    }
    const full = Math.round(share * WIDTH);
    const bar = pc.cyan('━'.repeat(full)) + pc.dim('━'.repeat(WIDTH - full));
    this.out.write(`\r\x1b[K${this.label} ${bar}${percent}  ${figures.join(', ')}`);
    this.open = true;
  }

  /** Leaves the bar where it stands, so that something else may be written. */
  end(): void {
    if (this.open) this.out.write('\n');
    this.open = false;
    this.drawn = -Infinity;
  }
}
