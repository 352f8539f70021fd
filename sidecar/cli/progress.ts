/** A progress bar with the time left, on a terminal only, and only when it takes long enough to wonder. */
import { pc } from '../colours';

const WIDTH = 28;
const SILENT_MS = 1500;
const REDRAW_MS = 100;

export class ProgressBar {
  readonly #what: string;
  readonly #began = performance.now();
  #drawn = 0;

  constructor(what: string) {
    this.#what = what;
  }

  update(done: number, of: number): void {
    const now = performance.now();
    if (!process.stderr.isTTY || now - this.#began < SILENT_MS || now - this.#drawn < REDRAW_MS) return;
    this.#drawn = now;
    const full = Math.round((WIDTH * done) / of);
    const bar = pc.cyan('━'.repeat(full)) + pc.dim('─'.repeat(WIDTH - full));
    const left = ((now - this.#began) / 1000 / done) * (of - done);
    process.stderr.write(`\r${this.#what} ${bar} ${clockTime(left)} left \u001b[K`);
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#drawn > 0) process.stderr.write('\r\u001b[K');
  }
}

/** `1:05` for 65 seconds. */
export function clockTime(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
