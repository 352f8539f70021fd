/** The way around the furniture: breadth first over a grid, then straight wherever nothing is between. */
import { distance, HEIGHT, isFree, WIDTH } from './room.js';

const CELL = 0.25;
const COLUMNS = WIDTH / CELL;
const ROWS = HEIGHT / CELL;
const AROUND = [-1, 1, -COLUMNS, COLUMNS];

const cellAt = ({ x, y }) =>
  Math.min(ROWS - 1, Math.floor(y / CELL)) * COLUMNS + Math.min(COLUMNS - 1, Math.floor(x / CELL));
const placeOf = (cell) => ({
  x: ((cell % COLUMNS) + 0.5) * CELL,
  y: (Math.floor(cell / COLUMNS) + 0.5) * CELL,
});

/** Places to walk to one after the other, the last as near to `goal` as one can stand. */
export function routeTo(from, goal) {
  const start = cellAt(from);
  const cameFrom = new Map([[start, undefined]]);
  const nearness = (cell) => distance(placeOf(cell), goal);
  let nearest = start;
  // A map is iterated in the order of insertion, and goes on while it grows: it is its own queue.
  for (const cell of cameFrom.keys()) {
    if (nearness(cell) < nearness(nearest)) nearest = cell;
    for (const step of AROUND) {
      const next = cell + step;
      const { x, y } = placeOf(next);
      if (!cameFrom.has(next) && isFree(x, y)) cameFrom.set(next, cell);
    }
  }
  const places = isFree(goal.x, goal.y) && nearness(nearest) < CELL ? [goal] : [];
  for (let cell = nearest; cell !== start; cell = cameFrom.get(cell)) places.unshift(placeOf(cell));
  return straighten(from, places);
}

function straighten(from, places) {
  const kept = [];
  for (let at = from, i = 0; i < places.length; i++) {
    let last = places.length - 1;
    while (last > i && !isClear(at, places[last])) last--;
    kept.push((at = places[last]));
    i = last;
  }
  return kept;
}

function isClear(a, b) {
  const steps = Math.ceil(distance(a, b) / 0.1);
  for (let i = 1; i <= steps; i++)
    if (!isFree(a.x + ((b.x - a.x) * i) / steps, a.y + ((b.y - a.y) * i) / steps)) return false;
  return true;
}
