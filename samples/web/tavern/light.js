/** Light over the drawn room: pools of it at night, beams from the windows by day. */
import { CANDLES, FIRE, WINDOWS } from './draw-room.js';
import { HEIGHT, WIDTH } from './room.js';

const shade = new OffscreenCanvas(WIDTH * 40, HEIGHT * 40);
const dark = shade.getContext('2d');
dark.scale(40, 40);

export function drawLight(ctx, now, { night, raining, player }) {
  for (const { x, y } of CANDLES) drawCandle(ctx, x, y, now);
  const flicker = 1 + 0.03 * Math.sin(now / 120) + 0.02 * Math.sin(now / 53);
  const lights = [
    { ...FIRE, y: FIRE.y + 0.6, r: 4.6 * flicker },
    ...CANDLES.map(({ x, y }, i) => ({ x, y: y - 0.3, r: 2.6 + 0.06 * Math.sin(now / 140 + i * 2) })),
  ];
  if (night) {
    dark.globalCompositeOperation = 'copy';
    dark.fillStyle = raining ? 'rgb(10 14 34 / 0.66)' : 'rgb(14 16 44 / 0.58)';
    dark.fillRect(0, 0, WIDTH, HEIGHT);
    dark.globalCompositeOperation = 'destination-out';
    for (const light of [...lights, { x: player.x, y: player.y - 0.7, r: 2.1 }])
      pool(dark, light, '#000000', 1);
    dark.fillStyle = 'rgb(0 0 0 / 0.7)';
    for (const { x, y, w, h } of WINDOWS) dark.fillRect(x, y, w, h);
    ctx.drawImage(shade, 0, 0, WIDTH, HEIGHT);
  } else if (raining) {
    ctx.fillStyle = 'rgb(52 70 96 / 0.12)';
    ctx.fillRect(0, 0, WIDTH, HEIGHT);
  } else drawBeams(ctx);
  ctx.globalCompositeOperation = 'lighter';
  for (const light of lights) pool(ctx, light, '#ff9a3c', night ? 0.2 : 0.09);
  ctx.globalCompositeOperation = 'source-over';
}

function pool(ctx, { x, y, r }, colour, strength) {
  const gradient = ctx.createRadialGradient(x, y, 0, x, y, r);
  gradient.addColorStop(0, colour);
  gradient.addColorStop(1, `${colour}00`);
  ctx.globalAlpha = strength;
  ctx.fillStyle = gradient;
  ctx.fillRect(x - r, y - r, 2 * r, 2 * r);
  ctx.globalAlpha = 1;
}

function drawBeams(ctx) {
  for (const { x, y, w, h } of WINDOWS) {
    const gradient = ctx.createLinearGradient(0, y, 0, 7);
    gradient.addColorStop(0, 'rgb(255 240 190 / 0.4)');
    gradient.addColorStop(1, 'rgb(255 240 190 / 0)');
    ctx.fillStyle = gradient;
    ctx.beginPath();
    ctx.moveTo(x, y);
    ctx.lineTo(x + w, y);
    ctx.lineTo(x + w + 2.2, 7);
    ctx.lineTo(x + 0.9, 7);
    ctx.lineTo(x, y + h);
    ctx.fill();
  }
}

function drawCandle(ctx, x, y, now) {
  ctx.fillStyle = '#f5ead0';
  ctx.fillRect(x - 0.06, y - 0.5, 0.12, 0.28);
  ctx.fillStyle = '#ffb638';
  ctx.beginPath();
  ctx.ellipse(x, y - 0.6, 0.05, 0.1 + 0.015 * Math.sin(now / 90 + x * 7), 0, 0, Math.PI * 2);
  ctx.fill();
}
