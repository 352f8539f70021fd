/** What the cast says, over their heads, and under their feet how well each hears the player. */
import { HEIGHT, WIDTH } from './room.js';

/** A line stays this long after its last word. */
const LINGER_MS = 1500;
const HEAD_TOP = 1.85;

export class Bubbles {
  #stage;
  #of = new Map();

  constructor(stage) {
    this.#stage = stage;
  }

  /** Words so far; captions come when they are heard, so the bubble grows with the voice. */
  show(person, line) {
    const { bubble, text } = this.#get(person);
    text.textContent = line;
    bubble.classList.add('there');
    this.#get(person).until = Infinity;
  }

  /** The line is over: it stays a moment, unless the next one comes. */
  end(person, now) {
    this.#get(person).until = now + LINGER_MS;
  }

  /** Keeps both where the person is. `hears`: 0..1. */
  place(person, now, hears) {
    const { bubble, tag, until } = this.#get(person);
    if (now > until) bubble.classList.remove('there');
    at(bubble, person.x, person.y - HEAD_TOP);
    at(tag, person.x, person.y + 0.14);
    tag.classList.toggle('there', person.npc !== undefined);
    tag.style.setProperty('--hears', hears);
    tag.firstChild.textContent = person.npc?.name ?? '';
    tag.title = `hears you at ${Math.round(hears * 100)} %`;
  }

  #get({ id }) {
    let entry = this.#of.get(id);
    if (!entry) {
      const bubble = make('p', `bubble ${id}`);
      const text = bubble.appendChild(make('span', ''));
      const tag = make('p', `tag ${id}`);
      tag.append(make('span', ''), make('i', 'ear'));
      this.#stage.append(bubble, tag);
      this.#of.set(id, (entry = { bubble, text, tag, until: Infinity }));
    }
    return entry;
  }
}

function make(name, className) {
  const element = document.createElement(name);
  element.className = className;
  return element;
}

function at(element, x, y) {
  element.style.left = `${(x / WIDTH) * 100}%`;
  element.style.top = `${(y / HEIGHT) * 100}%`;
}
