/** A small line of recent values, with a limit drawn across. */
import { svg } from '../dom';

const WIDTH = 120;
const HEIGHT = 28;

export class Sparkline {
  readonly element: SVGSVGElement;
  readonly #line = svg('path', { class: 'spark-line' });
  readonly #area = svg('path', { class: 'spark-area' });
  readonly #limit = svg('path', { class: 'spark-limit' });
  readonly #ceiling: number;
  readonly #slots: number;

  /** `ceiling`: the value at the top unless one is higher; `limit`: where the line across is drawn. */
  constructor(options: { ceiling: number; limit?: number; slots: number }) {
    this.#ceiling = options.ceiling;
    this.#slots = options.slots;
    this.element = svg(
      'svg',
      {
        class: 'spark',
        viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
        preserveAspectRatio: 'none',
        'aria-hidden': 'true',
      },
      this.#area,
      this.#limit,
      this.#line,
    );
    if (options.limit !== undefined) this.#drawLimit(options.limit, options.ceiling);
  }

  draw(values: readonly number[]): void {
    const top = Math.max(this.#ceiling, ...values);
    if (values.length === 0) return;
    const step = WIDTH / (this.#slots - 1);
    const from = WIDTH - (values.length - 1) * step;
    const points = values.map((value, i) => `${(from + i * step).toFixed(1)} ${y(value, top)}`);
    this.#line.setAttribute('d', `M${points.join('L')}`);
    this.#area.setAttribute('d', `M${from.toFixed(1)} ${HEIGHT}L${points.join('L')}L${WIDTH} ${HEIGHT}Z`);
  }

  #drawLimit(limit: number, top: number): void {
    this.#limit.setAttribute('d', `M0 ${y(limit, top)}H${WIDTH}`);
  }
}

const y = (value: number, top: number): string => (HEIGHT - 2 - (value / top) * (HEIGHT - 4)).toFixed(1);
