/** From fifteen viseme weights to a drawn mouth. */
import { VISEMES } from '@npc-voice/web';

const at = (...names) => names.map((name) => VISEMES.indexOf(name));
/** How far each shape opens the jaw, and which spread or round the lips. */
const JAW = { aa: 1, oh: 0.75, E: 0.65, ih: 0.45, ou: 0.4, RR: 0.3, CH: 0.3, kk: 0.3, DD: 0.28, nn: 0.25, SS: 0.2, TH: 0.3, FF: 0.12 }; // prettier-ignore
const jaw = VISEMES.map((name) => JAW[name] ?? 0);
const wide = at('E', 'ih', 'SS');
const round = at('oh', 'ou', 'CH');

const sum = (weights, indices) => indices.reduce((total, i) => total + weights[i], 0);

/** How open and how wide the mouth is now, eased: visemes come each 20 ms, pictures each 16 or so. */
export function easeMouth(mouth, weights) {
  let open = 0;
  if (weights) for (let i = 0; i < jaw.length; i++) open += jaw[i] * weights[i];
  const spread = weights ? 1 + 0.25 * sum(weights, wide) - 0.45 * sum(weights, round) : 1;
  mouth.open += (Math.min(1, open) - mouth.open) * 0.5;
  mouth.spread += (spread - mouth.spread) * 0.5;
  return mouth;
}

/** A mouth at the origin; 1 is the head's radius. */
export function drawMouth(ctx, { open, spread }, ink) {
  const w = 0.27 * spread;
  ctx.beginPath();
  if (open < 0.06) {
    ctx.moveTo(-w * 0.8, 0);
    ctx.quadraticCurveTo(0, 0.12, w * 0.8, 0);
    ctx.lineWidth = 0.07;
    ctx.lineCap = 'round';
    ctx.strokeStyle = ink;
    return ctx.stroke();
  }
  const h = 0.06 + 0.26 * open;
  ctx.ellipse(0, h * 0.4, w, h, 0, 0, Math.PI * 2);
  ctx.fillStyle = '#4a1a1c';
  ctx.fill();
  ctx.save();
  ctx.clip();
  ctx.fillStyle = '#d76a62';
  ctx.beginPath();
  ctx.ellipse(0, h * 1.25, w * 0.75, h * 0.55, 0, 0, Math.PI * 2);
  ctx.fill();
  ctx.fillStyle = '#fff4e6';
  ctx.fillRect(-w, h * 0.4 - h - 0.02, w * 2, h * 0.38);
  ctx.restore();
}
