/** The player and the cast as bodies in the room: where they stand, walk and look. */
import { CAST, DOOR, distance, isFree } from './room.js';
import { routeTo } from './route.js';

const WALK_M_S = 3.2;
const STROLL_M_S = 0.5;
/** Nearer than this, nobody strolls off. */
const POLITE_M = 3;
const KEYS = {
  ArrowUp: [0, -1], w: [0, -1], ArrowDown: [0, 1], s: [0, 1],
  ArrowLeft: [-1, 0], a: [-1, 0], ArrowRight: [1, 0], d: [1, 0],
}; // prettier-ignore

/** One of the cast. `npc` and `speaker` are there while the sidecar is. */
class Person {
  npc;
  speaker;
  /** How far it hears, metres: from its persona file. */
  range = 12;
  /** Times it heard somebody begin to speak. */
  heard = 0;
  walked = 0;
  facing = 1;
  #home;
  #away;
  #outbound = true;

  constructor({ id, x, y, strollsTo }) {
    Object.assign(this, { id, x, y });
    this.#home = { x, y };
    this.#away = strollsTo;
  }

  step(seconds, player) {
    const near = distance(this, player) < POLITE_M;
    if (near) this.facing = player.x < this.x ? -1 : 1;
    const busy = this.npc !== undefined && this.npc.turn !== 'idle';
    if (!this.#away || near || busy) return;
    const goal = this.#outbound ? this.#away : this.#home;
    if (walkTowards(this, goal, STROLL_M_S * seconds)) this.#outbound = !this.#outbound;
  }
}
export const bringCast = () => CAST.map((entry) => new Person(entry));

/** One step of at most `metres`, along walls rather than into them. True once there, or stuck. */
function walkTowards(body, goal, metres) {
  const far = distance(body, goal);
  if (far < 0.05) return true;
  const part = Math.min(1, metres / far);
  const [dx, dy] = [(goal.x - body.x) * part, (goal.y - body.y) * part];
  const before = { x: body.x, y: body.y };
  if (isFree(body.x + dx, body.y)) body.x += dx;
  if (isFree(body.x, body.y + dy)) body.y += dy;
  const moved = distance(body, before);
  body.walked += moved;
  if (Math.abs(dx) > 0.001) body.facing = Math.sign(dx);
  return moved < metres / 20;
}

export class Player {
  x = DOOR.x;
  y = DOOR.y;
  walked = 0;
  facing = 1;
  #pressed = new Set();
  /** Places a click has yet to lead to. */
  #route = [];

  /** Keys anywhere on the page but in its fields, and clicks on `floor`: `toRoom` gives a click's place. */
  listen(floor, toRoom) {
    addEventListener('keydown', (event) => {
      const key = keyOf(event);
      if (!KEYS[key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.#pressed.add(key);
      this.#route = [];
    });
    addEventListener('keyup', (event) => this.#pressed.delete(keyOf(event)));
    addEventListener('blur', () => this.#pressed.clear());
    floor.addEventListener('pointerdown', (event) => {
      const { x, y } = toRoom(event);
      this.goTo(x, y);
    });
  }

  goTo(x, y) {
    this.#route = routeTo(this, { x, y });
  }

  step(seconds) {
    let [dx, dy] = [0, 0];
    for (const key of this.#pressed) [dx, dy] = [dx + KEYS[key][0], dy + KEYS[key][1]];
    const goal = dx || dy ? { x: this.x + dx, y: this.y + dy } : this.#route[0];
    if (goal && walkTowards(this, goal, WALK_M_S * seconds)) this.#route.shift();
  }
}

const keyOf = ({ key }) => (key.length === 1 ? key.toLowerCase() : key);
