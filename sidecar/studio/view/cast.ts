/** The cast as cards: a face each, what it is doing, how loud it is. */
import { h, setText } from '../dom';
import type { Actor, Scene } from '../scene/scene';
import { Face, hueOf } from './face';
import { Meter } from './meter';

export function doing(actor: Actor): string {
  if (!actor.live) return 'in the wings';
  if (actor.held) return 'held';
  if (actor.muted) return 'muted';
  switch (actor.turn) {
    case 'speaking':
      return 'speaking';
    case 'listening':
      return 'listening';
    case 'backchannel':
      return 'nodding along';
    default:
      return 'on stage';
  }
}

class Card {
  readonly element: HTMLButtonElement;
  readonly #face: Face;
  readonly #meter: Meter;
  readonly #name = h('span', { class: 'card-name' });
  readonly #doing = h('span', { class: 'card-doing' });
  actor: Actor;

  constructor(actor: Actor, onSelect: () => void) {
    this.actor = actor;
    this.#face = new Face(actor);
    this.#meter = new Meter(`${actor.name}, level`, () => (this.actor.live ? this.actor.level : 0));
    this.element = h(
      'button',
      { class: 'card', type: 'button', on: { click: onSelect } },
      h('span', { class: 'card-face' }, this.#face.element),
      h('span', { class: 'card-text' }, this.#name, this.#doing, this.#meter.element),
    );
    this.element.style.setProperty('--hue', String(hueOf(actor.persona)));
  }

  update(selected: boolean): void {
    const { actor, element } = this;
    this.#face.actor = actor;
    setText(this.#name, actor.name);
    setText(this.#doing, doing(actor));
    element.setAttribute('aria-pressed', String(selected));
    element.classList.toggle('live', actor.live);
    element.classList.toggle('speaking', actor.live && actor.turn === 'speaking');
  }

  draw(now: number, still: boolean): void {
    // Who waits in the wings waits without moving: drawing is not free.
    this.#face.draw(now, still || !this.actor.live);
    this.#meter.draw();
  }
}

export class CastView {
  readonly element: HTMLElement;
  readonly #list = h('div', { class: 'cards' });
  readonly #count = h('span', { class: 'count' });
  readonly #onSelect: (id: string) => void;
  #cards = new Map<string, Card>();
  #scene: Scene | undefined;

  constructor(onSelect: (id: string) => void) {
    this.#onSelect = onSelect;
    this.element = h(
      'aside',
      { class: 'cast', 'aria-label': 'Cast' },
      h('h2', {}, 'Cast', this.#count),
      this.#list,
    );
  }

  show(scene: Scene, selected: string | undefined): void {
    if (scene !== this.#scene) {
      this.#scene = scene;
      this.#cards.clear();
      this.#list.replaceChildren();
    }
    for (const [id, card] of this.#cards) {
      if (scene.actors.has(id)) continue;
      card.element.remove();
      this.#cards.delete(id);
    }
    for (const [id, actor] of scene.actors) {
      let card = this.#cards.get(id);
      if (!card) {
        card = new Card(actor, () => this.#onSelect(id));
        this.#cards.set(id, card);
        this.#list.append(card.element);
      }
      card.actor = actor;
      card.update(id === selected);
    }
    const live = [...scene.actors.values()].filter((actor) => actor.live).length;
    setText(this.#count, live === 0 ? '' : `${live} on stage`);
  }

  draw(now: number, still: boolean): void {
    for (const card of this.#cards.values()) card.draw(now, still);
  }
}
