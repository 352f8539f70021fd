/** A level meter: decibels, with a fall slower than the rise. */
import { h } from '../dom';
import { meterPosition } from './level';

/** Of the way down per frame of 16.7 ms. */
const FALL = 0.12;

export class Meter {
  readonly element: HTMLElement;
  readonly #bar = h('span', { class: 'meter-bar' });
  readonly #read: () => number;
  #shown = 0;
  #drawn = -1;

  constructor(label: string, read: () => number) {
    this.#read = read;
    this.element = h('span', { class: 'meter', role: 'img', 'aria-label': label }, this.#bar);
  }

  draw(): void {
    const level = meterPosition(this.#read());
    this.#shown = level > this.#shown ? level : this.#shown + (level - this.#shown) * FALL;
    const shown = Math.round(this.#shown * 200) / 200;
    if (shown === this.#drawn) return;
    this.#drawn = shown;
    this.#bar.style.transform = `scaleX(${shown})`;
  }
}
