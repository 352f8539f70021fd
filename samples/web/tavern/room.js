/** The tavern and who is in it. All lengths are metres; x goes right, y goes down the screen. */

export const WIDTH = 16;
export const HEIGHT = 9;
/** Where the floor begins, below the back wall. */
export const FLOOR_TOP = 2.3;
export const DOOR = { x: 7, y: 8.1 };

export const WEATHER = { rain: 'rain', sun: 'sunshine' };

/** Each of the cast: where they stand, and where they stroll to when nobody talks to them. */
export const CAST = [
  { id: 'aldric', x: 3.5, y: 4.1 },
  { id: 'marta', x: 11.7, y: 3.35 },
  { id: 'fitch', x: 13.4, y: 7.4, strollsTo: { x: 13.9, y: 5.2 } },
];

/** What nobody walks through. Only `wall` stands between two people's voices. */
export const OBSTACLES = [
  { kind: 'bar', x: 9.6, y: 3.55, w: 4.4, h: 0.75 },
  { kind: 'wall', x: 10.6, y: 5.6, w: 0.35, h: 3.4 },
  { kind: 'anvil', x: 1.7, y: 4.0, w: 1.0, h: 0.5 },
  { kind: 'table', x: 4.2, y: 6.3, w: 1.5, h: 0.9 },
  { kind: 'table', x: 7.7, y: 4.4, w: 1.4, h: 0.8 },
  { kind: 'barrel', x: 14.9, y: 7.7, w: 0.8, h: 0.6 },
  { kind: 'barrel', x: 14.2, y: 8.2, w: 0.8, h: 0.6 },
];

const inside = (x, y, o, margin = 0) =>
  x > o.x - margin && x < o.x + o.w + margin && y > o.y - margin && y < o.y + o.h + margin;

/** Somebody's feet may stand here. */
export const isFree = (x, y) =>
  x > 0.5 &&
  x < WIDTH - 0.5 &&
  y > FLOOR_TOP + 0.3 &&
  y < HEIGHT - 0.25 &&
  !OBSTACLES.some((o) => inside(x, y, o, 0.3));

const WALLS = OBSTACLES.filter(({ kind }) => kind === 'wall');
const STEP = 0.1;

/** A wall stands between the two. */
export function isWallBetween(a, b) {
  const steps = Math.ceil(distance(a, b) / STEP);
  for (let i = 1; i < steps; i++) {
    const x = a.x + ((b.x - a.x) * i) / steps;
    const y = a.y + ((b.y - a.y) * i) / steps;
    if (WALLS.some((wall) => inside(x, y, wall))) return true;
  }
  return false;
}

export const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);
