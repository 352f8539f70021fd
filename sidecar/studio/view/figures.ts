/** Latency and deadline figures of the scene shown, live. */
import { h, setText } from '../dom';
import type { Scene } from '../scene/scene';
import { OwnScene } from '../scene/own-scene';
import { Sparkline } from './sparkline';

const TICK_MS = 80;

class Figure {
  readonly element: HTMLElement;
  readonly #value = h('span', { class: 'figure-value' }, '\u2013');
  readonly #note = h('span', { class: 'figure-note' });
  readonly #spark: Sparkline | undefined;

  constructor(label: string, title: string, spark?: Sparkline) {
    this.#spark = spark;
    this.element = h(
      'div',
      { class: 'figure', title },
      h('span', { class: 'figure-label' }, label),
      h('span', { class: 'figure-line' }, this.#value, this.#note),
      spark?.element,
    );
  }

  show(value: string, note: string, values: readonly number[] = []): void {
    setText(this.#value, value);
    setText(this.#note, note);
    this.#spark?.draw(values);
  }
}

const ms = (value: number | undefined): string =>
  value === undefined ? '\u2013' : value < 10 ? value.toFixed(1) : String(Math.round(value));

export class Figures {
  readonly element: HTMLElement;
  readonly #tick = new Figure(
    'Tick',
    `Time one 80 ms frame of every NPC takes, model included: the slowest in a hundred. The line is the deadline, ${TICK_MS} ms.`,
    new Sparkline({ ceiling: TICK_MS * 1.1, limit: TICK_MS, slots: 60 }),
  );
  readonly #reply = new Figure(
    'Reply',
    "From the player's last sound to the NPC's first, as heard here; the persona's patience is part of it.",
    new Sparkline({ ceiling: 1500, slots: 20 }),
  );
  readonly #buffer = new Figure(
    'Playout buffer',
    'Sound waiting to be played. It grows when the network stutters and shrinks in silence.',
    new Sparkline({ ceiling: 240, slots: 60 }),
  );
  readonly #deadlines = new Figure(
    'Deadlines missed',
    'Ticks that took longer than 80 ms, since the scene began.',
  );
  readonly #drops = new Figure(
    'Dropped',
    'Microphone packets lost, late or over the bound, and NPC frames not sent or not played in time.',
  );

  constructor() {
    this.element = h(
      'footer',
      { class: 'figures', 'aria-label': 'Latency and deadlines' },
      this.#tick.element,
      this.#reply.element,
      this.#buffer.element,
      this.#deadlines.element,
      this.#drops.element,
    );
  }

  show(scene: Scene): void {
    const { figures } = scene;
    this.#tick.show(ms(scene.tick.last), `of ${TICK_MS} ms`, scene.tick.values);
    this.#reply.show(
      ms(scene.replies.last),
      scene.replies.last === undefined ? 'no reply yet' : 'ms',
      scene.replies.values,
    );
    this.#deadlines.show(String(figures?.deadline_misses ?? 0), `of ${figures?.ticks ?? 0} ticks`);
    const lost = (figures?.mics ?? []).reduce((sum, m) => sum + m.lost + m.late + m.dropped + m.malformed, 0);
    const npc = scene instanceof OwnScene ? [...scene.voice.npcs.values()][0] : undefined;
    const unplayed = npc ? npc.playout.skipped + npc.playout.lost : 0;
    this.#drops.show(String(lost + unplayed + (figures?.dropped_frames ?? 0)), 'packets, frames');
    this.#buffer.element.hidden = !(scene instanceof OwnScene);
    if (!(scene instanceof OwnScene)) return;
    const underruns = npc?.playout.underruns ?? 0;
    const note =
      underruns === 0 ? 'ms' : `ms \u00b7 ${underruns} ${underruns === 1 ? 'underrun' : 'underruns'}`;
    this.#buffer.show(ms(scene.buffer.last), note, scene.buffer.values);
  }
}
