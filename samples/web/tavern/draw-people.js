/** Draws a body: feet at its place, a large head, a face that talks. */
import { drawMouth, easeMouth } from './face.js';

const LOOKS = {
  player: { coat: '#3f6fb0', trim: '#d9483b', skin: '#f0c49c', hair: '#d9a441', style: 'mop' },
  aldric: { coat: '#7a4a2c', trim: '#4b3124', skin: '#d99a72', hair: '#a7a19a', style: 'beard' },
  marta: { coat: '#4f8a5b', trim: '#f6eee0', skin: '#f3c9a8', hair: '#b5502c', style: 'bun' },
  fitch: { coat: '#55608a', trim: '#39426a', skin: '#eebf9b', hair: '#434c78', style: 'hood' },
};
const INK = '#33231a';
const HEAD = 0.46;

const faces = new Map();
const faceOf = (id) => {
  let face = faces.get(id);
  if (!face) faces.set(id, (face = { open: 0, spread: 1, lookX: 0, lookY: 0, phase: faces.size * 1.7 }));
  return face;
};

/** `weights`: viseme weights, where it has a voice. `target`: whom it looks at. */
export function drawPerson(ctx, id, body, now, { weights, target } = {}) {
  const look = LOOKS[id];
  const face = faceOf(id);
  easeMouth(face, weights);
  const step = Math.sin(body.walked * 9);
  const breath = Math.sin(now / 900 + face.phase) * 0.015;
  ctx.save();
  ctx.translate(body.x, body.y);
  oval(ctx, 0, 0, 0.42, 0.14, 'rgb(30 15 10 / 0.28)');
  drawBody(ctx, look, step, breath);
  ctx.translate(0, -1.16 - breath * 2 - Math.abs(step) * 0.03);
  ctx.rotate(face.open * 0.03 * body.facing);
  ctx.scale(HEAD, HEAD);
  drawHead(ctx, look, face, now, body, target);
  ctx.restore();
}

function drawBody(ctx, { coat, trim, skin, style }, step, breath) {
  oval(ctx, -0.16, -0.04 - Math.max(0, step) * 0.08, 0.13, 0.09, INK);
  oval(ctx, 0.16, -0.04 - Math.max(0, -step) * 0.08, 0.13, 0.09, INK);
  ctx.fillStyle = coat;
  ctx.beginPath();
  ctx.moveTo(-0.26, -0.86 - breath);
  ctx.quadraticCurveTo(-0.5, -0.4, -0.38, -0.08);
  ctx.quadraticCurveTo(0, 0.03, 0.38, -0.08);
  ctx.quadraticCurveTo(0.5, -0.4, 0.26, -0.86 - breath);
  ctx.fill();
  for (const side of [-1, 1]) oval(ctx, side * 0.4, -0.34 + step * side * 0.06, 0.1, 0.11, skin);
  ctx.fillStyle = trim;
  ctx.beginPath();
  if (style === 'mop') ctx.roundRect(-0.28, -0.86, 0.56, 0.17, 0.08);
  else if (style === 'hood') ctx.roundRect(-0.37, -0.42, 0.74, 0.09, 0.03);
  else ctx.roundRect(-0.22, -0.72, 0.44, 0.62, 0.12);
  ctx.fill();
}

function drawHead(ctx, { skin, hair, style }, face, now, body, target) {
  if (style === 'bun') oval(ctx, 0, -0.98, 0.42, 0.38, hair);
  if (style === 'hood') oval(ctx, 0, 0.02, 1.16, 1.16, hair);
  if (style === 'bun' || style === 'mop') oval(ctx, 0, -0.06, 1.07, 1.02, hair);
  oval(ctx, 0, 0, 0.96, 0.95, skin);
  oval(ctx, -0.55, 0.32, 0.17, 0.1, 'rgb(226 96 80 / 0.35)');
  oval(ctx, 0.55, 0.32, 0.17, 0.1, 'rgb(226 96 80 / 0.35)');
  drawHair(ctx, hair, style);

  const dx = target ? (target.x - body.x) / 4 : body.facing;
  const dy = target ? (target.y - body.y) / 4 : 0;
  face.lookX += (clamp(dx) - face.lookX) * 0.12;
  face.lookY += (clamp(dy) - face.lookY) * 0.12;
  const shut = (now + face.phase * 1000) % 4100 < 130;
  for (const side of [-0.36, 0.36]) {
    const x = side + face.lookX * 0.12;
    const y = -0.05 + face.lookY * 0.07;
    oval(ctx, x, y, 0.11, shut ? 0.03 : 0.15, INK);
    if (!shut) oval(ctx, x + 0.03, y - 0.06, 0.035, 0.045, '#fff');
  }
  ctx.save();
  ctx.translate(face.lookX * 0.1, 0.46);
  drawMouth(ctx, face, INK);
  ctx.restore();
}

function drawHair(ctx, hair, style) {
  ctx.fillStyle = hair;
  ctx.beginPath();
  if (style === 'beard') {
    // A beard around the mouth, and a bald crown.
    ctx.moveTo(-0.94, 0.05);
    ctx.bezierCurveTo(-1.02, 1.15, -0.5, 1.42, 0, 1.42);
    ctx.bezierCurveTo(0.5, 1.42, 1.02, 1.15, 0.94, 0.05);
    ctx.bezierCurveTo(0.75, 0.42, 0.45, 0.26, 0, 0.28);
    ctx.bezierCurveTo(-0.45, 0.26, -0.75, 0.42, -0.94, 0.05);
    ctx.fill();
    oval(ctx, -0.38, -0.33, 0.21, 0.07, hair);
    return oval(ctx, 0.38, -0.33, 0.21, 0.07, hair);
  }
  if (style === 'hood') {
    ctx.arc(0, 0, 1.16, 0, Math.PI * 2);
    ctx.ellipse(0, 0.14, 0.84, 0.86, 0, 0, Math.PI * 2, true);
    ctx.fill('evenodd');
    oval(ctx, -0.22, -0.52, 0.34, 0.14, '#5b3a24');
    return oval(ctx, 0.2, -0.56, 0.3, 0.12, '#5b3a24');
  }
  ctx.moveTo(-1.02, 0.05);
  ctx.bezierCurveTo(-1.05, -1.25, 1.05, -1.25, 1.02, 0.05);
  if (style === 'bun') ctx.bezierCurveTo(0.85, -0.6, 0.2, -0.62, 0, -0.72);
  else ctx.bezierCurveTo(0.8, -0.3, 0.5, -0.6, 0.15, -0.38);
  ctx.bezierCurveTo(-0.35, -0.55, -0.85, -0.55, -1.02, 0.05);
  ctx.fill();
}

const clamp = (value) => Math.min(1, Math.max(-1, value));

function oval(ctx, x, y, rx, ry, fill) {
  ctx.fillStyle = fill;
  ctx.beginPath();
  ctx.ellipse(x, y, rx, ry, 0, 0, Math.PI * 2);
  ctx.fill();
}
