/** Draws the tavern: floor, back wall, windows with the weather in them, and furniture. */
import { DOOR, FLOOR_TOP, HEIGHT, WIDTH } from './room.js';

const DAY = { floor: '#c89a63', seam: '#b0834f', wall: '#e9d7b4', beam: '#7d5332', wood: '#9a6a3f', top: '#b98550', sky: '#a9d8ef', grey: '#9fb0bb', hill: '#7fb070' }; // prettier-ignore
const NIGHT = { floor: '#8d6a47', seam: '#775637', wall: '#a08a6c', beam: '#52361f', wood: '#70492b', top: '#8c6039', sky: '#2a3564', grey: '#333c52', hill: '#27413d' }; // prettier-ignore
export const FIRE = { x: 2.5, y: 1.75 };
export const WINDOWS = [{ x: 5 }, { x: 7.4 }].map(({ x }) => ({ x, y: 0.45, w: 1.5, h: 1.15 }));
export const CANDLES = [
  { x: 4.95, y: 6.2 },
  { x: 8.4, y: 4.3 },
  { x: 10.1, y: 3.35 },
  { x: 15.3, y: 7.5 },
];

export function drawRoom(ctx, now, { night, raining }) {
  const c = night ? NIGHT : DAY;
  fill(ctx, c.floor, 0, FLOOR_TOP, WIDTH, HEIGHT - FLOOR_TOP);
  for (let row = 0; row * 0.56 < HEIGHT - FLOOR_TOP; row++) {
    const y = FLOOR_TOP + row * 0.56;
    fill(ctx, c.seam, 0, y, WIDTH, 0.03);
    for (let x = (row * 1.9) % 3.1; x < WIDTH; x += 3.1) fill(ctx, c.seam, x, y, 0.03, 0.56);
  }
  drawRug(ctx);
  fill(ctx, c.wall, 0, 0, WIDTH, FLOOR_TOP);
  for (const x of [0, 4.2, 9.2, 15.7]) fill(ctx, c.beam, x, 0, 0.3, FLOOR_TOP);
  fill(ctx, c.beam, 0, 0, WIDTH, 0.22);
  fill(ctx, c.beam, 0, FLOOR_TOP - 0.16, WIDTH, 0.16);
  for (const place of WINDOWS) drawWindow(ctx, place, c, now, { night, raining });
  drawShelf(ctx, c);
  drawHearth(ctx, now);
  fill(ctx, '#6e3b2d', DOOR.x - 0.8, HEIGHT - 0.42, 1.6, 0.42, 0.08);
}

/** One thing that stands on the floor. */
export function drawObstacle(ctx, { kind, x, y, w, h }, night) {
  const c = night ? NIGHT : DAY;
  fill(ctx, 'rgb(30 15 10 / 0.22)', x + 0.06, y + h - 0.1, w + 0.08, 0.24, 0.1);
  if (kind === 'wall') {
    fill(ctx, c.beam, x, y - 1.3, w, h + 1.3);
    fill(ctx, c.wood, x + 0.06, y - 1.3, w - 0.12, h + 1.3);
    return fill(ctx, c.beam, x - 0.06, y - 1.36, w + 0.12, 0.3, 0.05);
  }
  if (kind === 'anvil') {
    fill(ctx, '#6b4a30', x + 0.25, y, w - 0.5, h, 0.06);
    fill(ctx, '#565c66', x + 0.3, y - 0.22, w - 0.6, 0.3);
    return fill(ctx, '#717883', x, y - 0.42, w, 0.26, 0.1);
  }
  if (kind === 'table') return drawTable(ctx, x, y, w, h, c);
  const tall = kind === 'bar' ? 0.7 : 0.42;
  fill(ctx, c.wood, x, y - tall, w, h + tall, kind === 'barrel' ? 0.25 : 0.1);
  if (kind === 'barrel') for (const at of [0.1, 0.55]) fill(ctx, '#4d4a48', x, y - tall + at + 0.2, w, 0.07);
  fill(ctx, c.top, x - 0.05, y - tall - 0.05, w + 0.1, kind === 'barrel' ? 0.3 : h, 0.12);
  if (kind === 'bar') for (let at = x + 1.3; at < x + w - 0.3; at += 1.15) drawMug(ctx, at, y - 0.55);
}

function drawTable(ctx, x, y, w, h, c) {
  for (const side of [-0.3, w + 0.3]) {
    fill(ctx, c.wood, x + side - 0.16, y + h * 0.3, 0.32, 0.34, 0.06);
    oval(ctx, x + side, y + h * 0.3, 0.22, 0.11, c.top);
  }
  fill(ctx, c.wood, x + w / 2 - 0.14, y, 0.28, h, 0.06);
  oval(ctx, x + w / 2, y + 0.06, w / 2, h * 0.52, c.wood);
  oval(ctx, x + w / 2, y - 0.04, w / 2, h * 0.5, c.top);
  drawMug(ctx, x + w * 0.22, y + 0.05);
}

function drawRug(ctx) {
  for (const [rx, ry, colour] of [[2.3, 1, '#8c3b3b'], [2.05, 0.86, '#d8a45a'], [1.9, 0.78, '#a34a44'], [1, 0.4, '#d8a45a'], [0.85, 0.32, '#8c3b3b']]) {
    oval(ctx, 7, 6.6, rx, ry, colour);
  } // prettier-ignore
}

function drawWindow(ctx, { x, y, w, h }, c, now, { night, raining }) {
  fill(ctx, c.beam, x - 0.1, y - 0.1, w + 0.2, h + 0.2, 0.08);
  ctx.save();
  ctx.beginPath();
  ctx.rect(x, y, w, h);
  ctx.clip();
  fill(ctx, raining ? c.grey : c.sky, x, y, w, h);
  if (!raining) oval(ctx, 8.4, y + 0.35, 0.22, 0.22, night ? '#f3ecd2' : '#ffd966');
  oval(ctx, 6.2, y + h + 0.5, 2.2, 0.9, c.hill);
  oval(ctx, 8.8, y + h + 0.4, 1.2, 0.7, c.hill);
  if (raining)
    for (let i = 0; i < 26; i++) {
      const fall = (now / 450 + i * 0.37) % 1;
      fill(ctx, 'rgb(235 245 255 / 0.6)', x + ((i * 0.617) % 1) * w, y + fall * (h + 0.3) - 0.3, 0.025, 0.2);
    }
  ctx.restore();
  fill(ctx, c.beam, x + w / 2 - 0.04, y, 0.08, h);
  fill(ctx, c.beam, x, y + h / 2 - 0.04, w, 0.08);
}

function drawShelf(ctx, c) {
  const colours = ['#5f8f63', '#a8503c', '#c9a24a', '#5c7aa3', '#8a5c86'];
  for (const y of [1.05, 1.8]) {
    fill(ctx, c.beam, 10, y, 5.2, 0.1);
    for (let i = 0; i < 13; i++) {
      const tall = 0.3 + ((i * 7 + y * 10) % 5) * 0.05;
      const x = 10.15 + i * 0.39;
      fill(ctx, colours[(i * 3 + Math.round(y)) % 5], x, y - tall, 0.2, tall, 0.05);
      fill(ctx, colours[(i * 3 + Math.round(y)) % 5], x + 0.06, y - tall - 0.12, 0.08, 0.14);
    }
  }
}

function drawHearth(ctx, now) {
  fill(ctx, '#77706a', 1.2, 0, 2.6, FLOOR_TOP + 0.15, 0.06);
  fill(ctx, '#8b847d', 1.05, 0.75, 2.9, 0.24, 0.06);
  fill(ctx, '#2a1c18', 1.65, 1.2, 1.7, FLOOR_TOP - 1.05, [0.5, 0.5, 0, 0]);
  for (const [dx, tall, colour] of [[-0.35, 0.5, '#e2571f'], [0.3, 0.55, '#e2571f'], [0, 0.75, '#f2832a'], [0.02, 0.42, '#ffd166']]) {
    const flicker = 1 + 0.16 * Math.sin(now / 110 + dx * 20) + 0.08 * Math.sin(now / 47 + tall * 9);
    oval(ctx, FIRE.x + dx, FLOOR_TOP - tall * 0.42, 0.24, (tall * flicker) / 2, colour);
  } // prettier-ignore
  fill(ctx, '#4d3020', 1.9, FLOOR_TOP - 0.1, 1.2, 0.16, 0.08);
}

function drawMug(ctx, x, y) {
  fill(ctx, '#d9c08f', x, y - 0.24, 0.2, 0.26, 0.04);
  oval(ctx, x + 0.1, y - 0.24, 0.12, 0.06, '#fff7e4');
}

function fill(ctx, colour, x, y, w, h, radius = 0) {
  ctx.fillStyle = colour;
  ctx.beginPath();
  ctx.roundRect(x, y, w, h, radius);
  ctx.fill();
}

function oval(ctx, x, y, rx, ry, colour) {
  ctx.fillStyle = colour;
  ctx.beginPath();
  ctx.ellipse(x, y, rx, ry, 0, 0, Math.PI * 2);
  ctx.fill();
}
